"""What happens around every call: the caller is admitted, the call is made, its end is logged, its error is encoded.

Rules
- Unary handlers are plain functions and run in a pool of threads: they wait for the disk. Streams, and unary handlers
  that wait for something else, are coroutines in the event loop and must never block it.
- A stream ends when the daemon stops (UNAVAILABLE), when its token is revoked or expires (UNAUTHENTICATED), or when its
  handler gives it up.
- What a handler raises and nobody foresaw is INTERNAL: it is logged whole, and says nothing outside.
- What changes something is logged at `info`, what only reads at `debug`, each with its trace id. A call that fails is
  logged at `info`, but for streams that their caller gives up.
- Every call is counted when it ends.
"""

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio
import structlog
from google.rpc import code_pb2

from tocsind.clock import Clock
from tocsind.domain.access import Caller
from tocsind.domain.errors import Reason, TocsinError
from tocsind.domain.units import SECOND
from tocsind.engine.keyring import Keyring
from tocsind.metrics import Metrics
from tocsind.rpc import errors
from tocsind.rpc.access import OPEN, Calling, Gate, short_name, trace_id_of

log = structlog.get_logger()

_STREAM: ContextVar["Stream"] = ContextVar("stream")
_READS = ("Get", "List", "BatchGet", "Watch", "Attend", "Deliver", "Test", "Preview")


class Interceptor(grpc.aio.ServerInterceptor):
    """Stands before every handler of one listener."""

    def __init__(self, gate: Gate, streams: "Streams", clock: Clock, metrics: Metrics) -> None:
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
        if handler.response_streaming:
            kind = "stream_stream" if handler.request_streaming else "unary_stream"
            return handler._replace(**{kind: self._streaming(getattr(handler, kind), method)})
        if inspect.iscoroutinefunction(handler.unary_unary):
            return handler._replace(unary_unary=self._awaited(handler.unary_unary, method))
        return handler._replace(unary_unary=self._unary(handler.unary_unary, method))

    def _unary(self, behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
        def call(request: Any, context: Any) -> Any:
            begin = self._clock.steady()
            metadata = context.invocation_metadata() or ()
            trace_id = trace_id_of(metadata) or uuid.uuid4().hex
            caller: Caller | None = None
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                try:
                    caller = self._gate.admit(method, metadata, trace_id, context.time_remaining())
                    with Calling(caller):
                        answer = behaviour(request, context)
                except Exception as error:
                    status = errors.status_of(error, method)
                    self._end(method, caller, begin, status.code)
                    context.abort(*errors.abortion(status))
                self._end(method, caller, begin, code_pb2.OK)
                return answer

        return call

    def _awaited(self, behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
        async def call(request: Any, context: Any) -> Any:
            begin = self._clock.steady()
            metadata = context.invocation_metadata() or ()
            trace_id = trace_id_of(metadata) or uuid.uuid4().hex
            structlog.contextvars.bind_contextvars(trace_id=trace_id)
            caller: Caller | None = None
            code: int = code_pb2.OK
            try:
                caller = self._gate.admit(method, metadata, trace_id, context.time_remaining())
                with Calling(caller):
                    return await behaviour(request, context)
            except asyncio.CancelledError:
                code = code_pb2.CANCELLED
                raise
            except Exception as error:
                status = errors.status_of(error, method)
                code = status.code
                await context.abort(*errors.abortion(status))
            finally:
                self._end(method, caller, begin, code)

        return call

    def _streaming(self, behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
        async def call(request: Any, context: Any) -> None:
            begin = self._clock.steady()
            metadata = context.invocation_metadata() or ()
            trace_id = trace_id_of(metadata) or uuid.uuid4().hex
            structlog.contextvars.bind_contextvars(trace_id=trace_id)
            stream = None
            caller: Caller | None = None
            code: int = code_pb2.OK
            try:
                caller = self._gate.admit(method, metadata, trace_id, context.time_remaining())
                stream = self._streams.open(caller)
                _STREAM.set(stream)
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
                self._end(method, caller, begin, code, streaming=True)

        return call

    def _end(self, method: str, caller: Caller | None, begin: int, code: int, *, streaming: bool = False) -> None:
        """Counts and logs a call that ended."""
        micros = self._clock.steady() - begin
        short, name = short_name(method), errors.code_name(code)
        self._metrics.calls.labels(short, name).inc()
        if not streaming:
            self._metrics.call_seconds.labels(short).observe(micros / SECOND)
        only_read = short.partition(".")[2].startswith(_READS) and code in (code_pb2.OK, code_pb2.CANCELLED)
        level = log.debug if only_read else log.info
        actor = caller.actor if caller is not None else ""
        level("call", method=short, actor=actor, code=name, milliseconds=micros // 1_000)


class Stream:
    """One open stream: it can be ended from outside, with an error for its caller; also while a message waits for the
    caller to have room for it. The caller gets what is on its way, and then the error.

    But the first message goes together with the head of the answer, and gRPC refuses to send a status while that is on
    its way: the stream would stay open for ever. So it is waited for; there is always room for it.
    """

    def __init__(self, caller: Caller) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.caller = caller
        self.ended_with: TocsinError | None = None
        self._begun = False
        self._beginning = False
        self._closed = False
        self._task = task
        self._loop = asyncio.get_running_loop()

    async def write(self, context: Any, message: Any) -> None:
        """Sends a message; TocsinError where the stream was ended meanwhile."""
        self._beginning = not self._begun
        try:
            await context.write(message)
        finally:
            self._begun, self._beginning = True, False
        if self.ended_with is not None:
            raise self.ended_with

    def close(self) -> None:
        """It ends by itself: nothing can end it any more."""
        self._closed = True

    def end(self, error: TocsinError) -> None:
        """Ends it; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: TocsinError) -> None:
        if self.ended_with is None and not self._closed:
            self.ended_with = error
            if not self._beginning:
                self._task.cancel()


def current_stream() -> Stream:
    """Returns the stream that the current task serves."""
    return _STREAM.get()


class Streams:
    """All open streams of all listeners. It lives in the event loop."""

    def __init__(self, keyring: Keyring, metrics: Metrics) -> None:
        self._keyring = keyring
        self._metrics = metrics
        self._open: set[Stream] = set()
        self._stopping = False

    def open(self, caller: Caller) -> Stream:
        """Keeps count of the stream that the current task serves. TocsinError (UNAVAILABLE) once it all stops."""
        if self._stopping:
            raise _stopping()
        stream = Stream(caller)
        self._open.add(stream)
        self._count(stream, 1)
        if caller.token:
            self._keyring.opened(caller.token, stream.end)
        return stream

    def close(self, stream: Stream) -> None:
        """The stream ends."""
        stream.close()
        if stream in self._open:
            self._open.discard(stream)
            self._count(stream, -1)
        if stream.caller.token:
            self._keyring.closed(stream.caller.token, stream.end)

    def _count(self, stream: Stream, more: int) -> None:
        self._metrics.streams.labels(stream.caller.method).inc(more)
        if ".Watch" in stream.caller.method:
            self._metrics.watchers.inc(more)

    def stop(self) -> None:
        """Ends all of them, and lets no new one in."""
        self._stopping = True
        for stream in list(self._open):
            stream.end(_stopping())


def _stopping() -> TocsinError:
    return TocsinError(Reason.STOPPING, "the daemon is stopping")
