"""What every call gets that its caller did not give: a deadline, patience, who is asking, and an id for repeats.

- A deadline, so that no call waits for ever. Streams have none.
- Patience: a call waits for a daemon that is away, until its deadline.
- The token and the actor, as metadata. Metadata of the same name at a call wins.
- A fresh `request_id`, where a request has that field and it is empty. It is the same in all tries that gRPC makes of
  one call, and the daemon answers a repeat as it answered the first. The caller's message stays as it is: calling
  twice with one message is two requests, unless the caller gives it an id.
"""

import copy
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import grpc
from google.protobuf.message import Message

from .errors import Error, explain

Request = TypeVar("Request")

PROBE = "/grpc.health.v1.Health/Check"
"""A call that any daemon knows, to learn why there is no connection: it is not tried again by itself."""

PROBE_TIMEOUT = 0.5

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


@dataclass(frozen=True)
class Defaults:
    """The defaults of one client."""

    timeout: float
    metadata: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, timeout: float, token: str | None, actor: str | None) -> "Defaults":
        """Check the arguments of a client. Raises ValueError, which never holds the token."""
        if not timeout > 0:
            raise ValueError("timeout must be more than 0 seconds")
        metadata = []
        if token is not None:
            if not (token.isascii() and token.isprintable() and token and " " not in token):
                raise ValueError("a token is printable ASCII without spaces")
            metadata.append(("authorization", f"Bearer {token}"))
        if actor is not None:
            # What a header cannot hold is percent-encoded, as is `%` itself.
            metadata.append(("tocsin-actor", quote(actor, safe=_PRINTABLE)))
        return cls(timeout, tuple(metadata))

    def __repr__(self) -> str:
        """Return nothing that is secret."""
        return f"Defaults(timeout={self.timeout!r})"

    def merged(self, given: Iterable[tuple[str, Any]] | None) -> list[tuple[str, Any]]:
        """Return the metadata of a call."""
        pairs = list(given or ())
        names = {name for name, _ in pairs}
        return pairs + [(name, value) for name, value in self.metadata if name not in names]


def identified(request: Request) -> Request:
    """Return the request with a fresh `request_id`, if it has such a field and that is empty."""
    if not isinstance(request, Message) or "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request
    if request.request_id:  # type: ignore[attr-defined]
        return request
    request = copy.deepcopy(request)
    request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
    return request


def no_answer(timeout: float, why: str) -> Error:
    """Return the error for silence, with the reason if there is no connection at all."""
    return Error(grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s" + (f": {why}" if why else ""))


def why(probed: Error) -> str:
    """Return why there is no connection, as the answer to the probe tells."""
    return probed.message if probed.code is grpc.StatusCode.UNAVAILABLE else ""


class _Details(grpc.ClientCallDetails):
    """The details of a call, completed."""

    def __init__(self, given: grpc.ClientCallDetails, defaults: Defaults, timeout: float | None) -> None:
        self.method = given.method
        self.timeout = timeout
        self.metadata = tuple(defaults.merged(given.metadata))
        self.credentials = given.credentials
        self.wait_for_ready = True if given.wait_for_ready is None else given.wait_for_ready
        self.compression = given.compression


class Interceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Completes calls, and raises Error for those that failed."""

    def __init__(self, defaults: Defaults, channel: grpc.Channel) -> None:
        """Remember the defaults, and the channel itself to ask why it has no connection."""
        self._defaults = defaults
        self._probe: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PROBE)

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Complete a call with one answer."""
        timeout = self._defaults.timeout if client_call_details.timeout is None else client_call_details.timeout
        call = continuation(_Details(client_call_details, self._defaults, timeout), identified(request))
        # What `.future(...)` hands out goes on by itself and is not waited for here.
        error = call.exception() if call.done() else None
        if not isinstance(error, grpc.RpcError):
            return call
        explained = explain(error)
        if explained.code is grpc.StatusCode.DEADLINE_EXCEEDED and not explained.reason:
            explained = no_answer(timeout, self.why_unreachable())
        raise explained from error

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Complete a call with many answers."""
        return continuation(_Details(client_call_details, self._defaults, client_call_details.timeout), request)

    def why_unreachable(self) -> str:
        """Return why there is no connection; empty if there is one, or nobody knows."""
        try:
            self._probe(b"", timeout=PROBE_TIMEOUT, wait_for_ready=False)
        except grpc.RpcError as error:
            return why(explain(error))
        return ""
