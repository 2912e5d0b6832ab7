"""The one table of error codes: from the domain's few to gRPC's, with `google.rpc` details for machines.

Every error bears an ErrorInfo (reason, domain "tocsin"); one about a field a BadRequest that names it; one that may go
away by itself a RetryInfo. An exception that nobody foresaw is INTERNAL: it is logged whole, and says nothing outside.
"""

from typing import Any

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from tocsind.domain.errors import Code, TocsinError

DOMAIN = "tocsin"
RETRY_SECONDS = 1
# Where gRPC's own libraries look for the details: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
DETAILS_METADATA = "grpc-status-details-bin"

CODES = {
    Code.INVALID: code_pb2.INVALID_ARGUMENT,
    Code.NOT_FOUND: code_pb2.NOT_FOUND,
    Code.EXISTS: code_pb2.ALREADY_EXISTS,
    Code.FORBIDDEN_NOW: code_pb2.FAILED_PRECONDITION,
    Code.OUT_OF_RANGE: code_pb2.OUT_OF_RANGE,
    Code.UNAUTHENTICATED: code_pb2.UNAUTHENTICATED,
    Code.FORBIDDEN: code_pb2.PERMISSION_DENIED,
    Code.EXHAUSTED: code_pb2.RESOURCE_EXHAUSTED,
    Code.UNAVAILABLE: code_pb2.UNAVAILABLE,
}

_CODES = {code.value[0]: code for code in grpc.StatusCode}

log = structlog.get_logger()


def status_of(error: Exception, method: str) -> status_pb2.Status:
    """Returns the status, with details, for what a handler raised. What is no refusal is logged and tells nothing."""
    if isinstance(error, TocsinError):
        return refusal(error)
    log.error("a call failed", method=method, exc_info=error)
    return status_pb2.Status(code=code_pb2.INTERNAL, message="internal error; the daemon's log says more")


def refusal(error: TocsinError) -> status_pb2.Status:
    """Returns the status, with details, for a refusal."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if error.code is Code.INVALID:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.code in (Code.UNAVAILABLE, Code.EXHAUSTED):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.seconds = RETRY_SECONDS
        details.append(retry)
    status = status_pb2.Status(code=CODES[error.code], message=error.message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def abortion(status: status_pb2.Status) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Returns what a call is aborted with to give it this status: code, text and trailing metadata."""
    return _CODES[status.code], status.message, ((DETAILS_METADATA, status.SerializeToString()),)


def code_name(code: int) -> str:
    """Returns the name of a status code, such as `NOT_FOUND`."""
    return code_pb2.Code.Name(code)  # type: ignore[no-any-return]
