"""How long a batch was on its way."""

from fake_clock import MINUTE, SECOND
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.transit import Transit

AHEAD = 1_000_000 * SECOND
"""By how much the one clock happens to be ahead of the other."""


def test_the_first_one_counts_as_not_delayed() -> None:
    """There is nothing to compare it with."""
    assert Transit().of(5, AHEAD) == 0


def test_a_stall_shows() -> None:
    """A batch that was held up shows it against those that were not."""
    transit = Transit()
    for beat in range(10):
        transit.of(beat * SECOND, AHEAD + beat * SECOND + 300)
    assert 2 * SECOND - 10_000 <= transit.of(10 * SECOND, AHEAD + 12 * SECOND + 300) <= 2 * SECOND


def test_clocks_that_drift_delay_nothing() -> None:
    """A hundred parts in a million, for hours: what is on its way at once still counts as that."""
    transit = Transit()
    for minute in range(600):
        now = minute * MINUTE
        assert transit.of(now - now // 10_000, AHEAD + now) == 0


@given(st.lists(st.tuples(st.integers(1, MINUTE), st.integers(0, 5 * SECOND)), min_size=1))
def test_never_below_zero_and_never_above_the_truth(steps: list[tuple[int, int]]) -> None:
    """Nothing is older than it can be: no deadline passes early, and nothing looks earlier than it was."""
    transit, sent, seen = Transit(), 0, 0
    for pause, delay in steps:
        sent += pause
        seen = max(seen, sent + delay)
        assert 0 <= transit.of(sent, AHEAD + seen) <= seen - sent
