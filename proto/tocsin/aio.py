"""The client for asyncio: the same as client.py, with `await`, `async with` and `async for`.

`connect` is called where a loop runs, that is within a coroutine. A task that waits for a message can be cancelled; the
watch itself goes on with the next one asked for, and nothing is missed.
"""

import asyncio
import contextlib
import copy
import os
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import grpc
import grpc.aio

from . import channel as channels
from .calls import PROBE, PROBE_TIMEOUT, Defaults, identified, no_answer, why
from .client import DEFAULT_TIMEOUT, ListRequest, Page
from .errors import Error, explain
from .v1.access_pb2_grpc import AccessServiceStub
from .v1.alert_groups_pb2 import (
    WatchAlertGroupsRequest,
    WatchAlertGroupsResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from .v1.alert_groups_pb2_grpc import AlertGroupServiceStub
from .v1.audit_pb2_grpc import AuditServiceStub
from .v1.contact_points_pb2_grpc import ContactPointServiceStub
from .v1.escalation_chains_pb2_grpc import EscalationChainServiceStub
from .v1.heartbeats_pb2_grpc import HeartbeatServiceStub
from .v1.integrations_pb2_grpc import IntegrationServiceStub
from .v1.messages_pb2_grpc import MessageServiceStub
from .v1.monitoring_pb2_grpc import MonitoringServiceStub
from .v1.notes_pb2_grpc import NoteServiceStub
from .v1.routes_pb2_grpc import RouteServiceStub
from .v1.templates_pb2_grpc import TemplateServiceStub
from .watching import Course, Response, stream_ended

if TYPE_CHECKING:
    from .v1.access_pb2_grpc import AccessServiceAsyncStub
    from .v1.alert_groups_pb2_grpc import AlertGroupServiceAsyncStub
    from .v1.audit_pb2_grpc import AuditServiceAsyncStub
    from .v1.contact_points_pb2_grpc import ContactPointServiceAsyncStub
    from .v1.escalation_chains_pb2_grpc import EscalationChainServiceAsyncStub
    from .v1.heartbeats_pb2_grpc import HeartbeatServiceAsyncStub
    from .v1.integrations_pb2_grpc import IntegrationServiceAsyncStub
    from .v1.messages_pb2_grpc import MessageServiceAsyncStub
    from .v1.monitoring_pb2_grpc import MonitoringServiceAsyncStub
    from .v1.notes_pb2_grpc import NoteServiceAsyncStub
    from .v1.routes_pb2_grpc import RouteServiceAsyncStub
    from .v1.templates_pb2_grpc import TemplateServiceAsyncStub

_ListRequest = TypeVar("_ListRequest", bound=ListRequest)
_Page = TypeVar("_Page", bound=Page)


def connect(
    target: str,
    *,
    token: str | None = None,
    actor: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    ca_file: str | os.PathLike[str] | None = None,
    cert_file: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
    insecure_plaintext: bool = False,
) -> "Client":
    """Return a client of the daemon at `target`; the arguments are those of `tocsin.connect`."""
    defaults = Defaults.of(timeout, token, actor)
    credentials = channels.credentials(
        target, ca_file=ca_file, cert_file=cert_file, key_file=key_file, insecure_plaintext=insecure_plaintext
    )
    options = channels.options(target)
    calls = _Calls(defaults)
    interceptors = [calls, _Streams(defaults)]
    channel = (
        grpc.aio.insecure_channel(target, options, interceptors=interceptors)
        if credentials is None
        else grpc.aio.secure_channel(target, credentials, options, interceptors=interceptors)
    )
    calls.probe = channel.unary_unary(PROBE)
    return Client(channel, defaults, calls.why_unreachable)


def _completed(given: grpc.aio.ClientCallDetails, defaults: Defaults, timeout: float | None) -> Any:
    wait_for_ready = True if given.wait_for_ready is None else given.wait_for_ready
    metadata = grpc.aio.Metadata(*defaults.merged(given.metadata))
    return grpc.aio.ClientCallDetails(given.method, timeout, metadata, given.credentials, wait_for_ready)


class _Calls(grpc.aio.UnaryUnaryClientInterceptor):
    """Completes calls with one answer, and raises Error for those that failed."""

    probe: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        """Complete a call. Our own probe comes along here, too, and stays as it is."""
        if client_call_details.method in (PROBE, PROBE.encode()):
            return await continuation(client_call_details, request)
        timeout = self._defaults.timeout if client_call_details.timeout is None else client_call_details.timeout
        call = await continuation(_completed(client_call_details, self._defaults, timeout), identified(request))
        try:
            await call
        except grpc.aio.AioRpcError as error:
            explained = explain(error)
            if explained.code is grpc.StatusCode.DEADLINE_EXCEEDED and not explained.reason:
                explained = no_answer(timeout, await self.why_unreachable())
            raise explained from error
        return call

    async def why_unreachable(self) -> str:
        """Return why there is no connection; empty if there is one, or nobody knows."""
        try:
            await self.probe(b"", timeout=PROBE_TIMEOUT, wait_for_ready=False)
        except grpc.aio.AioRpcError as error:
            return why(explain(error))
        return ""


class _Streams(grpc.aio.UnaryStreamClientInterceptor):
    """Completes calls with many answers."""

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        """Complete a call."""
        return await continuation(_completed(client_call_details, self._defaults, client_call_details.timeout), request)


class Client:
    """The daemon's services; `connect` makes one. Use it in an `async with`.

    Methods are those of `tocsin.Client`, to be awaited:
    `await client.alert_groups.GetAlertGroup(GetAlertGroupRequest(name="alertGroups/1"))`.
    """

    access: "AccessServiceAsyncStub"
    alert_groups: "AlertGroupServiceAsyncStub"
    audit: "AuditServiceAsyncStub"
    contact_points: "ContactPointServiceAsyncStub"
    escalation_chains: "EscalationChainServiceAsyncStub"
    heartbeats: "HeartbeatServiceAsyncStub"
    integrations: "IntegrationServiceAsyncStub"
    messages: "MessageServiceAsyncStub"
    monitoring: "MonitoringServiceAsyncStub"
    notes: "NoteServiceAsyncStub"
    routes: "RouteServiceAsyncStub"
    templates: "TemplateServiceAsyncStub"

    def __init__(
        self, channel: grpc.aio.Channel, defaults: Defaults, why_unreachable: Callable[[], Awaitable[str]]
    ) -> None:
        """Make the stubs."""
        self._channel = channel
        self._timeout = defaults.timeout
        self._why_unreachable = why_unreachable
        self._watches: weakref.WeakSet[Watch[Any]] = weakref.WeakSet()
        self.access = AccessServiceStub(channel)
        self.alert_groups = AlertGroupServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.contact_points = ContactPointServiceStub(channel)
        self.escalation_chains = EscalationChainServiceStub(channel)
        self.heartbeats = HeartbeatServiceStub(channel)
        self.integrations = IntegrationServiceStub(channel)
        self.messages = MessageServiceStub(channel)
        self.monitoring = MonitoringServiceStub(channel)
        self.notes = NoteServiceStub(channel)
        self.routes = RouteServiceStub(channel)
        self.templates = TemplateServiceStub(channel)

    async def __aenter__(self) -> Self:
        """Hand out the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self.close()

    async def close(self) -> None:
        """End all watches and calls, and hang up."""
        for watch in list(self._watches):
            watch.close()
        await self._channel.close()

    async def pages(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[_ListRequest, _Page]",
        request: _ListRequest,
        *,
        timeout: float | None = None,
        wait_for_ready: bool | None = None,
    ) -> AsyncIterator[_Page]:
        """Yield the pages of a list from `request` on, to the last; some may be empty. Each has a deadline of its own.

        async for page in client.pages(client.alert_groups.ListAlertGroups, ListAlertGroupsRequest()): ...
        """
        request = copy.deepcopy(request)
        while True:
            page = await method(request, timeout=timeout, wait_for_ready=wait_for_ready)
            token = page.next_page_token
            yield page
            if not token:
                return
            request.page_token = token

    @overload
    def watch(
        self,
        request: WatchAlertGroupsRequest,
        *,
        timeout: float | None = None,
        wait_for_ready: bool = True,
        on_break: Callable[[Error], None] | None = None,
    ) -> "Watch[WatchAlertGroupsResponse]": ...

    @overload
    def watch(
        self,
        request: WatchEventsRequest,
        *,
        timeout: float | None = None,
        wait_for_ready: bool = True,
        on_break: Callable[[Error], None] | None = None,
    ) -> "Watch[WatchEventsResponse]": ...

    def watch(
        self,
        request: WatchAlertGroupsRequest | WatchEventsRequest,
        *,
        timeout: float | None = None,
        wait_for_ready: bool = True,
        on_break: Callable[[Error], None] | None = None,
    ) -> "Watch[WatchAlertGroupsResponse] | Watch[WatchEventsResponse]":
        """Watch all groups or one, also across breaks; the arguments are those of `tocsin.Client.watch`."""
        timeout = self._timeout if timeout is None else timeout
        why = self._why_unreachable
        watch: Watch[WatchAlertGroupsResponse] | Watch[WatchEventsResponse]
        if isinstance(request, WatchAlertGroupsRequest):
            groups = self.alert_groups.WatchAlertGroups
            watch = Watch(groups, Course(request), timeout, wait_for_ready, why, on_break)
        else:
            events = self.alert_groups.WatchEvents
            watch = Watch(events, Course(request), timeout, wait_for_ready, why, on_break)
        self._watches.add(watch)
        return watch


class Watch(Generic[Response]):
    """Messages as they come, for ever; `Client.watch` makes one. Each stream's first message bears only a revision.

    It ends when it is closed, or left, or its client is closed. Raises what `tocsin.Watch` raises.
    """

    def __init__(
        self,
        method: "grpc.aio.UnaryStreamMultiCallable[Any, Response]",
        course: Course[Any],
        timeout: float,
        wait_for_ready: bool,
        why_unreachable: Callable[[], Awaitable[str]],
        on_break: Callable[[Error], None] | None,
    ) -> None:
        """Prepare; the stream is opened for the first message."""
        self._method: grpc.aio.UnaryStreamMultiCallable[Any, Response] = method
        self._course = course
        self._timeout = timeout
        self._wait_for_ready = wait_for_ready
        self._why_unreachable = why_unreachable
        self._on_break = on_break
        self._closed = asyncio.Event()
        self._stream: Any = None
        self._opened = 0.0
        self._greeted = False

    @property
    def revision(self) -> int | None:
        """After what to resume, for a watch of another time: the last revision that was handed out."""
        return self._course.revision

    async def __aenter__(self) -> Self:
        """Hand out the watch."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def __del__(self) -> None:
        """End it when it is left: by a `break`, say. At the end of everything its loop may be closed."""
        with contextlib.suppress(RuntimeError):
            self._hang_up()

    def close(self) -> None:
        """End it; whoever waits for a message gets none."""
        self._closed.set()
        self._hang_up()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Response:
        """Wait for the next message."""
        while not (self._closed.is_set() or self._course.finished):
            try:
                message = await self._next()
            except StopAsyncIteration:
                error = stream_ended()
            except TimeoutError:
                error = no_answer(self._timeout, await self._why_unreachable())
            except grpc.aio.AioRpcError as failure:
                error = explain(failure)
            except asyncio.CancelledError:
                self._hang_up()
                task = asyncio.current_task()
                if self._closed.is_set() and not (task and task.cancelling()):
                    break  # not this task was cancelled, but the stream, by `close`
                raise
            else:
                self._greeted = True
                self._course.took(message)
                return message
            self._hang_up()
            if self._closed.is_set():
                break
            pause = self._course.broke(error, time.monotonic() - self._opened)
            if self._on_break is not None:
                self._on_break(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), pause)
        self.close()
        raise StopAsyncIteration

    async def _next(self) -> Response:
        """Return the stream's next message. Only the first must come in time; after it, silence is only peace."""
        if self._stream is None:
            self._opened = time.monotonic()
            self._greeted = False
            patient = self._wait_for_ready or self._course.reached
            self._stream = self._method(self._course.next_request(), wait_for_ready=patient)
        async with asyncio.timeout(None if self._greeted else self._timeout):
            message: Response = await anext(aiter(self._stream))
        return message

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()
