"""What starts an escalation, what stops it, and what has it begin anew."""

from collections.abc import Callable

import pytest
from changing import batch, wipe
from escalating import STOPS, delivered, messages, number, paging_integration, progress, runs, said, write
from fake_clock import HOUR, MINUTE, SECOND
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, duration
from templated import said as saying
from templated import template

Act = Callable[[RunningDaemon, Integration, str], object]

SAID = {
    "acknowledge": "acknowledged",
    "acknowledge many": "acknowledged",
    "silence": "silenced",
    "resolve": "resolved",
    "resolve many": "resolved",
    "source": "resolved",
    "integration": "resolved",
}

ANEW: dict[str, tuple[Act, Act]] = {
    "unacknowledge": (STOPS["acknowledge"], lambda daemon, integration, name: daemon.act("Unacknowledge", name)),
    "unsilence": (STOPS["silence"], lambda daemon, integration, name: daemon.act("Unsilence", name)),
    "end of a silence": (
        lambda daemon, integration, name: daemon.act("Silence", name, duration=duration(MINUTE)),
        lambda daemon, integration, name: daemon.pass_time(MINUTE),
    ),
    "unresolve": (STOPS["resolve"], lambda daemon, integration, name: daemon.act("Unresolve", name)),
    "reopen": (STOPS["source"], lambda daemon, integration, name: daemon.send(integration, notice("a"))),
}


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take the chain that is the default: ops, then after five minutes the boss."""
    return paging_integration(daemon)


def test_it_starts_when_a_group_opens(daemon: RunningDaemon, integration: Integration) -> None:
    """At once, with the next tick; each step is told in the timeline and is a message; at the end it is over."""
    name = daemon.fire(integration)
    started = daemon.clock.wall()
    group = daemon.group(name)
    assert (group.escalation.escalation_chain, group.escalation.display_name) == ("escalationChains/idpage", "page")
    assert progress(group) == ("WAITING", 1, 3)
    assert group.escalation.start_time.ToMicroseconds() == started
    assert messages(daemon) == []

    daemon.settle()
    told = daemon.clock.wall()
    assert messages(daemon) == [("ops", "firing", 1, "pending")]
    assert said(daemon, name) == [("ESCALATION_STARTED", "page"), ("NOTIFIED", "step 1 of 3: ops")]
    group = daemon.group(name)
    assert progress(group) == ("WAITING", 3, 3)
    assert group.escalation.next_time.ToMicroseconds() == told + 5 * MINUTE
    assert daemon.list_groups() == [group]

    daemon.pass_time(5 * MINUTE - 1)
    assert len(messages(daemon)) == 1
    daemon.pass_time(SECOND)
    assert messages(daemon)[1:] == [("boss", "firing", 3, "pending")]
    assert said(daemon, name)[2:] == [("NOTIFIED", "step 3 of 3: boss"), ("ESCALATION_ENDED", "page")]
    assert not runs(daemon, name)
    daemon.pass_time(HOUR // 2)
    assert len(messages(daemon)) == 2


@pytest.mark.parametrize("how", STOPS)
def test_it_stops(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """Whatever has a group no longer fire: nobody else is told, and what was not sent is taken back."""
    name = daemon.fire(integration)
    other = daemon.fire(integration, key="other")
    daemon.settle()
    assert runs(daemon, name)

    STOPS[how](daemon, integration, name)

    assert daemon.sql("SELECT 1 FROM escalations WHERE group_id = ?", number(name)) == []
    assert number(name) not in daemon.engine.memory.escalations
    if how in ("wipe", "delete"):
        assert messages(daemon, name) == []
    else:
        assert not runs(daemon, name)
        assert messages(daemon, name) == [("ops", "firing", 1, "cancelled")]
        assert said(daemon, name, "DELIVERY_") == [("DELIVERY_CANCELLED", f"ops: it is {SAID[how]}")]
    if how == "wipe":
        assert daemon.kinds(name)[-1] == "WIPED"
        assert not any(event.reason for event in daemon.events(name))
    daemon.pass_time(6 * MINUTE)
    assert [step for _, _, step, _ in messages(daemon, name)][1:] == []
    if how != "integration":
        assert len(messages(daemon, other)) == 2


@pytest.mark.parametrize("how", STOPS)
def test_what_was_sent_is_not_taken_back(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """Nor does anybody say that it was."""
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)

    STOPS[how](daemon, integration, name)

    assert messages(daemon, name) in ([("ops", "firing", 1, "delivered")], [])
    if how not in ("wipe", "delete"):
        assert said(daemon, name, "DELIVERY_") == []


@pytest.mark.parametrize("how", ANEW)
def test_it_starts_anew(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """With its first step, as if it had never run; nothing is left of the run before."""
    name = daemon.fire(integration)
    daemon.settle()
    daemon.pass_time(3 * MINUTE)
    stops, starts = ANEW[how]

    stops(daemon, integration, name)
    assert not runs(daemon, name)
    daemon.pass_time(SECOND)
    starts(daemon, integration, name)
    daemon.settle()

    assert progress(daemon.group(name)) == ("WAITING", 3, 3)
    assert messages(daemon) == [("ops", "firing", 1, "cancelled"), ("ops", "firing", 1, "pending")]
    assert daemon.kinds(name).count("ESCALATION_STARTED") == 2
    daemon.pass_time(5 * MINUTE - SECOND)
    assert len(messages(daemon)) == 2
    daemon.pass_time(SECOND)
    assert messages(daemon)[2:] == [("boss", "firing", 3, "pending")]


def test_the_answer_to_an_action_says_what_runs_after_it(daemon: RunningDaemon, integration: Integration) -> None:
    """Not what ran before."""
    name = daemon.fire(integration)
    daemon.settle()

    assert not daemon.act("Acknowledge", name).HasField("escalation")
    assert progress(daemon.act("Unacknowledge", name)) == ("WAITING", 1, 3)
    (result,) = batch(daemon, "Silence", [name])
    assert not result.alert_group.HasField("escalation")


def test_a_move_of_what_does_not_fire_starts_nothing(daemon: RunningDaemon, integration: Integration) -> None:
    """Silenced again, acknowledged out of a silence, resolved and wiped."""
    name = daemon.fire(integration)
    daemon.settle()
    for verb in ("Silence", "Acknowledge", "Resolve"):
        daemon.act(verb, name)
        assert not runs(daemon, name)
    wipe(daemon, name)
    daemon.settle()
    assert not runs(daemon, name)
    assert daemon.sql("SELECT count(*) FROM messages")[0][0] == 0


def test_a_notification_that_moves_nothing_leaves_it_alone(daemon: RunningDaemon, integration: Integration) -> None:
    """New alerts, repeats: the chain goes on as it was."""
    name = daemon.fire(integration)
    daemon.settle()
    before = daemon.group(name).escalation
    daemon.pass_time(MINUTE)

    daemon.send(integration, notice("a b"))
    daemon.send(integration, notice("a b"))
    daemon.settle()

    assert daemon.group(name).escalation == before
    assert len(messages(daemon)) == 1


def test_what_goes_stale_is_told_no_further(daemon: RunningDaemon, integration: Integration) -> None:
    """As whatever is resolved."""
    name = daemon.fire(integration)
    write(daemon, "UPDATE escalations SET due_at = due_at + ?", 9 * HOUR)
    daemon.pass_time(HOUR)
    daemon.settle()

    assert daemon.group(name).resolve_reason == AlertGroup.STALE
    assert not runs(daemon, name)


def test_what_is_acknowledged_as_it_opens_tells_nobody(daemon: RunningDaemon, integration: Integration) -> None:
    """A template said so; when that is taken back people are told."""
    template(daemon, integration, acknowledge_condition="{{ payload.known }}")
    name = daemon.send(integration, saying("a", payload={"known": True})).alert_group
    daemon.settle()
    assert not runs(daemon, name)
    assert messages(daemon) == []

    daemon.act("Unacknowledge", name)
    daemon.settle()
    assert messages(daemon) == [("ops", "firing", 1, "pending")]


def test_opened_and_resolved_at_once_tells_nobody(daemon: RunningDaemon, integration: Integration) -> None:
    """In one batch, and so in one transaction, before the first step could be done."""
    opened, resolved = daemon.deliver(
        [daemon.delivery(integration, notice("a"), age=1), daemon.delivery(integration, notice("", "a"))]
    )
    daemon.settle()

    assert opened.alert_group == resolved.alert_group
    assert not runs(daemon, opened.alert_group)
    assert messages(daemon) == []
