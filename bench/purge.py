"""What retention costs intake: the same load on one large file before, while and after its resolved groups are removed.

Nearly all groups of the file are resolved and too old, as after somebody shortened the retention: the most that there
can be to remove at once. "A large file" (`growth`) has what the size alone costs.

The load goes on for a part of the removal only, so that there is a figure for when nothing else is done, too. The size
of the file is looked at each time: what is removed makes room for new groups, so it is not to grow.
"""

import sqlite3
import time
from contextlib import closing

from bench import bodies, dataset, load
from bench.processes import Stack, stack
from bench.report import Row, heading, progress, table
from bench.run import Run
from bench.throughput import Numbers, new_groups, watched

CONNECTIONS = 16
_RETENTION = 3_600 * 1_000_000
_PATIENCE = 1_800.0
_COLUMNS = {
    "what": "what",
    "rate": "per second",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "worst": "worst ms",
    "times_p99": "times p99",
    "removed": "removed",
    "removed_rate": "removed/s",
    "mb": "file MB",
    "other": "not 200",
}


def measure(run: Run) -> None:
    """The section `purge`."""
    groups = 50_000 if run.quick else 500_000
    file = dataset.grow(run, "purge", groups, groups)
    numbers = Numbers()
    request = bodies.post(file.path, bodies.notification(2))
    rows: list[Row] = []
    with stack(file.folder) as tocsin:
        progress("purge: before")
        rows.append(_loaded(run, tocsin, file, numbers, request, "before"))
    _shorten_retention(file)
    with stack(file.folder) as tocsin:
        began, before = time.perf_counter(), _groups(file)
        for what in ("while groups are removed", "again"):
            left = _groups(file)
            began_cell = time.perf_counter()
            row = _loaded(run, tocsin, file, numbers, request, what)
            row["removed"] = left - _groups(file)
            row["removed_rate"] = round(row["removed"] / (time.perf_counter() - began_cell))
            rows.append(row)
        left, alone = _groups(file), time.perf_counter()
        while _expired(file):
            progress(f"purge: {_groups(file):,} groups left")
            time.sleep(1.0)
            if time.perf_counter() - began > _PATIENCE:
                raise RuntimeError("the purge does not come to an end")
        removed = left - _groups(file)
        rows.append(
            {
                "what": "nothing else to do",
                "removed": removed,
                "removed_rate": round(removed / (time.perf_counter() - alone)),
                "mb": _megabytes(file),
            }
        )
        seconds = time.perf_counter() - began
        rows.append(_loaded(run, tocsin, file, numbers, request, "after"))
    for row in rows[1:]:
        if "p99" in row:
            row["times_p99"] = round(row["p99"] / max(rows[0]["p99"], 1e-9), 2)
    heading(f"Removing {before - _groups(file):,} groups, {CONNECTIONS} connections, 2 alerts")
    table(rows, _COLUMNS)
    grown = rows[-1]["mb"] / rows[0]["mb"]
    print(f"\n{seconds:.0f} s until the last was removed; the file is {grown:.2f} times as large as at first")
    run.found["purge"] = rows
    run.found["purge_seconds"] = round(seconds, 1)
    run.found["purge_grown"] = round(grown, 3)


def _loaded(run: Run, tocsin: Stack, file: dataset.File, numbers: Numbers, request: bodies.Template, what: str) -> Row:
    spec: load.Spec = new_groups(tocsin, numbers, request, CONNECTIONS, 2 * run.cell)
    return {**watched(what, spec, tocsin, None), "mb": _megabytes(file)}


def _shorten_retention(file: dataset.File) -> None:
    with closing(sqlite3.connect(file.database)) as connection:
        connection.execute("UPDATE integrations SET retention = ?", (_RETENTION,))
        connection.commit()


def _groups(file: dataset.File) -> int:
    """How many groups of the large file are left: those that the load opens are open."""
    return _number(file, "SELECT count(*) FROM alert_groups WHERE state = 4")


def _expired(file: dataset.File) -> bool:
    """Whether there is still something to remove."""
    now = time.time_ns() // 1_000
    query = "SELECT count(*) FROM (SELECT 1 FROM alert_groups WHERE state = 4 AND state_since < ? LIMIT 1)"
    return _number(file, query, now - _RETENTION - 60_000_000) > 0


def _number(file: dataset.File, query: str, *values: int) -> int:
    with closing(sqlite3.connect(f"{file.database.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute(query, values).fetchone()[0])


def _megabytes(file: dataset.File) -> float:
    return round(file.database.stat().st_size / 1e6, 1)
