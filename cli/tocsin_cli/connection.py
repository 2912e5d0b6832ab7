"""The way to the daemon: where it listens, how long to wait, who is asking, and what its refusals mean.

Every call is made on behalf of the login name of whoever runs this, or of TOCSIN_ACTOR. Every answer that is an error
becomes one line on stderr and one of a few exit codes, so that scripts can tell "no such thing" from "try again
later". The table of the codes is here, and nowhere else.
"""

import getpass
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Self, TypeVar

import click
import grpc
from google.protobuf.message import Message

import tocsin
from tocsin.v1.alert_groups_pb2 import WatchAlertGroupsRequest, WatchAlertGroupsResponse

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
    grpc.StatusCode.OUT_OF_RANGE: USAGE,
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


class CommandError(click.ClickException):
    """Ends a command with one line on stderr and an exit code from EXIT_CODES."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        """Keep the message, without the `tocsin: ` that is put before it."""
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click types it as one for each class


Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Connection:
    """A client of the daemon that fails as a command does. Use it in a `with`; it connects at the first call."""

    def __init__(self, target: str, timeout: timedelta, token: str | None = None, ca_file: Path | None = None) -> None:
        """Prepare for `target` in gRPC's notation; no answer within `timeout` is an error.

        Raises CommandError for what cannot work.
        """
        self.target = target
        self.timeout = timeout
        self._ca_file = ca_file
        try:
            self._client = tocsin.connect(
                target, token=token, actor=actor(), timeout=timeout.total_seconds(), ca_file=ca_file
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error), USAGE) from error
        self.access = self._client.access
        self.audit = self._client.audit
        self.chains = self._client.escalation_chains
        self.contacts = self._client.contact_points
        self.groups = self._client.alert_groups
        self.heartbeats = self._client.heartbeats
        self.integrations = self._client.integrations
        self.messages = self._client.messages
        self.monitoring = self._client.monitoring
        self.notes = self._client.notes
        self.routes = self._client.routes
        self.templates = self._client.templates

    def __enter__(self) -> Self:
        """Hand out the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._client.close()

    def call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Return the daemon's answer to one request. Raises CommandError for a refusal or for silence.

        A daemon that is not there is not waited for: the address may be misspelt.
        """
        try:
            return method(request, wait_for_ready=False)
        except tocsin.Error as error:
            raise self.explain(error) from error

    def all_pages(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Follow the pages of a list from `request` on; return one response with everything, without a page token."""
        everything: Response | None = None
        try:
            for page in self._client.pages(method, request, wait_for_ready=False):  # type: ignore[type-var]
                if everything is None:
                    everything = page
                else:
                    everything.MergeFrom(page)
        except tocsin.Error as error:
            raise self.explain(error) from error
        assert everything is not None
        everything.ClearField("next_page_token")
        return everything

    def watch(
        self, request: WatchAlertGroupsRequest, on_break: Callable[[tocsin.Error], None]
    ) -> tocsin.Watch[WatchAlertGroupsResponse]:
        """Stream for ever, connecting again; `on_break` is told each time. Raises tocsin.Error."""
        return self._client.watch(request, wait_for_ready=False, on_break=on_break)

    def explain(self, error: tocsin.Error) -> CommandError:
        """Turn an error into one line for people and an exit code."""
        exit_code = exit_code_of(error.code)
        if error.code is grpc.StatusCode.UNAVAILABLE:
            if error.message.startswith(_NEVER_REACHED):
                reason = _connecting_ended_with(error.message) + self._hint(error.message)
                return CommandError(f"cannot reach the daemon at {self.target}: {reason}{_HOW_TO_SET}", exit_code)
            return CommandError(f"the daemon at {self.target} is unavailable: {error.message}", exit_code)
        if error.reason == "TOKEN_MISSING":
            message = f"the daemon at {self.target} demands a token (TOCSIN_TOKEN or --token-file)"
            return CommandError(message, exit_code)
        if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            patience = f"{self.timeout.total_seconds():g} s"
            return CommandError(f"no answer from the daemon at {self.target} within {patience}{_HOW_TO_SET}", exit_code)
        if error.code is grpc.StatusCode.UNIMPLEMENTED:
            return CommandError(f"the daemon at {self.target} does not know this call ({error.message})", exit_code)
        if error.reason == "IN_USE":
            return CommandError(f"{error.message} (--force deletes it all the same)", exit_code)
        return CommandError(error.message or error.code.name, exit_code)

    def _hint(self, message: str) -> str:
        """Return what may be wrong where a daemon hangs up at once, or where one may not enter.

        On loopback we speak plain, it perhaps TLS. An installation's socket is for a group.
        """
        is_path = self.target.startswith("unix:")
        if is_path and "Permission denied" in message:
            return ": be root, or in the group that the socket is of, such as tocsin"
        hung_up = message.endswith("Socket closed") and not is_path
        return "; if it speaks TLS, give --ca-file" if hung_up and self._ca_file is None else ""


_NEVER_REACHED = ("failed to connect", "errors resolving", "DNS resolution failed")  # how gRPC's texts begin
_HOW_TO_SET = " (--target or TOCSIN_TARGET says where it is)"


def _connecting_ended_with(message: str) -> str:
    """Return the part of gRPC's text that people can use.

    "failed to connect to all addresses; last error: UNKNOWN: ipv4:...: Connection refused", or, where TLS failed,
    "...: SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: ...: OK"
    """
    _, is_tls, why = message.partition("OPENSSL_internal:")
    return f"TLS failed: {why.removesuffix(': OK')}" if is_tls else message.rpartition(": ")[2].rstrip("]")


def exit_code_of(status: grpc.StatusCode) -> int:
    """Return the exit code for a gRPC status; what is not in the table is FAILED."""
    return _EXIT_CODE_OF.get(status, FAILED)


def actor() -> str:
    """Return who is asking."""
    if name := os.environ.get("TOCSIN_ACTOR", "").strip():
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"uid-{os.getuid()}"
