"""How long a batch was on its way from a gateway.

The gateway measures ages and times left when it makes a batch; whatever comes between that and the daemon's looking at
it (a busy machine, a process that was stopped, a disk that hangs) must be added to the one and taken from the other.

Rules
- The two monotonic clocks have nothing in common but their pace. The least difference that was ever seen between them
  stands for a way that takes no time; what a batch shows more than that is how long it was on its way.
- Clocks of two machines do not quite keep the same pace: the least difference may grow by a thousandth of the time that
  passes, far more than clocks drift and far less than matters here.
- The first batch of a stream has nothing to be compared with, and counts as not delayed.
"""


class Transit:
    """What is known of the way from one gateway, over one stream. Times in microseconds of either monotonic clock."""

    def __init__(self) -> None:
        self._least: int | None = None
        self._last = 0

    def of(self, sent: int, now: int) -> int:
        """Returns how long something took that was sent at `sent` (the gateway's clock) and is looked at `now`."""
        difference = now - sent
        if self._least is None:
            self._least = difference
        else:
            self._least = min(difference, self._least + (now - self._last) // 1_000)
        self._last = now
        return difference - self._least
