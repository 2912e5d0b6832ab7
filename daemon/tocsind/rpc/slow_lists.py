"""Places for lists that compare group by group.

Rules
- What no index answers can cost a processor a good part of a second (measured with 20 comparisons of labels of 2 KB,
  5,000 groups: 0.4 s). So few of them look at once: intake needs a processor too.
- Others wait, but not in every thread that serves calls: whoever would take more is told to come again. (Measured with
  60 such lists at once: acknowledging took up to 9 s before.)
- Who waits no longer is not looked for.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tocsind.clock import Clock
from tocsind.domain.errors import Reason, TocsinError, not_in_time
from tocsind.rpc.access import caller

AT_ONCE = 2
# Of the 48 threads that serve calls; the gateway makes 16 calls at once for all users of its REST API.
MOST = 24


class SlowLists:
    """The places, of all listeners together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free = threading.BoundedSemaphore(MOST)
        self._looking = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Waits for a place. TocsinError: EXHAUSTED where too many wait already, UNAVAILABLE where the caller has
        gone meanwhile."""
        if not self._free.acquire(blocking=False):
            message = f"{MOST} lists that are compared group by group are being made already"
            raise TocsinError(Reason.TOO_MANY_LISTS, message, most=str(MOST))
        try:
            with self._looking:
                deadline = caller().deadline
                if deadline is not None and deadline < self._clock.steady():
                    raise not_in_time("the caller no longer waits")
                yield
        finally:
            self._free.release()
