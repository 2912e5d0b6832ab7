"""The timer wheel, against a plain dict."""

from fake_clock import DAY
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tocsind.domain.timer_wheel import TICK, TimerWheel

ALL = 1_000_000


def test_it_is_never_early_and_never_late() -> None:
    """A timer is due at its deadline and not a microsecond before, in the middle of a tick as at its ends."""
    for deadline in (5 * TICK - 1, 5 * TICK, 5 * TICK + 1, 5 * TICK + TICK // 2):
        wheel = TimerWheel(0)
        wheel.schedule(1, deadline)
        assert wheel.advance(deadline - 1, ALL) == {}
        assert wheel.advance(deadline, ALL) == {1: deadline}
        assert wheel.advance(deadline + DAY, ALL) == {}


def test_a_deadline_in_the_past_is_due_at_once() -> None:
    """What should have been noticed already is noticed now."""
    wheel = TimerWheel(100 * TICK)
    wheel.schedule(1, 3 * TICK)

    assert wheel.advance(100 * TICK, ALL) == {1: 3 * TICK}


def test_the_last_deadline_counts() -> None:
    """Rescheduling replaces: to later, to earlier and back again."""
    wheel = TimerWheel(0)
    for deadline in (50 * TICK, 20 * TICK, 80 * TICK):
        wheel.schedule(1, deadline)
    assert wheel.deadline(1) == 80 * TICK
    assert wheel.advance(80 * TICK - 1, ALL) == {}
    wheel.schedule(1, 70 * TICK)
    assert wheel.advance(80 * TICK, ALL) == {1: 70 * TICK}


def test_what_is_cancelled_is_gone() -> None:
    """A cancelled timer is never due, and can be set again."""
    wheel = TimerWheel(0)
    wheel.schedule(1, TICK)
    wheel.cancel(1)
    wheel.cancel(2)
    assert (len(wheel), 1 in wheel, wheel.deadline(1)) == (0, False, None)
    assert wheel.advance(DAY, ALL) == {}

    wheel.schedule(1, DAY + TICK)
    assert wheel.advance(DAY + TICK, ALL) == {1: DAY + TICK}


def test_very_many_at_one_moment_come_in_portions() -> None:
    """The limit holds, nothing is lost, and nothing comes twice."""
    wheel = TimerWheel(0)
    for key in range(1_234):
        wheel.schedule(key, 7 * TICK)
    portions = []
    while portions[-1:] != [{}]:
        portions.append(wheel.advance(9 * TICK, 500))

    assert [len(portion) for portion in portions] == [500, 500, 234, 0]
    assert sorted(key for portion in portions for key in portion) == list(range(1_234))


def test_what_is_put_back_comes_first_and_in_its_order() -> None:
    """Before what waits, with the deadline that it had; and not where it was set anew."""
    wheel = TimerWheel(0)
    for key in range(6):
        wheel.schedule(key, (key + 1) * TICK)
    due = wheel.advance(9 * TICK, 4)
    wheel.schedule(2, 20 * TICK)
    wheel.put_back({key: due[key] for key in (1, 2, 3)})
    assert wheel.advance(9 * TICK, 3) == {1: 2 * TICK, 3: 4 * TICK, 4: 5 * TICK}
    assert wheel.advance(9 * TICK, 3) == {5: 6 * TICK}
    assert wheel.advance(20 * TICK, 3) == {2: 20 * TICK}


def test_a_long_gap_costs_no_more_than_the_timers_in_it() -> None:
    """A machine that was suspended for a century loses nothing: empty ticks are not walked through."""
    wheel = TimerWheel(0)
    deadlines = {key: key * 400 * DAY for key in range(1, 91)}
    for key, deadline in deadlines.items():
        wheel.schedule(key, deadline)

    assert wheel.advance(36_500 * DAY, ALL) == {key: at for key, at in deadlines.items() if at <= 36_500 * DAY}


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3_000 * TICK)), max_size=300), st.integers(1, 50))
def test_everything_that_is_scheduled_comes_once(timers: list[tuple[int, int]], limit: int) -> None:
    """Whatever is set, advancing to the end in any portions yields exactly the keys that were set."""
    wheel = TimerWheel(0)
    for key, deadline in timers:
        wheel.schedule(key, deadline)
    due: list[int] = []
    while portion := wheel.advance(3_001 * TICK, limit):
        due.extend(portion)

    assert sorted(due) == sorted({key for key, _ in timers})


class Wheel(RuleBasedStateMachine):
    """Any calls in any order; the oracle is a dict of deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 12_345
        self.wheel = TimerWheel(self.now)
        self.deadlines: dict[int, int] = {}

    @rule(
        key=st.integers(0, 8),
        ahead=st.one_of(st.integers(-TICK, 30 * TICK), st.integers(-10, 10).map(lambda n: n * TICK), st.just(DAY)),
    )
    def schedule(self, key: int, ahead: int) -> None:
        """A timer is set, anew or again."""
        self.wheel.schedule(key, self.now + ahead)
        self.deadlines[key] = self.now + ahead

    @rule(key=st.integers(0, 8))
    def cancel(self, key: int) -> None:
        """A timer is cancelled, whether there is one or not."""
        self.wheel.cancel(key)
        self.deadlines.pop(key, None)

    @rule(
        span=st.one_of(st.integers(0, 3 * TICK), st.integers(0, 40 * TICK), st.just(DAY), st.just(400 * DAY)),
        limit=st.integers(1, 10),
    )
    def advance(self, span: int, limit: int) -> None:
        """What is returned is due and was not returned before; below the limit, all that is due is returned."""
        self.now += span
        due = self.wheel.advance(self.now, limit)
        assert len(due) <= limit
        for key, deadline in due.items():
            assert self.deadlines.pop(key) == deadline <= self.now
        if len(due) < limit:
            assert all(deadline > self.now for deadline in self.deadlines.values())

    @invariant()
    def it_knows_the_same_deadlines(self) -> None:
        """Not one more or less than the oracle."""
        assert len(self.wheel) == len(self.deadlines)
        assert {key: self.wheel.deadline(key) for key in range(9) if key in self.wheel} == self.deadlines


TestWheel = Wheel.TestCase
