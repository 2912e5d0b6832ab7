"""What the daemon tells its service manager, and that the watchdog's beat is the writer's."""

import os
import resource
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from processes import PATIENCE, Processes, until
from senders import notification
from service_manager import Manager, listening
from stacks import Stack

from tocsin.configuration import Settings
from tocsind.clock import SystemClock
from tocsind.config import Config
from tocsind.domain.access import Role
from tocsind.main import Main
from tocsind.rpc.server import Listener
from tocsind.sqlite import migrate
from tocsind.sqlite.store import Store
from tocsind.sqlite.writer import Transaction
from tocsind.systemd import MORE_TIME, ServiceManager

WATCHDOG = {"WATCHDOG_USEC": "300000"}
UNLIMITED = resource.RLIM_INFINITY


class HeldUp:
    """A daemon in this process whose writer can be held up."""

    def __init__(self, main: Main) -> None:
        self._main = main
        self.begun, self.go = threading.Event(), threading.Event()

    def hold(self) -> None:
        """Has the writer run a job that waits."""

        def job(transaction: Transaction, memory: object) -> None:
            self.begun.set()
            assert self.go.wait(PATIENCE)

        self._main.engine.submit(job)
        assert self.begun.wait(PATIENCE)


@pytest.fixture
def held_up(folder: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldUp]:
    """A daemon that tells the manager."""
    for name, value in (manager.environment | WATCHDOG).items():
        monkeypatch.setenv(name, value)
    main = Main(Config(folder, (Listener(f"unix:{folder}/d.sock", Role.ADMIN),), "http://tocsin.example"))
    held = HeldUp(main)
    yield held
    held.go.set()
    main.close()


def test_a_service_from_start_to_stop(processes: Processes, folder: Path, manager: Manager) -> None:
    """READY comes when the daemon serves, STATUS says how much is open, the watchdog has its beats, and STOPPING comes
    at SIGTERM."""
    stack = Stack(processes, folder)
    stack.start_daemon(env=manager.environment | WATCHDOG)

    assert manager.wait_for("EXTEND_TIMEOUT_USEC=") == f"EXTEND_TIMEOUT_USEC={MORE_TIME}"
    manager.wait_for("READY=1")
    assert Path(f"{folder}/data/tocsind.sock").is_socket()
    assert manager.wait_for("STATUS=serving") == "STATUS=serving; 0 open alert groups"
    manager.wait_for("WATCHDOG=1")
    stack.start_gateway()
    integration = stack.client.create("prod")
    stack.wait_ready()
    sender = stack.sender()
    assert sender.post(integration.url, notification("one")) == 200
    sender.close()
    assert manager.wait_for("STATUS=serving; 1") == "STATUS=serving; 1 open alert groups"
    stack.daemon.send(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert stack.daemon.wait() == 0
    stack.close()


def test_why_it_did_not_start_is_told(processes: Processes, folder: Path, manager: Manager) -> None:
    """The manager shows it while it tries again: the log's line has scrolled away, or is for others to read."""
    (folder / "tocsin.db").write_bytes(b"no database" * 1000)
    daemon = processes.python("tocsind", "--data", str(folder), env=manager.environment, log=folder / "daemon.log")

    told = manager.wait_for("STATUS=did not start: ")
    assert daemon.wait() == 1
    assert f"tocsind: {told.removeprefix('STATUS=did not start: ')}" in daemon.log
    assert "the file is damaged" in told


def test_a_disk_that_is_full_is_told_and_no_reason_for_a_restart(
    processes: Processes, folder: Path, manager: Manager
) -> None:
    """STATUS says it, beats go on, and STATUS takes it back when there is room."""
    stack = Stack(processes, folder)
    stack.start_daemon(env=manager.environment | WATCHDOG)
    manager.wait_for("STATUS=serving")
    integration = stack.client.create("prod")
    stack.client.expect_beats(integration, 3600)
    resource.prlimit(stack.daemon.pid, resource.RLIMIT_FSIZE, (0, UNLIMITED))

    with pytest.raises(Exception, match="the file cannot be written"):
        stack.client.create("refused")

    assert manager.wait_for("STATUS=the file cannot be written: ")
    for _ in range(5):
        manager.wait_for("WATCHDOG=1")
    resource.prlimit(stack.daemon.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
    manager.wait_for("STATUS=serving")
    stack.close()


def test_a_reload_that_breaks_ends_nothing(folder: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in it is a line of the log, with its traceback, and the manager hears that the reload is over; what ends
    the daemon after it is the stop."""
    for name, value in manager.environment.items():
        monkeypatch.setenv(name, value)

    def breaks() -> Settings:
        main.stop()
        raise RecursionError("a defect")

    settings = Settings({}, None, breaks)
    listener = Listener(f"unix:{folder}/d.sock", Role.ADMIN)
    main = Main(Config(folder, (listener,), "http://tocsin.example", settings=settings))
    main.reload()
    with structlog.testing.capture_logs() as logged:
        status = main.run()

    assert status == 0
    (line,) = (each for each in logged if each["event"] == "not reloaded: everything stays as it was")
    assert line["exc_info"]
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    manager.wait_for("STOPPING=1")


def test_a_writer_that_hangs_has_no_beat(held_up: HeldUp, manager: Manager) -> None:
    """While a job does not end there is none, and as soon as it does there is."""
    manager.wait_for("WATCHDOG=1")
    held_up.hold()
    manager.forget()

    assert manager.is_silent(1)

    held_up.go.set()
    manager.wait_for("WATCHDOG=1")


def test_the_watchdog_of_another_process_is_not_ours(folder: Path, manager: Manager) -> None:
    """WATCHDOG_PID says whose it is; without one, and with ours, it is ours."""
    for pid, beats in ((str(os.getpid() + 1), False), (str(os.getpid()), True), (None, True)):
        environment = manager.environment | WATCHDOG | ({"WATCHDOG_PID": pid} if pid else {})
        ServiceManager(SystemClock(), environment).beat()
        assert manager.is_silent(0.05) is not beats


@pytest.mark.parametrize("span", ["", "0", "soon", "-5", "²"])
def test_without_a_watchdog_there_are_no_beats(folder: Path, manager: Manager, span: str) -> None:
    """Also where it is given in a way that means nothing."""
    ServiceManager(SystemClock(), manager.environment | {"WATCHDOG_USEC": span}).beat()

    assert manager.is_silent(0.05)


def test_a_manager_in_the_abstract_namespace(folder: Path) -> None:
    """Its address begins with @."""
    with listening(folder / "abstract", abstract=True) as manager:
        ServiceManager(SystemClock(), manager.environment).tell("READY=1", "STATUS=fine")
        assert manager.hear() == ["READY=1", "STATUS=fine"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_nobody_listens(environment: dict[str, str]) -> None:
    """Then nothing is said, and nothing is wrong."""
    ServiceManager(SystemClock(), environment | WATCHDOG).beat()


def test_a_manager_that_is_busy_is_not_waited_for(folder: Path, manager: Manager) -> None:
    """The writer says its beats itself: it must never wait for somebody to read them."""
    teller = ServiceManager(SystemClock(), manager.environment)
    for _ in range(2000):
        teller.tell("STATUS=" + "x" * 500)


def test_migrations_ask_for_more_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again while one works, so that a large file is no reason to be killed."""
    known = migrate.migrations()
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {10**6}) SELECT i FROM n"
    slow = f"CREATE TABLE numbers AS {numbers};"
    monkeypatch.setattr(migrate, "migrations", lambda: [*known, (9999, "9999_slow.sql", slow)])
    asked: list[None] = []

    Store(folder, on_progress=lambda: asked.append(None)).close()

    assert len(asked) > 10
    with sqlite3.connect(folder / "tocsin.db") as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (10**6,)
    connection.close()


def test_without_a_manager_nothing_is_different(stack: Stack) -> None:
    """A daemon in a terminal serves, and stops at once."""
    assert stack.daemon.stop() == 0
    until(lambda: "stopped" in stack.daemon.log, "it says so")
