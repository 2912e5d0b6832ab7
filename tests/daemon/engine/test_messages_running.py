"""Messages on their way: what a running daemon sends, in which order, and what it says of that."""

from typing import Any

import pytest
from fake_clock import HOUR, MINUTE, SECOND
from no_threads import no_more_threads
from posting import (
    LONG,
    REFUSED,
    TAKEN,
    ScriptedCourier,
    add_contact,
    compose,
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

from tocsind.courier.wire import HttpRequest, Outcome
from tocsind.domain.message import Kind
from tocsind.engine.telling import bulletins


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


def test_without_threads_to_compose_everybody_is_told(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Each message of a turn, with templates or without, is sent once; also when there are threads again."""
    groups = fire_many(daemon, 3)
    plain, made = add_contact(daemon, "plain"), add_contact(daemon, "made", body_template="x")
    with no_more_threads("composer"):
        put(daemon, groups, made, plain)
        quiet(daemon)
    assert states(daemon) == ["DELIVERED"] * 6
    put(daemon, groups, made, kind=Kind.RESOLVED)
    quiet(daemon)

    assert states(daemon) == ["DELIVERED"] * 9
    assert len(courier.sent) == 9


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
