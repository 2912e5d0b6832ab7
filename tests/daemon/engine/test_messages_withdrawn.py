"""Messages that nobody needs any more: what is taken back, what goes on, and who counts as told."""

from typing import Any

import pytest
from changing import delete, wipe
from escalating import chain, tells
from fake_clock import HOUR, MINUTE
from posting import (
    LONG,
    REFUSED,
    TAKEN,
    ScriptedCourier,
    add_contact,
    fire_many,
    hung,
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

from tocsind.courier.wire import Outcome
from tocsind.domain.escalation_chain import Notify
from tocsind.domain.message import Kind
from tocsind.engine.memory import Memory
from tocsind.engine.telling import outbox
from tocsind.sqlite.writer import Transaction


@pytest.fixture
def daemon(courier: ScriptedCourier, start: Start) -> RunningDaemon:
    """A daemon with that courier."""
    return start()


@pytest.mark.parametrize(
    ("verb", "state"), [("Acknowledge", "acknowledged"), ("Silence", "silenced"), ("Resolve", "resolved")]
)
def test_what_waits_is_withdrawn(courier: ScriptedCourier, daemon: RunningDaemon, verb: str, state: str) -> None:
    """Nobody is told any more that a group fires which somebody took; who was told is known."""
    courier.answer = lambda errand: REFUSED if errand.url == "ops" else TAKEN
    (group,) = fire_many(daemon, 1)
    number = int(group.removeprefix("alertGroups/"))
    ops, other, never = (add_contact(daemon, name) for name in ("ops", "other", "never"))
    put(daemon, [group], ops, other)
    quiet(daemon)
    courier.answer = hung
    withdraw(daemon, verb, group)
    pass_time(daemon, HOUR)

    assert states(daemon) == ["CANCELLED", "DELIVERED"]
    assert len(courier.sent) == 2
    assert story(daemon, group)[-1] == f"DELIVERY_CANCELLED ops: it is {state}"
    told = daemon.engine.change(lambda transaction, memory: outbox.told(transaction, [number]))
    assert told == {number: [(ops, None), (other, None)]}
    assert never not in dict(told[number])


def test_who_was_told_of_the_resolution_is_not_told_again(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Until it is told again that the group fires."""
    (group,) = fire_many(daemon, 1)
    number = int(group.removeprefix("alertGroups/"))
    ops = add_contact(daemon, "ops")

    def told() -> Any:
        quiet(daemon)
        return daemon.engine.change(lambda transaction, memory: outbox.told(transaction, [number]))

    assert told() == {}
    put(daemon, [group], ops)
    assert told() == {number: [(ops, None)]}
    put(daemon, [group], ops, kind=Kind.RESOLVED)
    assert told() == {}
    put(daemon, [group], ops)
    assert told() == {number: [(ops, None)]}


@pytest.mark.parametrize("outcome", [TAKEN, REFUSED])
def test_what_is_being_sent_goes_on_and_is_not_tried_again(
    courier: ScriptedCourier, daemon: RunningDaemon, outcome: Outcome
) -> None:
    """A group that was acknowledged meanwhile needs no second attempt; that it is resolved is said after it."""
    courier.answer = hung
    (group,) = fire_many(daemon, 1)
    ops = add_contact(daemon, "ops")
    put(daemon, [group], ops)
    courier.wait_for(1)
    withdraw(daemon, "Acknowledge", group)
    assert states(daemon) == ["SENDING"]
    put(daemon, [group], ops, kind=Kind.RESOLVED)
    courier.answer = taken
    courier.resolve(outcome)
    quiet(daemon)
    pass_time(daemon, HOUR)

    assert states(daemon) == ["DELIVERED" if outcome.done else "CANCELLED", "DELIVERED"]
    assert [said[-1] for said in courier.said()] == ["!", "."]
    if not outcome.done:
        reason = "attempt 1 of 12: 500 Internal Server Error; not tried again, as the group does not fire any more"
        assert story(daemon, group)[0] == f"DELIVERY_CANCELLED ops: {reason}"


@pytest.mark.parametrize("way", ["waits", "is being sent"])
def test_what_fires_again_is_not_held_up_by_what_said_that_it_is_resolved(
    courier: ScriptedCourier, daemon: RunningDaemon, way: str
) -> None:
    """Its receiver chokes on resolutions: that one is tried no more, is not true any more, and still owed later."""
    chain(daemon, Notify((add_contact(daemon, "ops"),)))
    integration = daemon.integration()
    tells(daemon, integration, None, notify_on_resolve=True)
    group = daemon.fire(integration)
    quiet(daemon)
    courier.answer = lambda errand: TAKEN if errand.body.endswith(b"!") else REFUSED if way == "waits" else None
    daemon.act("Resolve", group)
    quiet(daemon)
    for _ in range(6):
        pass_time(daemon, 3 * MINUTE)
    before = len(courier.sent)
    daemon.act("Unresolve", group)
    quiet(daemon)
    courier.resolve(REFUSED)
    quiet(daemon)
    pass_time(daemon, MINUTE + LONG)

    assert courier.said()[before:] == ["ops 1!"]
    assert states(daemon) == ["DELIVERED", "CANCELLED", "DELIVERED"]
    why = "it fires again" if way == "waits" else "not tried again, as the group is not resolved any more"
    assert next(line for line in story(daemon, group) if line.startswith("DELIVERY_CANCELLED")).endswith(why)

    courier.answer = taken
    daemon.act("Resolve", group)
    quiet(daemon)
    assert courier.said()[-1] == "ops 1."


def test_who_may_have_been_told_of_a_resolution_that_was_taken_back_is_told_of_the_next(
    courier: ScriptedCourier, daemon: RunningDaemon
) -> None:
    """Though the chain did not get to them again meanwhile."""
    courier.answer = lambda errand: TAKEN if errand.body.endswith(b"!") else REFUSED
    (group,) = fire_many(daemon, 1)
    number = int(group.removeprefix("alertGroups/"))
    ops = add_contact(daemon, "ops")
    put(daemon, [group], ops)
    quiet(daemon)
    daemon.act("Resolve", group)
    put(daemon, [group], ops, kind=Kind.RESOLVED)
    quiet(daemon)
    assert daemon.engine.change(lambda transaction, memory: outbox.told(transaction, [number])) == {}
    daemon.act("Unresolve", group)

    assert states(daemon) == ["DELIVERED", "CANCELLED"]
    told = daemon.engine.change(lambda transaction, memory: outbox.told(transaction, [number]))
    assert told == {number: [(ops, None)]}


@pytest.mark.parametrize("verb", ["Wipe", "Delete"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_group_that_is_gone_is_not_told_of(
    courier: ScriptedCourier, daemon: RunningDaemon, verb: str, when: str
) -> None:
    """Whether it goes before its message is sent or meanwhile, nothing is left to be tried, and others go on."""
    courier.answer = refused if when == "before" else hung
    gone, other = fire_many(daemon, 2)
    ops = add_contact(daemon, "ops")
    put(daemon, [gone], ops)
    quiet(daemon)
    (wipe if verb == "Wipe" else delete)(daemon, gone)
    courier.answer = taken
    courier.resolve(REFUSED)
    put(daemon, [other], ops)
    quiet(daemon)
    pass_time(daemon, HOUR)

    assert len(courier.sent) == 2
    assert len(daemon.engine.memory.outbox) == 0
    assert daemon.sql("SELECT state FROM messages WHERE state <= 2") == []
    assert story(daemon, other) == ["DELIVERED ops: 200 OK"]


def test_messages_that_retention_removed_are_not_missed(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Their rows went with their group, while one was sent and one waited."""
    courier.answer = hung
    groups = fire_many(daemon, 12)
    put(daemon, groups, add_contact(daemon, "ops"))
    courier.wait_for(8)
    quiet(daemon)
    daemon.engine.change(lambda transaction, memory: transaction.connection.execute("DELETE FROM messages") and None)
    courier.answer = taken
    courier.resolve()
    quiet(daemon)

    assert len(daemon.engine.memory.outbox) == 0
    assert len(courier.sent) == 8


def test_a_contact_point_that_is_deleted_gets_nothing_more(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """What waits is cancelled, and the timelines say so; what was put though it was gone already, too."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    ops = add_contact(daemon, "ops")
    put(daemon, [group], ops)
    quiet(daemon)

    def remove(transaction: Transaction, memory: Memory) -> None:
        sql = "UPDATE contact_points SET deleted_at = 1, settings = '{}' WHERE id = ?"
        transaction.connection.execute(sql, (ops,))
        outbox.withdraw_to(transaction, memory, ops)

    daemon.engine.change(remove)
    put(daemon, [group], ops)
    quiet(daemon)
    pass_time(daemon, HOUR)

    assert len(courier.sent) == 1
    assert states(daemon) == ["CANCELLED", "CANCELLED"]
    assert story(daemon, group)[1:] == ["DELIVERY_CANCELLED ops: the contact point was deleted"] * 2
