"""How long something may still take, by a clock that does not jump."""

from tocsind.clock import SystemClock

_CLOCK = SystemClock()


class Deadline:
    """A moment, so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begin = _CLOCK.steady()

    def took(self) -> float:
        """Seconds since it was set."""
        return (_CLOCK.steady() - self._begin) / 1_000_000

    def left(self) -> float:
        """Seconds until then, which is never nothing: sockets take 0 for something else. TimeoutError where it is
        past."""
        left = self.seconds - self.took()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left

    def at_most(self, seconds: float) -> "Deadline":
        """A deadline so many seconds from now, or this one where it is earlier."""
        return Deadline(max(0.0, min(seconds, self.seconds - self.took())))
