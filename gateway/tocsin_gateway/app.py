"""The Falcon app: which URL leads where, and what everything is wired to.

The rules:

* Every URL is served with and without the last slash, and never by a redirect (Alertmanager follows a 301 with a GET
  and takes the answer to that for success).
* A wrong method gets 405, with the right ones and what the URL is for, whatever the method is.
* Whatever goes wrong is told in one line of plain text; under `/api/`, in JSON.
"""

import asyncio
import gc
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

import falcon
import falcon.asgi
import structlog

from tocsin.v1 import intake_pb2_grpc
from tocsin_gateway import answers
from tocsin_gateway.answers import Answer
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.deferral import Deferral
from tocsin_gateway.delivery_stream import DeliveryStream
from tocsin_gateway.dispatcher import Dispatcher
from tocsin_gateway.edge import Edge
from tocsin_gateway.intake import HeartbeatResource, NotificationResource
from tocsin_gateway.metrics import Metrics
from tocsin_gateway.oncall import api, replies
from tocsin_gateway.oncall.caller import CHANNEL_OPTIONS as API_OPTIONS
from tocsin_gateway.presence import Presence
from tocsin_gateway.status import DaemonExposition, Exposition, Healthy, Ready

NOTIFICATIONS: Final = "/integrations/v1/{integration_type}/{credential}"
HEARTBEATS: Final = NOTIFICATIONS + "/heartbeat"

_PURPOSES: Final = {
    NOTIFICATIONS: ("POST", "this URL takes Alertmanager's notifications, by POST only"),
    HEARTBEATS: ("GET, POST", "this URL takes heartbeats, by GET or POST"),
}
"""By route: the methods and what it is for."""

_GC_THRESHOLD: Final = 20_000
"""Objects that may be made, and not freed, before the garbage collector looks at them; Python's default is 700."""

_log = structlog.get_logger("tocsin_gateway")

_Request = falcon.asgi.Request
_Response = falcon.asgi.Response
_App = falcon.asgi.App[_Request, _Response]
_Event = Mapping[str, Any]


class _Gateway:
    """What lives between the start and the end of the server, in its event loop."""

    def __init__(self, app: _App, metrics: Metrics, daemon: DaemonLink, max_body: int) -> None:
        self._app = app
        self._metrics = metrics
        self._daemon = daemon
        self._max_body = max_body

    async def process_startup(self, scope: _Event, event: _Event) -> None:
        """Opens the channels and all that hangs on them."""
        self._channel = self._daemon.channel()
        stub: intake_pb2_grpc.IntakeServiceAsyncStub = intake_pb2_grpc.IntakeServiceStub(self._channel)
        self._stream = DeliveryStream(stub, self._daemon)
        self._dispatcher = Dispatcher(self._stream.deliver, self._metrics)
        presence = Presence(stub, self._daemon, f"{socket.gethostname()}:{os.getpid()}", self._metrics)
        self._attending = asyncio.get_running_loop().create_task(presence.attend())
        self._metrics.pending.set_function(lambda: self._dispatcher.pending)
        self._deferral = Deferral(self._dispatcher, stub, self._daemon, self._metrics)
        intake = (self._deferral, self._metrics, self._max_body)
        self._app.add_route(NOTIFICATIONS, NotificationResource(*intake))
        self._app.add_route(HEARTBEATS, HeartbeatResource(*intake))
        self._app.add_route("/-/ready", Ready(self._channel))
        self._app.add_route("/metrics/daemon", DaemonExposition(self._channel, self._daemon))
        self._api_channel = self._daemon.channel(API_OPTIONS)
        api.add_routes(self._app, self._api_channel)
        # What stands now stands for ever, and what comes later is mostly freed by reference counts. Measured at 64
        # connections: p99 of repeats 12 instead of 25 ms, CPU -8 %.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        _log.info("gateway started", target=self._daemon.target, max_body=self._max_body)

    async def process_shutdown(self, scope: _Event, event: _Event) -> None:
        """Runs after the last request was answered, or given up."""
        self._attending.cancel()
        await self._dispatcher.close()
        await self._deferral.close()
        await self._stream.close()
        await self._channel.close()
        await self._api_channel.close()
        _log.info("gateway stopped")


def create_app(daemon: DaemonLink, max_body: int) -> Edge:
    """The ASGI application of a gateway; `max_body` is in bytes."""
    metrics = Metrics()
    app: _App = falcon.asgi.App(media_type=falcon.MEDIA_TEXT)
    app.req_options.strip_url_path_trailing_slash = True
    app.add_middleware(_Gateway(app, metrics, daemon, max_body))
    app.add_route("/-/healthy", Healthy())
    app.add_route("/metrics", Exposition(metrics))
    app.add_error_handler(Exception, _on_defect)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    app.add_error_handler(falcon.HTTPMethodNotAllowed, _on_wrong_method)
    return Edge(app, metrics)


async def _on_defect(req: _Request, resp: _Response, error: Exception, params: dict[str, Any]) -> None:
    _log.error("request failed", exc_info=error)
    if api.is_for_us(req):
        replies.give(resp, replies.DEFECT)
        return
    answers.give(resp, answers.unavailable("the gateway failed to handle this: see its log"))


async def _on_http_error(req: _Request, resp: _Response, error: falcon.HTTPError, params: dict[str, Any]) -> None:
    if api.is_for_us(req):
        api.on_http_error(req, resp, error)
        return
    text = "there is nothing here" if error.status_code == 404 else error.title or "the request is wrong"
    answers.give(resp, Answer(error.status_code, text, tuple(dict(error.headers or {}).items())))


async def _on_wrong_method(
    req: _Request, resp: _Response, error: falcon.HTTPMethodNotAllowed, params: dict[str, Any]
) -> None:
    if api.is_for_us(req):
        api.on_http_error(req, resp, error)
        return
    allowed, purpose = _PURPOSES.get(req.uri_template or "", ("GET, HEAD", "this URL is read by GET"))
    answers.give(resp, Answer(405, purpose, (("Allow", allowed),)))
