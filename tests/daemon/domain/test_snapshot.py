"""The rules of intake: what a notification says of alerts, and what it opens and resolves."""

from copy import deepcopy

import pytest
from intake_source import Source1, kinds
from notices import notice

from tocsind.domain.alert_group import Action, EventKind, ResolveReason, State
from tocsind.domain.snapshot import AlertState, Result

ALL_RESOLVED = "all alerts resolved"


@pytest.fixture
def source() -> Source1:
    """An identity of which nothing is known."""
    return Source1()


# Rules 1 and 2: a level-triggered snapshot, upserted by fingerprint.


def test_a_first_firing_notification_opens_a_group(source: Source1) -> None:
    """Something fires and nothing is known: a new group, with its alerts counted and named in its first event."""
    effect = source.send(notice("a b", "c", reason="first notification"))

    assert (effect.result, effect.opened, effect.moved, effect.described) == (Result.APPLIED, True, False, True)
    group = source.group
    assert (group.state, group.created, group.state_since) == (State.FIRING, source.now, source.now)
    assert (group.firing_count, group.resolved_count, group.unreported_count) == (2, 1, 0)
    assert (group.notifications, group.last_received, group.source_firing) == (1, source.now, True)
    (event,) = effect.events
    assert (event.kind, event.state, event.reason) == (EventKind.OPENED, State.FIRING, "first notification")
    assert event.fingerprints == ["a", "b"]


@pytest.mark.parametrize("state", [None, Action.ACKNOWLEDGE, Action.SILENCE, Action.RESOLVE])
def test_the_same_notification_again_moves_counters_only(source: Source1, state: Action | None) -> None:
    """A repeat, byte-identical or not, changes nothing but "last received" and "notifications", in any state."""
    source.send(notice("a b"))
    if state is not None:
        source.act(state)
    before = deepcopy(source.group)

    effect = source.send(notice("a b"))

    assert (effect.result, effect.opened, effect.moved, effect.described) == (Result.UNCHANGED, False, False, False)
    assert (effect.events, effect.restated) == ([], {})
    before.notifications, before.last_received = 2, source.now
    assert source.group == before


def test_the_duplicate_of_an_ha_peer_is_a_repeat(source: Source1) -> None:
    """Peers differ in their external URL only, and that says nothing."""
    source.send(notice("a", external_url="http://am-1"))

    assert source.send(notice("a", external_url="http://am-2")).result is Result.UNCHANGED
    assert len(source.groups) == 1


def test_an_alert_that_is_no_longer_listed_is_kept_as_unreported(source: Source1) -> None:
    """Silenced, inhibited or lost: it does not count as firing, and comes back without being called new."""
    source.send(notice("a b"))

    effect = source.send(notice("a"))
    assert source.states() == {"a": "FIRING", "b": "UNREPORTED"}
    assert effect.restated == {"b": AlertState.UNREPORTED}
    assert (source.group.firing_count, source.group.unreported_count) == (1, 1)
    assert effect.events == []

    effect = source.send(notice("a b"))
    assert source.states() == {"a": "FIRING", "b": "FIRING"}
    assert effect.events == []
    assert (source.group.firing_count, source.group.unreported_count) == (2, 0)


def test_a_resolved_alert_that_is_no_longer_listed_stays_resolved(source: Source1) -> None:
    """Alertmanager lists a resolved alert once."""
    source.send(notice("a b"))
    source.send(notice("a", "b"))
    source.send(notice("a", reason="repeat interval elapsed"))

    assert source.states() == {"a": "FIRING", "b": "RESOLVED"}


def test_what_a_truncated_notification_does_not_list_stays_as_it_was(source: Source1) -> None:
    """Cut off is not gone."""
    source.send(notice("a b c"))
    source.send(notice("a", truncated=2))

    assert source.states() == {"a": "FIRING", "b": "FIRING", "c": "FIRING"}


def test_a_resolved_alert_that_is_listed_again_changes_nothing_else(source: Source1) -> None:
    """Alertmanager lists older resolved alerts again with a later end: no event, and no change of state."""
    source.send(notice("a b"))
    source.send(notice("b", "a"))

    effect = source.send(notice("b", "a", reason="repeat interval elapsed"))

    assert source.states() == {"a": "RESOLVED", "b": "FIRING"}
    assert (effect.events, effect.moved) == ([], False)


def test_it_is_kept_when_an_alert_began_to_fire(source: Source1) -> None:
    """By our clock, and as long as it goes on; again when it was resolved, or not reported, in between."""

    def fired() -> dict[str, int]:
        return {name: known.fired_at for name, known in sorted(source.alerts[source.group.id].items())}

    source.send(notice("a b", "c"))
    first = source.now
    assert fired() == {"a": first, "b": first, "c": 0}
    source.send(notice("a", "b c"))
    source.send(notice("a b c"))
    again = source.now
    assert fired() == {"a": first, "b": again, "c": again}
    source.send(notice("a b"))
    assert fired() == {"a": first, "b": again, "c": again}
    source.send(notice("a b c", reason="more"))
    assert fired() == {"a": first, "b": again, "c": source.now}


# Rule 4: what resolves.


RESOLVING = [
    # truncated, reason, the state after it, and that of the alerts
    (0, "", State.RESOLVED, {"a": "RESOLVED", "b": "UNREPORTED"}),
    (0, ALL_RESOLVED, State.RESOLVED, {"a": "RESOLVED", "b": "UNREPORTED"}),
    (1, ALL_RESOLVED, State.RESOLVED, {"a": "RESOLVED", "b": "RESOLVED"}),
    (1, "", State.FIRING, {"a": "RESOLVED", "b": "FIRING"}),
    (1, "some alerts resolved", State.FIRING, {"a": "RESOLVED", "b": "FIRING"}),
    (1, "repeat interval elapsed", State.FIRING, {"a": "RESOLVED", "b": "FIRING"}),
]


@pytest.mark.parametrize("held", [None, Action.ACKNOWLEDGE, Action.SILENCE])
@pytest.mark.parametrize(("truncated", "reason", "after", "alerts"), RESOLVING)
def test_what_resolves_a_group(
    source: Source1, held: Action | None, truncated: int, reason: str, after: State, alerts: dict[str, str]
) -> None:
    """ "Resolved" resolves from every open state; truncated, only with the reason that all alerts are resolved."""
    source.send(notice("a b"))
    if held is not None:
        source.act(held)
    before = source.group.state

    effect = source.send(notice("", "a", truncated=truncated, reason=reason))

    assert source.states() == alerts
    if after is State.RESOLVED:
        assert (source.group.state, source.group.resolve_reason) == (State.RESOLVED, ResolveReason.SOURCE)
        assert (kinds(effect), effect.moved) == ([EventKind.RESOLVED], True)
        assert not source.group.source_firing
    else:
        assert source.group.state is before
        assert (kinds(effect), effect.moved) == ([], False)
        assert source.group.source_firing


# Rule 5: resolved while nothing is open.


@pytest.mark.parametrize(("truncated", "reason"), [(0, ""), (2, ALL_RESOLVED), (2, "")])
def test_resolved_for_what_was_never_seen_opens_nothing(source: Source1, truncated: int, reason: str) -> None:
    """Nothing known, nothing fires for sure: no group."""
    effect = source.send(notice("", "a", truncated=truncated, reason=reason))

    assert (effect.result, effect.group) == (Result.NOTHING_KNOWN, None)


def test_a_truncated_notification_that_something_fires_opens_a_group(source: Source1) -> None:
    """The status alone would lose it: the reason says that what fires was cut off."""
    effect = source.send(notice("", "a", truncated=2, reason="new alerts added"))

    assert effect.opened
    assert source.group.source_firing


def test_resolved_at_the_source_after_a_person_resolved_is_recorded(source: Source1) -> None:
    """The last group hears of it, once, and stays as the person left it."""
    source.send(notice("a"))
    source.act(Action.RESOLVE)

    effect = source.send(notice("", "a"))

    assert kinds(effect) == [EventKind.SOURCE_RESOLVED]
    assert (source.group.resolve_reason, source.group.source_firing) == (ResolveReason.USER, False)
    assert not effect.moved
    assert kinds(source.send(notice("", "a b"))) == []
    assert len(source.groups) == 1


# Unresolve, and what is uncertain.


def test_an_unresolved_group_is_the_one_that_notifications_reach(source: Source1) -> None:
    """What a person opened again takes the next notification, even an unchanged one, and can be resolved by it."""
    source.send(notice("a"))
    source.send(notice("", "a"))
    source.act(Action.UNRESOLVE)

    effect = source.send(notice("", "a"))

    assert kinds(effect) == [EventKind.RESOLVED]
    assert source.group.resolve_reason is ResolveReason.SOURCE


def test_an_uncertain_notification_updates_alerts_and_nothing_else(source: Source1) -> None:
    """Truncated without a reason: what is listed is believed, what it means for the group is not known."""
    source.send(notice("a b"))
    source.act(Action.ACKNOWLEDGE)

    effect = source.send(notice("", "a", truncated=3))

    assert source.states() == {"a": "RESOLVED", "b": "FIRING"}
    assert (source.group.state, source.group.source_firing) == (State.ACKNOWLEDGED, True)
    assert effect.events == []
