"""How long to wait after an attempt that failed.

Rules
- 5 s, doubling up to 10 minutes, give or take a fifth, so that what failed together does not come back together.
- What the other side asked for (Retry-After) holds where it is longer, up to 10 minutes: nobody makes us wait a day.
- 12 attempts, which take about an hour, and then a message is given up.
- A receiver as a whole rests, too, but for a minute at most: what is new is not to wait for ten.
"""

from tocsind.domain.units import SECOND

FIRST = 5 * SECOND
LONGEST = 600 * SECOND
LONGEST_REST = 60 * SECOND
MOST_ATTEMPTS = 12
JITTER = 0.2


def pause(failures: int, luck: float, asked: int = 0, longest: int = LONGEST) -> int:
    """Returns how long to wait after so many failures in a row, at least one, in microseconds. `luck` is from 0 to 1
    and chooses within the jitter; `asked` is what the other side asked for, in microseconds, or 0."""
    doubled = min(FIRST << min(failures - 1, 20), longest)
    return max(int(doubled * (1 - JITTER + 2 * JITTER * luck)), min(asked, LONGEST))


def next_try(attempts: int, luck: float, asked: int = 0) -> int | None:
    """Returns how long to wait after that many attempts, in microseconds; None where it is given up."""
    return None if attempts >= MOST_ATTEMPTS else pause(attempts, luck, asked)
