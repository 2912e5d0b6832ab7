"""How much an integration, and all of them together, may send: a window of five minutes that slides.

Rules
- What was taken is counted in slices of five seconds. The window is the slice that runs and the 60 before it: at least
  five minutes, at most five seconds more. So in no five minutes more than the limit is taken; and as long as less than
  that was taken in the last five minutes and five seconds, nothing is refused.
- A window takes a fixed 244 bytes of counts, whatever the limit: a list of times would take as many as the limit says.
- Only what is taken counts. What is refused comes again (Alertmanager repeats after a 503), and would otherwise keep
  the limit up for as long as it does.
- Limits are not kept with the window, so that a new one holds at once, for what was taken before as well. While there
  is no limit nothing is counted.
- A limit on beats must not itself make a heartbeat look missing, so one in each slice passes however many came before:
  the shortest interval of a heartbeat is two slices. So at most 61 beats more than the limit are taken in five minutes.
- Time is a monotonic clock's, in microseconds: a time of day that is set must neither open nor close anything.
"""

from array import array
from typing import Final

from tocsind.domain.units import SECOND

WINDOW: Final = 300 * SECOND
SLICE: Final = 5 * SECOND
_SLICES: Final = WINDOW // SLICE + 1

DEFAULT_LIMIT: Final = 300
DEFAULT_TOTAL_LIMIT: Final = 900
"""Notifications in five minutes; Grafana OnCall's, for one integration and for all of them."""


class Window:
    """What was taken lately."""

    __slots__ = ("_counts", "_slice", "_total")

    def __init__(self) -> None:
        self._counts = array("I", bytes(4 * _SLICES))
        self._slice = 0
        self._total = 0

    def taken(self, now: int) -> int:
        """Returns how many were taken in the window."""
        self._slide(now)
        return self._total

    def take(self, now: int, count: int = 1) -> None:
        """Counts what is taken."""
        self._slide(now)
        self._counts[self._slice % _SLICES] += count
        self._total += count

    def wait(self, limit: int, now: int, *, others: int = 0, trickle: bool = False) -> int:
        """Returns in how many microseconds another one may be taken: 0 for now.

        `limit` 0 is none. `others` are taken already, in the slice that runs, but not counted yet. With `trickle` one
        in each slice passes whatever the limit.
        """
        if not limit:
            return 0
        self._slide(now)
        over = self._total + others - limit
        if over < 0:
            return 0
        running = self._counts[self._slice % _SLICES] + others
        if trickle:
            return (self._slice + 1) * SLICE - now if running else 0
        for age in range(_SLICES - 1, 0, -1):
            over -= self._counts[(self._slice - age) % _SLICES]
            if over < 0:
                return (self._slice - age + _SLICES) * SLICE - now
        return (self._slice + _SLICES) * SLICE - now

    def _slide(self, now: int) -> None:
        """Forgets the slices that are no longer in the window. A clock that stands back changes nothing."""
        current = now // SLICE
        passed = current - self._slice
        if passed <= 0:
            return
        if passed >= _SLICES or not self._total:
            if self._total:
                self._counts = array("I", bytes(4 * _SLICES))
                self._total = 0
        else:
            for number in range(self._slice + 1, current + 1):
                self._total -= self._counts[number % _SLICES]
                self._counts[number % _SLICES] = 0
        self._slice = current
