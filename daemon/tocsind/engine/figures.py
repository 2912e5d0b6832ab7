"""What is looked up when somebody asks for the metrics, and costs nothing otherwise; and what events add to them.

Rules
- Nothing here waits for the writer: memory is only looked at, and the file is read on a connection of its own.
- No query walks through the file: open groups are counted in an index, heartbeats are one small row an integration.
- A file that cannot be read takes the figures that are in it away, not the others: above all not the one that says
  whether it can be written.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tocsind.domain.alert_group import AlertGroup, Event, EventKind, ResolveReason
from tocsind.domain.units import SECOND
from tocsind.engine.memory import Memory
from tocsind.metrics import Metrics
from tocsind.sqlite import alert_groups, calendars, heartbeats, maintenances, messages
from tocsind.sqlite.store import Store
from tocsind.sqlite.writer import Writer

log = structlog.get_logger()


_OPENINGS = {EventKind.OPENED: "new", EventKind.REOPENED: "reopened", EventKind.UNRESOLVED: "unresolved"}


def count(metrics: Metrics, events: Iterable[Event], groups: Mapping[int, AlertGroup]) -> None:
    """Counts the groups that were opened and resolved, by events that were committed and the groups that they moved.
    Where one job moved a group more than once, it was its source."""
    for event in events:
        if event.kind in _OPENINGS:
            metrics.groups_opened[_OPENINGS[event.kind]].inc()
        elif event.kind is EventKind.RESOLVED:
            group = groups.get(event.group_id)
            reason = group.resolve_reason if group is not None else None
            metrics.groups_resolved[(reason or ResolveReason.SOURCE).name.lower()].inc()


class Figures(Collector):
    """Reads an engine's parts whenever the registry in which it is registered is asked."""

    def __init__(self, memory: Memory, store: Store, writer: Writer) -> None:
        self._memory = memory
        self._store = store
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        """Yields today's figures."""
        yield from self._of_memory()
        yield from self._of_the_disk()
        try:
            yield from self._of_the_file()
        except sqlite3.Error as error:
            log.error("the file cannot be read for the metrics", error=str(error))

    def _of_memory(self) -> Iterator[Metric]:
        memory = self._memory
        now = memory.clock.steady()
        wheels = {
            "heartbeat": memory.heartbeats,
            "maintenance": memory.maintenances,
            "escalation": memory.escalations,
            "silence": memory.silences,
            "stale": memory.stale,
        }
        yield _by(
            "tocsin_timers_pending",
            "Timers that run, by what they wait for.",
            "kind",
            ((kind, len(wheel)) for kind, wheel in wheels.items()),
        )
        yield _by(
            "tocsin_escalations",
            "Escalations that run, by what they wait for: the time of their next step, or more alerts.",
            "state",
            (("waiting", len(memory.escalations)), ("paused", len(memory.paused))),
        )
        yield _one("tocsin_attending_gateways", "Gateways that attend.", memory.presence.attending(now))
        yield _one(
            "tocsin_unattended_seconds",
            "For how long no gateway has attended; 0 while one does.",
            memory.presence.unattended_for(now) / SECOND,
        )
        yield _one(
            "tocsin_messages_pending",
            "Messages that wait to be sent to contact points, or are being sent.",
            len(memory.outbox),
        )
        yield _one(
            "tocsin_writable",
            "Whether the last transaction could be written to the file (1) or not (0).",
            self._writer.healthy,
        )

    def _of_the_disk(self) -> Iterator[Metric]:
        path = self._store.path
        wal = path.with_name(path.name + "-wal")
        yield _one("tocsin_file_bytes", "Size of the database file.", _size(path))
        yield _one("tocsin_wal_bytes", "Size of the database's write-ahead log.", _size(wal))
        try:
            free = shutil.disk_usage(path.parent).free
        except OSError:
            return
        yield _one("tocsin_disk_free_bytes", "Room that is left on the disk with the database file.", free)

    def _of_the_file(self) -> Iterator[Metric]:
        with self._store.reading() as connection:
            groups = alert_groups.count_open(connection)
            beats = heartbeats.count_by_state(connection)
            running = maintenances.count_running(connection)
            failing, oldest = calendars.failing(connection)
            dead = messages.count_dead(connection)
            waiting = messages.oldest_open(connection)
        yield _by(
            "tocsin_alert_groups",
            "Alert groups that are open, by state.",
            "state",
            ((state.name.lower(), count) for state, count in groups.items()),
        )
        yield _by(
            "tocsin_heartbeats",
            "Heartbeats of integrations, by state.",
            "state",
            ((state.name.lower(), count) for state, count in beats.items()),
        )
        yield _by(
            "tocsin_maintenances_running",
            "Integrations under maintenance, by mode; those that are planned are not counted.",
            "mode",
            ((mode.name.lower(), count) for mode, count in running.items()),
        )
        yield _one(
            "tocsin_calendars_failing",
            "Calendars of contact points that could not be read when that was last tried.",
            failing,
        )
        yield _one(
            "tocsin_calendar_age_seconds",
            "Age of the oldest copy that is used because its calendar cannot be read; 0 where all can be.",
            0 if oldest is None else max(0, self._memory.clock.wall() - oldest) / SECOND,
        )
        yield _one("tocsin_messages_dead", "Messages that were given up and not sent again by hand.", dead)
        yield _one(
            "tocsin_message_oldest_pending_seconds",
            "How long ago the oldest message was decided that is not settled; 0 where all are.",
            0 if waiting is None else max(0, self._memory.clock.wall() - waiting) / SECOND,
        )


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
