"""Messages over real HTTP: a receiver that fails and comes back, one that hangs, and a daemon that is killed."""

import os
import random
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_courier import HttpCourier, Receiver
from posting import LONG, add_contact, compose, fire_many, pass_time, put, states, story
from running_daemon import RunningDaemon, Start

from tocsind.engine import engine as engine_module
from tocsind.engine.telling import bulletins

PROGRAM = Path(__file__).parents[1] / "sending_program.py"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that works."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, start: Start) -> RunningDaemon:
    """A daemon that really sends."""
    monkeypatch.setattr(engine_module, "Courier", HttpCourier)
    monkeypatch.setattr(bulletins, "compose", compose)
    return start()


def test_a_receiver_that_fails_and_comes_back_gets_everything(daemon: RunningDaemon, receiver: Receiver) -> None:
    """Each message once more than it refused it, with the same key; what it said is in the timeline."""
    groups = fire_many(daemon, 5)
    failures = 3

    def answer(path: str, body: bytes) -> int:
        nonlocal failures
        failures -= 1
        return 200 if failures < 0 else 503

    receiver.answer = answer
    put(daemon, groups, add_contact(daemon, f"{receiver.url}/a"))
    receiver.wait_for(lambda got: len(got) >= 5)
    while {"PENDING", "SENDING"}.intersection(states(daemon)):
        pass_time(daemon, LONG)

    assert states(daemon) == ["DELIVERED"] * 5
    assert len({key for _, key, _ in receiver.got}) == 5
    assert len(receiver.got) == 8
    assert sum("attempt 1 of 12: 503; again in" in line for group in groups for line in story(daemon, group)) == 3


def test_a_receiver_that_hangs_keeps_no_other_waiting(daemon: RunningDaemon, receiver: Receiver) -> None:
    """The others have all of theirs while it says nothing."""
    receiver.answer = lambda path, body: None if path == "/hangs" else 200
    groups = fire_many(daemon, 30)
    put(daemon, groups, *(add_contact(daemon, f"{receiver.url}/{name}") for name in ("hangs", "works")))

    receiver.wait_for(lambda got: sum(path == "/works" for path, _, _ in got) == 30)
    assert sum(path == "/hangs" for path, _, _ in receiver.got) <= 8


@pytest.mark.parametrize("seed", range(2))
def test_a_daemon_that_is_killed_again_and_again_loses_nothing(folder: Path, receiver: Receiver, seed: int) -> None:
    """Everything arrives, in its order; twice at most where it was killed between the sending and the record of it."""
    luck = random.Random(seed)
    receiver.answer = lambda path, body: 200 if luck.random() < 0.8 else 500
    groups, count, kills = 20, 10, 0
    command = [sys.executable, str(PROGRAM), str(folder / "d"), receiver.url, str(groups), str(count)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    while True:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            if kills < 5:
                before = len(receiver.got)
                wanted = before + luck.randrange(1, 60)
                receiver.wait_for(lambda got, wanted=wanted: len(got) >= wanted or len(got) >= 2 * groups * count)
                process.kill()
                kills += 1
                continue
            assert process.stdout.readline() == "done\n"
            process.kill()
            break

    connection = sqlite3.connect(folder / "d" / "tocsin.db")
    rows = connection.execute("SELECT group_id, contact_id, key, state, attempts FROM messages ORDER BY id").fetchall()
    connection.close()
    assert [state for _, _, _, state, _ in rows] == [3] * (2 * groups * count)
    order: dict[tuple[str, bytes], list[str]] = defaultdict(list)
    for path, key, body in receiver.got:
        of_pair = order[path, body]
        if not of_pair or of_pair[-1] != key:
            of_pair.append(key)
    expected: dict[tuple[str, bytes], list[str]] = defaultdict(list)
    for group, contact, key, _, _ in rows:
        expected[f"/{'ab'[contact - 1]}", f"{group}!".encode()].append(key)
    assert order == expected
    sent = sum(attempts for *_, attempts in rows)
    # An attempt is on disk before it is made.
    assert sent >= len(receiver.got)
