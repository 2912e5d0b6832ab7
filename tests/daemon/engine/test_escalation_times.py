"""When the steps of escalations of a running daemon are done, and what is said of those that are late."""

import pytest
from escalating import chain, contact, delivered, messages, number, page, said, whom
from fake_clock import DAY, HOUR, MINUTE, SECOND
from running_daemon import RunningDaemon

from tocsind.domain.escalation_chain import Notify, Wait
from tocsind.engine import ticker

YEAR = 365 * DAY


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
