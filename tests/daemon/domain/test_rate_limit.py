"""The sliding window, against a plain list of times."""

from array import array

from fake_clock import MINUTE, SECOND
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.rate_limit import SLICE, WINDOW, Window

FEW = 7
steps = st.lists(
    st.one_of(st.integers(0, 2 * SECOND), st.integers(0, 40 * SECOND), st.integers(0, 2 * WINDOW)), max_size=120
)


def admitted(window: Window, limit: int, pauses: list[int], *, trickle: bool = False) -> list[tuple[int, bool]]:
    """When each of many that come with these pauses between them came, and whether it was taken."""
    now, found = 1_000 * SECOND, []
    for pause in pauses:
        now += pause
        taken = not window.wait(limit, now, trickle=trickle)
        if taken:
            window.take(now)
        found.append((now, taken))
    return found


def within(times: list[int], end: int, span: int) -> int:
    """How many of these times are in the span that ends (and begins) with its ends inside."""
    return sum(end - span <= time <= end for time in times)


@given(steps, st.integers(1, 12))
def test_no_five_minutes_have_more_than_the_limit(pauses: list[int], limit: int) -> None:
    """Wherever a window of five minutes is laid, at most the limit was taken in it."""
    taken = [now for now, was_taken in admitted(Window(), limit, pauses) if was_taken]

    assert all(within(taken, end, WINDOW) <= limit for end in taken)


@given(steps, st.integers(1, 12))
def test_nothing_is_refused_below_the_limit(pauses: list[int], limit: int) -> None:
    """What is refused had the limit taken before it, in five minutes and one slice."""
    history = admitted(Window(), limit, pauses)
    taken = [now for now, was_taken in history if was_taken]

    assert all(within(taken, now, WINDOW + SLICE) >= limit for now, was_taken in history if not was_taken)


@given(steps, st.integers(1, 12))
def test_it_says_when_to_come_again(pauses: list[int], limit: int) -> None:
    """What waits as long as it was told is taken then, and would not have been a microsecond before."""
    window = Window()
    now = admitted(window, limit, pauses)[-1][0] if pauses else SECOND
    wait = window.wait(limit, now)

    if wait:
        assert window.wait(limit, now + wait - 1) == 1
    assert window.wait(limit, now + wait) == 0


@given(steps, st.integers(1, 12))
def test_a_trickle_never_runs_dry(pauses: list[int], limit: int) -> None:
    """Of beats, one in each slice is taken whatever came before, and not many more than the limit."""
    history = admitted(Window(), limit, pauses, trickle=True)
    taken = [now for now, was_taken in history if was_taken]

    assert all(now // SLICE in {time // SLICE for time in taken} for now, _ in history)
    assert all(within(taken, end, WINDOW) <= limit + WINDOW // SLICE + 1 for end in taken)


@given(steps)
def test_it_counts_what_was_taken(pauses: list[int]) -> None:
    """The count is that of a plain list, over the slice that runs and the 60 before it."""
    window, taken, now = Window(), [], 0
    for pause in pauses:
        now += pause
        window.take(now, 2)
        taken += [now, now]
        assert window.taken(now) == sum(time // SLICE >= now // SLICE - 60 for time in taken)


def test_others_count_before_they_are_counted() -> None:
    """What others took in the same transaction is reckoned with, as if it had just been taken."""
    window = Window()
    window.take(0, FEW - 2)

    assert window.wait(FEW, 0, others=1) == 0
    assert window.wait(FEW, 0, others=2) == WINDOW + SLICE
    assert window.wait(FEW, 0, others=FEW + 100) == WINDOW + SLICE


def test_no_limit_refuses_nothing() -> None:
    """0 is any number."""
    window = Window()
    window.take(0, 1_000_000)

    assert window.wait(0, 0) == 0


def test_a_new_limit_holds_at_once() -> None:
    """Limits are changed while the window goes on."""
    window = Window()
    window.take(0, FEW)

    assert window.wait(FEW, 0)
    assert not window.wait(FEW + 1, 0)


def test_a_clock_that_stands_back_forgets_nothing() -> None:
    """A monotonic clock does not, but two readings may overtake one another."""
    window = Window()
    window.take(MINUTE, FEW)

    assert window.taken(0) == FEW
    assert window.taken(MINUTE) == FEW


def test_memory_does_not_grow_with_the_limit() -> None:
    """A million in one window takes as much room as one."""
    window = Window()
    for second in range(600):
        window.take(second * SECOND, 1_000_000)
    sizes = [getattr(window, name) for name in Window.__slots__]

    assert [len(part) for part in sizes if isinstance(part, array)] == [WINDOW // SLICE + 1]
