"""The client: a channel to the daemon with a stub for each service, pages, and watches that connect again.

It can be used from several threads at once; a watch belongs to one. Closing it ends its watches.
"""

import copy
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, Self, TypeVar, overload

import grpc

from . import channel as channels
from .calls import Defaults, Interceptor, no_answer
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

DEFAULT_TIMEOUT = 10.0


class ListRequest(Protocol):
    """A request for a page."""

    page_token: str


class Page(Protocol):
    """A page."""

    next_page_token: str


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
    """Return a client of the daemon at `target`; it connects at the first call.

    target: `unix:/run/tocsin/tocsind.sock` or `host:port`, or any other of gRPC's notations. A unix socket is plain,
        anything else TLS, except loopback without `ca_file`.
    token: an API token's secret. Needed everywhere but on a unix socket, where the file mode is the gate.
    actor: on behalf of whom calls are made, for timelines and the audit log, such as a login name.
    timeout: seconds that a call may take, unless it says otherwise.
    ca_file: who vouches for the daemon's certificate, as PEM. Default: whom this machine trusts.
    cert_file, key_file: the client's own certificate, as PEM, for a daemon that wants one.
    insecure_plaintext: go without TLS wherever the target is. Everybody on the way can read and use the token.

    Raises ValueError for arguments that cannot work, OSError for a file that cannot be read.
    """
    defaults = Defaults.of(timeout, token, actor)
    credentials = channels.credentials(
        target, ca_file=ca_file, cert_file=cert_file, key_file=key_file, insecure_plaintext=insecure_plaintext
    )
    options = channels.options(target)
    if credentials is None:
        return Client(grpc.insecure_channel(target, options), defaults)
    return Client(grpc.secure_channel(target, credentials, options), defaults)


class Client:
    """The daemon's services; `connect` makes one. Use it in a `with`.

    Methods are called with a request: `client.alert_groups.GetAlertGroup(GetAlertGroupRequest(name="alertGroups/1"))`.
    Each accepts `timeout=`, `metadata=` and `wait_for_ready=False` (fail at once while the daemon is away), and raises
    `tocsin.Error`.
    """

    def __init__(self, channel: grpc.Channel, defaults: Defaults) -> None:
        """Make the stubs."""
        self._channel = channel
        self._timeout = defaults.timeout
        self._interceptor = Interceptor(defaults, channel)
        self._watches: weakref.WeakSet[Watch[Any]] = weakref.WeakSet()
        completed = grpc.intercept_channel(channel, self._interceptor)
        self.access = AccessServiceStub(completed)
        self.alert_groups = AlertGroupServiceStub(completed)
        self.audit = AuditServiceStub(completed)
        self.contact_points = ContactPointServiceStub(completed)
        self.escalation_chains = EscalationChainServiceStub(completed)
        self.heartbeats = HeartbeatServiceStub(completed)
        self.integrations = IntegrationServiceStub(completed)
        self.messages = MessageServiceStub(completed)
        self.monitoring = MonitoringServiceStub(completed)
        self.notes = NoteServiceStub(completed)
        self.routes = RouteServiceStub(completed)
        self.templates = TemplateServiceStub(completed)

    def __enter__(self) -> Self:
        """Hand out the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """End all watches and calls, and hang up."""
        for watch in list(self._watches):
            watch.close()
        self._channel.close()

    def pages(
        self,
        method: "grpc.UnaryUnaryMultiCallable[_ListRequest, _Page]",
        request: _ListRequest,
        *,
        timeout: float | None = None,
        wait_for_ready: bool | None = None,
    ) -> Iterator[_Page]:
        """Yield the pages of a list from `request` on, to the last; some may be empty. Each has a deadline of its own.

        for page in client.pages(client.alert_groups.ListAlertGroups, ListAlertGroupsRequest()): ...
        """
        request = copy.deepcopy(request)
        while True:
            page = method(request, timeout=timeout, wait_for_ready=wait_for_ready)
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
        """Watch all groups or one, also across breaks and restarts; watching.py has the rules.

        timeout: seconds to wait for the first message of a stream, which comes at once where a daemon is.
        wait_for_ready: whether to wait that long at the start, too, for a daemon that is away.
        on_break: is told whenever the stream broke off and will be opened again.
        """
        timeout = self._timeout if timeout is None else timeout
        why = self._interceptor.why_unreachable
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

    It ends when it is closed (from any thread), or left, or its client is closed. Raises `tocsin.Error` where trying
    again is no use, and `tocsin.RevisionTooOld` where something was missed.
    """

    def __init__(
        self,
        method: "grpc.UnaryStreamMultiCallable[Any, Response]",
        course: Course[Any],
        timeout: float,
        wait_for_ready: bool,
        why_unreachable: Callable[[], str],
        on_break: Callable[[Error], None] | None,
    ) -> None:
        """Prepare; the stream is opened for the first message."""
        self._method: grpc.UnaryStreamMultiCallable[Any, Response] = method
        self._course = course
        self._timeout = timeout
        self._wait_for_ready = wait_for_ready
        self._why_unreachable = why_unreachable
        self._on_break = on_break
        self._closed = threading.Event()
        self._stream: Any = None
        self._opened = 0.0
        self._impatience: threading.Timer | None = None

    @property
    def revision(self) -> int | None:
        """After what to resume, for a watch of another time: the last revision that was handed out."""
        return self._course.revision

    def __enter__(self) -> Self:
        """Hand out the watch."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def __del__(self) -> None:
        """End it when it is left: by a `break`, say."""
        self.close()

    def close(self) -> None:
        """End it; whoever waits for a message gets none."""
        self._closed.set()
        self._hang_up()

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> Response:
        """Wait for the next message."""
        while not (self._closed.is_set() or self._course.finished):
            try:
                message: Response = next(self._stream or self._open())
            except StopIteration:
                error = stream_ended()
            except grpc.RpcError as failure:
                error = self._explain(failure)
            except ValueError:  # gRPC's word for a channel that was closed meanwhile
                if self._closed.is_set():
                    break
                raise
            else:
                self._be_patient()
                self._course.took(message)
                return message
            self._hang_up()
            if self._closed.is_set():
                break
            pause = self._course.broke(error, time.monotonic() - self._opened)
            if self._on_break is not None:
                self._on_break(error)
            self._closed.wait(pause)
        self.close()
        raise StopIteration

    def _open(self) -> Any:
        self._opened = time.monotonic()
        patient = self._wait_for_ready or self._course.reached
        stream = self._stream = self._method(self._course.next_request(), wait_for_ready=patient)
        self._impatience = threading.Timer(self._timeout, stream.cancel)
        self._impatience.daemon = True
        self._impatience.start()
        if self._closed.is_set():  # while this was on its way
            self._hang_up()
        return stream

    def _explain(self, failure: grpc.RpcError) -> Error:
        """Return what ended the stream: perhaps our own impatience."""
        error = explain(failure)
        if error.code is grpc.StatusCode.CANCELLED and self._impatience is not None and not self._closed.is_set():
            return no_answer(self._timeout, self._why_unreachable())
        return error

    def _be_patient(self) -> None:
        """After the first message, silence is only peace."""
        impatience, self._impatience = self._impatience, None
        if impatience is not None:
            impatience.cancel()

    def _hang_up(self) -> None:
        self._be_patient()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()
