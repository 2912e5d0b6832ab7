"""A daemon as the REST API sees it: alert groups and integrations in memory, and tokens that it judges.

As on a real unix socket, a call without a token is an admin's, and is done; it is noted in `without_token`, which tests
expect to stay empty.
"""

import re
import threading
from collections.abc import Iterable
from concurrent import futures
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import grpc
from gateway_harness import FakeDaemon
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from tocsin.v1 import (
    alert_groups_pb2,
    alert_groups_pb2_grpc,
    intake_pb2_grpc,
    integrations_pb2,
    integrations_pb2_grpc,
    routes_pb2,
    routes_pb2_grpc,
)

AlertGroup = alert_groups_pb2.AlertGroup
State = AlertGroup.State

ADMIN = "adm1n-t0k3n-which-must-never-be-logged"
"""The token of an admin; so is whatever begins with it, for tests that want to be a caller of their own."""

VIEWER = "v13w3r-t0k3n-which-must-never-be-logged"

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""When group 1 opened; each next one opens a minute later."""

ALLOWED = {
    "Acknowledge": ({State.FIRING, State.SILENCED}, State.ACKNOWLEDGED),
    "Unacknowledge": ({State.ACKNOWLEDGED}, State.FIRING),
    "Silence": ({State.FIRING, State.SILENCED}, State.SILENCED),
    "Unsilence": ({State.SILENCED}, State.FIRING),
    "Resolve": ({State.FIRING, State.ACKNOWLEDGED, State.SILENCED}, State.RESOLVED),
    "Unresolve": ({State.RESOLVED}, State.FIRING),
}

_COMPARISON = re.compile(
    r'(state|integration|route|create_time|labels\.(?:\w+|"(?:[^"\\]|\\.)*")) (=|>=|<) ("(?:[^"\\]|\\.)*"|\w+)'
)


class Call(NamedTuple):
    """One call that came."""

    method: str
    request: Any
    metadata: dict[str, str]


def stamp(moment: datetime) -> Timestamp:
    """As a message has it."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


class OncallDaemon(
    alert_groups_pb2_grpc.AlertGroupServiceServicer,
    integrations_pb2_grpc.IntegrationServiceServicer,
    routes_pb2_grpc.RouteServiceServicer,
):
    """The services on a unix socket, programmable while they run."""

    def __init__(self, path: str) -> None:
        self.target = f"unix:{path}"
        self.intake = FakeDaemon(path)
        self._changed = threading.Condition()
        self._server: grpc.Server | None = None
        self.reset()

    def reset(self) -> None:
        """Empty, knows two tokens, does what it is asked, remembers nothing."""
        self.intake.reset()
        self.groups: dict[int, Any] = {}
        self.payloads: dict[str, bytes] = {}
        self.integrations: dict[str, Any] = {}
        self.routes: dict[str, list[Any]] = {}
        self.default_chains: dict[str, str] = {}
        self.deleted_meanwhile: set[str] = set()
        self.calls: list[Call] = []
        self.without_token: list[str] = []
        self.failures: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.most_in_a_page = 1000
        self.empty_pages = False
        self.most_counted = 100_000
        self.go_on = threading.Event()
        self.go_on.set()

    def start(self) -> None:
        # As many threads as the real one has for calls that are no watches.
        self._server = grpc.server(futures.ThreadPoolExecutor(48), options=[("grpc.max_send_message_length", -1)])
        intake_pb2_grpc.add_IntakeServiceServicer_to_server(self.intake, self._server)
        alert_groups_pb2_grpc.add_AlertGroupServiceServicer_to_server(self, self._server)
        integrations_pb2_grpc.add_IntegrationServiceServicer_to_server(self, self._server)
        routes_pb2_grpc.add_RouteServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.target)
        self._server.start()

    def stop(self) -> None:
        self.go_on.set()
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def wait_for_calls(self, count: int) -> None:
        """Waits until so many have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= count, timeout=15), self.calls

    def requests(self, method: str) -> list[Any]:
        """The requests of all calls of a method."""
        return [call.request for call in self.calls if call.method == method]

    # -- what there is

    def add_group(self, number: int, state: int = State.FIRING, **fields: Any) -> Any:
        """A group of the integration `one`, with a payload."""
        fields = {"title": f"Title {number}", "integration": "integrations/one", "notification_count": 1} | fields
        fields.setdefault("route", f"{fields['integration']}/routes/default")
        group = AlertGroup(name=f"alertGroups/{number}", number=number, state=state, **fields)
        group.create_time.FromDatetime(START + timedelta(minutes=number - 1))
        group.last_notification_time.CopyFrom(group.create_time)
        if state == State.RESOLVED:
            group.resolve_time.CopyFrom(group.create_time)
        self.groups[number] = group
        self.payloads[f"{group.name}/payloads/latest"] = b'{"groupKey":"%d"}' % number
        return group

    def add_groups(self, count: int) -> None:
        for number in range(1, count + 1):
            self.add_group(number)

    def add_integration(self, id_: str, **fields: Any) -> Any:
        fields = {"display_name": id_.title(), "type": "alertmanager"} | fields
        integration = integrations_pb2.Integration(name=f"integrations/{id_}", **fields)
        if integration.type != "tocsin":
            integration.url = f"http://tocsin.example/integrations/v1/alertmanager/secret-of-{id_}/"
            integration.heartbeat_url = integration.url + "heartbeat/"
        self.integrations[integration.name] = integration
        return integration

    def add_route(self, integration: str, id_: str, **fields: Any) -> Any:
        """The last route of an integration but for the default one."""
        parent = f"integrations/{integration}"
        routes = self.routes.setdefault(parent, [])
        routes.append(routes_pb2.Route(name=f"{parent}/routes/{id_}", position=len(routes), **fields))
        return routes[-1]

    # -- alert groups

    def GetAlertGroup(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("GetAlertGroup", request, context)
        return self._group(request.name, context)

    def ListAlertGroups(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("ListAlertGroups", request, context)
        wanted = [group for _, group in sorted(self.groups.items(), reverse=True) if fits(group, request.filter)]
        total = min(len(wanted), self.most_counted) if request.include_total_size else 0
        before, _, blank = request.page_token.partition(" ")
        rest = [group for group in wanted if not before or group.number < int(before)]
        if self.empty_pages and not blank:
            last = before or str(max(self.groups, default=0) + 1)
            return alert_groups_pb2.ListAlertGroupsResponse(next_page_token=f"{last} blank", total_size=total)
        page = rest[: min(request.page_size or 50, self.most_in_a_page)]
        token = str(page[-1].number) if len(page) < len(rest) else ""
        return alert_groups_pb2.ListAlertGroupsResponse(alert_groups=page, next_page_token=token, total_size=total)

    def BatchGetPayloads(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("BatchGetPayloads", request, context)
        found = [
            alert_groups_pb2.Payload(name=name, body=self.payloads[name], receive_time=stamp(START))
            for name in request.names
            if name in self.payloads
        ]
        return alert_groups_pb2.BatchGetPayloadsResponse(payloads=found)

    def WipeAlertGroup(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("WipeAlertGroup", request, context, writes=True)
        group = self._group(request.name, context)
        group.state, group.resolve_reason = State.RESOLVED, AlertGroup.WIPED
        self.payloads.pop(f"{group.name}/payloads/latest", None)
        return group

    def DeleteAlertGroup(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._enter("DeleteAlertGroup", request, context, writes=True)
        del self.groups[self._group(request.name, context).number]
        return Empty()

    def _act(self, action: str, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter(f"{action}AlertGroup", request, context, writes=True)
        group = self._group(request.name, context)
        allowed, after = ALLOWED[action]
        if group.state not in allowed:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"cannot {action.lower()} {group.name}")
        group.state = after
        return group

    def _group(self, name: str, context: grpc.ServicerContext) -> Any:
        group = self.groups.get(int(name.removeprefix("alertGroups/")))
        if group is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{name} does not exist")
        return group

    # -- routes

    def GetRoute(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("GetRoute", request, context)
        for route in self._routes(request.name.rpartition("/routes/")[0], context):
            if route.name == request.name:
                return route
        context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist")

    def ListRoutes(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("ListRoutes", request, context)
        assert request.page_size > 200
        return routes_pb2.ListRoutesResponse(routes=self._routes(request.parent, context))

    def _routes(self, parent: str, context: grpc.ServicerContext) -> list[Any]:
        if parent not in self.integrations or parent in self.deleted_meanwhile:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{parent} does not exist")
        routes = self.routes.get(parent, [])
        chain = self.default_chains.get(parent, "")
        return [
            *routes,
            routes_pb2.Route(name=f"{parent}/routes/default", position=len(routes), escalation_chain=chain),
        ]

    # -- integrations

    def GetIntegration(self, request: Any, context: grpc.ServicerContext) -> Any:
        role = self._enter("GetIntegration", request, context)
        if request.name not in self.integrations:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist")
        return _shown(self.integrations[request.name], role)

    def ListIntegrations(self, request: Any, context: grpc.ServicerContext) -> Any:
        role = self._enter("ListIntegrations", request, context)
        every = [_shown(integration, role) for integration in self.integrations.values()]
        start = int(request.page_token or 0)
        end = start + min(request.page_size or 50, self.most_in_a_page)
        token = str(end) if end < len(every) else ""
        return integrations_pb2.ListIntegrationsResponse(integrations=every[start:end], next_page_token=token)

    def StartMaintenance(self, request: Any, context: grpc.ServicerContext) -> Any:
        role = self._enter("StartMaintenance", request, context, writes=True)
        if request.duration.seconds < 60:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "duration: must be 1 minute to 30 days")
        integration = self.integrations[request.name]
        self.maintain(integration, request.mode, datetime.now(UTC), timedelta(seconds=request.duration.seconds))
        return _shown(integration, role)

    def StopMaintenance(self, request: Any, context: grpc.ServicerContext) -> Any:
        role = self._enter("StopMaintenance", request, context, writes=True)
        integration = self.integrations[request.name]
        if not integration.HasField("maintenance"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no maintenance")
        integration.ClearField("maintenance")
        return _shown(integration, role)

    def maintain(self, integration: Any, mode: Any, start: datetime, span: timedelta) -> None:
        """Has an integration in maintenance."""
        integration.maintenance.mode = mode
        integration.maintenance.start_time.CopyFrom(stamp(start))
        integration.maintenance.end_time.CopyFrom(stamp(start + span))

    # -- what all calls have in common

    def _enter(self, method: str, request: Any, context: grpc.ServicerContext, *, writes: bool = False) -> str:
        """Notes a call, and refuses it if it must be; the role of the caller."""
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        with self._changed:
            self.calls.append(Call(method, request, metadata))
            self._changed.notify_all()
        authorization = metadata.get("authorization")
        if authorization is None:
            self.without_token.append(method)
        role = ADMIN if authorization is None or authorization.startswith(f"Bearer {ADMIN}") else ""
        role = VIEWER if authorization == f"Bearer {VIEWER}" else role
        if not role:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such token")
        if writes and role != ADMIN:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "this takes the role EDITOR")
        self.go_on.wait(20)
        if method in self.failures:
            context.abort(*self.failures[method])
        return role


def _acting(action: str) -> Any:
    return lambda self, request, context: self._act(action, request, context)


for _action in ALLOWED:
    setattr(OncallDaemon, f"{_action}AlertGroup", _acting(_action))


def _shown(integration: Any, role: str) -> Any:
    """An integration without its secrets, for those who are no admins."""
    shown = integrations_pb2.Integration()
    shown.CopyFrom(integration)
    if role != ADMIN:
        shown.url = shown.heartbeat_url = ""
    return shown


def fits(group: Any, text: str) -> bool:
    """Whether a filter lets a group through; for filters of the form that the gateway writes, and no others."""
    return all(_holds(group, *comparison) for comparison in _comparisons(text))


def _comparisons(text: str) -> Iterable[tuple[str, str, str]]:
    place = 0
    while place < len(text):
        found = _COMPARISON.match(text, place)
        assert found, text[place:]
        yield found[1], found[2], _unquoted(found[3])
        place = found.end()
        assert place == len(text) or text.startswith(" AND ", place), text[place:]
        place += len(" AND ")


def _holds(group: Any, field: str, operator: str, value: str) -> bool:
    if field == "create_time":
        opened, asked = group.create_time.ToDatetime(UTC), datetime.fromisoformat(value)
        return opened >= asked if operator == ">=" else opened < asked
    assert operator == "="
    if field == "state":
        return State.Name(group.state) == value
    if field == "integration":
        return group.integration == value
    if field == "route":
        return group.route == value
    return group.labels.get(_unquoted(field.removeprefix("labels."))) == value


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text.startswith('"') else text
