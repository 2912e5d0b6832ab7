"""What a call ends with when its handler raises: a refusal becomes a status as `error_details.py` says.

An exception that nobody foresaw is INTERNAL: it is logged whole, and says nothing outside.
"""

import grpc
import structlog
from google.rpc import code_pb2, status_pb2

from tocsind.domain.errors import TocsinError
from tocsind.rpc.error_details import internal, refusal

# Where gRPC's own libraries look for the details: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
DETAILS_METADATA = "grpc-status-details-bin"

_CODES = {code.value[0]: code for code in grpc.StatusCode}

log = structlog.get_logger()


def status_of(error: Exception, method: str) -> status_pb2.Status:
    """Returns the status, with details, for what a handler raised. What is no refusal is logged and tells nothing."""
    if isinstance(error, TocsinError):
        return refusal(error)
    log.error("a call failed", method=method, exc_info=error)
    return internal()


def abortion(status: status_pb2.Status) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Returns what a call is aborted with to give it this status: code, text and trailing metadata."""
    return _CODES[status.code], status.message, ((DETAILS_METADATA, status.SerializeToString()),)


def code_name(code: int) -> str:
    """Returns the name of a status code, such as `NOT_FOUND`."""
    return code_pb2.Code.Name(code)  # type: ignore[no-any-return]
