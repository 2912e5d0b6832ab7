"""The open streams: each can be ended from outside, with an error for its caller.

Rules
- A stream ends when the daemon stops (UNAVAILABLE) and when its token is revoked or expires (UNAUTHENTICATED).
- Streams live in the event loop; they may be ended from any thread.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

from tocsind.domain.access import Caller
from tocsind.domain.errors import Reason, TocsinError
from tocsind.engine.keyring import Keyring
from tocsind.metrics import Metrics

_CURRENT: ContextVar["Stream"] = ContextVar("stream")


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
    return _CURRENT.get()


class Streams:
    """All open streams of all listeners. It lives in the event loop."""

    def __init__(self, keyring: Keyring, metrics: Metrics) -> None:
        self._keyring = keyring
        self._metrics = metrics
        self._open: set[Stream] = set()
        self._stopping = False

    def open(self, caller: Caller) -> Stream:
        """Keeps count of the stream that the current task serves, `current_stream` from here on. TocsinError
        (UNAVAILABLE) once it all stops."""
        if self._stopping:
            raise _stopping()
        stream = Stream(caller)
        _CURRENT.set(stream)
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
