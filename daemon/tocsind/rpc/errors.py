"""The one table of error codes: from the domain's few to gRPC's, with `google.rpc` details for machines.

Every error bears an ErrorInfo (reason, domain "tocsin"); one about a field a BadRequest that names it; one that may go
away by itself a RetryInfo. An exception that nobody foresaw is INTERNAL: it is logged whole, and says nothing outside.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from tocsind.domain.errors import Code, TocsinError

DOMAIN = "tocsin"
RETRY_SECONDS = 1

CODES = {
    Code.INVALID: code_pb2.INVALID_ARGUMENT,
    Code.NOT_FOUND: code_pb2.NOT_FOUND,
    Code.EXISTS: code_pb2.ALREADY_EXISTS,
    Code.FORBIDDEN_NOW: code_pb2.FAILED_PRECONDITION,
    Code.EXHAUSTED: code_pb2.RESOURCE_EXHAUSTED,
    Code.UNAVAILABLE: code_pb2.UNAVAILABLE,
}

log = structlog.get_logger()


def status_of(error: TocsinError) -> status_pb2.Status:
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


class ErrorInterceptor(grpc.ServerInterceptor):
    """Turns what a handler raises into a status."""

    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: Any) -> Any:
        """Wraps the handler of a call, whatever its kind."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        if handler.response_streaming:
            kind = "stream_stream" if handler.request_streaming else "unary_stream"
            return handler._replace(**{kind: _streaming(getattr(handler, kind), method)})
        kind = "stream_unary" if handler.request_streaming else "unary_unary"
        return handler._replace(**{kind: _unary(getattr(handler, kind), method)})


def _unary(behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return behaviour(request, context)
        except Exception as error:
            _abort(context, error, method)

    return call


def _streaming(behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
    def call(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from behaviour(request, context)
        except Exception as error:
            _abort(context, error, method)

    return call


def _abort(context: grpc.ServicerContext, error: Exception, method: str) -> None:
    if isinstance(error, TocsinError):
        context.abort_with_status(rpc_status.to_status(status_of(error)))
    if not context.is_active():
        return
    log.error("a call failed", method=method, exc_info=error)
    context.abort(grpc.StatusCode.INTERNAL, "internal error; the daemon's log says more")
