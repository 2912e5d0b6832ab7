"""The order of notifications for one group.

Rules
- A notification that arrived at a gateway before the last one applied to the same identity is late, and is not
  applied: HA peers, several gateways and retries can overtake one another, and a stale "firing" must not undo a
  "resolved".
- Arrival is measured on the daemon's own monotonic clock: its now minus the age that the gateway measured, and minus
  the time on the way (`domain/transit.py`). Times of day are not compared: after a clock that jumped back, every honest
  notification would look late and be lost.
- What comes from one gateway comes in its order anyway. Between gateways, a difference below `TOLERANCE` says nothing:
  wrongly taken for late, a "resolved" would be lost for good.
- Only a delivery whose deadline has not passed is applied at all, so nothing can be late by more than that deadline.
  What was applied longer ago than `WINDOW` is forgotten. In doubt a notification is applied: the sender corrects a
  stale one within one group_interval, but it would not repeat one that we only answered.
- Equal arrivals are not late: a batch that is repeated after a lost answer is applied again, which changes nothing.
- Only what was committed is remembered: a delivery that failed must not make its own retry late.
"""

from collections import deque

from tocsind.domain.units import SECOND

WINDOW = 30 * SECOND
TOLERANCE = SECOND


class ArrivalOrder:
    """Remembers the last arrival applied to each identity. Times are microseconds of a monotonic clock."""

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._applied: deque[tuple[int, bytes]] = deque()

    def is_late(self, identity: bytes, arrival: int, uncommitted: int | None = None) -> bool:
        """Whether something that arrived later was applied to `identity` already; `uncommitted` is the last arrival
        that was applied to it in the transaction at hand, if there is one.

        Less than `TOLERANCE` does not count.
        """
        last = max(self._last.get(identity, arrival), arrival if uncommitted is None else uncommitted)
        return arrival < last - TOLERANCE

    def applied(self, identity: bytes, arrival: int, now: int) -> None:
        """Remembers an arrival whose effect is committed, and forgets what is older than the window."""
        if arrival > self._last.get(identity, arrival - 1):
            self._last[identity] = arrival
            self._applied.append((arrival, identity))
        while self._applied and self._applied[0][0] < now - WINDOW:
            arrived, stale = self._applied.popleft()
            if self._last.get(stale) == arrived:
                del self._last[stale]
