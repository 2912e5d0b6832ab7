"""The steps of escalations of a running daemon: when they are done, how late, and what is said of them."""

import sqlite3
from collections.abc import Callable

import pytest
from escalating import (
    chain,
    contact,
    delivered,
    figure,
    forget_contact,
    messages,
    number,
    progress,
    runs,
    said,
    tells,
    write,
)
from fake_clock import DAY, HOUR, MINUTE, SECOND
from notices import notice
from running_daemon import AlertGroup, RunningDaemon

from tocsind.domain.escalation_chain import MoreThan, Notify, Repeat, Resolve, Wait, Within
from tocsind.engine import ticker
from tocsind.engine.memory import Memory
from tocsind.engine.telling import steps
from tocsind.engine.telling.on_call import OnDuty
from tocsind.sqlite.writer import Transaction

YEAR = 365 * DAY


def page(daemon: RunningDaemon, wait: int = 5 * MINUTE) -> None:
    """A chain: ops, and after a while the boss."""
    ops, boss = contact(daemon, "ops"), contact(daemon, "boss")
    chain(daemon, Notify((ops,)), Wait(wait), Notify((boss,)))


def whom(daemon: RunningDaemon, group: str | None = None) -> list[str]:
    """Who is told, in order."""
    return [name for name, *_ in messages(daemon, group)]


# Kinds of steps


def test_several_are_told_at_once_each_once(daemon: RunningDaemon) -> None:
    """In the order in which the step names them."""
    first, second = contact(daemon, "first"), contact(daemon, "second")
    chain(daemon, Notify((second, first, second)))
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert whom(daemon) == ["second", "first"]
    assert [reason for _, reason in said(daemon, name, "NOTIFIED")] == ["step 1 of 1: second", "step 1 of 1: first"]
    keys = daemon.sql("SELECT key FROM messages")
    assert len(set(keys)) == 2


def test_a_chain_repeats(daemon: RunningDaemon) -> None:
    """So many times, and says so; then it ends."""
    chain(daemon, Notify((contact(daemon),)), Wait(MINUTE), Repeat(2))
    name = daemon.fire(daemon.integration())
    for _ in range(5):
        daemon.settle()
        daemon.pass_time(MINUTE)

    assert said(daemon, name) == [
        ("ESCALATION_STARTED", "page"),
        ("NOTIFIED", "step 1 of 3: ops"),
        ("ESCALATION_REPEATED", "step 3 of 3: repeat 1 of 2"),
        ("NOTIFIED", "step 1 of 3: ops"),
        ("ESCALATION_REPEATED", "step 3 of 3: repeat 2 of 2"),
        ("NOTIFIED", "step 1 of 3: ops"),
        ("ESCALATION_ENDED", "page"),
    ]


def test_repeats_are_counted_across_restarts(daemon: RunningDaemon) -> None:
    """What was repeated before is not repeated for it again."""
    chain(daemon, Notify((contact(daemon),)), Wait(MINUTE), Repeat(2))
    daemon.fire(daemon.integration())
    daemon.settle()
    for _ in range(5):
        daemon = daemon.crash()
        daemon.settle()
        daemon.pass_time(MINUTE)
        daemon.settle()

    assert len(messages(daemon)) == 3


def test_a_chain_resolves(daemon: RunningDaemon) -> None:
    """By its last step, and says which; what it told is not taken back, and who it told is told that, if the route
    wants it; a repeat of the notification does not start it again at once."""
    chain(daemon, Notify((contact(daemon),)), Wait(MINUTE), Notify((contact(daemon, "boss"),)), Resolve())
    integration = daemon.integration()
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)
    daemon.pass_time(MINUTE)

    group = daemon.group(name)
    assert (group.state, group.resolve_reason, group.state_actor) == (AlertGroup.RESOLVED, AlertGroup.ESCALATION, "")
    assert ("RESOLVED", "step 4 of 4 of page") in said(daemon, name)
    assert messages(daemon) == [
        ("ops", "firing", 1, "delivered"),
        ("boss", "firing", 3, "pending"),
        ("ops", "resolved", 0, "pending"),
        ("boss", "resolved", 0, "pending"),
    ]
    assert not runs(daemon, name)
    assert figure(daemon, 'tocsin_alert_groups_resolved_total{reason="escalation"}') == 1
    daemon.send(integration, notice("a", reason="repeat"))
    daemon.settle()
    assert len(messages(daemon)) == 4
    assert daemon.fire(integration, "a b") != name


def test_outside_its_hours_a_chain_waits_for_them(daemon: RunningDaemon) -> None:
    """And says until when; then it goes on."""
    now = daemon.clock.wall()
    begins = (now // DAY + 1) * DAY + 8 * HOUR
    chain(daemon, Within((), 8 * 60, 9 * 60, "UTC"), Notify((contact(daemon),)))
    assert not 8 * HOUR <= now % DAY < 9 * HOUR
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert progress(daemon.group(name)) == ("WAITING", 2, 2)
    assert daemon.group(name).escalation.next_time.ToMicroseconds() == begins
    kind, reason = said(daemon, name)[-1]
    assert (kind, reason.startswith("step 1 of 2: outside its hours, until 20")) == ("ESCALATION_HELD", True)
    daemon.pass_time(begins - daemon.clock.wall() - 1)
    assert messages(daemon) == []
    daemon.settle()
    assert said(daemon, name)[-2] == ("NOTIFIED", "step 2 of 2: ops")


def test_a_chain_pauses_until_there_are_more_alerts(daemon: RunningDaemon) -> None:
    """Strictly more than so many that began to fire within the time; it is looked at when a notification says
    something new, not before, and survives a restart."""
    chain(daemon, MoreThan(2, 10 * MINUTE), Notify((contact(daemon),)))
    integration = daemon.integration()
    name = daemon.fire(integration, "a b")
    daemon.settle()
    held = ("ESCALATION_HELD", "step 1 of 2: until more than 2 alerts began to fire within 10m")
    assert said(daemon, name) == [("ESCALATION_STARTED", "page"), held]
    assert progress(daemon.group(name)) == ("PAUSED", 1, 2)
    assert not daemon.group(name).escalation.HasField("next_time")
    assert figure(daemon, 'tocsin_escalations{state="paused"}') == 1

    daemon.pass_time(11 * MINUTE)
    daemon.send(integration, notice("a b c"))
    daemon.settle()
    assert runs(daemon, name)
    daemon = daemon.reopen()
    daemon.settle()
    daemon.send(integration, notice("a c", "b"))
    daemon.send(integration, notice("a b c"))
    daemon.settle()
    assert said(daemon, name, "ESCALATION_", "NOTIFIED")[1:] == [held]
    daemon.send(integration, notice("a b c d"))
    daemon.settle()
    assert [kind for kind, _ in said(daemon, name, "ESCALATION_", "NOTIFIED")[2:]] == ["NOTIFIED", "ESCALATION_ENDED"]


def test_alerts_that_came_right_before_a_crash_are_counted(daemon: RunningDaemon) -> None:
    """What pauses is looked at when the daemon starts."""
    chain(daemon, MoreThan(2, 10 * MINUTE), Notify((contact(daemon),)))
    integration = daemon.integration()
    daemon.fire(integration, "a b")
    daemon.settle()
    daemon.send(integration, notice("a b c"))
    assert messages(daemon) == []
    daemon = daemon.crash()
    daemon.settle()

    assert whom(daemon) == ["ops"]


# What is not there


def test_a_contact_point_that_is_gone_is_a_problem_and_the_chain_goes_on(daemon: RunningDaemon) -> None:
    """In the timeline and in a metric."""
    gone, ops = contact(daemon, "gone"), contact(daemon, "ops")
    chain(daemon, Notify((gone, ops)), Notify((77,)), Notify((ops,)))
    forget_contact(daemon, gone)
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert said(daemon, name) == [
        ("ESCALATION_STARTED", "page"),
        ("ESCALATION_PROBLEM", "step 1 of 3: the contact point gone was deleted"),
        ("NOTIFIED", "step 1 of 3: ops"),
        ("ESCALATION_PROBLEM", "step 2 of 3: the contact point number 77 was deleted"),
        ("NOTIFIED", "step 3 of 3: ops"),
        ("ESCALATION_ENDED", "page"),
    ]
    assert figure(daemon, 'tocsin_escalation_problems_total{problem="contact_point"}') == 2


def test_a_time_zone_that_is_gone_is_a_problem_and_the_chain_goes_on(daemon: RunningDaemon) -> None:
    """As if it were within the hours."""
    chain(daemon, Within((), 0, 1, "Europe/Atlantis"), Notify((contact(daemon),)))
    name = daemon.fire(daemon.integration())
    daemon.settle()

    problem = "step 1 of 2: there is no time zone 'Europe/Atlantis'; taken as within the hours"
    assert said(daemon, name)[1:3] == [("ESCALATION_PROBLEM", problem), ("NOTIFIED", "step 2 of 2: ops")]
    assert figure(daemon, 'tocsin_escalation_problems_total{problem="time_zone"}') == 1


Duty = Callable[[OnDuty | Exception], None]


@pytest.fixture
def duty(monkeypatch: pytest.MonkeyPatch) -> Duty:
    """Says who is on call."""

    def on_duty(answer: OnDuty | Exception) -> None:
        def now(*_: object) -> OnDuty:
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(steps.on_call, "now", now)

    return on_duty


def test_who_is_on_call_is_told(daemon: RunningDaemon, duty: Duty) -> None:
    """By the calendar at that time; who is named by the step as well is told once."""
    ops, ada, calendar = contact(daemon, "ops"), contact(daemon, "ada"), contact(daemon, "rota", on_call=True)
    chain(daemon, Notify((ops, calendar)))
    duty(OnDuty((ada, ops), ("Ada", "Ops"), ("an old copy is used",)))
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert said(daemon, name)[1:4] == [
        ("NOTIFIED", "step 1 of 1: ops"),
        ("ESCALATION_PROBLEM", "step 1 of 1: an old copy is used"),
        ("NOTIFIED", "step 1 of 1: ada, on call by rota"),
    ]
    assert daemon.sql("SELECT contact_id, via_id FROM messages ORDER BY id") == [(ops, None), (ada, calendar)]
    assert figure(daemon, 'tocsin_escalation_problems_total{problem="on_call"}') == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (OnDuty(), "nobody is on call for rota"),
        (OnDuty(problems=("Bob is no contact point",)), "Bob is no contact point"),
        (OnDuty((99,)), "nobody is on call for rota"),
        (ValueError("?"), "who is on call for rota could not be found out"),
    ],
)
def test_nobody_on_call_is_a_problem_and_the_chain_goes_on(
    daemon: RunningDaemon, duty: Duty, answer: OnDuty | Exception, problem: str
) -> None:
    """Whatever is the matter with the calendar."""
    chain(daemon, Notify((contact(daemon, "rota", on_call=True),)), Notify((contact(daemon),)))
    duty(answer)
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert said(daemon, name)[1:3] == [
        ("ESCALATION_PROBLEM", f"step 1 of 2: {problem}"),
        ("NOTIFIED", "step 2 of 2: ops"),
    ]


def test_a_chain_that_cannot_be_read_does_not_hold_up_others(daemon: RunningDaemon) -> None:
    """It is tried again, and goes on once it can be."""
    page(daemon)
    integration = daemon.integration()
    names = [daemon.fire(integration, key=f"k{n}") for n in range(3)]
    (version,) = daemon.sql("SELECT version_id FROM escalations LIMIT 1")[0]
    write(daemon, "INSERT INTO chain_versions (id, chain, display_name, steps) VALUES (99, 'x', 'x', 'x')")
    write(daemon, "UPDATE escalations SET version_id = 99 WHERE group_id = ?", number(names[0]))
    daemon.settle()
    assert [len(messages(daemon, name)) for name in names] == [0, 1, 1]

    write(daemon, "UPDATE escalations SET version_id = ? WHERE group_id = ?", version, number(names[0]))
    daemon.pass_time(SECOND)
    assert [len(messages(daemon, name)) for name in names] == [1, 1, 1]


# Time


@pytest.mark.parametrize("most", [500, 1])
@pytest.mark.parametrize("crash", [True, False])
def test_what_became_due_while_the_daemon_was_down_is_done_once_and_in_order(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch, crash: bool, most: int
) -> None:
    """With a note of how late it is; the waits that follow count from then."""
    ops, boss, last = contact(daemon, "ops"), contact(daemon, "boss"), contact(daemon, "last")
    chain(daemon, Notify((ops,)), Wait(5 * MINUTE), Notify((boss,)), Wait(10 * MINUTE), Notify((last,)))
    integration = daemon.integration()
    names = []
    for n in range(3):
        names.append(daemon.fire(integration, key=f"k{2 - n}"))
        daemon.settle()
        daemon.pass_time(SECOND)
    # The first is now the last to be due.
    daemon.act("Acknowledge", names[0])
    daemon.act("Unacknowledge", names[0])
    names.append(names.pop(0))
    daemon.settle()
    delivered(daemon)

    downtime = HOUR
    monkeypatch.setattr(ticker, "MOST_DUE", most)
    daemon = daemon.crash(downtime) if crash else daemon.reopen(downtime)
    for _ in names:
        daemon.settle()

    assert [group for (group,) in daemon.sql("SELECT group_id FROM messages WHERE step = 3 ORDER BY id")] == [
        number(name) for name in names
    ]
    lines = [said(daemon, name, "NOTIFIED")[-1][1] for name in names]
    assert [line.startswith("step 3 of 5: boss, 55m") and line.endswith(" late") for line in lines] == [True] * 3
    daemon.pass_time(10 * MINUTE - SECOND)
    assert [len(messages(daemon, name)) for name in names] == [2, 2, 3]
    daemon.pass_time(SECOND)
    for _ in names:
        daemon.settle()
    assert [said(daemon, name, "NOTIFIED")[-1][1] for name in names] == ["step 5 of 5: last"] * 3
    assert [len(messages(daemon, name)) for name in names] == [3, 3, 4]


def test_what_is_a_little_late_is_not_said_to_be(daemon: RunningDaemon) -> None:
    """A restart of some seconds is nobody's business."""
    page(daemon)
    name = daemon.fire(daemon.integration())
    daemon.settle()
    daemon.pass_time(5 * MINUTE - SECOND)
    daemon = daemon.crash(5 * SECOND)
    daemon.settle()

    assert said(daemon, name, "NOTIFIED")[-1] == ("NOTIFIED", "step 3 of 3: boss")


def test_a_step_comes_right_in_time_after_a_restart(daemon: RunningDaemon) -> None:
    """Neither early nor late."""
    page(daemon)
    daemon.fire(daemon.integration())
    daemon.settle()
    daemon.pass_time(2 * MINUTE)
    daemon = daemon.crash(MINUTE)
    daemon.pass_time(2 * MINUTE - 1)
    assert whom(daemon) == ["ops"]
    daemon.settle()
    assert whom(daemon) == ["ops", "boss"]


@pytest.mark.parametrize("jump", [YEAR, -YEAR, HOUR, -HOUR])
def test_a_clock_that_jumps_moves_nothing(daemon: RunningDaemon, jump: int) -> None:
    """Neither is the next step done at once, nor never, nor said to be late."""
    page(daemon)
    name = daemon.fire(daemon.integration())
    daemon.settle()
    daemon.clock.jump(jump)
    daemon.pass_time(5 * MINUTE - 1)
    assert whom(daemon) == ["ops"]
    daemon.settle()
    assert said(daemon, name, "NOTIFIED")[-1] == ("NOTIFIED", "step 3 of 3: boss")


def test_a_clock_that_was_set_back_while_the_daemon_was_down_keeps_nobody_waiting(daemon: RunningDaemon) -> None:
    """No wait is longer than the chain says."""
    page(daemon)
    daemon.fire(daemon.integration())
    daemon.settle()
    daemon.clock.jump(-YEAR)
    daemon = daemon.crash()
    daemon.pass_time(5 * MINUTE)

    assert whom(daemon) == ["ops", "boss"]


def test_a_machine_that_was_suspended_goes_on_when_it_wakes(daemon: RunningDaemon) -> None:
    """The time in which it slept counts."""
    page(daemon)
    name = daemon.fire(daemon.integration())
    daemon.settle()
    daemon.clock.suspend(HOUR)
    daemon.settle()

    assert said(daemon, name, "NOTIFIED")[-1][1].startswith("step 3 of 3: boss, 55m")


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
