"""What the daemon keeps in memory beside the file: a cache, never the truth.

All of it can be rebuilt from the file, and what may have run ahead of the file is forgotten when a transaction is
undone. It belongs to whoever has the pen (`sqlite/writer.py`), but for `presence`, `keyring` and `outbox`, which have
locks of their own.
"""

import sqlite3
from collections.abc import Iterable

from tocsind.clock import Clock
from tocsind.domain.alert_group import AlertGroup
from tocsind.domain.arrival_order import ArrivalOrder
from tocsind.domain.errors import Reason, TocsinError, not_found
from tocsind.domain.escalation import Escalation
from tocsind.domain.escalation_chain import Version
from tocsind.domain.heartbeat import Heartbeat
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.maintenance import Maintenance
from tocsind.domain.notification import Notification
from tocsind.domain.reading import key
from tocsind.domain.rulebook import Rulebook
from tocsind.domain.timer_wheel import TimerWheel
from tocsind.domain.units import SECOND
from tocsind.engine.keyring import Keyring
from tocsind.engine.limits import Limits
from tocsind.engine.presence import Presence
from tocsind.engine.readings import Readings
from tocsind.engine.telling.mailroom import Mailroom
from tocsind.metrics import Metrics
from tocsind.sqlite import (
    alert_groups,
    escalation_chains,
    escalations,
    heartbeats,
    integrations,
    maintenances,
    routes,
)
from tocsind.sqlite.writer import Transaction

MOST_INTEGRATIONS = 20_000
MOST_VERSIONS = 1_000


class Memory:
    """The caches of one daemon. Wheels are keyed by integration (heartbeats, maintenances) or by group (silences,
    stale, escalations). `paused`: the groups whose escalations wait for more alerts. `releasing`: the groups that
    collected for a maintenance that ended, and of whose groups some are yet to be released. `sweep_now`: housekeeping
    has something to do that should not wait for its next round."""

    def __init__(self, clock: Clock, connection: sqlite3.Connection, metrics: Metrics, limits: Limits) -> None:
        steady = clock.steady()
        self._started = clock.elapsed()
        self._started_wall = clock.wall()
        self.clock = clock
        self.metrics = metrics
        self._stamped = heartbeats.intake_clock(connection)
        self.presence = Presence(self._stamped, steady)
        self.keyring = Keyring(connection)
        self.order = ArrivalOrder()
        self.limits = limits
        self.readings = Readings()
        reading = self.presence.read(steady)
        self.heartbeats = TimerWheel(reading)
        self.stale = TimerWheel(reading)
        self.silences = TimerWheel(clock.elapsed())
        self.maintenances = TimerWheel(clock.elapsed())
        self.outbox = Mailroom(clock, connection)
        self.escalations = TimerWheel(clock.elapsed())
        self.paused: set[int] = set()
        self.sweep_now = False
        self.releasing = set(maintenances.releases(connection))
        self._by_credential: dict[tuple[str, str], Integration] = {}
        self._by_id: dict[int, Integration] = {}
        self._rulebooks: dict[int, Rulebook] = {}
        self._versions: dict[int, Version] = {}
        self._next_group_id: int | None = None
        for integration_id, deadline in heartbeats.deadlines(connection):
            self.heartbeats.schedule(integration_id, deadline)
        for group_id, deadline in alert_groups.stale_candidates(connection):
            self.stale.schedule(group_id, deadline)
        for group_id, until in alert_groups.silences(connection):
            self.silence(group_id, until)
        for maintenance in maintenances.every(connection):
            self.await_maintenance(maintenance)
        for escalation in escalations.every(connection):
            self.await_escalation(escalation)
            if escalation.due is None:
                # What came to it just before the daemon was killed may not have been counted yet.
                self.look_at_escalation(escalation.group_id)
        own = integrations.by_public_id(connection, BUILT_IN)
        if own is not None:
            limits.resume(alert_groups.open_keys(connection, own.id), steady)

    def await_maintenance(self, maintenance: Maintenance) -> None:
        """Waits for the start or the end of a maintenance, which may have been in the past: how long ago matters, as
        the end of one that starts late is not late."""
        self.maintenances.schedule(
            maintenance.integration_id, self.clock.elapsed() + maintenance.left(self.no_later_than())
        )

    def await_escalation(self, escalation: Escalation) -> None:
        """Waits for the next step of an escalation, the time of which may have been in the past; or for alerts."""
        if escalation.due is None:
            self.paused.add(escalation.group_id)
            self.escalations.cancel(escalation.group_id)
        else:
            self.paused.discard(escalation.group_id)
            self.look_at_escalation(escalation.group_id, escalation.left(self.no_later_than()))

    def look_at_escalation(self, group_id: int, wait: int = 0) -> None:
        """Has an escalation be looked at after so many microseconds."""
        self.escalations.schedule(group_id, self.clock.elapsed() + wait)

    def forget_escalation(self, group_id: int) -> None:
        """Waits for nothing any more."""
        self.paused.discard(group_id)
        self.escalations.cancel(group_id)

    def silence(self, group_id: int, until: int) -> None:
        """Waits for a time of day: here, for maintenances and for escalations one becomes a wait, and nowhere else."""
        self.silences.schedule(group_id, self.clock.elapsed() + max(0, until - self.clock.wall()))

    def no_later_than(self) -> int:
        """Returns a time of day for what cannot be undone: the wall clock's, but not more than the time that really
        passed since the start. A clock that jumps ahead by a year must not make everything look a year old."""
        wall = self.clock.wall()
        return min(wall, self._started_wall + self.clock.elapsed() - self._started)

    def expect(self, heartbeats: Iterable[Heartbeat]) -> None:
        """Waits for the deadlines of heartbeats, or no longer."""
        for heartbeat in heartbeats:
            if heartbeat.deadline is None:
                self.heartbeats.cancel(heartbeat.integration_id)
            else:
                self.heartbeats.schedule(heartbeat.integration_id, heartbeat.deadline)

    def watch_for_staleness(self, connection: sqlite3.Connection, group: AlertGroup) -> None:
        """Waits for an open group to go stale, if its integration wants that."""
        integration = self.by_id(connection, group.integration_id)
        if integration is not None and integration.stale_after:
            self.stale.schedule(group.id, group.heard + integration.stale_after)

    def keep_time(self, transaction: Transaction) -> None:
        """Writes the intake clock to disk where it ran on for a second since: after a crash it goes on from there, and
        a deadline that is written now would be as much too late. While deadlines run, ticks write it as often."""
        reading = self.presence.read(transaction.steady)
        if reading - self._stamped >= SECOND:
            heartbeats.stamp(transaction.connection, reading, transaction.now)
            transaction.after_commit(lambda: setattr(self, "_stamped", reading))

    def new_group_id(self, connection: sqlite3.Connection) -> int:
        """Returns a number that no group ever had."""
        if self._next_group_id is None:
            self._next_group_id = alert_groups.last_id(connection) + 1
        number = self._next_group_id
        self._next_group_id += 1
        return number

    def by_token(self, connection: sqlite3.Connection, token: str) -> Integration | None:
        """Returns the integration with this token, or None; only what exists is kept in memory."""
        found = self._by_credential.get(("token", token))
        return found or self._keep("token", token, integrations.by_token(connection, token))

    def by_public_id(self, connection: sqlite3.Connection, public_id: str) -> Integration | None:
        """Returns the integration with this public id, or None."""
        found = self._by_credential.get(("id", public_id))
        return found or self._keep("id", public_id, integrations.by_public_id(connection, public_id))

    def not_built_in(self, connection: sqlite3.Connection, public_id: str, refusal: str) -> Integration:
        """Returns the integration with this public id. TocsinError: NOT_FOUND, and BUILT_IN for the built-in one, of
        which `refusal` says what it cannot have or do."""
        found = self.by_public_id(connection, public_id)
        if found is None:
            raise not_found(f"integrations/{public_id}")
        if found.type == BUILT_IN:
            raise TocsinError(Reason.BUILT_IN, f"{found.name} is built in{refusal}", resource=found.name)
        return found

    def by_id(self, connection: sqlite3.Connection, integration_id: int) -> Integration | None:
        """Returns the integration with this id of the database, or None."""
        found = self._by_id.get(integration_id)
        if found is None:
            found = integrations.by_id(connection, integration_id)
            if found is not None:
                if len(self._by_id) >= MOST_INTEGRATIONS:
                    self.forget_integrations()
                self._by_id[integration_id] = found
        return found

    def rulebook(self, connection: sqlite3.Connection, integration: Integration) -> Rulebook:
        """Returns the templates and routes of an integration."""
        found = self._rulebooks.get(integration.id)
        if found is None or found.integration is not integration:
            found = Rulebook(integration, routes.of_integration(connection, integration.id))
            self._rulebooks[integration.id] = found
        return found

    def version(self, connection: sqlite3.Connection, version_id: int) -> Version:
        """Returns a version of an escalation chain; none is ever changed."""
        found = self._versions.get(version_id)
        if found is None:
            if len(self._versions) >= MOST_VERSIONS:
                self._versions.clear()
            found = self._versions[version_id] = escalation_chains.version(connection, version_id)
        return found

    def likely_deferred(self, token: str, notification: Notification, now: int) -> Rulebook | None:
        """Returns what is to be rendered before a notification can be applied, as far as is known, or None. Any thread
        may ask, at the price that it may be wrong by then. `now` is of the monotonic clock."""
        integration = self._by_credential.get(("token", token))
        rulebook = None if integration is None else self._rulebooks.get(integration.id)
        if rulebook is None or not rulebook.needs_rendering:
            return None
        return rulebook if self.readings.get(key(rulebook, notification), now) is None else None

    def forget(self) -> None:
        """Forgets what may differ from the file: an integration changed, or a transaction was undone."""
        self.forget_integrations()
        # One that was stored by what was undone never was; its number is given to another.
        self._versions.clear()
        self._next_group_id = None

    def forget_integrations(self) -> None:
        """Forgets the settings of integrations, which are read again."""
        self._by_credential.clear()
        self._by_id.clear()
        self._rulebooks.clear()

    def _keep(self, kind: str, credential: str, found: Integration | None) -> Integration | None:
        if found is not None:
            if len(self._by_credential) >= MOST_INTEGRATIONS:
                self.forget_integrations()
            # One object however it is found: its rulebook is kept as long as it is this one.
            found = self._by_id.setdefault(found.id, found)
            self._by_credential[kind, credential] = found
        return found
