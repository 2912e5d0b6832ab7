"""Which URL of the REST API leads where."""

from typing import Any, Final

import falcon
import falcon.asgi
import grpc.aio

from tocsin_gateway.oncall import replies
from tocsin_gateway.oncall.alert_groups import ACTIONS, AlertGroup, AlertGroupAction, AlertGroups
from tocsin_gateway.oncall.caller import Daemon
from tocsin_gateway.oncall.integrations import (
    Integration,
    Integrations,
    StartMaintenance,
    StopMaintenance,
)
from tocsin_gateway.oncall.payloads import Payloads
from tocsin_gateway.oncall.resource import Places
from tocsin_gateway.oncall.routes import Route, Routes

PREFIX: Final = "/api/v1"


def add_routes(app: "falcon.asgi.App[Any, Any]", channel: grpc.aio.Channel) -> None:
    """Adds the URLs to the app. `channel` leads to the daemon and serves nothing else."""
    daemon, places, payloads = Daemon(channel), Places(), Payloads()
    groups = f"{PREFIX}/alert_groups"
    app.add_route(groups, AlertGroups(daemon, places, payloads))
    app.add_route(f"{groups}/{{group_id}}", AlertGroup(daemon, places, payloads))
    for verb in ACTIONS:
        app.add_route(f"{groups}/{{group_id}}/{verb}", AlertGroupAction(daemon, places, verb))
    integrations = f"{PREFIX}/integrations"
    app.add_route(integrations, Integrations(daemon, places))
    app.add_route(f"{integrations}/{{integration_id}}", Integration(daemon, places))
    app.add_route(f"{integrations}/{{integration_id}}/maintenance_start", StartMaintenance(daemon, places))
    app.add_route(f"{integrations}/{{integration_id}}/maintenance_stop", StopMaintenance(daemon, places))
    app.add_route(f"{PREFIX}/routes", Routes(daemon, places))
    app.add_route(f"{PREFIX}/routes/{{route_id}}", Route(daemon, places))


def is_for_us(req: falcon.asgi.Request) -> bool:
    """Whether a request is one for the REST API, and its errors are to be JSON, even if its URL is unknown."""
    return f"{req.path}/".startswith(f"{PREFIX}/")


def on_http_error(req: falcon.asgi.Request, resp: falcon.asgi.Response, error: falcon.HTTPError) -> None:
    """Answers what Falcon refuses by itself."""
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        reply = replies.wrong_method(req.method, dict(error.headers or {}))
    elif error.status_code == 404:
        reply = replies.NOT_FOUND
    else:
        reply = replies.detail(error.status_code, error.title or "The request is wrong.")
    replies.give(resp, reply)
