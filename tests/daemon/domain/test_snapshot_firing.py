"""The rules of intake for what fires when a group was resolved, or somebody holds it."""

import pytest
from fake_clock import MINUTE
from intake_source import WINDOW, Source1, kinds
from notices import notice

from tocsind.domain.alert_group import Action, EventKind, ResolveReason, State, act
from tocsind.domain.notification import Notification


@pytest.fixture
def source() -> Source1:
    """An identity of which nothing is known."""
    return Source1()


# Rule 6: firing while nothing is open.


def test_a_stale_firing_after_resolved_reopens_the_group(source: Source1) -> None:
    """Within the reopen window after its source resolved it, the group reopens, and the correction resolves it."""
    source.send(notice("a"))
    source.send(notice("", "a"))

    effect = source.send(notice("a"), after=WINDOW - 1)

    assert kinds(effect) == [EventKind.REOPENED]
    assert (source.group.state, source.group.resolve_reason) == (State.FIRING, None)
    assert source.states() == {"a": "FIRING"}
    source.send(notice("", "a"))
    assert source.group.resolve_reason is ResolveReason.SOURCE
    assert len(source.groups) == 1


def test_a_new_alert_that_reopens_is_told_as_well(source: Source1) -> None:
    """Reopened, and something fires that never did before: two events, one change of state."""
    source.send(notice("a"))
    source.send(notice("", "a"))

    assert kinds(source.send(notice("b"))) == [EventKind.REOPENED, EventKind.NEW_ALERTS]


def test_firing_after_the_reopen_window_opens_a_new_group(source: Source1) -> None:
    """The window ends at its length, to the microsecond."""
    source.send(notice("a"))
    source.send(notice("", "a"))

    assert source.send(notice("a"), after=WINDOW).opened
    assert [group.state for group in source.groups] == [State.RESOLVED, State.FIRING]


def test_a_reopen_window_of_zero_is_off() -> None:
    """Even in the same microsecond a new group opens."""
    source = Source1(window=0)
    source.send(notice("a"))
    source.send(notice("", "a"))

    assert source.send(notice("a"), after=0).opened


@pytest.mark.parametrize("action", [Action.GO_STALE, Action.TURN_HEARTBEAT_OFF])
def test_what_a_timer_or_a_setting_resolved_does_not_reopen(source: Source1, action: Action) -> None:
    """Only a resolution by the source can have been overtaken by a stale firing."""
    source.send(notice("a"))
    act(source.group, action, source.now)

    assert source.send(notice("a b")).opened


# Rule 7: firing on a group that somebody holds.


@pytest.mark.parametrize("action", [Action.ACKNOWLEDGE, Action.SILENCE])
def test_a_new_alert_does_not_take_a_group_from_its_holder(source: Source1, action: Action) -> None:
    """The state stays, and the alert that was not seen firing before is an event of its own."""
    source.send(notice("a", "b"))
    source.act(action)
    state = source.group.state

    effect = source.send(notice("a b c"))

    (event,) = effect.events
    assert (event.kind, event.state) == (EventKind.NEW_ALERTS, state)
    assert event.fingerprints == ["b", "c"]
    assert event.reason == f"2 new alerts while {state.name.lower()}"
    assert (source.group.state, effect.moved) == (state, False)
    assert source.send(notice("a b c", "d")).events == []


def test_an_event_names_a_hundred_alerts_at_most(source: Source1) -> None:
    """A storm does not make a timeline unreadable; its size is in the reason."""
    source.send(notice("a"))

    (event,) = source.send(notice("a " + " ".join(f"f{n}" for n in range(150)))).events

    assert len(event.fingerprints) == 100
    assert event.reason == "150 new alerts while firing"


# Rule 8: after a person, or the last step of a chain, resolved what still fires.


@pytest.mark.parametrize("action", [Action.RESOLVE, Action.ESCALATION_RESOLVE])
@pytest.mark.parametrize(
    ("notification", "after", "opens"),
    [
        (notice("a b"), WINDOW - 1, False),
        (notice("a b"), WINDOW, True),
        (notice("a b", reason="repeat interval elapsed"), WINDOW - 1, False),
        (notice("a"), WINDOW - 1, False),
        (notice("a", "b"), WINDOW - 1, False),
        (notice("a b c"), 1, True),
        (notice("c"), 1, True),
    ],
)
def test_after_it_was_resolved_though_it_fires(
    source: Source1, notification: Notification, after: int, opens: bool, action: Action
) -> None:
    """Inside the window what fired already changes nothing; after it, or with a new alert, a new group opens."""
    source.send(notice("a b"))
    source.act(action)

    effect = source.send(notification, after=after)

    assert effect.opened is opens
    assert source.groups[0].resolve_reason is (
        ResolveReason.USER if action is Action.RESOLVE else ResolveReason.ESCALATION
    )
    assert kinds(effect) == ([EventKind.OPENED] if opens else [])


def test_an_alert_that_had_ended_is_new_again_after_a_person_resolved(source: Source1) -> None:
    """What was resolved at the source when the person looked, and fires now, opens a new group."""
    source.send(notice("a b"))
    source.send(notice("a", "b"))
    source.act(Action.RESOLVE)

    assert source.send(notice("a b")).opened


def test_what_the_source_had_resolved_too_opens_a_new_group(source: Source1) -> None:
    """A person resolved, the source resolved, the source fires again: that is a new story."""
    source.send(notice("a"))
    source.act(Action.RESOLVE)
    source.send(notice("", "a"))

    assert source.send(notice("a")).opened


@pytest.mark.parametrize("jump", [-525_600 * MINUTE, 525_600 * MINUTE])
def test_a_clock_that_jumped_does_not_keep_a_group_from_opening(source: Source1, jump: int) -> None:
    """After the time of day went back by a year, what a person resolved does not stay closed for a year."""
    source.send(notice("a"))
    source.act(Action.RESOLVE)

    assert source.send(notice("a"), after=jump).opened
