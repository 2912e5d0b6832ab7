"""Folders, clocks and daemons for the tests of the daemon."""

import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fake_clock import FakeClock
from posting import ScriptedCourier, scripted
from running_daemon import Integration, RunningDaemon, Start

from tocsind.sqlite.migrate import migrate

# What is shown of a test that failed is what went wrong, not every call and commit; and a traceback as the daemon's own
# log has it (structlog's default for terminals shows all variables too, which takes half a second each time).
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder whose path is short enough for a socket; pytest's own may not be."""
    path = Path(tempfile.mkdtemp(prefix="tocsin-", dir=os.environ.get("XDG_RUNTIME_DIR") or "/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands until it is told to go on."""
    return FakeClock()


@pytest.fixture
def start(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts daemons on folders of their own; all of them, and those that follow them, are closed in the end."""
    started: list[RunningDaemon] = []
    construct = RunningDaemon.__init__

    def noted(self: RunningDaemon, *args: object, **kwargs: object) -> None:
        construct(self, *args, **kwargs)  # type: ignore[arg-type]
        started.append(self)

    monkeypatch.setattr(RunningDaemon, "__init__", noted)

    def start_one(**options: Any) -> RunningDaemon:
        return RunningDaemon(folder / f"d{len(started)}", clock, **options)

    yield start_one
    for daemon in started:
        daemon.close()


@pytest.fixture
def daemon(start: Start) -> RunningDaemon:
    """A running daemon with a gateway that attends."""
    return start()


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration of that daemon."""
    return daemon.integration()


@pytest.fixture
def shelf(daemon: RunningDaemon) -> Path:
    """The folder with calendars."""
    shelf = daemon.folder / "calendars"
    shelf.mkdir()
    return shelf


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A file with today's tables, in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    yield connection
    connection.close()


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCourier]:
    """The courier of all daemons."""
    with scripted(monkeypatch) as made:
        yield made
