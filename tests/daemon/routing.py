"""The routes of a running daemon, as tests ask for them, and groups that take them."""

import json
import zlib
from dataclasses import replace
from typing import Any

from changing import Route, by, route_service
from notices import notice
from running_daemon import Integration, RunningDaemon

from tocsin.v1 import routes_pb2
from tocsind.domain.notification import Notification


def get(daemon: RunningDaemon, name: str) -> Route:
    """One route."""
    return route_service(daemon).GetRoute(routes_pb2.GetRouteRequest(name=name))


def update(daemon: RunningDaemon, name: str, *paths: str, **fields: Any) -> Route:
    """A route with other values."""
    request = routes_pb2.UpdateRouteRequest(route=Route(name=name, **fields))
    request.update_mask.paths.extend(paths)
    return route_service(daemon).UpdateRoute(request, metadata=by())


def move(daemon: RunningDaemon, name: str, position: int, **fields: Any) -> Route:
    """A route in another place."""
    return route_service(daemon).MoveRoute(
        routes_pb2.MoveRouteRequest(name=name, position=position, **fields), metadata=by()
    )


def remove(daemon: RunningDaemon, name: str, **fields: Any) -> None:
    """No route."""
    route_service(daemon).DeleteRoute(routes_pb2.DeleteRouteRequest(name=name, **fields), metadata=by())


def try_routes(daemon: RunningDaemon, parent: str, **given: str) -> routes_pb2.TestRoutesResponse:
    """What the routes say."""
    return route_service(daemon).TestRoutes(routes_pb2.TestRoutesRequest(parent=parent, **given))


def labelled(key: str, **labels: str) -> Notification:
    """A firing notification about a group with these labels."""
    payload = json.dumps({"status": "firing", "groupKey": key, "commonLabels": labels}).encode()
    return replace(notice("a", key=key), labels=labels, payload=zlib.compress(payload))


def open_group(daemon: RunningDaemon, integration: Integration, key: str = "k", **labels: str) -> str:
    """A new group with these labels."""
    return str(daemon.send(integration, labelled(key, **labels)).alert_group)


def route_of(daemon: RunningDaemon, group: str) -> str:
    """The route that a group is under."""
    return str(daemon.group(group).route)
