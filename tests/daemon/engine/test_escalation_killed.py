"""A daemon that is killed with -9 at any moment of an escalation: each step is done, and done once."""

import hashlib
import shutil
from pathlib import Path

from escalating import chain, contact, messages, number, said, tells
from fake_clock import MINUTE, SECOND, FakeClock
from notices import notice
from running_daemon import RunningDaemon, Start

from tocsind.domain.escalation_chain import MoreThan, Notify, Repeat, Resolve, Wait, Within
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction

ROUNDS = 12


class Deaths:
    """What a kill -9 would leave on disk at each statement of the writer: what is written of a transaction before its
    commit is not there, as it is in the process or behind the end of the log."""

    def __init__(self, daemon: RunningDaemon, folder: Path) -> None:
        self._daemon = daemon
        self._folder = folder
        self._seen: set[bytes] = set()
        self.statements = 0
        self.left: list[tuple[Path, int]] = []
        daemon.engine.change(self._watch)

    def _watch(self, transaction: Transaction, memory: Memory) -> None:
        transaction.connection.set_trace_callback(self._look)

    def _look(self, sql: str) -> None:
        self.statements += 1
        files = [path for path in sorted(self._daemon.folder.iterdir()) if path.suffix != ".sock"]
        kept = [path for path in files if not path.name.endswith("-shm")]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in kept)).digest()
        if digest not in self._seen:
            self._seen.add(digest)
            copy = self._folder / f"dead{len(self.left)}"
            copy.mkdir()
            for path in kept:
                shutil.copy(path, copy / path.name)
            self.left.append((copy, self._daemon.clock.wall()))

    def end(self) -> None:
        """Looks no longer."""
        self._daemon.engine.change(lambda transaction, memory: transaction.connection.set_trace_callback(None))


def run(daemon: RunningDaemon) -> None:
    """Lets everything come that is to come."""
    for _ in range(ROUNDS):
        daemon.settle()
        daemon.pass_time(MINUTE)


def outcome(daemon: RunningDaemon, names: list[str]) -> list[object]:
    """All that the escalations of groups came to, without how late."""
    return [
        [(messages(daemon, name), [(kind, reason.split(", ")[0]) for kind, reason in said(daemon, name)])]
        for name in names
    ]


def test_a_kill_at_every_statement(start: Start, folder: Path) -> None:
    """Two groups go through a chain with every kind of step; from whatever a kill leaves at any statement the next
    daemon comes to the very same messages and timelines: nothing is lost, nothing is told twice, the order is kept."""
    daemon = start()
    ops, boss = contact(daemon, "ops"), contact(daemon, "boss")
    chain(
        daemon,
        Within((), 0, 0, "Europe/Berlin"),
        Notify((ops,)),
        Wait(MINUTE),
        Notify((boss, ops)),
        MoreThan(1, 30 * MINUTE),
        Wait(MINUTE),
        Repeat(1),
        Notify((boss,)),
        Wait(SECOND),
        Resolve(),
    )
    integration = daemon.integration()
    tells(daemon, integration, None, notify_on_resolve=True)
    names = [daemon.fire(integration, "a b", key=key) for key in ("one", "two")]
    paused = daemon.fire(integration, "a", key="paused")
    acknowledged = daemon.fire(integration, "a b", key="acknowledged")
    deaths = Deaths(daemon, folder)
    run(daemon)
    deaths.end()
    expected = outcome(daemon, [*names, paused, acknowledged])
    assert [step for _, kind, step, _ in messages(daemon, names[0]) if kind == "firing"] == [2, 4, 4, 2, 4, 4, 8]
    assert [kind for kind, _ in said(daemon, names[0], "RESOLVED")] == ["RESOLVED"]
    daemon.close()

    assert deaths.statements > 100
    assert len(deaths.left) > 6
    for copy, wall in deaths.left:
        survivor = RunningDaemon(copy, FakeClock(wall), rate_limit=0)
        run(survivor)
        assert outcome(survivor, [*names, paused, acknowledged]) == expected, copy
        assert [row[0] for row in survivor.sql("SELECT group_id FROM escalations")] == [number(paused)]
        survivor.close()


def test_a_kill_at_every_statement_of_a_stop_and_a_start(start: Start, folder: Path) -> None:
    """Acknowledged, taken back, resolved by its source, firing again: at no statement is a group left that fires
    without an escalation, or that has one and does not fire; nor a message that waits though nobody needs it."""
    daemon = start()
    chain(daemon, Notify((contact(daemon, "ops"),)), Wait(MINUTE), Notify((contact(daemon, "boss"),)), Wait(MINUTE))
    integration = daemon.integration()
    deaths = Deaths(daemon, folder)
    name = daemon.fire(integration)
    daemon.settle()
    daemon.act("Acknowledge", name)
    daemon.act("Unacknowledge", name)
    daemon.settle()
    daemon.send(integration, notice("", "a"))
    daemon.send(integration, notice("a"))
    daemon.settle()
    daemon.act("Silence", name)
    deaths.end()
    daemon.close()

    assert len(deaths.left) > 5
    for copy, wall in deaths.left:
        survivor = RunningDaemon(copy, FakeClock(wall), rate_limit=0)
        firing = survivor.sql("SELECT id FROM alert_groups WHERE state = 1 ORDER BY id")
        assert survivor.sql("SELECT group_id FROM escalations ORDER BY group_id") == firing
        assert firing or not [state for *_, state in messages(survivor) if state == "pending"]
        survivor.settle()
        survivor.settle()
        waiting = [who for who, *_, state in messages(survivor) if state == "pending"]
        assert waiting == (["ops"] if firing else [])
        survivor.close()
