"""What happens around every call: the caller is admitted, the call is made, its end is logged, its error is encoded.

Rules
- Unary handlers are plain functions and run in a pool of threads: they wait for the disk. Streams, and unary handlers
  that wait for something else, are coroutines in the event loop and must never block it.
- A stream ends when the daemon stops (UNAVAILABLE), when its token is revoked or expires (UNAUTHENTICATED), or when its
  handler gives it up.
- Who is refused is refused by the head of the call: its message, which may be large, is not read.
- What a handler raises and nobody foresaw is INTERNAL: it is logged whole, and says nothing outside.
- What changes something is logged at `info`, what only reads at `debug`, each with its trace id. A call that fails is
  logged at `info`, but for streams that their caller gives up.
- Every call is counted when it ends.
"""

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
import structlog
from google.rpc import code_pb2

from tocsind.clock import Clock
from tocsind.domain.access import Caller
from tocsind.domain.errors import TocsinError, not_in_time
from tocsind.domain.units import SECOND
from tocsind.metrics import Metrics
from tocsind.rpc import errors
from tocsind.rpc.access import OPEN, Calling, Gate, short_name, trace_id_of
from tocsind.rpc.streams import Streams

log = structlog.get_logger()

_READS = ("Get", "List", "BatchGet", "Watch", "Attend", "Deliver", "Test", "Preview")


class _Call:
    """A call that came in, at `begin`; who makes it is known when it is admitted."""

    __slots__ = ("begin", "caller", "context", "metadata", "method", "trace_id")

    def __init__(self, method: str, context: Any, begin: int) -> None:
        self.method, self.context, self.begin = method, context, begin
        self.metadata = context.invocation_metadata() or ()
        self.trace_id = trace_id_of(self.metadata) or uuid.uuid4().hex
        self.caller: Caller | None = None


class Interceptor(grpc.aio.ServerInterceptor):
    """Stands before every handler of one listener."""

    def __init__(self, gate: Gate, streams: Streams, clock: Clock, metrics: Metrics) -> None:
        self._gate = gate
        self._metrics = metrics
        self._streams = streams
        self._clock = clock

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the handler of a call, whatever its kind."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OPEN):
            return handler
        if not self._is_welcome(method, handler_call_details.invocation_metadata):
            # gRPC reads the request of a unary call before it calls the handler, that of a stream as the handler asks.
            refusing = self._streaming(_nothing, method, timed=not handler.response_streaming)
            return grpc.stream_stream_rpc_method_handler(refusing)
        if handler.response_streaming:
            kind = "stream_stream" if handler.request_streaming else "unary_stream"
            return handler._replace(**{kind: self._streaming(getattr(handler, kind), method)})
        if inspect.iscoroutinefunction(handler.unary_unary):
            return handler._replace(unary_unary=self._awaited(handler.unary_unary, method))
        return handler._replace(unary_unary=self._unary(handler.unary_unary, method))

    def _is_welcome(self, method: str, metadata: Any) -> bool:
        """Whether the call would be admitted now."""
        try:
            self._gate.admit(method, metadata or (), "", None)
        except TocsinError:
            return False
        return True

    def _unary(self, behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
        def handle(request: Any, context: Any) -> Any:
            call = _Call(method, context, self._clock.steady())
            with structlog.contextvars.bound_contextvars(trace_id=call.trace_id):
                try:
                    with Calling(self._admit(call)):
                        answer = behaviour(request, context)
                except Exception as error:
                    status = errors.status_of(error, method)
                    self._end(call, status.code)
                    context.abort(*errors.abortion(status))
                self._end(call, code_pb2.OK)
                return answer

        return handle

    def _awaited(self, behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
        async def handle(request: Any, context: Any) -> Any:
            call = _Call(method, context, self._clock.steady())
            structlog.contextvars.bind_contextvars(trace_id=call.trace_id)
            code: int = code_pb2.OK
            try:
                with Calling(self._admit(call)):
                    return await behaviour(request, context)
            except asyncio.CancelledError:
                code = code_pb2.CANCELLED
                raise
            except Exception as error:
                status = errors.status_of(error, method)
                code = status.code
                await context.abort(*errors.abortion(status))
            finally:
                self._end(call, code)

        return handle

    def _streaming(self, behaviour: Callable[..., Any], method: str, *, timed: bool = False) -> Callable[..., Any]:
        async def handle(request: Any, context: Any) -> None:
            call = _Call(method, context, self._clock.steady())
            structlog.contextvars.bind_contextvars(trace_id=call.trace_id)
            stream = None
            code: int = code_pb2.OK
            try:
                caller = self._admit(call)
                stream = self._streams.open(caller)
                with Calling(caller):
                    async with aclosing(behaviour(request, context)) as messages:
                        async for message in messages:
                            await stream.write(context, message)
            except asyncio.CancelledError:
                code = code_pb2.CANCELLED
                if stream is None or stream.ended_with is None:
                    raise
                status = errors.status_of(stream.ended_with, method)
                code = status.code
                await context.abort(*errors.abortion(status))
            except Exception as error:
                if stream is not None:
                    self._streams.close(stream)
                status = errors.status_of(error, method)
                code = status.code
                await context.abort(*errors.abortion(status))
            finally:
                if stream is not None:
                    self._streams.close(stream)
                self._end(call, code, timed=timed)

        return handle

    def _admit(self, call: _Call) -> Caller:
        """Returns who makes a call. TocsinError where that may not be."""
        call.caller = self._gate.admit(call.method, call.metadata, call.trace_id, call.context.time_remaining())
        return call.caller

    def _end(self, call: _Call, code: int, *, timed: bool = True) -> None:
        """Counts and logs a call that ended; `timed`: how long it took says something, as it does not of streams."""
        micros = self._clock.steady() - call.begin
        short, name = short_name(call.method), errors.code_name(code)
        self._metrics.calls.labels(short, name).inc()
        if timed:
            self._metrics.call_seconds.labels(short).observe(micros / SECOND)
        only_read = short.partition(".")[2].startswith(_READS) and code in (code_pb2.OK, code_pb2.CANCELLED)
        level = log.debug if only_read else log.info
        actor = call.caller.actor if call.caller is not None else ""
        level("call", method=short, actor=actor, code=name, milliseconds=micros // 1_000)


async def _nothing(request: Any, context: Any) -> AsyncIterator[Any]:
    """Handles what is refused before it comes here; what is admitted by now after all, it refuses."""
    raise not_in_time("try again")
    yield
