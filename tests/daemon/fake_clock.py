"""A clock that tests set."""

import threading

DAY = 86_400_000_000
HOUR = 3_600_000_000
MINUTE = 60_000_000
SECOND = 1_000_000
MILLISECOND = 1_000

START = 1_790_000_000 * SECOND
"""A time of day in 2026."""


class FakeClock:
    """The three kinds of time, each of which goes on only when it is told to; any thread may read or set it."""

    def __init__(self, wall: int = START) -> None:
        self._lock = threading.Lock()
        self._wall = wall
        self._steady = 1_000 * SECOND
        self._elapsed = 5_000 * SECOND

    def wall(self) -> int:
        """The time of day."""
        with self._lock:
            return self._wall

    def steady(self) -> int:
        """The clock of waits and measurements."""
        with self._lock:
            return self._steady

    def elapsed(self) -> int:
        """Like `steady`, with the time in which the machine was suspended."""
        with self._lock:
            return self._elapsed

    def advance(self, span: int) -> None:
        """Time passes as usual."""
        with self._lock:
            self._wall += span
            self._steady += span
            self._elapsed += span

    def suspend(self, span: int) -> None:
        """The machine sleeps."""
        with self._lock:
            self._wall += span
            self._elapsed += span

    def jump(self, span: int) -> None:
        """Somebody sets the time of day."""
        with self._lock:
            self._wall += span
