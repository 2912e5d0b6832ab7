"""The state machine of a heartbeat."""

from copy import deepcopy

import pytest
from fake_clock import DAY, MINUTE, SECOND, START
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tocsind.domain import heartbeat as rules
from tocsind.domain.errors import Code, TocsinError
from tocsind.domain.heartbeat import Heartbeat, HeartbeatState

WAITING, UP, MISSING, PAUSED = HeartbeatState
READING = 100 * MINUTE
INTERVAL = 10 * MINUTE


def heartbeat_in(state: HeartbeatState) -> Heartbeat:
    """A heartbeat in a state; its last beat, if there was one, came at the reading READING."""
    heartbeat = Heartbeat(1, interval=INTERVAL)
    if state is not WAITING:
        rules.beat(heartbeat, START, READING, START)
    if state is MISSING:
        rules.expire(heartbeat, READING + INTERVAL, START + INTERVAL)
    if state is PAUSED:
        rules.pause(heartbeat, START)
    assert heartbeat.state is state
    return heartbeat


LATER = READING + 20 * MINUTE
NOW = START + 20 * MINUTE
ACTIONS = {
    "beat": lambda heartbeat: rules.beat(heartbeat, NOW, LATER, NOW),
    "expire": lambda heartbeat: rules.expire(heartbeat, LATER, NOW),
    "pause": lambda heartbeat: rules.pause(heartbeat, NOW),
    "resume": lambda heartbeat: rules.resume(heartbeat, LATER, NOW),
    "reset": lambda heartbeat: rules.reset(heartbeat, NOW),
    "dismiss": lambda heartbeat: rules.dismiss(heartbeat, LATER),
}
DUE = LATER + INTERVAL
TABLE = [
    # in, action, out, deadline, what it returns
    (WAITING, "beat", UP, DUE, False),
    (UP, "beat", UP, DUE, False),
    (MISSING, "beat", UP, DUE, True),
    (PAUSED, "beat", PAUSED, None, False),
    (WAITING, "expire", WAITING, None, False),
    (UP, "expire", MISSING, None, True),
    (MISSING, "expire", MISSING, None, False),
    (PAUSED, "expire", PAUSED, None, False),
    (WAITING, "pause", PAUSED, None, None),
    (UP, "pause", PAUSED, None, None),
    (MISSING, "pause", PAUSED, None, None),
    (PAUSED, "pause", PAUSED, None, None),
    (WAITING, "resume", WAITING, None, None),
    (UP, "resume", UP, READING + INTERVAL, None),
    (MISSING, "resume", MISSING, None, None),
    (PAUSED, "resume", UP, DUE, None),
    (WAITING, "reset", WAITING, None, None),
    (UP, "reset", WAITING, None, None),
    (MISSING, "reset", WAITING, None, None),
    (PAUSED, "reset", WAITING, None, None),
    (WAITING, "dismiss", WAITING, None, None),
    (UP, "dismiss", UP, READING + INTERVAL, None),
    (MISSING, "dismiss", MISSING, DUE, None),
    (PAUSED, "dismiss", PAUSED, None, None),
]


@pytest.mark.parametrize(("before", "action", "after", "deadline", "answer"), TABLE)
def test_what_each_action_does_in_each_state(
    before: HeartbeatState, action: str, after: HeartbeatState, deadline: int | None, answer: bool | None
) -> None:
    """The whole machine as a table: state, deadline and whether an alert group is touched."""
    heartbeat = heartbeat_in(before)
    since = heartbeat.state_since

    assert ACTIONS[action](heartbeat) == answer

    assert (heartbeat.state, heartbeat.deadline) == (after, deadline)
    assert heartbeat.state_since == (since if before is after else NOW)
    assert heartbeat.interval == INTERVAL


@pytest.mark.parametrize(("state", "action"), [(PAUSED, "pause"), (UP, "resume"), (MISSING, "resume")])
def test_what_is_so_already_changes_nothing(state: HeartbeatState, action: str) -> None:
    """Pausing what is paused and resuming what runs is no change at all."""
    heartbeat = heartbeat_in(state)
    before = deepcopy(heartbeat)

    ACTIONS[action](heartbeat)

    assert heartbeat == before


def test_it_is_not_missing_a_microsecond_early() -> None:
    """The deadline itself is late, the microsecond before it is not."""
    heartbeat = heartbeat_in(UP)

    assert not rules.expire(heartbeat, READING + INTERVAL - 1, NOW)
    assert heartbeat.state is UP
    assert rules.expire(heartbeat, READING + INTERVAL, NOW)
    assert heartbeat.state is MISSING


def test_one_that_never_beat_waits_again_after_a_pause() -> None:
    """Resume does not expect what was never there."""
    heartbeat = heartbeat_in(WAITING)
    rules.pause(heartbeat, START)

    rules.resume(heartbeat, READING, NOW)

    assert (heartbeat.state, heartbeat.deadline) == (WAITING, None)


def test_a_beat_in_a_pause_arms_it_for_later() -> None:
    """Beats of a paused heartbeat are recorded: resumed, it is expected again."""
    heartbeat = Heartbeat(1, interval=INTERVAL)
    rules.pause(heartbeat, START)

    rules.beat(heartbeat, START + 1, READING, START + 1)
    rules.resume(heartbeat, READING + 5, NOW)

    assert (heartbeat.state, heartbeat.last_beat, heartbeat.deadline) == (UP, START + 1, READING + 5 + INTERVAL)


def test_a_beat_that_was_overtaken_changes_nothing() -> None:
    """An older beat neither shortens the deadline nor moves the last beat back."""
    heartbeat = heartbeat_in(UP)
    before = deepcopy(heartbeat)

    rules.beat(heartbeat, START - SECOND, READING - SECOND, NOW)

    assert heartbeat == before


def test_reset_forgets_the_beats() -> None:
    """Nothing of the past is left but the interval."""
    heartbeat = heartbeat_in(MISSING)

    rules.reset(heartbeat, NOW)

    assert heartbeat == Heartbeat(1, WAITING, INTERVAL, None, None, NOW)


@pytest.mark.parametrize("interval", [10 * SECOND, 7 * DAY])
def test_a_new_interval_moves_a_running_deadline(interval: int) -> None:
    """The deadline is the last beat and the interval, whichever was set last."""
    heartbeat = heartbeat_in(UP)

    rules.set_interval(heartbeat, interval)

    assert (heartbeat.interval, heartbeat.deadline) == (interval, READING + interval)


@pytest.mark.parametrize("state", [WAITING, MISSING, PAUSED])
def test_a_new_interval_starts_nothing(state: HeartbeatState) -> None:
    """Only a deadline that runs moves; what is missing stays so until a beat comes."""
    heartbeat = heartbeat_in(state)

    rules.set_interval(heartbeat, 7 * DAY)

    assert (heartbeat.state, heartbeat.deadline) == (state, None)


@pytest.mark.parametrize("interval", [0, 10 * SECOND - 1, 7 * DAY + 1, -INTERVAL])
def test_an_interval_outside_of_its_bounds_is_refused(interval: int) -> None:
    """Ten seconds to seven days, or nothing changes."""
    heartbeat = heartbeat_in(UP)
    before = deepcopy(heartbeat)

    with pytest.raises(TocsinError, match="10 seconds to 7 days") as refusal:
        rules.set_interval(heartbeat, interval)

    assert (refusal.value.code, refusal.value.field) == (Code.INVALID, "heartbeat.interval")
    assert heartbeat == before


class Beats(RuleBasedStateMachine):
    """Beats, readings and actions in any order, looked at after each step as the timer wheel would."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = 0
        self.heartbeat = Heartbeat(1, interval=10 * SECOND)
        self.expected_from: int | None = None

    @rule(span=st.integers(0, 15 * SECOND))
    def time_passes(self, span: int) -> None:
        """Attended time goes on."""
        self.reading += span

    @rule(age=st.integers(0, 3 * SECOND))
    def beat(self, age: int) -> None:
        """A beat comes, perhaps overtaken by another."""
        arrival = max(0, self.reading - age)
        rules.beat(self.heartbeat, START + arrival, arrival, START + self.reading)
        if self.heartbeat.state is UP:
            self.expected_from = max(arrival, self.expected_from or 0)

    @rule(action=st.sampled_from(["pause", "resume", "reset", "dismiss"]))
    def act(self, action: str) -> None:
        """Somebody turns it off or on, or resolves its group."""
        paused = self.heartbeat.state is PAUSED
        if action in ("pause", "reset"):
            getattr(rules, action)(self.heartbeat, START + self.reading)
            self.expected_from = None
        elif action == "resume":
            rules.resume(self.heartbeat, self.reading, START + self.reading)
            if paused and self.heartbeat.state is UP:
                self.expected_from = self.reading
        else:
            rules.dismiss(self.heartbeat, self.reading)

    @rule(interval=st.integers(10 * SECOND, 30 * SECOND))
    def set_interval(self, interval: int) -> None:
        """Its interval changes."""
        rules.set_interval(self.heartbeat, interval)

    @rule()
    def look(self) -> None:
        """It goes missing from the interval after the last beat on, and never before."""
        was = self.heartbeat.state
        raised = rules.expire(self.heartbeat, self.reading, START + self.reading)
        if was is UP:
            assert self.expected_from is not None
            overdue = self.reading >= self.expected_from + self.heartbeat.interval
            assert (self.heartbeat.state is MISSING) == overdue == raised
        if self.heartbeat.state is MISSING:
            self.expected_from = None
        assert not raised or self.heartbeat.state is MISSING

    @invariant()
    def only_what_is_expected_has_a_deadline(self) -> None:
        """Up has one always, missing only after its group was dismissed, the others never."""
        state, deadline = self.heartbeat.state, self.heartbeat.deadline
        assert (deadline is not None) if state is UP else (deadline is None or state is MISSING)


TestBeats = Beats.TestCase
