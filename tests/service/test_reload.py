"""SIGHUP: what is taken, what needs a restart, and that a mistake changes nothing."""

import json
import signal
import sqlite3
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hearing import receiving
from load import Load, assert_nothing_lost
from processes import Process, Processes, until
from senders import notification
from service_manager import Manager
from stacks import Stack

from tocsin.settings import SETTINGS
from tocsin.v1.messages_pb2 import Message


def lines(process: Process, event: str) -> list[dict[str, Any]]:
    """The lines of its log about something."""
    found = [json.loads(line) for line in process.log.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"].startswith(event)]


def reload(process: Process, event: str) -> dict[str, Any]:
    """Has it reload, and returns the line that says what became of it."""
    before = len(lines(process, event))
    process.send(signal.SIGHUP)
    return until(lambda: lines(process, event)[before:], f"the log says: {event}")[-1]


class Configured(Stack):
    """A stack that is told everything by a file."""

    def write(self, daemon: str = "", gateway: str = "") -> None:
        """Writes the file anew."""
        # Where tests run in parallel, no port is anybody's for long.
        self.file.write_text(
            f'[daemon]\ndata = "{self.data}"\nexternal_url = "http://127.0.0.1:{self.port}"\n{daemon}\n'
            f'[gateway]\nhttp = "127.0.0.1:{self.port}"\ntarget = "{self.target}"\n{gateway}\n'
        )

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "tocsin.toml"

    def start_daemon(self, **options: Any) -> None:
        """Starts the daemon."""
        log = self.folder / "daemon.log"
        self.daemon = self.processes.python("tocsind", "--config", str(self.file), log=log, **options)

    def start_gateway(self, **options: Any) -> None:
        """Starts the gateway."""
        log = self.folder / "gateway.log"
        self.gateway = self.processes.python("tocsin_gateway", "--config", str(self.file), log=log, **options)

    def send(self, url: str, body: bytes) -> int:
        """Posts once, over a connection of its own."""
        sender = self.sender()
        try:
            return sender.post(url, body)
        finally:
            sender.close()


@pytest.fixture
def configured(processes: Processes, folder: Path) -> Any:
    """A stack that is told everything by a file, not yet started."""
    stack = Configured(processes, folder)
    yield stack
    stack.close()


def test_rate_limits_and_the_level_of_the_log(configured: Configured) -> None:
    """Both are taken, loggers that were used before included; what changed is told, from and to."""
    configured.write("rate_limit = 2")
    configured.start()
    integration = configured.client.create("prod")
    assert [configured.send(integration.url, notification(str(n))) for n in range(3)] == [200, 200, 503]
    assert lines(configured.daemon, "committed") == []

    configured.write('rate_limit = 0\nlog_level = "debug"')
    told = reload(configured.daemon, "reloaded")

    assert told["changed"] == {"rate_limit": {"from": 2, "to": 0}, "log_level": {"from": "info", "to": "debug"}}
    assert configured.send(integration.url, notification("more")) == 200
    assert lines(configured.daemon, "committed")

    configured.write("rate_limit = 0\ntotal_rate_limit = 1")
    assert reload(configured.daemon, "reloaded")["changed"].keys() == {"log_level", "total_rate_limit"}
    assert configured.send(integration.url, notification("even more")) == 503


def test_networks_of_webhooks(configured: Configured) -> None:
    """A receiver on a private network is refused before it is allowed, and told after."""
    configured.write()
    configured.start()
    with receiving() as receiver:
        contact = configured.client.contact("receiver", webhook={"url": receiver.url})
        configured.client.chain("everybody", {"notify": {"contact_points": [contact.name]}})
        integration = configured.client.create("prod")
        assert configured.send(integration.url, notification("one")) == 200
        (before,) = until(lambda: [each for each in configured.client.sent() if each.attempt_count], "it was tried")
        assert before.state != Message.DELIVERED

        configured.write('webhook_networks = ["127.0.0.0/8"]')
        reload(configured.daemon, "reloaded")
        assert configured.send(integration.url, notification("two")) == 200

        until(lambda: [each for each in configured.client.sent() if each.state == Message.DELIVERED], "it was told")


def test_what_needs_a_restart_is_named_each_time(configured: Configured) -> None:
    """And nothing else of it is lost."""
    configured.write()
    configured.start()
    for _ in range(2):
        configured.write('rate_limit = 7\ncourier = "/run/other"')
        assert reload(configured.daemon, "changed in the configuration")["settings"] == ["courier"]
    assert [each["changed"].keys() for each in lines(configured.daemon, "reloaded")] == [{"rate_limit"}, set()]
    assert configured.daemon.running


@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        ("rate_limt = 5", "[daemon] rate_limt: there is no such setting; did you mean rate_limit?"),
        ('tls_key = "/k"', "tls_certificate and tls_key go together"),
        (None, "No such file or directory"),
    ],
)
def test_a_mistake_keeps_everything(configured: Configured, manager: Manager, mistake: str | None, line: str) -> None:
    """One line names file, line and key; the old settings stay, and the manager hears that the reload is over."""
    configured.write("rate_limit = 1")
    configured.start_daemon(env=manager.environment)
    configured.start_gateway()
    configured.wait_ready()
    manager.wait_for("READY=1")
    integration = configured.client.create("prod")
    if mistake is None:
        configured.file.unlink()
    else:
        configured.write(f"rate_limit = 0\n{mistake}")

    told = reload(configured.daemon, "not reloaded")

    assert line in told["mistake"]
    assert "\n" not in told["mistake"]
    if mistake and "rate_limt" in mistake:
        assert told["mistake"].startswith(f"{configured.file}:5: ")
    assert manager.wait_for("RELOADING=1")
    assert [each for each in manager.heard if each.startswith("MONOTONIC_USEC=")]
    manager.wait_for("READY=1")
    assert [configured.send(integration.url, notification(str(n))) for n in range(2)] == [200, 503]
    assert lines(configured.daemon, "reloaded") == []


def test_every_setting_that_reloads_is_taken() -> None:
    """The table promises no more than the processes do."""
    assert {(each.section, each.key) for each in SETTINGS if each.reloads} == {
        ("daemon", "rate_limit"),
        ("daemon", "total_rate_limit"),
        ("daemon", "webhook_networks"),
        ("daemon", "log_level"),
        ("gateway", "max_body"),
        ("gateway", "log_level"),
    }


def test_the_gateway_takes_its_settings(configured: Configured) -> None:
    """A new worker has the new limit of bodies; what needs a restart is named, and a mistake changes nothing."""
    configured.write(gateway="max_body = 2000")
    configured.start()
    integration = configured.client.create("prod")
    large = notification("large", firing=[str(number) for number in range(30)])
    assert configured.send(integration.url, large) == 413

    configured.write(gateway='max_body = 200000\nlog_level = "debug"\ntoken_file = "/etc/hostname"')
    told = reload(configured.gateway, "reloaded")

    assert told["changed"].keys() == {"max_body", "log_level"}
    assert lines(configured.gateway, "changed in the configuration")[-1]["settings"] == ["token_file"]
    until(lambda: configured.send(integration.url, large) == 200, "the large one is taken")

    configured.write(gateway="max_body = 2000\nmax_bdy = 5")
    assert "max_bdy: there is no such setting" in reload(configured.gateway, "not reloaded")["mistake"]
    until(lambda: lines(configured.gateway, "gateway started")[2:], "gunicorn has made a new worker all the same")
    until(lambda: configured.send(integration.url, large) == 200, "the large one is taken")
    assert configured.gateway.running


def test_no_request_is_lost_over_reloads(stack: Stack) -> None:
    """Load while daemon and gateway reload several times: every answer is a 200."""
    integration = stack.client.create("load")
    with Load(stack, integration, most=2500) as load:
        for _ in range(4):
            load.after(200)
            stack.gateway.send(signal.SIGHUP)
            stack.daemon.send(signal.SIGHUP)
        load.after(400)
    print("over reloads:", dict(load.statuses))
    assert set(load.statuses) == {200}
    assert_nothing_lost(stack, load, integration)


def test_no_answer_is_the_last_of_its_connection_without_saying_so(stack: Stack) -> None:
    """Connections in constant use over reloads: each request is answered, as none ends that was not announced to."""
    over = threading.Event()
    statuses: Counter[int] = Counter()

    def send() -> None:
        sender = stack.sender()
        while not over.is_set():
            # Refused by the gateway itself: as many answers as it can give, so that a stop comes between some two steps
            # of one.
            statuses[sender.post("/", b"")] += 1
        sender.close()

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(12):
            workers = set(stack.gateway.children())
            stack.gateway.send(signal.SIGHUP)
            until(lambda old=workers: not old & set(stack.gateway.children()), "the old worker has ended")
            before = statuses.total()
            until(lambda before=before: statuses.total() > before + 100, "the new one answers")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {404}


@pytest.mark.parametrize("program", ["import tocsind.__main__ as it; sys.exit(it.main())",
                                     "import runpy; runpy.run_module('tocsind', run_name='__main__')"])  # fmt: skip
def test_a_reload_before_anything_is_there(configured: Configured, program: str) -> None:
    """It does not end a daemon that is being imported, by the command that is installed or as a module, which takes it
    when it serves."""
    configured.write()
    hangs_up = """
import os, signal, sys

class HangsUp:
    def find_spec(self, name, path, target=None):
        if name.startswith("tocsind.") and name != "tocsind.__main__":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGHUP)

sys.meta_path.insert(0, HangsUp())
sys.argv = ["tocsind", *sys.argv[1:]]
"""
    command = [sys.executable, "-c", hangs_up + program, "--config", str(configured.file)]
    configured.daemon = configured.processes.start(command, log=configured.folder / "daemon.log")

    until(lambda: lines(configured.daemon, "reloaded") or not configured.daemon.running, "it was reloaded, or ended")
    assert configured.daemon.running


def test_a_reload_during_the_start(configured: Configured, manager: Manager) -> None:
    """It does not end the daemon, which takes it when it serves."""
    configured.write()
    configured.data.mkdir(exist_ok=True)
    with closing(sqlite3.connect(configured.data / "tocsin.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")  # the start waits for it
        configured.start_daemon(env=manager.environment)
        manager.wait_for("EXTEND_TIMEOUT_USEC=")
        configured.daemon.send(signal.SIGHUP)
        other.execute("ROLLBACK")

    manager.wait_for("READY=1")
    until(lambda: lines(configured.daemon, "reloaded"), "it was reloaded")


HANGS_UP = """
import os, signal
from tocsin_gateway import __main__, server
then = server.allow_long_numbers
server.allow_long_numbers = lambda: (os.kill(os.getpid(), signal.SIGHUP), then())
__main__.main()
"""


def test_a_reload_of_the_gateway_during_its_start(configured: Configured) -> None:
    """Asked for when the configuration was read and nobody served yet: it is taken before the first worker is made."""
    configured.write()
    command = [sys.executable, "-c", HANGS_UP, "--config", str(configured.file)]
    configured.gateway = configured.processes.start(command, configured.folder / "gateway.log")

    until(lambda: configured.status("/-/healthy") == 200, "it serves")

    assert len(lines(configured.gateway, "reloaded")) == 1
    assert len(lines(configured.gateway, "gateway started")) == 1
    assert configured.gateway.stop() == 0


def test_a_worker_needs_no_temporary_folder(configured: Configured) -> None:
    """Where it is full, or gone, a reload goes on as ever."""
    configured.write()
    temporary = configured.folder / "temporary"
    temporary.mkdir()
    configured.start_gateway(env={"TMPDIR": str(temporary)})
    until(lambda: configured.status("/-/healthy") == 200, "it serves")
    temporary.rmdir()

    configured.gateway.send(signal.SIGHUP)

    until(lambda: lines(configured.gateway, "gateway started")[1:], "there is another worker")
    assert configured.status("/-/healthy") == 200
