"""Messages that fail: when a running daemon tries them again, with what, and when it gives them up."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from fake_clock import MINUTE, SECOND
from posting import (
    LONG,
    REFUSED,
    TAKEN,
    ScriptedCourier,
    add_contact,
    fire_many,
    messages,
    pass_time,
    put,
    quiet,
    refused,
    states,
    story,
    taken,
)
from running_daemon import RunningDaemon, Start

from tocsind.courier.wire import Outcome
from tocsind.domain.access import Caller, Role
from tocsind.domain.contact_point import Webhook
from tocsind.engine import contact_points as jobs
from tocsind.engine.memory import Memory
from tocsind.engine.telling import outbox
from tocsind.sqlite import contact_points as rows
from tocsind.sqlite.writer import Transaction


@pytest.fixture
def daemon(courier: ScriptedCourier, start: Start) -> RunningDaemon:
    """A daemon with that courier."""
    return start()


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
