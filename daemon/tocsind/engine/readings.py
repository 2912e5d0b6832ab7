"""What templates made of notifications lately, so that a repeat need not wait for them again.

Retries of a sender and the duplicates of an HA pair come within seconds, repeats within minutes. Only what would come
out the same is kept (`Rendered.lasting`), not for long, and not much of it: it is a cache, and belongs to whoever has
the pen.
"""

from collections import OrderedDict

from tocsind.domain.rulebook import Rendered
from tocsind.domain.units import SECOND

KEPT = 600 * SECOND
MOST = 5_000
MOST_CHARACTERS = 16_000_000


class Readings:
    """Results of rendering by `domain.reading.key`; times are microseconds of the monotonic clock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[int, int, Rendered]] = OrderedDict()
        self._characters = 0

    def get(self, key: bytes, now: int) -> Rendered | None:
        """Returns what was made of the same, if it is kept."""
        found = self._kept.get(key)
        if found is None or found[0] < now:
            return None
        return found[2]

    def keep(self, key: bytes, rendered: Rendered, now: int) -> None:
        """Keeps what was made, for a while."""
        self._forget(key)
        size = sum(map(len, rendered.texts.values()))
        self._kept[key] = (now + KEPT, size, rendered)
        self._characters += size
        # They are in the order of their ends.
        while self._kept and (len(self._kept) > MOST or self._characters > MOST_CHARACTERS or self._oldest < now):
            self._forget(next(iter(self._kept)))

    @property
    def _oldest(self) -> int:
        return next(iter(self._kept.values()))[0]

    def _forget(self, key: bytes) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._characters -= found[1]
