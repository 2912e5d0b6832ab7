"""Messages on their way: what a running daemon sends, in which order, and what it writes down of that."""

import sqlite3
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from fake_clock import DAY, HOUR, MINUTE, SECOND
from posting import (
    LONG,
    REFUSED,
    TAKEN,
    ScriptedCourier,
    add_contact,
    compose,
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

from tocsind.courier.wire import HttpRequest, Outcome
from tocsind.domain.access import Caller, Role
from tocsind.domain.contact_point import Webhook
from tocsind.domain.errors import TocsinError
from tocsind.domain.message import Kind
from tocsind.engine import contact_points as jobs
from tocsind.engine.memory import Memory
from tocsind.engine.telling import bulletins, outbox, sending
from tocsind.sqlite import contact_points as rows
from tocsind.sqlite.writer import Transaction


@pytest.fixture
def daemon(courier: ScriptedCourier, start: Start) -> RunningDaemon:
    """A daemon with that courier."""
    return start()


def test_a_message_is_sent_and_its_timeline_says_so(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """As soon as it is on disk, with its key."""
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "ops"))
    quiet(daemon)

    (message,) = messages(daemon)
    assert states(daemon) == ["DELIVERED"]
    assert (message.attempt_count, message.answer) == (1, "200 OK")
    assert [errand.key for errand in courier.sent] == [message.idempotency_key]
    assert story(daemon, group) == ["DELIVERED ops: 200 OK"]
    assert daemon.events(group)[-1].state == daemon.events(group)[-1].previous_state


def test_one_that_fails_is_tried_again_with_the_same_key(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Until its receiver is back; each attempt and its answer is in the timeline."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "ops"))
    quiet(daemon)
    (message,) = messages(daemon)
    wait = message.next_attempt_time.ToMicroseconds() - message.create_time.ToMicroseconds()
    # It may have been sent a tick after it was decided.
    assert 4 * SECOND <= wait <= 6 * SECOND + SECOND // 5
    pass_time(daemon, 3 * SECOND)
    assert len(courier.sent) == 1

    pass_time(daemon, 3 * SECOND)
    courier.answer = taken
    pass_time(daemon, LONG)

    assert len({errand.key for errand in courier.sent}) == 1
    first, second, third = story(daemon, group)
    assert first.startswith("DELIVERY_FAILED ops: attempt 1 of 12: 500 Internal Server Error; again in ")
    assert second.startswith("DELIVERY_FAILED ops: attempt 2 of 12: 500 Internal Server Error; again in ")
    assert third == "DELIVERED ops: 200 OK"


def test_what_the_receiver_asks_for_is_obeyed_within_ten_minutes(
    courier: ScriptedCourier, daemon: RunningDaemon
) -> None:
    """Retry-After of two minutes is two minutes; of a day it is ten."""
    groups = fire_many(daemon, 2)
    courier.answer = lambda errand: Outcome(False, "429", retry_after=120 if errand.url == "a" else 86_400)
    put(daemon, groups[:1], add_contact(daemon, "a"), add_contact(daemon, "b"))
    quiet(daemon)

    waits = [each.next_attempt_time.ToMicroseconds() - each.create_time.ToMicroseconds() for each in messages(daemon)]
    assert waits[0] - 2 * MINUTE < SECOND > waits[1] - 10 * MINUTE
    pass_time(daemon, MINUTE + 50 * SECOND)
    assert len(courier.sent) == 2


def test_after_twelve_attempts_it_is_given_up_and_can_be_retried(
    courier: ScriptedCourier, daemon: RunningDaemon
) -> None:
    """Which takes about an hour; what follows for the same group then has its turn."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    put(daemon, [group, group], add_contact(daemon, "ops"))
    quiet(daemon)
    began = daemon.clock.wall()
    while states(daemon)[0] != "DEAD":
        assert states(daemon) == ["PENDING", "PENDING"]
        pass_time(daemon, 30 * SECOND)

    assert 40 * MINUTE < daemon.clock.wall() - began < 75 * MINUTE
    assert messages(daemon)[0].attempt_count == 12
    assert story(daemon, group)[11] == (
        "DELIVERY_GIVEN_UP ops: attempt 12 of 12: 500 Internal Server Error; given up; "
        "to send it again: tocsin messages retry 1/1"
    )
    courier.answer = taken
    pass_time(daemon, 15 * MINUTE)
    assert states(daemon) == ["DEAD", "DELIVERED"]


def test_those_of_a_group_to_a_receiver_go_in_their_order(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """That it is resolved is said after that it fires, though that had to be tried again."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    ops = add_contact(daemon, "ops")
    put(daemon, [group], ops)
    put(daemon, [group], ops, kind=Kind.RESOLVED)
    quiet(daemon)
    courier.answer = taken
    pass_time(daemon, LONG)

    assert [said.split()[1][-1] for said in courier.said()] == ["!", "!", "."]


def test_a_receiver_that_hangs_delays_no_other(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """It has at most eight requests under way, and one after a failure."""
    slow, ops = add_contact(daemon, "slow"), add_contact(daemon, "ops")
    courier.answer = lambda errand: None if errand.url == "slow" else TAKEN
    put(daemon, fire_many(daemon, 30), slow, ops)
    quiet(daemon)

    assert courier.most == {"slow": 8}
    assert courier.said().count("slow") == 0
    assert sum(said.startswith("ops") for said in courier.said()) == 30
    courier.resolve(Outcome(False, "no answer within 10 s"))
    quiet(daemon)
    pass_time(daemon, LONG)
    assert len(courier.open) == 1


def test_one_that_its_receiver_chokes_on_blocks_no_other(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """The others are delivered while it waits."""
    groups = fire_many(daemon, 20)
    bad = f"{groups[0].removeprefix('alertGroups/')}!"
    courier.answer = lambda errand: REFUSED if errand.body.decode() == bad else TAKEN
    put(daemon, groups, add_contact(daemon, "ops"))
    quiet(daemon)
    pass_time(daemon, 7 * SECOND)

    assert states(daemon) == ["PENDING"] + ["DELIVERED"] * 19


def test_a_receiver_that_is_back_gets_all_that_waits(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """What failed while it was away does not wait for minutes once it takes what is new."""
    courier.answer = refused
    groups = fire_many(daemon, 3)
    contact = add_contact(daemon, "ops")
    put(daemon, groups[:2], contact)
    pass_time(daemon, 15 * MINUTE)
    assert states(daemon) == ["PENDING", "PENDING"]

    courier.answer = taken
    put(daemon, groups[2:], contact)
    pass_time(daemon, MINUTE + 15 * SECOND)

    assert states(daemon) == ["DELIVERED"] * 3


def test_a_retry_takes_along_what_comes_before(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """That a group is resolved cannot be said before that it fires: both are said now."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    put(daemon, [group, group], add_contact(daemon, "ops"))
    pass_time(daemon, 15 * MINUTE)
    courier.answer = taken

    caller = Caller("tester", Role.EDITOR)
    daemon.engine.change(partial(outbox.retry, group_id=1, message_id=2, by=caller))
    quiet(daemon)

    assert states(daemon) == ["DELIVERED", "DELIVERED"]


def test_a_bundle_is_one_message_for_several_groups(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Which comes a few seconds after the first, with the key of the first; each group is told what became of it."""
    groups = fire_many(daemon, 3)
    phone = add_contact(daemon, "phone", window=2 * SECOND)
    first = put(daemon, groups[:1], phone)
    quiet(daemon)
    put(daemon, groups[1:], phone)
    quiet(daemon)
    assert courier.sent == []

    pass_time(daemon, 2 * SECOND)

    assert courier.said() == [f"phone {' '.join(name.removeprefix('alertGroups/') + '!' for name in groups)}"]
    assert courier.sent[0].key == next(each.idempotency_key for each in messages(daemon) if each.name in first)
    assert [story(daemon, name) for name in groups] == [["DELIVERED phone: 200 OK"]] * 3


def test_templates_that_failed_are_told_of(
    courier: ScriptedCourier, daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default was sent."""

    def failing(*args: Any) -> bulletins.Composed:
        return bulletins.Composed(compose(*args).errand, ("body_template: no such thing",))

    monkeypatch.setattr(bulletins, "compose", failing)
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "ops", body_template="{{ x }}"))
    courier.wait_for(1)
    quiet(daemon)

    assert story(daemon, group) == ["TEMPLATE_FAILED ops: body_template: no such thing", "DELIVERED ops: 200 OK"]


def test_what_cannot_be_composed_has_failed(
    courier: ScriptedCourier, daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again like anything else, and nothing else stops."""

    def broken(*args: Any) -> bulletins.Composed:
        composed = compose(*args)
        assert isinstance(composed.errand, HttpRequest)
        if composed.errand.url == "bad":
            raise RuntimeError("a defect")
        return composed

    monkeypatch.setattr(bulletins, "compose", broken)
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "bad"), add_contact(daemon, "ops"))
    quiet(daemon)

    assert states(daemon) == ["PENDING", "DELIVERED"]
    assert messages(daemon)[0].answer == "it could not be composed: the daemon's log says why"


def test_the_next_attempt_takes_the_new_settings(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """What waits is not sent to where it led before."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    ops = add_contact(daemon, "old")
    put(daemon, [group], ops)
    quiet(daemon)
    sql = "UPDATE contact_points SET settings = replace(settings, 'old', 'new') WHERE id = ?"
    daemon.engine.change(lambda transaction, memory: transaction.connection.execute(sql, (ops,)) and None)
    pass_time(daemon, LONG)

    assert [errand.url for errand in courier.sent][:2] == ["old", "new"]


def test_new_settings_are_tried_at_once(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """What waits because the old ones failed does not wait out its time; a new description is no reason to try."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    ops = add_contact(daemon, "old")
    put(daemon, [group], ops)
    quiet(daemon)

    def change(**changes: Any) -> None:
        def job(transaction: Transaction, memory: Memory) -> None:
            before = rows.by_id(transaction.connection, ops)
            assert before is not None
            jobs.update(transaction, memory, before, replace(before, **changes), {}, by=Caller("ada", Role.ADMIN))

        daemon.engine.change(job)
        quiet(daemon)

    change(description="where the operators sit")
    assert [errand.url for errand in courier.sent] == ["old"]
    courier.answer = taken
    change(settings=Webhook("new"))
    assert [errand.url for errand in courier.sent] == ["old", "new"]
    assert states(daemon) == ["DELIVERED"]


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


def test_ten_thousand_messages_are_sent_once_each(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """To ten receivers that take turns."""
    groups = fire_many(daemon, 100)
    contacts = [add_contact(daemon, f"c{number}") for number in range(10)]
    for _ in range(10):
        put(daemon, groups, *contacts)
    courier.wait_for(10_000)
    quiet(daemon)

    assert daemon.sql("SELECT state, count(*) FROM messages GROUP BY state") == [(3, 10_000)]
    assert len({errand.key for errand in courier.sent}) == len(courier.sent) == 10_000
    assert {errand.url for errand in courier.sent[:300]} == {f"c{number}" for number in range(10)}


def test_how_a_contact_point_stands_is_known(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """How many wait, and why the last attempt failed, until one succeeds."""
    courier.answer = refused
    ops, idle = add_contact(daemon, "ops"), add_contact(daemon, "idle")
    put(daemon, fire_many(daemon, 3), ops)
    quiet(daemon)
    assert daemon.engine.memory.outbox.standing([ops, idle]) == {
        ops: (3, "500 Internal Server Error"),
        idle: (0, ""),
    }
    courier.answer = taken
    pass_time(daemon, LONG)

    assert daemon.engine.memory.outbox.standing([ops]) == {ops: (0, "")}


def test_the_figures_tell_of_messages(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """What waits, for how long, what was given up, and what became of attempts."""

    def figures() -> dict[str, float]:
        lines = daemon.engine.metrics.exposition().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    courier.answer = lambda errand: TAKEN if errand.url == "a" else REFUSED
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "a"), add_contact(daemon, "b"))
    quiet(daemon)
    before = figures()
    daemon.clock.advance(3 * SECOND)
    assert before["tocsin_messages_pending"] == 1
    assert figures()["tocsin_message_oldest_pending_seconds"] >= 3
    assert before['tocsin_messages_total{outcome="delivered"}'] == before["tocsin_message_delay_seconds_count"] == 1
    assert before['tocsin_messages_total{outcome="failed"}'] == 1
    pass_time(daemon, 2 * HOUR)
    while states(daemon)[1] != "DEAD":
        pass_time(daemon, 11 * MINUTE)

    after = figures()
    assert after["tocsin_messages_dead"] == after['tocsin_messages_total{outcome="dead"}'] == 1
    assert after["tocsin_messages_pending"] == after["tocsin_message_oldest_pending_seconds"] == 0


def test_what_never_left_this_machine_is_no_attempt(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Where the courier does not start, for however long, nothing is given up, and the timeline says it once."""
    courier.answer = lambda errand: Outcome(False, "the courier does not start", tried=False)
    (group,) = fire_many(daemon, 1)
    put(daemon, [group], add_contact(daemon, "ops"))
    for _ in range(200):
        pass_time(daemon, MINUTE)
    (waiting,) = messages(daemon)

    assert len(courier.sent) > 100
    assert (waiting.attempt_count, states(daemon)) == (0, ["PENDING"])
    failed = "DELIVERY_FAILED ops: the courier does not start; tried again until it does"
    assert story(daemon, group).count(failed) == 1
    courier.answer = taken
    pass_time(daemon, 2 * MINUTE)
    assert states(daemon) == ["DELIVERED"]
