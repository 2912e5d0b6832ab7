"""The kinds of steps of escalations of a running daemon: what each does, and what is said of it."""

from escalating import chain, contact, delivered, figure, messages, progress, runs, said, tells, whom
from fake_clock import DAY, HOUR, MINUTE
from notices import notice
from running_daemon import AlertGroup, RunningDaemon

from tocsind.domain.escalation_chain import MoreThan, Notify, Repeat, Resolve, Wait, Within


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
