"""What one job changes of alert groups: read first, changed in memory by the rules, then written table by table.

A group's state, its event and its timers change together, in the transaction of the job: this is the only place that
writes them. (What becomes of a message changes nothing of a group: its lines are the outbox's to write.) A job that
raises before `write` has written nothing. The same group may be reached many times in one job (an HA pair, a burst):
the rules see what the one before left, and each row is written once, as it is in the end.
"""

from collections.abc import Iterable
from functools import partial

from tocsind.domain import maintenance as maintenance_rules
from tocsind.domain.alert_group import Action, AlertGroup, Event, Source, act, delete
from tocsind.domain.errors import Reason, TocsinError, not_found
from tocsind.domain.integration import Integration
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.domain.rulebook import Rendered
from tocsind.domain.snapshot import EVENT_CONDITIONS, Effect, KnownAlert, failures, receive
from tocsind.engine.figures import count
from tocsind.engine.memory import Memory
from tocsind.engine.telling import escalations
from tocsind.sqlite import alert_groups, alerts, events, removal
from tocsind.sqlite.writer import Transaction

_Key = tuple[int, str]


class Ledger:
    """The groups that one job reads and changes."""

    def __init__(self, transaction: Transaction, memory: Memory) -> None:
        self._transaction = transaction
        self._connection = transaction.connection
        self._memory = memory
        self.reading = memory.presence.read(transaction.steady)
        self._known: dict[bytes, AlertGroup | None] = {}
        self._alerts: dict[int, dict[str, KnownAlert]] = {}
        self._moved: dict[int, AlertGroup] = {}
        self._opened: dict[int, tuple[AlertGroup, bytes, Notification]] = {}
        self._described: dict[int, tuple[AlertGroup, Notification]] = {}
        self._counted: dict[int, tuple[AlertGroup, Notification]] = {}
        self._reported: dict[_Key, tuple[int, ReportedAlert, KnownAlert]] = {}
        self._restated: dict[_Key, KnownAlert] = {}
        self._payloads: dict[tuple[int, int], bytes] = {}
        self._events: list[Event] = []
        self._released: set[int] = set()
        self._wiped: list[int] = []
        self._deleted: list[int] = []

    def prefetch(self, wanted: Iterable[tuple[bytes, Notification]]) -> None:
        """Reads what is known of identities and, where a notification says something else than the last one, of their
        alerts: in two statements, however many there are."""
        asked = list(wanted)
        missing = list({key for key, _ in asked} - self._known.keys())
        found = alert_groups.by_identity(self._connection, missing)
        for key in missing:
            self._known[key] = found.get(key)
        groups = ((self._known[key], notification) for key, notification in asked)
        differing = {g.id for g, n in groups if g is not None and g.digest != n.digest} - self._alerts.keys()
        if differing:
            self._alerts.update(alerts.known(self._connection, list(differing)))

    def receive(
        self,
        key: bytes,
        integration: Integration,
        source: Source,
        notification: Notification,
        rendered: Rendered | None = None,
    ) -> Effect:
        """Applies a notification to the group of the identity `key`, by the rules of `domain/snapshot.py`. Where that
        opens a group, its route is chosen; `rendered` is what came of the integration's Jinja2 conditions."""
        if key not in self._known:
            self.prefetch([(key, notification)])
        known = self._known[key]
        effect = receive(
            known,
            self._alerts_of(known, notification),
            notification,
            source=source,
            integration_id=integration.id,
            reopen_window=integration.reopen_window,
            now=self._transaction.now,
            new_id=lambda: self._memory.new_group_id(self._connection),
        )
        if effect.group is not None:
            # Not where it only moved: a source can acknowledge what was open before.
            if effect.opened or effect.reopened:
                effect.events += maintenance_rules.put_aside(effect.group, integration.maintenance)
            effect.group.heard = self.reading
            if effect.opened:
                rulebook = self._memory.rulebook(self._connection, integration)
                effect.group.route_id, passed_over = rulebook.choose(notification.labels, rendered)
                effect.events += failures(effect.group, passed_over[:EVENT_CONDITIONS])
            self._known[key] = effect.group
            self._note(key, effect, effect.group, notification)
        return effect

    def by_identity(self, key: bytes) -> AlertGroup | None:
        """Returns the group that matters for an identity: the open one, else the last, else None."""
        if key not in self._known:
            self._known[key] = alert_groups.by_identity(self._connection, [key]).get(key)
        return self._known[key]

    def group(self, group_id: int) -> AlertGroup:
        """Returns a group to act on; TocsinError (NOT_FOUND) where there is none."""
        found = alert_groups.by_id(self._connection, group_id)
        if found is None:
            raise not_found(f"alertGroups/{group_id}")
        return found

    def act(
        self,
        group: AlertGroup,
        action: Action,
        *,
        actor: str = "",
        reason: str = "",
        note: str = "",
        silence_until: int | None = None,
    ) -> bool:
        """Acts on a group by the rules of `domain/alert_group.py`; returns whether that changed anything."""
        if action is Action.UNRESOLVE and not group.is_open and not group.is_wiped:
            self._refuse_second_open(group)
        event = act(
            group,
            action,
            self._transaction.now,
            actor=actor,
            reason=reason,
            note=note,
            silence_until=silence_until,
        )
        if event is None:
            return False
        self._moved[group.id] = group
        self._events.append(event)
        if action is Action.UNRESOLVE:
            group.heard = self.reading
            integration = self._memory.by_id(self._connection, group.integration_id)
            self._events += maintenance_rules.put_aside(group, integration.maintenance if integration else None)
        return True

    def release(self, group: AlertGroup) -> None:
        """Has an open group that a maintenance collected take its normal way."""
        self._events.append(maintenance_rules.release(group))
        self._moved[group.id] = group
        self._released.add(group.id)

    def note(self, events: Iterable[Event]) -> None:
        """Adds to timelines, and changes nothing else."""
        self._events.extend(events)

    def wipe(self, group: AlertGroup, *, actor: str) -> bool:
        """Removes what a group says; returns whether that changed anything."""
        changed = self.act(group, Action.WIPE, actor=actor)
        if changed:
            self._wiped.append(group.id)
        return changed

    def delete(self, group: AlertGroup, *, actor: str) -> None:
        """Removes a group."""
        self._deleted.append(group.id)
        self._events.append(delete(group, actor))

    def write(self) -> None:
        """Writes every change, and sets the timers once it is committed."""
        self._memory.keep_time(self._transaction)
        # Moved before opened: the group that was open gives its place to the new one.
        if self._moved:
            alert_groups.move(self._connection, self._moved.values())
        if self._opened:
            alert_groups.insert(self._connection, self._opened.values())
        if self._described:
            alert_groups.describe(self._connection, self._described.values())
        if self._counted:
            alert_groups.count(self._connection, self._counted.values())
        if self._reported:
            alerts.upsert(self._connection, self._reported.values())
        restated = [(*key, known.state) for key, known in self._restated.items() if key not in self._reported]
        if restated:
            alerts.restate(self._connection, restated)
        if self._payloads:
            now = self._transaction.now
            rows = [(group_id, latest, now, body) for (group_id, latest), body in self._payloads.items()]
            alerts.store_payloads(self._connection, rows)
        opened = (group for group, _, _ in self._opened.values())
        self._events += escalations.follow(self._transaction, self._memory, opened, self._moved.values(), self._deleted)
        # Before the events: the last one of a group is what stays of its timeline.
        if self._wiped:
            removal.wipe(self._connection, self._wiped)
        if self._deleted:
            removal.remove(self._connection, self._deleted)
        if self._events:
            events.insert(self._connection, self._events, self._transaction.now)
            self._transaction.events_written = True
            self._transaction.after_commit(partial(count, self._memory.metrics, self._events, self._moved))
        self._transaction.after_commit(self._set_timers)

    def _alerts_of(self, group: AlertGroup | None, notification: Notification) -> dict[str, KnownAlert]:
        if group is None or group.digest == notification.digest:
            return {}
        if group.id not in self._alerts:
            self._alerts.update(alerts.known(self._connection, [group.id]))
        return self._alerts[group.id]

    def _note(self, key: bytes, effect: Effect, group: AlertGroup, notification: Notification) -> None:
        if effect.opened:
            self._opened[group.id] = (group, key, notification)
        elif not effect.described:
            if group.id not in self._opened and group.id not in self._described:
                self._counted[group.id] = (group, notification)
        elif group.id in self._opened:
            self._opened[group.id] = (group, key, notification)
        else:
            self._described[group.id] = (group, notification)
            self._counted.pop(group.id, None)
        if effect.moved and group.id not in self._opened:
            self._moved[group.id] = group
        if effect.described:
            self._alerts[group.id] = effect.alerts
            for alert in notification.alerts:
                known = effect.alerts[alert.fingerprint]
                self._reported[group.id, alert.fingerprint] = (group.id, alert, known)
            for fingerprint in effect.restated:
                self._restated[group.id, fingerprint] = effect.alerts[fingerprint]
            if notification.payload:
                self._payloads[group.id, 0 if effect.opened else 1] = notification.payload
        self._events.extend(effect.events)

    def _refuse_second_open(self, group: AlertGroup) -> None:
        """An unresolved group must be the one that notifications reach: there is to be no other, and a source."""
        name = f"alertGroups/{group.id}"
        if self._memory.by_id(self._connection, group.integration_id) is None:
            message = f"cannot unresolve {name}: its integration is deleted"
            raise TocsinError(Reason.INTEGRATION_DELETED, message, resource=name)
        if group.source is Source.SELF:
            maintenance_rules.refuse_second_start(group, alert_groups.grouping_key(self._connection, group.id))
        other = alert_groups.open_sibling(self._connection, group.id)
        if other is not None:
            message = f"cannot unresolve {name}: alertGroups/{other} is open for the same source"
            raise TocsinError(Reason.ANOTHER_IS_OPEN, message, resource=name, other=f"alertGroups/{other}")

    def _set_timers(self) -> None:
        # What is released keeps the timers that it has: a wait that is set anew follows the time of day.
        moved = (group for group in self._moved.values() if group.id not in self._released)
        changed = [*moved, *(group for group, _, _ in self._opened.values())]
        for group in changed:
            if group.silence_until is not None:
                self._memory.silence(group.id, group.silence_until)
            else:
                self._memory.silences.cancel(group.id)
        heard = (group for group, _ in (*self._described.values(), *self._counted.values()))
        for group in (*changed, *heard):
            if group.is_open and group.source is Source.ALERTMANAGER:
                self._memory.watch_for_staleness(self._connection, group)
            else:
                self._memory.stale.cancel(group.id)
        if self._memory.paused:
            for group_id in self._memory.paused.intersection(self._described):
                self._memory.look_at_escalation(group_id)
        for group_id in self._deleted:
            self._memory.silences.cancel(group_id)
            self._memory.stale.cancel(group_id)
