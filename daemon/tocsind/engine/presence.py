"""Which gateways attend. gRPC's threads report them here, the writer reads the clock that follows from it."""

import threading

from tocsind.domain.intake_clock import IntakeClock


class Presence:
    """The intake clock, behind a lock. Every `now` is microseconds of the daemon's monotonic clock."""

    def __init__(self, reading: int, now: int) -> None:
        self._lock = threading.Lock()
        self._clock = IntakeClock(reading, now)

    def pulse(self, gateway: object, now: int) -> None:
        """A gateway says that it is there."""
        with self._lock:
            self._clock.pulse(gateway, now)

    def leave(self, gateway: object, now: int) -> None:
        """A gateway's stream broke."""
        with self._lock:
            self._clock.leave(gateway, now)

    def read(self, now: int) -> int:
        """Returns the reading of the intake clock."""
        with self._lock:
            return self._clock.read(now)

    def attending(self, now: int) -> int:
        """Returns how many gateways attend."""
        with self._lock:
            return self._clock.attending(now)

    def unattended_for(self, now: int) -> int:
        """Returns for how long no gateway has attended, in microseconds."""
        with self._lock:
            return self._clock.unattended_for(now)
