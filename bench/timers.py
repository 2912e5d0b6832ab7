"""How late missing heartbeats are noticed, while 100,000 others beat once a minute.

A thousand heartbeats beat once and then no more, at known moments and with intervals from ten seconds on. Lateness is
the time of the event that opened the group, less that of the last beat and the interval; `seen` is when a watcher had
it. Early would be a false alarm. Once with nothing else to do, and once beside notifications from 16 connections.
"""

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import grpc

from bench import bodies, load
from bench.load import Spec
from bench.processes import Stack, stack
from bench.report import Row, heading, progress, quantile, table
from bench.run import Run
from bench.startup import HEARTBEATS, LEAVING, full
from bench.throughput import Numbers
from tocsin.v1 import alert_groups_pb2, alert_groups_pb2_grpc
from tocsind.domain.alert_group import EventKind, Source

_RATE = HEARTBEATS / 60
_COLUMNS = {
    "what": "what",
    "expired": "expired",
    "noticed": "noticed",
    "earliest": "min ms",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "worst": "max ms",
    "seen_p99": "seen p99 ms",
    "false": "false alarms",
    "beats": "beats/s",
    "beats_p99": "beat p99 ms",
    "notifications": "notif./s",
}


def measure(run: Run) -> None:
    """The section `timers`."""
    made = full(run)
    intervals = 15.0 if run.quick else 23.0
    beats = [bodies.get(path) for path in made.up]
    rows: list[Row] = []
    with stack(made.file.folder) as tocsin:
        known: set[str] = set()
        for index, what in enumerate(("beats alone", "and notifications, 16 connections")):
            progress(f"timers: {what}")
            leaving = [bodies.get(path) for path in made.waiting[index * LEAVING : (index + 1) * LEAVING]]
            busy = index == 1
            background = [Spec(tocsin.gateway.port, 32, intervals, rotation=tuple(beats), rate=_RATE)]
            if busy:
                request = bodies.post(made.file.path, bodies.notification(2))
                first = Numbers().take(1_000_000)
                background.append(load.notifications(tocsin.gateway.port, 16, intervals, request, first))
            with ExitStack() as clients:
                offered = [clients.enter_context(load.offering(spec)) for spec in background]
                row = _expire(run, tocsin, leaving, made.file.database, known, watch=not busy)
                results = [client.result() for client in offered]
            beaten = results[0]
            notified = results[1].rate if busy else 0.0
            rows.append({"what": what, **row, "beats": beaten.rate, "beats_p99": beaten.p99, "notifications": notified})
    heading(f"Lateness of timers, with {HEARTBEATS:,} heartbeats that beat once a minute")
    table(rows, _COLUMNS)
    run.found["timers"] = rows


def _expire(run: Run, tocsin: Stack, requests: Sequence[str], database: Path, known: set[str], *, watch: bool) -> Row:
    """Beats each of `requests` once, waits until all have expired, and looks what the daemon has made of it."""
    with _Watcher(tocsin, watch) as watcher:
        time.sleep(1.0)
        once = Spec(tocsin.gateway.port, 8, 30, 0.0, rotation=tuple(requests), requests=len(requests))
        load.offer(once)
        time.sleep(10 + (4 if run.quick else 12) + 1.5)
    tokens = {request.split("/")[4] for request in requests}
    late = []
    seen = []
    false = 0
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT i.token, g.id, e.at, h.last_beat + h.interval FROM alert_groups AS g "
            "JOIN events AS e ON e.group_id = g.id AND e.kind = ? "
            "JOIN heartbeats AS h ON h.integration_id = g.integration_id "
            "JOIN integrations AS i ON i.id = g.integration_id WHERE g.source = ? AND g.state IN (1, 2, 3)",
            (int(EventKind.OPENED), int(Source.HEARTBEAT)),
        ).fetchall()
    for token, group_id, at, due in rows:
        if token in tokens:
            late.append((at - due) / 1e3)
            if group_id in watcher.seen:
                seen.append(watcher.seen[group_id] * 1e3 - due / 1e3)
        elif token not in known:
            false += 1
    known |= tokens
    late.sort()
    seen.sort()
    return {
        "expired": len(requests),
        "noticed": len(late),
        "earliest": _rounded(late, 0.0),
        "p50": _rounded(late, 0.5),
        "p99": _rounded(late, 0.99),
        "worst": _rounded(late, 1.0),
        "seen_p99": _rounded(seen, 0.99),
        "false": false,
    }


class _Watcher:
    """Watches in a thread; `seen` holds when a group was first told of, in seconds since 1970."""

    def __init__(self, tocsin: Stack, wanted: bool) -> None:
        self.seen: dict[int, float] = {}
        self._channel = tocsin.daemon.channel() if wanted else None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Watcher":
        if self._channel is not None:
            self._stream = alert_groups_pb2_grpc.AlertGroupServiceStub(self._channel).WatchAlertGroups(
                alert_groups_pb2.WatchAlertGroupsRequest()
            )
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._channel is not None:
            self._stream.cancel()
            self._thread.join()
            self._channel.close()

    def _watch(self) -> None:
        with suppress(grpc.RpcError):
            for change in self._stream:
                self.seen.setdefault(change.alert_group.number, time.time())


def _rounded(ordered: Sequence[float], share: float) -> float | None:
    return round(quantile(ordered, share), 1) if ordered else None
