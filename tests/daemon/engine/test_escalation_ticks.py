"""Steps that are due at a tick: very many of them, on a full disk, beside what stops them; and the figures of them."""

import sqlite3

import pytest
from escalating import chain, contact, figure, messages, number, page, progress, runs, said, whom
from fake_clock import HOUR, MINUTE, SECOND
from notices import notice
from running_daemon import RunningDaemon

from tocsind.domain.escalation_chain import Notify
from tocsind.engine.memory import Memory
from tocsind.engine.telling import steps
from tocsind.sqlite.writer import Transaction


def test_very_many_at_one_moment(daemon: RunningDaemon) -> None:
    """10,000 groups whose steps are due at once: each is done once, some at a tick, in order, and intake goes on."""
    page(daemon)
    integration = daemon.integration()
    for start in range(0, 10_000, 500):
        daemon.deliver([daemon.delivery(integration, notice("a", key=f"k{start + n}")) for n in range(500)])
    daemon.clock.advance(HOUR)
    ticks = 0
    while daemon.sql("SELECT 1 FROM escalations WHERE step = 0 LIMIT 1"):
        daemon.settle()
        ticks += 1
        if ticks == 2:
            assert daemon.fire(integration, key="another")
    assert ticks >= 7
    assert daemon.sql("SELECT count(*), count(DISTINCT group_id) FROM messages WHERE step = 1")[0] == (10_001, 10_001)
    (out_of_order,) = daemon.sql(
        "SELECT count(*) FROM (SELECT group_id, lag(group_id) OVER (ORDER BY id) AS before FROM messages) "
        "WHERE before > group_id"
    )[0]
    assert out_of_order == 0
    late = figure(daemon, 'tocsin_timer_lateness_seconds_count{kind="escalation"}')
    assert late == 10_001


def test_a_storm_of_groups_that_each_tell_many_does_not_stop_intake(daemon: RunningDaemon) -> None:
    """300 groups, each of which tells 20 contact points: a transaction takes some of them, in their order, and none is
    forgotten."""
    chain(daemon, Notify(tuple(contact(daemon, f"c{n}") for n in range(20))))
    integration = daemon.integration()
    daemon.deliver([daemon.delivery(integration, notice("a", key=f"k{n}")) for n in range(300)])
    known = [0]
    while known[-1] < 6_000:
        daemon.settle()
        known += daemon.sql("SELECT count(*) FROM messages")[0]
        assert known[-1] - known[-2] <= 2 * (steps.MOST_TOLD + 20)
    (out_of_order,) = daemon.sql(
        "SELECT count(*) FROM (SELECT group_id, lag(group_id) OVER (ORDER BY id) AS before FROM messages) "
        "WHERE before > group_id"
    )[0]
    assert out_of_order == 0
    assert daemon.sql("SELECT count(*), count(DISTINCT group_id || ' ' || contact_id) FROM messages")[0] == (6000, 6000)
    assert figure(daemon, 'tocsin_timer_lateness_seconds_count{kind="escalation"}') == 300


def test_what_cannot_be_written_is_tried_again(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when a step is due: nothing of it is done then, all of it once there is room; and how late that
    is is said."""
    page(daemon)
    name = daemon.fire(daemon.integration())
    daemon.settle()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(steps.escalations, "store", full)
        patched.setattr(steps.escalations, "remove", full)
        daemon.clock.advance(5 * MINUTE)
        for _ in range(12):
            daemon.clock.advance(SECOND)
            with pytest.raises(Exception, match="full"):
                daemon.engine.change(lambda transaction, memory: None)
    assert whom(daemon) == ["ops"]
    daemon.clock.advance(SECOND)
    daemon.settle()
    daemon.settle()

    assert whom(daemon) == ["ops", "boss"]
    assert said(daemon, name, "NOTIFIED")[-1] == ("NOTIFIED", "step 3 of 3: boss, 13s late")
    assert not runs(daemon, name)


def test_a_stop_and_a_new_start_in_one_transaction(daemon: RunningDaemon) -> None:
    """The timer that ends in it is that of the run before: the new run begins with its first step, once."""
    page(daemon)
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.settle()
    daemon.clock.advance(5 * MINUTE)
    daemon.deliver([daemon.delivery(integration, notice("", "a"), age=1), daemon.delivery(integration, notice("a"))])
    for _ in range(3):
        daemon.settle()

    assert messages(daemon, name) == [("ops", "firing", 1, "cancelled"), ("ops", "firing", 1, "pending")]
    assert progress(daemon.group(name)) == ("WAITING", 3, 3)


def test_a_timer_without_an_escalation_does_nothing(daemon: RunningDaemon) -> None:
    """It was stopped in the transaction before which the timer ended."""
    page(daemon)
    name = daemon.fire(daemon.integration())
    daemon.settle()
    daemon.act("Acknowledge", name)

    def job(transaction: Transaction, memory: Memory) -> None:
        steps.take(transaction, memory, [number(name), 77])

    daemon.engine.change(job)
    assert len(messages(daemon)) == 1


def test_what_runs_is_counted(daemon: RunningDaemon) -> None:
    """By what it waits for."""
    page(daemon)
    integration = daemon.integration()
    for key in ("a", "b"):
        daemon.fire(integration, key=key)
    daemon.settle()

    assert figure(daemon, 'tocsin_escalations{state="waiting"}') == 2
    assert figure(daemon, 'tocsin_timers_pending{kind="escalation"}') == 2
    daemon = daemon.reopen()
    assert figure(daemon, 'tocsin_escalations{state="waiting"}') == 2
