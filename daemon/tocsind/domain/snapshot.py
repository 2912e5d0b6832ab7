"""From a notification to its effect on an alert group: the rules of intake.

A notification is applied as a level-triggered snapshot. Applying the same one twice changes nothing but counters, so
retries and the duplicates of an HA pair are harmless, and byte-identical repeats are as legitimate as any.

Rules, by what is known of the identity (integration, source and grouping key)
- Open group, same content as the last notification applied: counters only.
- Open group, says firing: alerts are updated, the state stays, also when acknowledged or silenced. Fingerprints never
  seen firing in this group are an event of their own.
- Open group, says resolved: resolved by source.
- Open group, uncertain (truncated, without a reason): alerts are updated, the state stays.
- No open group, says resolved or uncertain: recorded on the last group if there is one; never a new group.
- No open group, says firing, and the source resolved the last one less than the reopen window ago: that one reopens.
  An HA peer can deliver a stale "firing" after the "resolved", and corrects itself within one group_interval.
- No open group, says firing, and a person resolved the last one less than the reopen window ago while it fired at the
  source: counters and alerts only, unless an alert fires that did not fire before. The same where the last step of an
  escalation chain resolved it: a repeat of what the chain closed is not to start it again at once.
- No open group, says firing, otherwise: a new group.
- Whatever is applied and says that it acknowledges, acknowledges a group that fires: but not again where somebody took
  an acknowledgement back.
- Templates that failed are told of where the group is described, not with repeats that change nothing; conditions of
  routes that failed, where a group opens, as only then a route is chosen.

Alerts
- Each is one row, updated in place, by fingerprint. One that fired and that an untruncated notification no longer
  lists is "unreported": silenced, inhibited or lost at the source; kept, shown as such, not counted as firing.
- When a truncated notification says that all are resolved, those that were cut off are resolved too.
- An alert begins to fire, by our clock, when it fires and did not when last heard of, be that because it was resolved
  or because it was not reported.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto

from tocsind.domain.alert_group import Action, AlertGroup, Event, EventKind, ResolveReason, Source, State, act
from tocsind.domain.notification import Notification, Report, ReportedAlert

EVENT_FINGERPRINTS = 100
EVENT_CONDITIONS = 10


class AlertState(IntEnum):
    """What the source says of an alert. The numbers are those of `tocsin.v1.Alert.State` and of the database."""

    FIRING = 1
    RESOLVED = 2
    UNREPORTED = 3


@dataclass(slots=True)
class KnownAlert:
    """What is known of one alert of a group: its state, whether it was ever seen firing there, and when it last began
    to fire, in microseconds since 1970; 0 if it never did, or that was before this was kept."""

    state: AlertState
    fired: bool
    fired_at: int = 0


class Result(Enum):
    """What became of a notification."""

    APPLIED = auto()
    UNCHANGED = auto()
    NOTHING_KNOWN = auto()


@dataclass(slots=True)
class Effect:
    """What is to be written. `group` is the group reached (changed in place), or None.

    `opened`: it is a new one. `reopened`: it was resolved, and fires again. `moved`: its state changed. `described`:
    the notification's alerts, title, labels and payload are to be stored. `alerts`: all that is now known of the
    group's alerts, where it is described. `restated`: alerts that the notification does not list, with their new state.
    """

    result: Result
    group: AlertGroup | None = None
    opened: bool = False
    reopened: bool = False
    moved: bool = False
    described: bool = False
    alerts: dict[str, KnownAlert] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    restated: dict[str, AlertState] = field(default_factory=dict)


def receive(
    known: AlertGroup | None,
    alerts: dict[str, KnownAlert],
    notification: Notification,
    *,
    source: Source,
    integration_id: int,
    reopen_window: int,
    now: int,
    new_id: Callable[[], int],
) -> Effect:
    """Applies a notification to what is known of its identity.

    `known` is the open group, else the last one, else None; it is changed in place. `alerts` are its alerts by
    fingerprint, needed unless the content is that of the last notification; it is changed in place. `reopen_window`
    and `now` are in microseconds. `new_id` is asked for the id of a new group.
    """
    report = notification.report
    if known is None:
        if report is not Report.FIRING:
            return Effect(Result.NOTHING_KNOWN)
        return _open(notification, source, integration_id, now, new_id())
    if known.is_open:
        return _update_open(known, alerts, notification, report, now)
    if report is not Report.FIRING:
        return _record(known, alerts, notification, report, now)
    # Either way: a time of day that was set back must not make the window last until it catches up.
    recent = abs(now - known.state_since) < reopen_window
    if recent and known.resolve_reason is ResolveReason.SOURCE:
        return _reopen(known, alerts, notification, now)
    dismissed = recent and known.is_dismissed and known.source_firing
    if dismissed and (known.digest == notification.digest or _nothing_new(alerts, notification)):
        return _record(known, alerts, notification, report, now)
    return _open(notification, source, integration_id, now, new_id())


def _open(
    notification: Notification,
    source: Source,
    integration_id: int,
    now: int,
    group_id: int,
) -> Effect:
    group = AlertGroup(
        id=group_id,
        integration_id=integration_id,
        source=source,
        state=State.FIRING,
        created=now,
        state_since=now,
        state_event=EventKind.OPENED,
    )
    effect = Effect(Result.APPLIED, group, opened=True, described=True)
    fresh = _merge(group, effect.alerts, notification, Report.FIRING, effect, now)
    effect.events.append(
        Event(
            group.id,
            EventKind.OPENED,
            State.FIRING,
            reason=notification.reason,
            fingerprints=fresh[:EVENT_FINGERPRINTS],
        )
    )
    _read(group, notification, effect, now)
    _count(group, now)
    return effect


def _update_open(
    group: AlertGroup, alerts: dict[str, KnownAlert], notification: Notification, report: Report, now: int
) -> Effect:
    if group.digest == notification.digest:
        _count(group, now)
        return Effect(Result.UNCHANGED, group)
    effect = Effect(Result.APPLIED, group, described=True, alerts=alerts)
    fresh = _merge(group, alerts, notification, report, effect, now)
    if report is Report.RESOLVED:
        effect.events.append(
            _did(act(group, Action.SOURCE_RESOLVE, now, reason=notification.reason or "resolved by its source"))
        )
        effect.moved = True
    elif fresh:
        effect.events.append(_new_alerts(group, fresh))
    _read(group, notification, effect, now)
    _count(group, now)
    return effect


def _reopen(group: AlertGroup, alerts: dict[str, KnownAlert], notification: Notification, now: int) -> Effect:
    effect = Effect(Result.APPLIED, group, reopened=True, moved=True, described=True, alerts=alerts)
    fresh = _merge(group, alerts, notification, Report.FIRING, effect, now)
    reason = "fired again within the reopen window"
    effect.events.append(_did(act(group, Action.SOURCE_REOPEN, now, reason=reason)))
    if fresh:
        effect.events.append(_new_alerts(group, fresh))
    _read(group, notification, effect, now)
    _count(group, now)
    return effect


def _record(
    group: AlertGroup, alerts: dict[str, KnownAlert], notification: Notification, report: Report, now: int
) -> Effect:
    if group.digest == notification.digest:
        _count(group, now)
        return Effect(Result.UNCHANGED, group)
    effect = Effect(Result.APPLIED, group, described=True, alerts=alerts)
    was_firing = group.source_firing
    _merge(group, alerts, notification, report, effect, now)
    if was_firing and report is Report.RESOLVED:
        reason = "resolved at the source as well"
        kind = EventKind.SOURCE_RESOLVED
        effect.events.append(Event(group.id, kind, group.state, reason=reason, previous=group.state))
    _read(group, notification, effect, now)
    _count(group, now)
    return effect


def _read(group: AlertGroup, notification: Notification, effect: Effect, now: int) -> None:
    """Does what templates made of a notification that is applied, and tells of those that failed."""
    if notification.acknowledges and group.state is State.FIRING and group.state_event is not EventKind.UNACKNOWLEDGED:
        reason = "acknowledged by its source"
        effect.events.append(_did(act(group, Action.SOURCE_ACKNOWLEDGE, now, reason=reason)))
        effect.moved = not effect.opened
    lines = [*notification.failures]
    if effect.opened:
        failed = notification.condition_failures
        lines += [*failed.values()][:EVENT_CONDITIONS]
    effect.events += failures(group, lines)


def failures(group: AlertGroup, lines: Iterable[str]) -> list[Event]:
    """Returns what the timeline says of templates and conditions that failed, in a line each."""
    kind = EventKind.TEMPLATE_FAILED
    return [Event(group.id, kind, group.state, reason=line, previous=group.state) for line in lines]


def _nothing_new(alerts: dict[str, KnownAlert], notification: Notification) -> bool:
    """Whether everything that fires was firing when last listed."""
    firing = [alerts.get(alert.fingerprint) for alert in notification.alerts if alert.firing]
    return all(known is not None and known.state is AlertState.FIRING for known in firing)


def _merge(
    group: AlertGroup,
    alerts: dict[str, KnownAlert],
    notification: Notification,
    report: Report,
    effect: Effect,
    now: int,
) -> list[str]:
    """Brings `alerts` and the group's counts up to date; returns the fingerprints that fire for the first time."""
    fresh: list[str] = []
    listed: set[str] = set()
    for alert in notification.alerts:
        listed.add(alert.fingerprint)
        if _merge_alert(alerts, alert, now):
            fresh.append(alert.fingerprint)
    if report is not Report.UNCERTAIN and (notification.truncated == 0 or report is Report.RESOLVED):
        unlisted = AlertState.UNREPORTED if notification.truncated == 0 else AlertState.RESOLVED
        for fingerprint, known in alerts.items():
            if known.state is AlertState.FIRING and fingerprint not in listed:
                known.state = unlisted
                effect.restated[fingerprint] = unlisted
    states = [known.state for known in alerts.values()]
    group.firing_count = states.count(AlertState.FIRING)
    group.resolved_count = states.count(AlertState.RESOLVED)
    group.unreported_count = len(states) - group.firing_count - group.resolved_count
    if report is not Report.UNCERTAIN:
        group.source_firing = report is Report.FIRING
    group.digest = notification.digest
    return fresh


def _merge_alert(alerts: dict[str, KnownAlert], alert: ReportedAlert, now: int) -> bool:
    """Brings one alert up to date; returns whether it fires for the first time."""
    state = AlertState.FIRING if alert.firing else AlertState.RESOLVED
    known = alerts.get(alert.fingerprint)
    if known is None:
        alerts[alert.fingerprint] = KnownAlert(state, alert.firing, now if alert.firing else 0)
        return alert.firing
    first = alert.firing and not known.fired
    if alert.firing and known.state is not AlertState.FIRING:
        known.fired_at = now
    known.state = state
    known.fired = known.fired or alert.firing
    return first


def _count(group: AlertGroup, now: int) -> None:
    group.notifications += 1
    group.last_received = now


def _new_alerts(group: AlertGroup, fresh: list[str]) -> Event:
    many = "1 new alert" if len(fresh) == 1 else f"{len(fresh)} new alerts"
    reason = f"{many} while {group.state.name.lower()}"
    return Event(
        group.id,
        EventKind.NEW_ALERTS,
        group.state,
        reason=reason,
        fingerprints=fresh[:EVENT_FINGERPRINTS],
        previous=group.state,
    )


def _did(event: Event | None) -> Event:
    """The source's actions never hold already: `_holds` knows people's only."""
    assert event is not None
    return event
