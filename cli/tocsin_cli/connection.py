"""The way to the daemon: where it listens, how long to wait, who is asking, and what its refusals mean.

Every call bears the metadata `tocsin-actor`: the login name of whoever runs this, or TOCSIN_ACTOR. Every answer that
is an error becomes one line on stderr and one of a few exit codes, so that scripts can tell "no such thing" from
"try again later". The table of the codes is here, and nowhere else.

Every request that changes something bears an id of its own, so that what gRPC sends a second time is done once.
"""

import getpass
import os
import threading
import urllib.parse
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Self, TypeVar

import click
import grpc
from google.protobuf.message import Message

from tocsin.v1.access_pb2_grpc import AccessServiceStub
from tocsin.v1.alert_groups_pb2 import WatchAlertGroupsRequest, WatchAlertGroupsResponse
from tocsin.v1.alert_groups_pb2_grpc import AlertGroupServiceStub
from tocsin.v1.audit_pb2_grpc import AuditServiceStub
from tocsin.v1.heartbeats_pb2_grpc import HeartbeatServiceStub
from tocsin.v1.integrations_pb2_grpc import IntegrationServiceStub
from tocsin.v1.monitoring_pb2_grpc import MonitoringServiceStub
from tocsin.v1.notes_pb2_grpc import NoteServiceStub

DEFAULT_TARGET = "unix:/run/tocsin/tocsind.sock"
DEFAULT_TIMEOUT = timedelta(seconds=10)

FAILED, USAGE, NOT_FOUND, STATE_FORBIDS, UNREACHABLE, NOT_ALLOWED, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130

EXIT_CODES = {
    0: "done",
    FAILED: "something failed that should not have",
    USAGE: "wrong usage, or the daemon refused an argument",
    NOT_FOUND: "there is no such thing",
    STATE_FORBIDS: "the state of the thing forbids it",
    UNREACHABLE: "the daemon could not be reached in time, or is unable just now: try again",
    NOT_ALLOWED: "you are not allowed to",
    INTERRUPTED: "interrupted",
}

_EXIT_CODE_OF = {
    grpc.StatusCode.INVALID_ARGUMENT: USAGE,
    grpc.StatusCode.NOT_FOUND: NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: STATE_FORBIDS,
    grpc.StatusCode.ALREADY_EXISTS: STATE_FORBIDS,
    grpc.StatusCode.ABORTED: STATE_FORBIDS,
    grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: UNREACHABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: UNREACHABLE,
    grpc.StatusCode.UNAUTHENTICATED: NOT_ALLOWED,
    grpc.StatusCode.PERMISSION_DENIED: NOT_ALLOWED,
}

_CHANNEL_OPTIONS = [
    # gRPC's 4 MiB would cut off payloads: Alertmanager's grow beyond, and the gateway takes 32 MiB.
    ("grpc.max_receive_message_length", -1),
    # The daemon is on this machine or this network; a proxy meant for the web must not catch its calls.
    ("grpc.enable_http_proxy", 0),
]


class CommandError(click.ClickException):
    """Ends a command with one line on stderr and an exit code from EXIT_CODES."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        """Keep the message, without the `tocsin: ` that is put before it."""
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click types it as one for each class


Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Connection:
    """A channel to the daemon with a stub for each service. Use it in a `with`; it connects at the first call."""

    def __init__(self, target: str, timeout: timedelta) -> None:
        """Prepare for `target` in gRPC's notation; no answer within `timeout` is an error."""
        self.target = target
        self.timeout = timeout
        self._channel = grpc.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._metadata = (("tocsin-actor", actor()),)
        self.integrations = IntegrationServiceStub(self._channel)
        self.groups = AlertGroupServiceStub(self._channel)
        self.heartbeats = HeartbeatServiceStub(self._channel)
        self.access = AccessServiceStub(self._channel)
        self.audit = AuditServiceStub(self._channel)
        self.notes = NoteServiceStub(self._channel)
        self.monitoring = MonitoringServiceStub(self._channel)

    def __enter__(self) -> Self:
        """Hand out the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._channel.close()

    def call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Return the daemon's answer to one request. Raises CommandError for a refusal or for silence."""
        sent = type(request)()
        sent.CopyFrom(request)
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            sent.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        try:
            return method(sent, timeout=self.timeout.total_seconds(), metadata=self._metadata)
        except grpc.RpcError as error:
            raise self.explain(error) from error

    def all_pages(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Follow the pages of a list from `request` on; return one response with everything, without a page token."""
        everything = self.call(method, request)
        while token := everything.next_page_token:  # type: ignore[attr-defined]
            following = type(request)()
            following.CopyFrom(request)
            following.page_token = token  # type: ignore[attr-defined]
            everything.ClearField("next_page_token")
            everything.MergeFrom(self.call(method, following))
        return everything

    def watch(self, request: WatchAlertGroupsRequest) -> Iterator[WatchAlertGroupsResponse]:
        """Stream until the daemon or the reader ends it. Raises grpc.RpcError as it comes.

        The daemon's first message comes at once. Where it does not within the timeout, nobody is there, and the
        stream ends with CANCELLED; after it, silence is only peace.
        """
        stream = self.groups.WatchAlertGroups(request, metadata=self._metadata)
        impatience = threading.Timer(self.timeout.total_seconds(), stream.cancel)
        impatience.daemon = True
        impatience.start()
        try:
            for message in stream:
                impatience.cancel()
                yield message
        finally:
            impatience.cancel()
            stream.cancel()

    def explain(self, error: grpc.RpcError) -> CommandError:
        """Turn what gRPC raised into one line for people and an exit code."""
        status, details = status_of(error)
        exit_code = exit_code_of(status)
        if status is grpc.StatusCode.UNAVAILABLE:
            if details.startswith(_NEVER_REACHED):
                # "failed to connect to all addresses; last error: UNKNOWN: ipv4:...: Connection refused"
                reason = details.rpartition(": ")[2].rstrip("]")
                return CommandError(f"cannot reach the daemon at {self.target}: {reason}{_HOW_TO_SET}", exit_code)
            return CommandError(f"the daemon at {self.target} is unavailable: {details}", exit_code)
        if status is grpc.StatusCode.DEADLINE_EXCEEDED:
            patience = f"{self.timeout.total_seconds():g} s"
            return CommandError(f"no answer from the daemon at {self.target} within {patience}{_HOW_TO_SET}", exit_code)
        if status is grpc.StatusCode.UNIMPLEMENTED:
            return CommandError(f"the daemon at {self.target} does not know this call ({details})", exit_code)
        return CommandError(details or status.name, exit_code)


_NEVER_REACHED = ("failed to connect", "errors resolving", "DNS resolution failed")  # how gRPC's texts begin
_HOW_TO_SET = " (--target or TOCSIN_TARGET says where it is)"


def status_of(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    """Return the code and the text of what gRPC raised."""
    if isinstance(error, grpc.Call):
        return error.code(), error.details() or ""
    return grpc.StatusCode.UNKNOWN, str(error)


def exit_code_of(status: grpc.StatusCode) -> int:
    """Return the exit code for a gRPC status; what is not in the table is FAILED."""
    return _EXIT_CODE_OF.get(status, FAILED)


def actor() -> str:
    """Return who is asking, fit for a header: what is not printable ASCII is percent-encoded, as is `%` itself."""
    name = os.environ.get("TOCSIN_ACTOR", "").strip()
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # an account without a name, as in some containers
            name = f"uid-{os.getuid()}"
    printable = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
    return urllib.parse.quote(name, safe=printable)
