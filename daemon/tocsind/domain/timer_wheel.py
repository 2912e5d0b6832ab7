"""A flat hashed timer wheel: schedule, cancel, advance. Driven from outside; it knows no clock.

Rules
- A timer is an integer key with a deadline, in the unit and on the axis of the caller. A key has at most one.
- `advance(now)` returns the keys whose deadline is at or before `now`: never early, each once, and with the deadline
  that it had.
- Buckets are keyed by tick number. Rescheduling to a later time only stores the new deadline: the key stays in its
  bucket and is looked at again when that bucket comes (measured: a beat costs one dict store). Rescheduling to an
  earlier time puts it into an earlier bucket as well. Cancelling only forgets the deadline. So a bucket may hold keys
  that are not due, not any more, or twice; the dict of deadlines alone says what is true.
- A bucket is an `array('q')`, which the garbage collector does not walk (30 ms pauses become 0.1 ms at a million
  timers).
- One call returns at most `limit` keys, so that a million deadlines at one moment do not stop everything else; the
  rest is due at the next call.
- A deadline in the past is due at the next call.
- What `advance` returned and was not done can be put back: it then comes before all else, in the order that it had.
"""

from array import array
from collections.abc import Iterable, Mapping

from tocsind.domain.units import SECOND

TICK = SECOND // 10


class TimerWheel:
    """Timers by tick. `tick` is the width of a bucket in the caller's unit; `start` is the caller's now."""

    def __init__(self, start: int, tick: int = TICK) -> None:
        self._tick = tick
        self._cursor = start // tick
        self._deadlines: dict[int, int] = {}
        self._slots: dict[int, int] = {}
        self._buckets: dict[int, array[int]] = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: int) -> bool:
        return key in self._deadlines

    def deadline(self, key: int) -> int | None:
        """Returns the deadline of a key, or None."""
        return self._deadlines.get(key)

    def schedule(self, key: int, deadline: int) -> None:
        """Sets the deadline of a key, whether it has one or not."""
        self._deadlines[key] = deadline
        slot = max(deadline // self._tick, self._cursor)
        if slot < self._slots.get(key, slot + 1):
            self._put(key, slot)

    def cancel(self, key: int) -> None:
        """Forgets the deadline of a key, if it has one."""
        self._deadlines.pop(key, None)

    def advance(self, now: int, limit: int) -> dict[int, int]:
        """Returns at most `limit` keys that are due at `now`, with their deadlines, and forgets them."""
        due: dict[int, int] = {}
        last = now // self._tick
        for slot in self._slots_until(last):
            self._cursor = slot
            bucket = self._buckets.pop(slot, None)
            if bucket is not None and not self._empty(bucket, now, limit, due):
                return due
        self._cursor = max(self._cursor, last)
        return due

    def put_back(self, timers: Mapping[int, int]) -> None:
        """Has timers that `advance` has just returned be due at the next call, as the first; but for those that were
        set anew meanwhile."""
        first = array("q", (key for key in timers if key not in self._deadlines))
        for key in first:
            self._deadlines[key] = timers[key]
            self._slots[key] = self._cursor
        self._buckets[self._cursor] = first + self._buckets.get(self._cursor, array("q"))

    def _empty(self, bucket: "array[int]", now: int, limit: int, due: dict[int, int]) -> bool:
        """Looks at every key of the bucket under the cursor; returns False where `limit` stopped it."""
        again = array("q")
        for index, key in enumerate(bucket):
            if self._slots.get(key) != self._cursor:
                continue
            deadline = self._deadlines.get(key)
            if deadline is None:
                del self._slots[key]
            elif deadline <= now:
                if len(due) >= limit:
                    again.extend(bucket[index:])
                    self._buckets[self._cursor] = again
                    return False
                del self._slots[key]
                del self._deadlines[key]
                due[key] = deadline
            elif deadline // self._tick > self._cursor:
                self._put(key, deadline // self._tick)
            else:
                again.append(key)
        if again:
            self._buckets[self._cursor] = again
        return True

    def _put(self, key: int, slot: int) -> None:
        self._slots[key] = slot
        bucket = self._buckets.get(slot)
        if bucket is None:
            bucket = self._buckets[slot] = array("q")
        bucket.append(key)

    def _slots_until(self, last: int) -> Iterable[int]:
        """The ticks from the cursor to `last`, without the empty ones where there are far more ticks than buckets
        (a machine that was suspended for a month)."""
        if last - self._cursor <= len(self._buckets) + 64:
            return range(self._cursor, last + 1)
        return sorted(slot for slot in self._buckets if slot <= last)
