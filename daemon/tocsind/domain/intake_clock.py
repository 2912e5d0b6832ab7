"""The clock by which sources are expected to be heard from: it runs only while they could be.

Rules
- Time in which Tocsin could not receive does not count against a source. This clock stands still while the daemon is
  down (it goes on from the value last written to disk) and while no gateway attends. Every deadline of a heartbeat,
  and of a group that may go stale, is a reading of this clock, so none needs to be moved when an outage ends.
- A gateway attends from its first pulse until its stream breaks. One that hangs breaks no stream: it counts until
  `LEASE` after its last pulse, which is as long as a false alarm could come from: a deadline in that time is noticed
  although beats were not received any more. Pulses come five times as often, so a busy moment does not stop the clock.
- The clock never goes back, and what it read is never taken back: a deadline that was noticed stays noticed.
- Readings are microseconds. They have nothing to do with the time of day, so jumps of the wall clock and suspended
  machines (the monotonic clock stands still too) do not reach them.
"""

from tocsind.domain.units import SECOND

LEASE = SECOND // 2


class IntakeClock:
    """A clock that runs while a gateway attends. Every `now` is microseconds of the daemon's monotonic clock."""

    def __init__(self, reading: int, now: int) -> None:
        self._reading = reading
        self._counted_until = now
        self._pulses: dict[object, int] = {}

    def pulse(self, gateway: object, now: int) -> None:
        """A gateway, known by any hashable, says that it is there."""
        self.read(now)
        self._pulses[gateway] = now
        self._counted_until = max(self._counted_until, now)

    def leave(self, gateway: object, now: int) -> None:
        """A gateway's stream broke."""
        self.read(now)
        self._pulses.pop(gateway, None)

    def read(self, now: int) -> int:
        """Returns the reading at `now`."""
        if self._pulses:
            until = min(now, max(self._pulses.values()) + LEASE)
            if until > self._counted_until:
                self._reading += until - self._counted_until
                self._counted_until = until
        return self._reading

    def attended(self, now: int) -> bool:
        """Whether a gateway attends at `now`."""
        return self.attending(now) > 0

    def attending(self, now: int) -> int:
        """Returns how many gateways attend at `now`."""
        return sum(now <= last + LEASE for last in self._pulses.values())

    def unattended_for(self, now: int) -> int:
        """Returns for how long no gateway has attended, in microseconds; 0 only while one does."""
        self.read(now)
        return 0 if self.attended(now) else max(1, now - self._counted_until)
