"""How long the daemon takes from exec to SERVING."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench import dataset
from bench.processes import Daemon, running
from bench.report import Row, heading, progress, table
from bench.run import Run

GROUPS = 100_000
HEARTBEATS = 100_000
INTERVAL = 120
"""Seconds between two beats that these heartbeats allow."""
LEAVING = 1_000
"""Heartbeats that are left to expire in one measurement of lateness; there are two."""
_STARTS = 3
_COLUMNS = {"what": "what", "seconds": "seconds, median", "worst": "worst", "rss": "RSS MB", "pss": "PSS MB"}


@dataclass(frozen=True)
class Full:
    """A file with open groups and heartbeats: the paths of those that are up, and of those that wait, with each one's
    interval in seconds."""

    file: dataset.File
    up: list[str]
    waiting: list[str]


def full(run: Run) -> Full:
    """That file, made when it is first asked for."""
    made = run.made.get("full")
    if not isinstance(made, Full):
        file = dataset.grow(run, "full", GROUPS, 1)
        progress("making heartbeats")
        spread = 4 if run.quick else 12
        up, waiting = dataset.add_heartbeats(
            file, HEARTBEATS, INTERVAL, [10 + index % spread for index in range(2 * LEAVING)]
        )
        with closing(sqlite3.connect(file.database)) as connection, connection:
            # Every open group gets a timer of its own.
            connection.execute("UPDATE integrations SET stale_after = 86400000000 WHERE display_name LIKE 'bench %'")
        made = run.made["full"] = Full(file, up, waiting)
    return made


def measure(run: Run) -> None:
    """The section `startup`."""
    folder = full(run).file.folder
    empty = run.new_folder("start")
    progress("startup")
    rows = [
        _starts("empty file", empty),
        _starts(f"{GROUPS:,} open groups, {HEARTBEATS:,} heartbeats up", folder),
    ]
    heading("From exec to SERVING")
    table(rows, _COLUMNS)
    run.found["startup"] = rows


def _starts(what: str, folder: Path) -> Row:
    taken = []
    for _ in range(_STARTS):
        with running(Daemon(folder)) as daemon:
            taken.append(daemon.start_seconds)
            memory = daemon.memory()
    taken.sort()
    return {
        "what": what,
        "seconds": round(taken[len(taken) // 2], 3),
        "worst": round(taken[-1], 3),
        "rss": memory.rss,
        "pss": memory.pss,
    }
