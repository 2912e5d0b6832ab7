"""The state machine of an alert group: its whole table, written out once more by hand."""

from copy import deepcopy

import pytest
from fake_clock import MINUTE, START

from tocsind.domain.alert_group import (
    EVENT_OF,
    OPEN_STATES,
    REASON_OF,
    TRANSITIONS,
    Action,
    AlertGroup,
    EventKind,
    ResolveReason,
    Source,
    State,
    act,
    delete,
)
from tocsind.domain.errors import Reason, TocsinError

NOW = START + MINUTE

# One row an action; the columns are firing, acknowledged, silenced, resolved. "-" is refused.
TABLE = """
ACKNOWLEDGE         ACKNOWLEDGED  -         ACKNOWLEDGED  -
UNACKNOWLEDGE       -             FIRING    -             -
SILENCE             SILENCED      -         SILENCED      -
UNSILENCE           -             -         FIRING        -
RESOLVE             RESOLVED      RESOLVED  RESOLVED      -
UNRESOLVE           -             -         -             FIRING
SOURCE_RESOLVE      RESOLVED      RESOLVED  RESOLVED      -
SOURCE_REOPEN       -             -         -             FIRING
SILENCE_END         -             -         FIRING        -
GO_STALE            RESOLVED      RESOLVED  RESOLVED      -
DELETE_INTEGRATION  RESOLVED      RESOLVED  RESOLVED      -
TURN_HEARTBEAT_OFF  RESOLVED      RESOLVED  RESOLVED      -
WIPE                RESOLVED      RESOLVED  RESOLVED      RESOLVED
END_MAINTENANCE     RESOLVED      RESOLVED  RESOLVED      -
SOURCE_ACKNOWLEDGE  ACKNOWLEDGED  -         -             -
ESCALATION_RESOLVE  RESOLVED      RESOLVED  RESOLVED      -
"""

ROWS = [line.split() for line in TABLE.split("\n") if line]
CASES = [(Action[row[0]], state, cell) for row in ROWS for state, cell in zip(State, row[1:], strict=True)]
ALLOWED = [(action, state, State[cell]) for action, state, cell in CASES if cell != "-"]
REFUSED = [(action, state) for action, state, cell in CASES if cell == "-"]

ARRIVED_BY = {
    State.FIRING: EventKind.OPENED,
    State.ACKNOWLEDGED: EventKind.ACKNOWLEDGED,
    State.SILENCED: EventKind.SILENCED,
    State.RESOLVED: EventKind.RESOLVED,
}


def group_in(state: State, actor: str = "ada") -> AlertGroup:
    """A group that `actor` brought into `state` at START."""
    return AlertGroup(
        id=7,
        integration_id=3,
        source=Source.ALERTMANAGER,
        state=state,
        created=START,
        state_since=START,
        state_event=ARRIVED_BY[state],
        state_actor=actor,
        silence_until=START + MINUTE if state is State.SILENCED else None,
        resolve_reason=ResolveReason.USER if state is State.RESOLVED else None,
        digest=b"what it said",
        firing_count=2,
        notifications=5,
    )


def test_the_table_names_every_action() -> None:
    """The table above is as large as the machine, so that no new action goes untested."""
    assert [row[0] for row in ROWS] == [action.name for action in Action]
    assert {(state, action) for action, state, _ in ALLOWED} == set(TRANSITIONS)


@pytest.mark.parametrize(("action", "state", "after"), ALLOWED)
def test_an_allowed_action_moves_the_group_and_says_so(action: Action, state: State, after: State) -> None:
    """An action that the table allows sets the state with its time and actor, and returns one event that tells it."""
    group = group_in(state)
    end = NOW + MINUTE if action is Action.SILENCE else None

    event = act(group, action, NOW, actor="bob", reason="why", note="a note", silence_until=end)

    assert event is not None
    moved = (action, state) != (Action.WIPE, State.RESOLVED)
    brought = (NOW, "bob", EVENT_OF[action]) if moved else (START, "ada", EventKind.RESOLVED)
    assert (group.state, group.state_since, group.state_actor, group.state_event) == (after, *brought)
    assert (event.group_id, event.kind, event.state, event.previous) == (7, EVENT_OF[action], after, state)
    assert (event.actor, event.reason, event.note) == ("bob", "why", "a note")
    assert group.silence_until == end
    assert group.resolve_reason == (REASON_OF[action] if after is State.RESOLVED else None)
    assert (group.id, group.created, group.firing_count, group.notifications) == (
        7,
        START,
        0 if action is Action.WIPE else 2,
        5,
    )


@pytest.mark.parametrize(("action", "state"), REFUSED)
def test_a_refused_action_changes_nothing(action: Action, state: State) -> None:
    """What the table does not allow is refused with the state and, where somebody holds it, who; nothing changes."""
    group = group_in(state)
    before = deepcopy(group)

    with pytest.raises(TocsinError) as refusal:
        act(group, action, NOW, actor="bob", silence_until=NOW + MINUTE if action is Action.SILENCE else None)

    assert group == before
    assert refusal.value.reason is Reason.WRONG_STATE
    by = "" if state is State.FIRING else " by ada"
    assert refusal.value.message.endswith(f"alertGroups/7: it is {state.name.lower()}{by}")


STARTS = {
    Action.ACKNOWLEDGE: State.FIRING,
    Action.UNACKNOWLEDGE: State.ACKNOWLEDGED,
    Action.SILENCE: State.FIRING,
    Action.UNSILENCE: State.SILENCED,
    Action.RESOLVE: State.FIRING,
    Action.UNRESOLVE: State.RESOLVED,
}


@pytest.mark.parametrize("action", STARTS)
def test_repeating_ones_own_action_changes_nothing(action: Action) -> None:
    """An action of a person that still holds succeeds again for the same actor, without an event or a change."""
    group = group_in(STARTS[action])
    act(group, action, NOW, actor="bob", silence_until=NOW + MINUTE if action is Action.SILENCE else None)
    before = deepcopy(group)

    again = act(group, action, NOW + 1, actor="bob", silence_until=NOW + MINUTE if action is Action.SILENCE else None)

    assert again is None
    assert group == before


@pytest.mark.parametrize("action", [action for action in STARTS if action is not Action.SILENCE])
def test_repeating_the_action_of_another_is_refused(action: Action) -> None:
    """Nobody is told to have done what somebody else did."""
    group = group_in(STARTS[action])
    act(group, action, NOW, actor="bob")
    before = deepcopy(group)

    with pytest.raises(TocsinError, match=f"it is {group.state.name.lower()}"):
        act(group, action, NOW + 1, actor="eve")

    assert group == before


@pytest.mark.parametrize("actor", ["bob", "eve"])
@pytest.mark.parametrize("end", [NOW + 2 * MINUTE, None])
def test_silencing_again_moves_the_end(actor: str, end: int | None) -> None:
    """Anybody may give a silence another end, or none; that is an event of its own."""
    group = group_in(State.FIRING)
    act(group, Action.SILENCE, NOW, actor="bob", silence_until=NOW + MINUTE)

    event = act(group, Action.SILENCE, NOW + 1, actor=actor, silence_until=end)

    assert event is not None
    assert event.kind is EventKind.SILENCED
    assert (group.state, group.silence_until, group.state_actor) == (State.SILENCED, end, actor)


def test_silencing_to_the_same_end_is_a_change_for_another_actor_only() -> None:
    """The same end from the same actor is a repeat; from another it is that actor's own silence."""
    group = group_in(State.FIRING)
    act(group, Action.SILENCE, NOW, actor="bob", silence_until=None)

    assert act(group, Action.SILENCE, NOW + 1, actor="bob", silence_until=None) is None
    assert act(group, Action.SILENCE, NOW + 1, actor="eve", silence_until=None) is not None


def test_an_unacknowledged_group_is_not_one_that_was_unsilenced() -> None:
    """Two actions with the same outcome are not repeats of one another."""
    group = group_in(State.ACKNOWLEDGED)
    act(group, Action.UNACKNOWLEDGE, NOW, actor="bob")

    with pytest.raises(TocsinError, match="cannot unsilence"):
        act(group, Action.UNSILENCE, NOW, actor="bob")


def test_an_unresolved_group_takes_the_next_notification_whatever_it_says() -> None:
    """Unresolve forgets the last content, so that even an unchanged notification reaches the group."""
    group = group_in(State.RESOLVED)

    act(group, Action.UNRESOLVE, NOW, actor="bob")

    assert group.digest == b""


@pytest.mark.parametrize("state", OPEN_STATES)
def test_there_is_no_open_state_that_cannot_be_resolved(state: State) -> None:
    """Whatever happens to a group, a person can close it."""
    assert TRANSITIONS[state, Action.RESOLVE] is State.RESOLVED


# Wiping and deleting


def wiped_from(state: State) -> AlertGroup:
    """A group that bob wiped."""
    group = group_in(state)
    act(group, Action.WIPE, NOW, actor="bob")
    return group


@pytest.mark.parametrize("state", State)
def test_a_wiped_group_says_nothing_any_more(state: State) -> None:
    """Whatever it was before: no counts, no content that a notification could be compared with, nothing that fires."""
    group = wiped_from(state)

    assert group.is_wiped
    assert (group.digest, group.source_firing, group.silence_until, group.silenced) == (b"", False, None, None)
    assert (group.firing_count, group.resolved_count, group.unreported_count) == (0, 0, 0)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("actor", ["bob", "eve"])
def test_wiping_again_changes_nothing(state: State, actor: str) -> None:
    """It succeeds, whoever does it: there is nothing left that anybody could remove."""
    group = wiped_from(state)
    before = deepcopy(group)

    assert act(group, Action.WIPE, NOW + 1, actor=actor) is None
    assert group == before


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.WIPE])
@pytest.mark.parametrize("state", State)
def test_a_wiped_group_stays_resolved(state: State, action: Action) -> None:
    """No action opens it: those that open what is resolved are refused with a reason of their own."""
    group = wiped_from(state)
    before = deepcopy(group)

    with pytest.raises(TocsinError) as refusal:
        act(group, action, NOW + 1, actor="eve")

    opens = action in (Action.UNRESOLVE, Action.SOURCE_REOPEN)
    assert refusal.value.reason is (Reason.WIPED if opens else Reason.WRONG_STATE)
    assert group == before


@pytest.mark.parametrize("state", State)
def test_a_deleted_group_leaves_an_event_with_its_last_state(state: State) -> None:
    """Who watches groups in that state is told that one is gone."""
    event = delete(group_in(state), "bob")

    assert (event.group_id, event.kind, event.actor) == (7, EventKind.DELETED, "bob")
    assert (event.state, event.previous) == (state, state)
    assert (event.reason, event.note, event.fingerprints) == ("", "", [])
