"""The one place where time comes in, and the seam between its two kinds.

Rules
- `wall` is the time of day: what people are shown and what the disk holds. It jumps (NTP, an administrator).
- `steady` is for waiting and measuring: it never jumps and stands still while the machine is suspended.
- `elapsed` is for waits that the time of day will end, such as a silence until three o'clock: like `steady`, but it
  counts the time in which the machine was suspended.
- A wait for a time of day is turned into a duration once, when it is set or read from disk, and waited for by a clock
  that does not jump: a wall clock that jumps neither ends every wait at once nor keeps one from ending.
- The domain is given times as arguments. SQL's and Python's own now are not used elsewhere in the daemon.
All in whole microseconds; `wall` since 1970, UTC.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where times come from."""

    def wall(self) -> int:
        """The time of day."""

    def steady(self) -> int:
        """Monotonic; stands still while the machine is suspended."""

    def elapsed(self) -> int:
        """Monotonic; goes on while the machine is suspended."""


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> int:
        """CLOCK_REALTIME."""
        return time.time_ns() // 1_000

    def steady(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns() // 1_000

    def elapsed(self) -> int:
        """CLOCK_BOOTTIME where there is one (Linux), else CLOCK_MONOTONIC."""
        return _elapsed_ns() // 1_000


def _elapsed_ns() -> int:
    return time.clock_gettime_ns(_BOOTTIME)


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
