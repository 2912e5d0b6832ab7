"""Backups and checks of a daemon that is under load."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from processes import until
from senders import notification
from stacks import Stack

from tocsin.v1.integrations_pb2 import Integration


class Stream:
    """Senders that never stop, each with a connection of its own and one notification in flight."""

    def __init__(self, stack: Stack, integration: Integration, connections: int = 4) -> None:
        self._stack, self._integration = stack, integration
        self._stop = threading.Event()
        self.taken: list[str] = []
        self.refused: list[int] = []
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(connections)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def after(self, more: int) -> None:
        """Waits until so many more were answered."""
        wanted = len(self.taken) + more
        until(lambda: len(self.taken) >= wanted, f"{more} more notifications are taken")

    def _send(self, connection: int) -> None:
        sender, number = self._stack.sender(), 0
        while not self._stop.wait(0.002):
            number += 1
            key = f"{connection} {number}"
            status = sender.post(self._integration.url, notification(key))
            (self.taken.append(key) if status == 200 else self.refused.append(status))
        sender.close()


def tocsin(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a command."""
    command = [sys.executable, "-m", "tocsin_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def keys(path: Path) -> set[str]:
    """The groups that a file holds."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT grouping_key FROM alert_groups")}


def test_nothing_that_was_answered_is_missing_in_a_backup(stack: Stack, folder: Path) -> None:
    """Backups one after the other under load: intake goes on and refuses nothing, each has all that was answered before
    it began, and the file is sound all the time."""
    integration = stack.client.create("load")
    with Stream(stack, integration) as stream:
        for number in range(4):
            stream.after(100)
            answered = set(stream.taken)

            made = tocsin("backup", "--data", stack.data, folder / "backups", "--keep", 2)

            assert made.returncode == 0, made.stderr
            newest = max((folder / "backups").iterdir())
            assert answered <= keys(newest), number
            checked = tocsin("check", "--data", stack.data)
            assert checked.returncode == 0, checked.stderr
        stream.after(100)
    assert stream.refused == []
    assert len(list((folder / "backups").iterdir())) == 2


def test_back_to_a_backup(stack: Stack, folder: Path) -> None:
    """Stopped, restored and started again, the daemon serves what the backup holds; senders get on with it."""
    integration = stack.client.create("one")
    sender = stack.sender()
    assert sender.post(integration.url, notification("before")) == 200
    made = tocsin("backup", "--data", stack.data, folder / "backups")
    assert made.returncode == 0, made.stderr
    assert sender.post(integration.url, notification("after")) == 200
    (backup,) = (folder / "backups").iterdir()
    stack.daemon.stop()

    restored = tocsin("restore", "--data", stack.data, backup)

    assert restored.returncode == 0, restored.stderr
    stack.start_daemon()
    stack.wait_ready()
    assert [group.grouping_key for group in stack.client.groups(integration)] == ["before"]
    assert sender.post(integration.url, notification("after")) == 200
    assert len(stack.client.groups(integration)) == 2
    sender.close()
