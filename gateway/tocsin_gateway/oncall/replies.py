"""What a caller of the REST API is told: JSON, with the statuses and the texts by which OnCall's callers tell errors
apart.

The rules:

* A refusal is `{"detail": "..."}`; the few that OnCall shapes otherwise have its shape.
* A wrong token is a 403, as in OnCall, not a 401.
* Whatever may pass is a 503 with Retry-After, a defect of ours or of the daemon included: never a 500. Here, other than
  on the way of alerts, being asked for too much is a 429: those who call this API know what it means.
* A text is one short line without secrets.
"""

from typing import Any, Final, NamedTuple

import falcon
import falcon.asgi
import grpc
import grpc.aio
import msgspec

from tocsin_gateway.alertmanager import one_line

DETAIL_LIMIT: Final = 500
"""Characters of a text that comes from the daemon."""

_AGAIN: Final = (("Retry-After", "1"),)

_Code = grpc.StatusCode


class Reply(NamedTuple):
    """An HTTP answer: its status, its body in JSON (or none) and what its head says besides."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):
    """Ends the work on a request with a reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def of(status: int, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The reply with `value` as its body."""
    return Reply(status, msgspec.json.encode(value), headers)


def detail(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The reply that says in words what is wrong."""
    return of(status, {"detail": one_line(text, DETAIL_LIMIT)}, headers)


def unavailable(reason: str) -> Reply:
    """The reply where the daemon could not be asked, or has not answered: try again."""
    return detail(503, reason, _AGAIN)


INVALID_TOKEN: Final = detail(403, "Invalid token.")
FORBIDDEN: Final = detail(403, "You do not have permission to perform this action.")
NOT_FOUND: Final = detail(404, "Not found.")
LATE: Final = unavailable("the daemon has not answered in time: try again")
DEFECT: Final = unavailable("the gateway failed to handle this: see its log")

_BY_CODE: Final = {
    _Code.UNAUTHENTICATED: INVALID_TOKEN,
    _Code.PERMISSION_DENIED: FORBIDDEN,
    _Code.NOT_FOUND: NOT_FOUND,
    _Code.RESOURCE_EXHAUSTED: detail(429, "Request was throttled.", (*_AGAIN, ("RateLimit-Reset", "1"))),
    _Code.UNAVAILABLE: unavailable("the daemon is away: try again"),
    _Code.DEADLINE_EXCEEDED: LATE,
    _Code.UNIMPLEMENTED: unavailable("the daemon does not know this call: it is older than the gateway"),
}

_REFUSED_IN_WORDS: Final = frozenset({_Code.INVALID_ARGUMENT, _Code.FAILED_PRECONDITION, _Code.OUT_OF_RANGE})


def for_call(error: grpc.aio.AioRpcError) -> Reply:
    """The reply where the daemon refused a call, or none was possible."""
    code = error.code()
    if code in _REFUSED_IN_WORDS:
        return detail(400, error.details() or "the daemon refused this")
    return _BY_CODE.get(code) or unavailable(f"the daemon failed to handle this ({code.name}): see its log")


def wrong_method(method: str, headers: dict[str, str] | None) -> Reply:
    """The reply to a method that a URL does not know; `headers` are those that Falcon would send."""
    # OPTIONS is refused too: Falcon lists it because the refusal is written down.
    names = [name for name in (headers or {}).get("Allow", "").split(", ") if name not in ("", "OPTIONS")]
    return detail(405, f'Method "{method}" not allowed.', (("Allow", ", ".join(names)),))


def give(resp: falcon.asgi.Response, reply: Reply) -> None:
    """Sets the response to the reply."""
    resp.status = reply.status
    if reply.body:
        resp.content_type = falcon.MEDIA_JSON
        resp.data = reply.body
    for name, value in reply.headers:
        resp.set_header(name, value)
