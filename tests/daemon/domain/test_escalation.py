"""The rules of escalations, one by one and for any chain."""

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy

import pytest
from fake_clock import DAY, HOUR, MINUTE, SECOND, START
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsind.domain.escalation import (
    Deed,
    Ended,
    Escalation,
    EscalationState,
    Held,
    NoZone,
    Repeated,
    ResolveGroup,
    Tell,
    advance,
    start,
)
from tocsind.domain.escalation_chain import MoreThan, Notify, Repeat, Resolve, Step, Wait, Within

ALWAYS = Within((), 0, 0, "UTC")
MORNING = Within((), 8 * 60, 9 * 60, "UTC")
EIGHT = START // DAY * DAY + DAY + 8 * HOUR


class Run:
    """One escalation, looked at whenever it is due."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.now = START
        self.alerts = 0
        self.escalation = start(1, 1, START)

    def go_on(self) -> list[Deed]:
        """Looks at it now."""
        return advance(self.escalation, self.steps, self.now, lambda _: self.alerts)

    def next(self) -> list[Deed]:
        """Looks at it when it is due."""
        assert self.escalation.due is not None
        self.now = self.escalation.due
        return self.go_on()


def test_steps_are_done_in_their_order_up_to_a_wait() -> None:
    """And go on after it with what comes next, to the end."""
    run = Run(Notify((7, 8)), Wait(5 * MINUTE), Notify((9,)))

    assert run.go_on() == [Tell(1, 7), Tell(1, 8)]
    assert (run.escalation.step, run.escalation.due) == (2, START + 5 * MINUTE)
    assert run.next() == [Tell(3, 9), Ended()]


def test_a_wait_counts_from_when_the_step_before_it_was_done() -> None:
    """Who was told an hour late has the whole time to react."""
    run = Run(Wait(MINUTE), Notify((7,)), Wait(MINUTE), Notify((8,)))
    run.go_on()
    run.now += HOUR

    assert run.go_on() == [Tell(2, 7)]
    assert run.escalation.due == run.now + MINUTE


def test_outside_its_hours_it_waits_for_them_and_then_goes_on() -> None:
    """Late, if need be: not only where it is within them by then."""
    run = Run(MORNING, Notify((7,)))

    assert run.go_on() == [Held(1, EIGHT)]
    assert (run.escalation.due, run.escalation.state) == (EIGHT, EscalationState.WAITING)
    run.now = EIGHT + 5 * HOUR
    assert run.go_on() == [Tell(2, 7), Ended()]


def test_within_its_hours_it_goes_on_at_once() -> None:
    """As if the step were not there."""
    assert Run(ALWAYS, Notify((7,))).go_on() == [Tell(2, 7), Ended()]


def test_without_its_time_zone_it_goes_on_and_says_so() -> None:
    """Not to tell would be worse."""
    assert Run(Within((), 0, 1, "Europe/Atlantis"), Notify((7,))).go_on() == [
        NoZone(1, "there is no time zone 'Europe/Atlantis'"),
        Tell(2, 7),
        Ended(),
    ]


def test_it_pauses_until_there_are_more_alerts() -> None:
    """Strictly more; that it pauses is said once, and it has no time."""
    run = Run(MoreThan(2, HOUR), Notify((7,)))
    run.alerts = 2

    assert run.go_on() == [Held(1, None)]
    assert (run.escalation.state, run.escalation.due) == (EscalationState.PAUSED, None)
    assert run.go_on() == []
    run.alerts = 3
    assert run.go_on() == [Tell(2, 7), Ended()]


def test_it_pauses_again_at_the_next_such_step() -> None:
    """And says so: it is another one."""
    run = Run(MoreThan(0, HOUR), MoreThan(5, HOUR), Notify((7,)))
    run.go_on()
    run.alerts = 1

    assert run.go_on() == [Held(2, None)]
    assert run.escalation.step == 1


def test_a_repeat_begins_again_so_many_times_and_then_goes_on() -> None:
    """Twice means three rounds in all."""
    run = Run(Notify((7,)), Wait(MINUTE), Repeat(2), Notify((8,)))

    assert run.go_on() == [Tell(1, 7)]
    assert run.next() == [Repeated(3, 1, 2), Tell(1, 7)]
    assert run.next() == [Repeated(3, 2, 2), Tell(1, 7)]
    assert run.next() == [Tell(4, 8), Ended()]


def test_resolving_ends_it() -> None:
    """Nothing comes after that."""
    run = Run(Notify((7,)), Wait(MINUTE), Resolve())
    run.go_on()

    assert run.next() == [ResolveGroup(3)]


def test_a_chain_that_never_waits_does_not_go_on_for_ever() -> None:
    """It could not be saved; should it be there all the same, it waits after one round."""
    run = Run(Notify((7,)), Repeat(5), Repeat(5))
    deeds, looks = run.go_on(), 1
    while not isinstance(deeds[-1], Ended):
        assert run.escalation.due == run.now + SECOND
        deeds, looks = run.next(), looks + 1

    assert looks == 10


@pytest.mark.parametrize(
    ("wall", "left"), [(0, MINUTE), (30 * SECOND, 30 * SECOND), (2 * MINUTE, -MINUTE), (-DAY, MINUTE)]
)
def test_no_wait_is_longer_than_it_was_when_it_was_set(wall: int, left: int) -> None:
    """A clock that was set back does not keep it; what is overdue is so by how much."""
    run = Run(Wait(MINUTE), Notify((7,)))
    run.go_on()

    assert run.escalation.left(START + wall) == left


STEPS = st.one_of(
    st.builds(Wait, st.integers(SECOND, 7 * DAY)),
    st.builds(Notify, st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True).map(tuple)),
    st.builds(
        Within,
        st.sets(st.integers(1, 7)).map(lambda days: tuple(sorted(days))),
        st.integers(0, 1439),
        st.integers(0, 1440),
        st.sampled_from(["UTC", "Europe/Berlin", "Europe/Atlantis"]),
    ),
    st.builds(MoreThan, st.integers(0, 3), st.integers(MINUTE, DAY)),
    st.builds(Repeat, st.integers(1, 5)),
)


@given(
    steps=st.lists(STEPS, max_size=8),
    resolves=st.booleans(),
    looks=st.lists(st.tuples(st.integers(0, 2 * DAY), st.integers(0, 5), st.booleans()), max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_any_chain_whatever_happens(steps: list[Step], resolves: bool, looks: list[tuple[int, int, bool]]) -> None:
    """However late it is looked at, whatever is lost in a crash: each step is done once a round, in its order; there
    are no more rounds than repeats allow; what waits waits for a time to come."""
    chain: Sequence[Step] = [*steps, Resolve()] if resolves else steps
    escalation, now = start(1, 1, START), START
    done: list[Deed] = []
    for late, alerts, crash in looks:
        assert escalation.is_fresh == (escalation == start(1, 1, START))
        before = deepcopy(escalation)
        if escalation.due is not None:
            now = max(now, escalation.due) + late
        deeds = advance(escalation, chain, now, lambda _, alerts=alerts: alerts)
        if crash:
            assert advance(before, chain, now, lambda _, alerts=alerts: alerts) == deeds
            assert before == escalation
        done += deeds
        if deeds and isinstance(deeds[-1], Ended | ResolveGroup):
            break
        assert not any(isinstance(deed, Ended | ResolveGroup) for deed in deeds)
        assert_waits(escalation, chain, now)
    assert_in_order(done)
    rounds = 1 + sum(step.times for step in chain if isinstance(step, Repeat))
    told = Counter(deed.step for deed in done if isinstance(deed, Tell))
    for number, step in enumerate(chain, start=1):
        if isinstance(step, Notify):
            assert told[number] <= rounds * len(step.contacts)
    assert sum(isinstance(deed, Ended | ResolveGroup) for deed in done) <= 1


def assert_waits(escalation: Escalation, chain: Sequence[Step], now: int) -> None:
    """It waits for a time to come, or for alerts."""
    assert 0 <= escalation.step <= len(chain)
    if escalation.state is EscalationState.PAUSED:
        assert escalation.due is None
        assert isinstance(chain[escalation.step], MoreThan)
    else:
        assert escalation.due is not None
        assert escalation.due > now == escalation.set
        assert escalation.left(now) == escalation.due - now


def assert_in_order(deeds: Sequence[Deed]) -> None:
    """Each round goes through the steps in their order, no step twice."""
    last: tuple[int, int] = (0, 0)
    for deed in deeds:
        if isinstance(deed, Repeated):
            assert deed.step > last[0]
            last = (0, 0)
        elif not isinstance(deed, Ended):
            here = (deed.step, deed.contact if isinstance(deed, Tell) else 0)
            assert here[0] >= last[0]
            assert here != last
            last = here
