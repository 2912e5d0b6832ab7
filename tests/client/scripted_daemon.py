"""A gRPC server that answers as a test says, call by call: for breaks, refusals and TLS, which a real daemon does not
do on request."""

import queue
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tocsin.v1 import alert_groups_pb2 as api
from tocsin.v1.alert_groups_pb2_grpc import AlertGroupServiceServicer, add_AlertGroupServiceServicer_to_server

Event = api.Event


class Call(NamedTuple):
    """One request that came."""

    method: str
    request: Any
    metadata: dict[str, str | bytes]
    time_left: float


class Refusal:
    """An error, with what it says to machines."""

    def __init__(self, code: str, message: str = "because", reason: str = "", **details: Any) -> None:
        self.status = status_pb2.Status(code=grpc.StatusCode[code].value[0], message=message)
        if reason:
            self._add(error_details_pb2.ErrorInfo(reason=reason, domain="tocsin"))
        if "fields" in details:
            request = error_details_pb2.BadRequest()
            for field, description in details["fields"].items():
                request.field_violations.add(field=field, description=description)
            self._add(request)
        if "retry" in details:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromTimedelta(timedelta(seconds=details["retry"]))
            self._add(retry)

    def _add(self, detail: Message) -> None:
        self.status.details.add().Pack(detail)

    def raised(self, context: grpc.ServicerContext) -> None:
        context.abort_with_status(rpc_status.to_status(self.status))


class Hold:
    """Says nothing until the caller goes, or the server stops."""


class ScriptedDaemon(AlertGroupServiceServicer):
    """Answers each call with the next thing in `script` for its method; a stream with the next list of things.

    The last answer of a method stays. `calls` is what came; `came`, and
    `gone` for streams, can be waited for.
    """

    def __init__(self, target: str, credentials: grpc.ServerCredentials | None = None) -> None:
        self.target = target
        self.script: dict[str, deque[Any]] = defaultdict(deque)
        self.calls: list[Call] = []
        self.came: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self.gone: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._credentials = credentials
        self._server: grpc.Server | None = None

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        add_AlertGroupServiceServicer_to_server(self, self._server)
        if self._credentials is not None:
            port = self._server.add_secure_port(self.target, self._credentials)
        else:
            port = self._server.add_insecure_port(self.target)
        if self.target.endswith(":0"):
            self.target = f"{self.target.removesuffix(':0')}:{port}"
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None

    def requests(self, method: str) -> list[Any]:
        return [call.request for call in self.calls if call.method == method]

    def _take(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        metadata: dict[str, str | bytes] = {}
        for key, value in context.invocation_metadata():
            assert key not in metadata, f"{key} came twice"
            metadata[key] = value
        call = Call(method, request, metadata, context.time_remaining() or 0)
        self.calls.append(call)
        self.came.put(call)
        answers = self.script[method]
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _give(self, answer: Any, method: str, context: grpc.ServicerContext) -> Any:
        if isinstance(answer, Hold):
            over = threading.Event()
            if context.add_callback(over.set):
                over.wait()
        elif isinstance(answer, Refusal):
            answer.raised(context)
        return answer

    def _unary(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        return self._give(self._take(method, request, context), method, context)

    def _stream(self, method: str, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(lambda: self.gone.put(method))
        for answer in self._take(method, request, context):
            if not isinstance(given := self._give(answer, method, context), Hold):
                yield given

    def GetAlertGroup(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._unary("GetAlertGroup", request, context)

    def ListAlertGroups(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._unary("ListAlertGroups", request, context)

    def AcknowledgeAlertGroup(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._unary("AcknowledgeAlertGroup", request, context)

    def BatchAcknowledgeAlertGroups(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._unary("BatchAcknowledgeAlertGroups", request, context)

    def WatchAlertGroups(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        return self._stream("WatchAlertGroups", request, context)

    def WatchEvents(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        return self._stream("WatchEvents", request, context)


def at(revision: int, **fields: Any) -> api.WatchAlertGroupsResponse:
    """A message about how far the stream is."""
    return api.WatchAlertGroupsResponse(revision=revision, **fields)


def happened(revision: int, number: int = 1) -> api.WatchAlertGroupsResponse:
    """A message about something that happened to a group."""
    group = api.AlertGroup(name=f"alertGroups/{number}", number=number)
    event = Event(name=f"{group.name}/events/{revision}", revision=revision, kind=Event.Kind.ACKNOWLEDGED)
    return api.WatchAlertGroupsResponse(revision=revision, event=event, alert_group=group)


def stands(number: int) -> api.WatchAlertGroupsResponse:
    """A group of a snapshot."""
    return api.WatchAlertGroupsResponse(alert_group=api.AlertGroup(name=f"alertGroups/{number}", number=number))


def page(*numbers: int, token: str = "") -> api.ListAlertGroupsResponse:
    """A page of groups."""
    groups = [api.AlertGroup(name=f"alertGroups/{number}", number=number) for number in numbers]
    return api.ListAlertGroupsResponse(alert_groups=groups, next_page_token=token)
