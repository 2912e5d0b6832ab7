"""The rules of intake, one by one: from a notification to its effect on an alert group."""

from copy import deepcopy

import pytest
from fake_clock import MINUTE, START
from notices import notice

from tocsind.domain.alert_group import Action, AlertGroup, EventKind, ResolveReason, Source, State, act
from tocsind.domain.notification import Notification
from tocsind.domain.snapshot import AlertState, Effect, KnownAlert, Result, receive

WINDOW = 5 * MINUTE
ALL_RESOLVED = "all alerts resolved"


class Source1:
    """One identity: applies notifications to whatever group they reach, as the engine does."""

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self.now = START
        self.groups: list[AlertGroup] = []
        self.alerts: dict[int, dict[str, KnownAlert]] = {}

    @property
    def group(self) -> AlertGroup:
        """The group that notifications reach."""
        return max(self.groups, key=lambda group: (group.is_open, group.id))

    def send(self, notification: Notification, after: int = MINUTE) -> Effect:
        """A notification comes, some time later."""
        self.now += after
        known = self.group if self.groups else None
        effect = receive(
            known,
            self.alerts.get(known.id, {}) if known is not None else {},
            notification,
            source=Source.ALERTMANAGER,
            integration_id=1,
            reopen_window=self.window,
            now=self.now,
            new_id=lambda: len(self.groups) + 1,
        )
        if effect.opened and effect.group is not None:
            self.groups.append(effect.group)
        if effect.described and effect.group is not None:
            self.alerts[effect.group.id] = effect.alerts
        return effect

    def act(self, action: Action, after: int = MINUTE) -> None:
        """A person or a timer acts on the group."""
        self.now += after
        act(self.group, action, self.now, actor="ada")

    def states(self) -> dict[str, str]:
        """The alerts of the group."""
        return {name: known.state.name for name, known in sorted(self.alerts[self.group.id].items())}


def kinds(effect: Effect) -> list[EventKind]:
    """The kinds of an effect's events."""
    return [event.kind for event in effect.events]


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
