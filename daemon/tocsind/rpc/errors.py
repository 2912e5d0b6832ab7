"""The last hold of every call: what a handler raises becomes a status, as `error_details.py` says.

An exception that nobody foresaw is INTERNAL: it is logged whole, and says nothing outside.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from tocsind.domain.errors import TocsinError
from tocsind.rpc.error_details import status_of

log = structlog.get_logger()


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
