"""Load while things break: senders that repeat as Alertmanager does, and what must hold afterwards."""

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

from processes import until
from senders import Sender, notification
from stacks import Stack

from tocsin.v1.integrations_pb2 import Integration

ALLOWED = {0, 200, 503}
"""What a sender may meet while things break; 0 is no answer."""


class Load:
    """Senders on connections of their own, each with one notification in flight, each of a group of its own.

    One that is refused is sent again, as Alertmanager does. `most` bounds the number of notifications.
    """

    def __init__(self, stack: Stack, integration: Integration, connections: int = 32, most: int = 3000) -> None:
        self._stack = stack
        self._integration = integration
        self._most = most
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._next = 0
        self.taken: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self._threads = [threading.Thread(target=self._send) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def after(self, more: int) -> None:
        """Waits until so many more notifications have been taken (or all)."""
        wanted = min(self._most, len(self.taken) + more)
        until(lambda: len(self.taken) >= wanted, f"{more} more notifications are taken")

    def finish(self) -> None:
        """Sends nothing more, and waits for the answers to what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        sender = Sender(self._stack.port)
        while not self._stop.is_set() and (key := self._take_key()):
            # A pause, so that the processes under test have the processor most of the time.
            while not self._try(sender, key) and not self._stop.wait(0.05):
                pass
            self._stop.wait(0.01)
        sender.close()

    def _take_key(self) -> str | None:
        with self._lock:
            if self._next == self._most:
                return None
            self._next += 1
            return f"key {self._next}"

    def _try(self, sender: Sender, key: str) -> bool:
        status = sender.post(self._integration.url, notification(key, firing=("a", "b"), resolved=("c",)))
        with self._lock:
            self.statuses[status] += 1
            if status == 200:
                self.taken.add(key)
        return status == 200


def assert_nothing_lost(stack: Stack, load: Load, integration: Integration) -> None:
    """All that was answered 200 is there, once; nothing was answered in a way that Alertmanager would not repeat."""
    assert set(load.statuses) <= ALLOWED, load.statuses
    found = Counter(group.grouping_key for group in stack.client.groups(integration))
    assert not load.taken - found.keys(), "lost although it was answered 200"
    assert found.most_common(1)[0][1] == 1, "one notification made two groups"
    assert_sound(stack.data)


def assert_sound(data: Path) -> None:
    """The file is whole, and its rows agree with one another."""
    with closing(sqlite3.connect(f"file:{data}/tocsin.db?mode=ro", uri=True)) as connection:

        def rows(statement: str) -> list[tuple[object, ...]]:
            return connection.execute(statement).fetchall()

        assert rows("PRAGMA integrity_check") == [("ok",)]
        assert rows("PRAGMA foreign_key_check") == []
        assert rows("SELECT identity FROM alert_groups WHERE state <> 4 GROUP BY identity HAVING count(*) > 1") == []
        opened = "SELECT group_id FROM events WHERE kind = 1"
        assert rows(f"SELECT id FROM alert_groups WHERE id NOT IN ({opened})") == []
        assert rows(f"SELECT group_id FROM ({opened}) GROUP BY group_id HAVING count(*) > 1") == []
        # What the row says of its alerts is what their own rows say.
        counted = "SELECT count(*) FROM alerts WHERE group_id = g.id AND alerts.state ="
        claims = {1: "firing_count", 2: "resolved_count", 3: "unreported_count"}
        wrong = " OR ".join(f"{column} <> ({counted} {state})" for state, column in claims.items())
        assert rows(f"SELECT id FROM alert_groups g WHERE {wrong}") == []
        # The last event of a group says in which state it is.
        last = "(SELECT state FROM events WHERE group_id = g.id ORDER BY id DESC LIMIT 1)"
        assert rows(f"SELECT id FROM alert_groups g WHERE state <> {last}") == []
        assert (
            rows("SELECT id FROM alert_groups WHERE id NOT IN (SELECT group_id FROM payloads WHERE id % 2 = 0)") == []
        )
