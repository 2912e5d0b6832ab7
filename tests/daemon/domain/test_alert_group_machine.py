"""Groups of one identity under any sequence of notifications, actions and passing time."""

from contextlib import suppress
from copy import deepcopy
from itertools import count

from fake_clock import MINUTE, SECOND, START
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from notices import notice

from tocsind.domain.alert_group import Action, AlertGroup, Event, EventKind, ResolveReason, Source, State, act, delete
from tocsind.domain.errors import TocsinError
from tocsind.domain.notification import Report
from tocsind.domain.snapshot import AlertState, KnownAlert, receive

REASONS = ["", "first notification", "new alerts added", "all alerts resolved", "repeat interval elapsed"]
FINGERPRINTS = st.sets(st.sampled_from("abcd"))
STATE_CHANGES = set(EventKind) - {EventKind.NEW_ALERTS, EventKind.SOURCE_RESOLVED}


class Groups(RuleBasedStateMachine):
    """Stands for the engine: keeps what the rules return, and chooses the group that a notification reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.groups: list[AlertGroup] = []
        self.alerts: dict[int, dict[str, KnownAlert]] = {}
        self.numbers = count(1)

    @property
    def current(self) -> AlertGroup | None:
        """The open group, else the last; one that was wiped has another identity."""
        reached = (group for group in self.groups if not group.is_wiped)
        return max(reached, key=lambda group: (group.is_open, group.id), default=None)

    @rule(span=st.sampled_from([1, SECOND, MINUTE, 10 * MINUTE]))
    def time_passes(self, span: int) -> None:
        """The clock goes on."""
        self.now += span

    @rule(
        firing=FINGERPRINTS,
        resolved=FINGERPRINTS,
        truncated=st.sampled_from([0, 0, 0, 3]),
        reason=st.sampled_from(REASONS),
        window=st.sampled_from([0, 5 * MINUTE]),
    )
    def a_notification_comes(
        self, firing: set[str], resolved: set[str], truncated: int, reason: str, window: int
    ) -> None:
        """A state changes with exactly one event, and what fires is never lost."""
        notification = notice(" ".join(firing), " ".join(resolved - firing), truncated=truncated, reason=reason)
        known = self.current
        before = deepcopy(known)
        effect = receive(
            known,
            {} if known is None else self.alerts[known.id],
            notification,
            source=Source.ALERTMANAGER,
            integration_id=1,
            reopen_window=window,
            now=self.now,
            new_id=lambda: next(self.numbers),
        )
        if effect.opened:
            assert effect.group is not None
            assert before is None or not before.is_open
            self.groups.append(effect.group)
        if effect.described:
            assert effect.group is not None
            self.alerts[effect.group.id] = effect.alerts
        changed = [event for event in effect.events if event.kind in STATE_CHANGES]
        moved = effect.opened or (before is not None and self.current is not None and before.state != known.state)
        assert len(changed) == int(moved)
        assert effect.moved == (moved and not effect.opened)
        if notification.report is Report.FIRING:
            held_back = (
                before is not None
                and before.resolve_reason in (ResolveReason.USER, ResolveReason.ESCALATION)
                and self.now - before.state_since < window
            )
            assert self.current is not None
            assert self.current.is_open or held_back

    @precondition(lambda self: self.groups)
    @rule(
        data=st.data(),
        action=st.sampled_from([action for action in Action if action is not Action.SOURCE_REOPEN]),
        actor=st.sampled_from(["ada", "bob"]),
        span=st.sampled_from([None, MINUTE]),
    )
    def something_is_done(self, data: st.DataObject, action: Action, actor: str, span: int | None) -> None:
        """Someone, or a timer, acts on any group: one event, or none and no change."""
        group = data.draw(st.sampled_from(self.groups))
        if action is Action.UNRESOLVE and any(other.is_open for other in self.groups if other is not group):
            return  # The engine refuses that.
        before = deepcopy(group)
        event: Event | None = None
        try:
            event = act(group, action, self.now, actor=actor, silence_until=self.now + span if span else None)
        except TocsinError:
            assert group == before
        if event is None:
            assert group == before
        elif action is Action.WIPE:
            assert (event.kind, event.state, event.previous) == (EventKind.WIPED, State.RESOLVED, before.state)
            self.alerts[group.id] = {}
        else:
            assert (event.kind, event.state) == (group.state_event, group.state)

    @precondition(lambda self: self.groups)
    @rule(data=st.data(), actor=st.sampled_from(["ada", "bob"]))
    def one_is_deleted(self, data: st.DataObject, actor: str) -> None:
        """Any group, in any state: one event, and nothing else."""
        group = data.draw(st.sampled_from(self.groups))
        event = delete(group, actor)
        assert (event.kind, event.state, event.previous) == (EventKind.DELETED, group.state, group.state)
        self.groups.remove(group)
        del self.alerts[group.id]

    @precondition(lambda self: any(group.is_wiped for group in self.groups))
    @rule(data=st.data(), action=st.sampled_from([action for action in Action if action is not Action.WIPE]))
    def nothing_reaches_a_wiped_group(self, data: st.DataObject, action: Action) -> None:
        """Not its source, not a timer, not a person: at most a repeat of what resolved it holds."""
        group = data.draw(st.sampled_from([group for group in self.groups if group.is_wiped]))
        before = deepcopy(group)
        with suppress(TocsinError):
            assert act(group, action, self.now, actor="ada") is None
        assert group == before

    @invariant()
    def at_most_one_is_open(self) -> None:
        """No identity ever has two open groups."""
        assert sum(group.is_open for group in self.groups) <= 1

    @invariant()
    def every_open_group_can_be_resolved(self) -> None:
        """By a person and by its source."""
        for group in self.groups:
            if group.is_open:
                for action in (Action.RESOLVE, Action.SOURCE_RESOLVE):
                    copy = deepcopy(group)
                    assert act(copy, action, self.now, actor="the last resort") is not None
                    assert copy.state is State.RESOLVED

    @invariant()
    def the_counts_are_those_of_the_alerts(self) -> None:
        """What is counted is what is there, and only what is silenced has an end, only what is resolved a reason."""
        for group in self.groups:
            states = [known.state for known in self.alerts[group.id].values()]
            assert group.firing_count == states.count(AlertState.FIRING)
            assert group.resolved_count == states.count(AlertState.RESOLVED)
            assert group.unreported_count == states.count(AlertState.UNREPORTED)
            assert (group.resolve_reason is None) == group.is_open
            assert group.silence_until is None or group.state is State.SILENCED


TestGroups = Groups.TestCase
