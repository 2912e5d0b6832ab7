"""Messages on their way when the daemon stops, or cannot write: none is lost, and none is sent for nothing."""

import sqlite3
from contextlib import suppress
from typing import Any

import pytest
from fake_clock import DAY, SECOND
from posting import (
    LONG,
    REFUSED,
    TAKEN,
    ScriptedCourier,
    add_contact,
    fire_many,
    hung,
    messages,
    pass_time,
    put,
    quiet,
    refused,
    states,
    story,
    taken,
    withdraw,
)
from running_daemon import RunningDaemon, Start

from tocsind.domain.errors import TocsinError
from tocsind.engine.memory import Memory
from tocsind.engine.telling import sending
from tocsind.sqlite.writer import Transaction


@pytest.fixture
def daemon(courier: ScriptedCourier, start: Start) -> RunningDaemon:
    """A daemon with that courier."""
    return start()


@pytest.mark.parametrize("way", ["reopen", "crash"])
def test_a_restart_goes_on_in_every_state(courier: ScriptedCourier, daemon: RunningDaemon, way: str) -> None:
    """What was being sent is sent again at once, with the same key and its attempts counted; what waits for its
    backoff waits on, a downtime included; what is settled stays so."""
    courier.answer = lambda errand: {"taken": TAKEN, "refused": REFUSED}.get(errand.url)
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], *(add_contact(daemon, name) for name in ("taken", "refused", "hung")))
    quiet(daemon)
    assert states(daemon) == ["DELIVERED", "PENDING", "SENDING"]

    daemon = getattr(daemon, way)()
    quiet(daemon)
    assert [errand.url for errand in courier.sent] == ["taken", "refused", "hung", "hung"]
    assert messages(daemon)[2].attempt_count == 2
    assert len({errand.key for errand in courier.sent}) == 3
    stopped = "DELIVERY_FAILED hung: attempt 1 of 12: the daemon stopped before it was answered; again now"
    assert stopped in story(daemon, group)
    courier.answer = taken
    courier.resolve()
    daemon = getattr(daemon, way)(downtime=DAY)
    quiet(daemon)

    assert states(daemon) == ["DELIVERED"] * 3


def test_a_restart_does_not_send_what_nobody_needs_any_more(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """It was being sent when its group was acknowledged."""
    courier.answer = hung
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "ops"))
    courier.wait_for(1)
    withdraw(daemon, "Acknowledge", group)
    daemon = daemon.crash()
    quiet(daemon)

    assert states(daemon) == ["CANCELLED"]
    assert len(courier.sent) == 1


def test_a_clock_that_jumped_back_keeps_no_message_for_long(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """No wait is longer after a restart than it was when it was decided."""
    courier.answer = refused
    put(daemon, fire_many(daemon, 1), add_contact(daemon, "ops"))
    quiet(daemon)
    courier.answer = taken
    daemon.clock.jump(-365 * DAY)
    daemon = daemon.crash()
    pass_time(daemon, LONG)

    assert states(daemon) == ["DELIVERED"]


def test_stopping_records_what_was_answered_meanwhile(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """And leaves what was not, for the next start, without counting the stop as an answer."""
    courier.answer = hung
    put(daemon, fire_many(daemon, 1), add_contact(daemon, "a"), add_contact(daemon, "b"))
    courier.wait_for(2)
    courier.resolve(count=1)
    daemon = daemon.reopen()

    assert sorted(errand.url for errand in courier.wait_for(3)) in (["a", "a", "b"], ["a", "b", "b"])
    courier.resolve()
    quiet(daemon)
    assert states(daemon) == ["DELIVERED", "DELIVERED"]


def test_what_cannot_be_written_is_not_sent_and_what_was_sent_is_not_forgotten(
    courier: ScriptedCourier, daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full nothing is begun; answers are kept, and written when it has room again."""
    courier.answer = hung
    groups = fire_many(daemon, 2)
    ops = add_contact(daemon, "ops")
    put(daemon, groups[:1], ops)
    courier.wait_for(1)
    turn, full = sending.turn, True

    def failing(transaction: Transaction, *args: Any, **kwargs: Any) -> sending.Turn:
        done = turn(transaction, *args, **kwargs)
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        return done

    monkeypatch.setattr(sending, "turn", failing)
    put(daemon, groups[1:], ops)
    courier.resolve()
    for _ in range(5):
        # What shares a transaction with it fails, too.
        with suppress(TocsinError):
            pass_time(daemon, SECOND)
    assert daemon.sql("SELECT state, attempts FROM messages ORDER BY id") == [(2, 1), (1, 0)]
    assert len(courier.sent) == 1

    full = False
    courier.answer = taken
    pass_time(daemon, 2 * SECOND)

    assert states(daemon) == ["DELIVERED", "DELIVERED"]
    assert [each.attempt_count for each in messages(daemon)] == [1, 1]
    assert len(courier.sent) == 2


def test_a_defect_in_recording_one_stops_no_other(
    courier: ScriptedCourier, daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left as it is until the next start."""
    courier.answer = hung
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], *(add_contact(daemon, name) for name in ("bad", "ops")))
    courier.wait_for(2)
    turn, bad = sending.turn, courier.sent[0].key

    def broken(transaction: Transaction, memory: Memory, *, reports: Any, **kwargs: Any) -> sending.Turn:
        ids = [number for report in reports for number in report.errand.ids]
        keys = [row[0] for i in ids for row in transaction.connection.execute(f"SELECT key FROM messages WHERE id={i}")]
        if bad in keys:
            raise RuntimeError("a defect")
        return turn(transaction, memory, reports=reports, **kwargs)

    monkeypatch.setattr(sending, "turn", broken)
    courier.resolve()
    quiet(daemon)
    assert sorted(states(daemon)) == ["DELIVERED", "SENDING"]
    monkeypatch.setattr(sending, "turn", turn)
    courier.answer = taken
    daemon = daemon.reopen()
    quiet(daemon)

    assert states(daemon) == ["DELIVERED", "DELIVERED"]
