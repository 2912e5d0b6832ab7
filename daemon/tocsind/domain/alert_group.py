"""The state machine of an alert group.

Rules
- A group is firing, acknowledged, silenced or resolved; all but resolved are called open. `TRANSITIONS` is the whole
  machine: a pair of state and action that is not in it is refused, and changes nothing.
- People and tools acknowledge, unacknowledge, silence, unsilence, resolve and unresolve; the source resolves, reopens
  and, by a template, acknowledges what fires; timers end silences and find groups stale; deleting an integration or
  turning a heartbeat off resolves.
- Repeating an action by the same actor, when its outcome still holds, is a success that changes nothing: senders of
  commands retry too. By another actor it is refused, so that nobody believes to have taken what somebody else has.
- Silencing again moves the end of the silence, for anybody: that is a change of its own.
- Silencing an acknowledged group is refused, as in Grafana OnCall's public API: somebody is on it already.
- There is no state from which a group can not be resolved, and a resolved group is reached again by unresolve or by
  its source: no open group can become unreachable (Grafana OnCall's worst defect).
- A group that collects for a maintenance is resolved when that ends; whether it may be opened again is the engine's to
  say, as the group itself does not know what it is.
- Whether another group of the same identity is open is not known here: the database guarantees that there is at most
  one, and the engine refuses to unresolve where there is.
- Wiping removes what a group says, from any state, and resolves it. A wiped group is the one resolved group that stays
  so: nothing can tell any more what it was about. Wiping what is resolved leaves the time and the actor of that as they
  are; wiping what is wiped changes nothing, whoever does it.
- A group that is deleted leaves one event, in which its state is the one that it had to the end.
- Every state change writes exactly one event.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from tocsind.domain.errors import Reason, TocsinError
from tocsind.domain.units import DAY, SECOND

MAX_NOTE = 3_000
"""Characters that somebody may say with an action."""

MIN_SILENCE = SECOND
MAX_SILENCE = 366 * DAY


class State(IntEnum):
    """Where a group stands. The numbers are those of `tocsin.v1.AlertGroup.State` and of the database."""

    FIRING = 1
    ACKNOWLEDGED = 2
    SILENCED = 3
    RESOLVED = 4


OPEN_STATES = (State.FIRING, State.ACKNOWLEDGED, State.SILENCED)


class Source(IntEnum):
    """What made a group. The numbers are those of `tocsin.v1.AlertGroup.Source` and of the database."""

    ALERTMANAGER = 1
    HEARTBEAT = 2
    SELF = 3
    DEMO = 4


class ResolveReason(IntEnum):
    """Why a group is resolved. The numbers are those of `tocsin.v1.AlertGroup.ResolveReason` and of the database."""

    SOURCE = 1
    USER = 2
    STALE = 3
    INTEGRATION_DELETED = 4
    HEARTBEAT_OFF = 5
    WIPED = 6
    MAINTENANCE_ENDED = 7
    ESCALATION = 8


class EventKind(IntEnum):
    """What happened. The numbers are those of `tocsin.v1.Event.Kind` and of the database."""

    OPENED = 1
    REOPENED = 2
    NEW_ALERTS = 3
    ACKNOWLEDGED = 4
    UNACKNOWLEDGED = 5
    SILENCED = 6
    UNSILENCED = 7
    RESOLVED = 8
    UNRESOLVED = 9
    SOURCE_RESOLVED = 10
    NOTE_ADDED = 11
    NOTE_CHANGED = 12
    NOTE_DELETED = 13
    WIPED = 14
    DELETED = 15
    TEMPLATE_FAILED = 16
    COLLECTED = 17
    RELEASED = 18
    ESCALATION_STARTED = 19
    ESCALATION_ENDED = 20
    ESCALATION_HELD = 21
    ESCALATION_REPEATED = 22
    ESCALATION_PROBLEM = 23
    NOTIFIED = 24
    DELIVERED = 25
    DELIVERY_FAILED = 26
    DELIVERY_GIVEN_UP = 27
    DELIVERY_CANCELLED = 28
    DELIVERY_RETRIED = 29


class Action(IntEnum):
    """What can be done to a group that exists."""

    ACKNOWLEDGE = 1
    UNACKNOWLEDGE = 2
    SILENCE = 3
    UNSILENCE = 4
    RESOLVE = 5
    UNRESOLVE = 6
    SOURCE_RESOLVE = 7
    SOURCE_REOPEN = 8
    SILENCE_END = 9
    GO_STALE = 10
    DELETE_INTEGRATION = 11
    TURN_HEARTBEAT_OFF = 12
    WIPE = 13
    END_MAINTENANCE = 14
    SOURCE_ACKNOWLEDGE = 15
    ESCALATION_RESOLVE = 16


_F, _A, _S, _R = State.FIRING, State.ACKNOWLEDGED, State.SILENCED, State.RESOLVED

TRANSITIONS: dict[tuple[State, Action], State] = {
    (_F, Action.ACKNOWLEDGE): _A,
    (_S, Action.ACKNOWLEDGE): _A,
    (_F, Action.SOURCE_ACKNOWLEDGE): _A,
    (_A, Action.UNACKNOWLEDGE): _F,
    (_F, Action.SILENCE): _S,
    (_S, Action.SILENCE): _S,
    (_S, Action.UNSILENCE): _F,
    (_S, Action.SILENCE_END): _F,
    (_R, Action.UNRESOLVE): _F,
    (_R, Action.SOURCE_REOPEN): _F,
    (_R, Action.WIPE): _R,
    **{
        (state, action): _R
        for state in OPEN_STATES
        for action in (
            Action.RESOLVE,
            Action.SOURCE_RESOLVE,
            Action.GO_STALE,
            Action.DELETE_INTEGRATION,
            Action.TURN_HEARTBEAT_OFF,
            Action.WIPE,
            Action.END_MAINTENANCE,
            Action.ESCALATION_RESOLVE,
        )
    },
}

EVENT_OF: dict[Action, EventKind] = {
    Action.ACKNOWLEDGE: EventKind.ACKNOWLEDGED,
    Action.SOURCE_ACKNOWLEDGE: EventKind.ACKNOWLEDGED,
    Action.UNACKNOWLEDGE: EventKind.UNACKNOWLEDGED,
    Action.SILENCE: EventKind.SILENCED,
    Action.UNSILENCE: EventKind.UNSILENCED,
    Action.SILENCE_END: EventKind.UNSILENCED,
    Action.RESOLVE: EventKind.RESOLVED,
    Action.UNRESOLVE: EventKind.UNRESOLVED,
    Action.SOURCE_RESOLVE: EventKind.RESOLVED,
    Action.SOURCE_REOPEN: EventKind.REOPENED,
    Action.GO_STALE: EventKind.RESOLVED,
    Action.DELETE_INTEGRATION: EventKind.RESOLVED,
    Action.TURN_HEARTBEAT_OFF: EventKind.RESOLVED,
    Action.WIPE: EventKind.WIPED,
    Action.END_MAINTENANCE: EventKind.RESOLVED,
    Action.ESCALATION_RESOLVE: EventKind.RESOLVED,
}

REASON_OF: dict[Action, ResolveReason] = {
    Action.RESOLVE: ResolveReason.USER,
    Action.SOURCE_RESOLVE: ResolveReason.SOURCE,
    Action.GO_STALE: ResolveReason.STALE,
    Action.DELETE_INTEGRATION: ResolveReason.INTEGRATION_DELETED,
    Action.TURN_HEARTBEAT_OFF: ResolveReason.HEARTBEAT_OFF,
    Action.WIPE: ResolveReason.WIPED,
    Action.END_MAINTENANCE: ResolveReason.MAINTENANCE_ENDED,
    Action.ESCALATION_RESOLVE: ResolveReason.ESCALATION,
}

_OUTCOME_OF = {
    Action.ACKNOWLEDGE: _A,
    Action.UNACKNOWLEDGE: _F,
    Action.UNSILENCE: _F,
    Action.RESOLVE: _R,
    Action.UNRESOLVE: _F,
}


@dataclass(slots=True)
class AlertGroup:
    """What the rules need to know of a group. Times are microseconds since 1970, UTC, by our own clock.

    `state_event` and `state_actor` say how the state came about (the actor is "" for the source and for timers).
    `silence_until` is None for a silence for ever. `digest` is the content of the last notification applied, or empty
    where the next one must be applied whatever it says. `heard` is when it was last heard of on the intake clock
    (`domain/intake_clock.py`). `acknowledged` and `acknowledged_by` tell of the last acknowledgement that was not taken
    back; they outlive the resolution. `silenced` is when the silence that holds began. `route_id` is the database's.
    `collected_by` is the group that collects it during a maintenance; `debug`, that it opened while its integration was
    being debugged.
    """

    id: int
    integration_id: int
    source: Source
    state: State
    created: int
    state_since: int
    state_event: EventKind
    state_actor: str = ""
    silence_until: int | None = None
    resolve_reason: ResolveReason | None = None
    source_firing: bool = True
    digest: bytes = b""
    firing_count: int = 0
    resolved_count: int = 0
    unreported_count: int = 0
    notifications: int = 0
    last_received: int = 0
    heard: int = 0
    acknowledged: int | None = None
    acknowledged_by: str = ""
    silenced: int | None = None
    route_id: int = 0
    collected_by: int | None = None
    debug: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.state is not State.RESOLVED

    @property
    def is_dismissed(self) -> bool:
        """Whether it is resolved because a person, or the last step of its escalation chain, said so: what its source
        says of it may be otherwise."""
        return self.resolve_reason in (ResolveReason.USER, ResolveReason.ESCALATION)

    @property
    def is_wiped(self) -> bool:
        """Whether what it said is gone."""
        return self.resolve_reason is ResolveReason.WIPED


@dataclass(slots=True)
class Event:
    """One line of a group's timeline, with the state of the group after it and before it (None: there was none)."""

    group_id: int
    kind: EventKind
    state: State
    actor: str = ""
    reason: str = ""
    note: str = ""
    fingerprints: list[str] = field(default_factory=list)
    previous: State | None = None


def act(
    group: AlertGroup,
    action: Action,
    now: int,
    *,
    actor: str = "",
    reason: str = "",
    note: str = "",
    silence_until: int | None = None,
) -> Event | None:
    """Does `action` to `group` and returns its event, or None where it holds already.

    Raises TocsinError (FORBIDDEN_NOW) where the state does not allow it; the group is then unchanged.
    """
    if _holds(group, action, actor, silence_until):
        return None
    after = TRANSITIONS.get((group.state, action))
    if after is None:
        raise refusal(group, action)
    if group.is_wiped and after is not State.RESOLVED:
        raise wiped(group)
    before = group.state
    group.state = after
    if action is not Action.WIPE or before is not State.RESOLVED:
        group.state_since = now
        group.state_event = EVENT_OF[action]
        group.state_actor = actor
    group.silence_until = silence_until if after is State.SILENCED else None
    group.resolve_reason = REASON_OF[action] if after is State.RESOLVED else None
    if after is State.ACKNOWLEDGED:
        group.acknowledged, group.acknowledged_by = now, actor
    elif after is State.FIRING:
        group.acknowledged, group.acknowledged_by = None, ""
    if after is not State.SILENCED:
        group.silenced = None
    elif before is not State.SILENCED:
        group.silenced = now
    if action is Action.UNRESOLVE:
        group.digest = b""
    elif action is Action.WIPE:
        group.digest = b""
        group.source_firing = False
        group.firing_count = group.resolved_count = group.unreported_count = 0
    return Event(group.id, EVENT_OF[action], after, actor, reason, note, previous=before)


def delete(group: AlertGroup, actor: str) -> Event:
    """Returns the one event that is left of a group that is deleted."""
    return Event(group.id, EventKind.DELETED, group.state, actor, previous=group.state)


def wiped(group: AlertGroup) -> TocsinError:
    """Returns the error for what can no longer be done to a group that was wiped."""
    name = f"alertGroups/{group.id}"
    return TocsinError(Reason.WIPED, f"{name} was wiped: what it said is gone", resource=name)


def refusal(group: AlertGroup, action: Action) -> TocsinError:
    """Returns the error for an action that the state of the group does not allow."""
    by = f" by {group.state_actor}" if group.state_actor and group.state is not State.FIRING else ""
    verb = action.name.lower().replace("_", " ")
    name = f"alertGroups/{group.id}"
    message = f"cannot {verb} {name}: it is {group.state.name.lower()}{by}"
    return TocsinError(Reason.WRONG_STATE, message, resource=name, state=group.state.name)


def _holds(group: AlertGroup, action: Action, actor: str, silence_until: int | None) -> bool:
    if action is Action.WIPE:
        return group.is_wiped
    if action is Action.SILENCE:
        same_end = group.silence_until == silence_until
        return group.state is State.SILENCED and same_end and group.state_actor == actor
    return (
        _OUTCOME_OF.get(action) is group.state and group.state_event is EVENT_OF[action] and group.state_actor == actor
    )
