"""What a call that failed raises: one exception that says all that the daemon said, without digging.

Plain calls and everything that the client offers raise `Error`; what gRPC raised is its `__cause__`. `Error` is no
`grpc.RpcError`, on purpose: code that catches that one calls `error.code()`, and here `code` is a value.

Only what gRPC hands out by itself still raises `grpc.RpcError`: the results of `.future(...)`, and streams that are
opened by hand through a stub. `explain` makes an `Error` of it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

_CODES = {code.value[0]: code for code in grpc.StatusCode}

_Detail = TypeVar("_Detail", bound=Message)


class Error(Exception):
    """A call that was refused, or that got no answer."""

    code: grpc.StatusCode
    """What kind of failure it is."""

    message: str
    """What went wrong, in words for people; they may change."""

    reason: str
    """What went wrong, in a word for programs, such as `REVISION_TOO_OLD`; empty where not the daemon refused.

    docs/errors.md has the list.
    """

    fields: Mapping[str, str]
    """What is wrong with which field of the request, by its path (`integration.display_name`); for INVALID_ARGUMENT."""

    retry_delay: timedelta | None
    """After which time another try makes sense, where the daemon said so."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        fields: Mapping[str, str] | None = None,
        retry_delay: timedelta | None = None,
    ) -> None:
        """Keep what is known."""
        super().__init__(code, message, reason, fields, retry_delay)
        self.code = code
        self.message = message
        self.reason = reason
        self.fields = fields or {}
        self.retry_delay = retry_delay

    def __str__(self) -> str:
        """Return the code and the message in one line."""
        return f"{self.code.name}: {self.message}" if self.message else self.code.name


class RevisionTooOld(Error):
    """Something that happened after the revision is no longer kept: begin anew, best with `initial_snapshot`."""


def explain(error: grpc.RpcError) -> Error:
    """Return the Error for what gRPC raised, which becomes its cause."""
    if isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        status = _status_of(error) or status_pb2.Status(message=error.details() or "")
        explained = _error(error.code(), status)
    else:
        explained = Error(grpc.StatusCode.UNKNOWN, str(error))
    explained.__cause__ = error
    return explained


def of_status(status: status_pb2.Status) -> Error:
    """Return the Error for a status inside an answer, such as `BatchResult.error`."""
    return _error(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status)


def _error(code: grpc.StatusCode, status: status_pb2.Status) -> Error:
    info = _detail(status, error_details_pb2.ErrorInfo)
    request = _detail(status, error_details_pb2.BadRequest)
    retry = _detail(status, error_details_pb2.RetryInfo)
    kind = RevisionTooOld if info is not None and info.reason == "REVISION_TOO_OLD" else Error
    return kind(
        code,
        status.message,
        info.reason if info is not None else "",
        {violation.field: violation.description for violation in request.field_violations} if request else None,
        retry.retry_delay.ToTimedelta() if retry is not None else None,
    )


def _status_of(error: Any) -> status_pb2.Status | None:
    try:
        status: status_pb2.Status | None = rpc_status.from_call(error)
    except (ValueError, DecodeError):  # something on the way changed the one and not the other: the code counts
        return None
    return status


def _detail(status: status_pb2.Status, kind: type[_Detail]) -> _Detail | None:
    """Return the first detail of this kind. One that cannot be read is as good as none."""
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            detail = kind()
            try:
                packed.Unpack(detail)
            except DecodeError:
                continue
            return detail
    return None
