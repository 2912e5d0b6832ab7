"""Who is told that a heartbeat or every gateway is missing, and that nobody is told again and again."""

from beats import INTERVAL, alarms, expected
from escalating import chain, contact, messages, runs
from fake_clock import HOUR, MINUTE
from running_daemon import AlertGroup, RunningDaemon

from tocsind.domain.escalation_chain import Notify, Resolve, Wait


def test_a_missing_heartbeat_and_a_missing_gateway_tell_people(daemon: RunningDaemon) -> None:
    """By the default chain, that of Tocsin's own integration included: "if your monitoring is down, you are told"."""
    chain(daemon, Notify((contact(daemon, "ops"),)), Wait(HOUR))
    expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    (alarm,) = alarms(daemon)
    assert messages(daemon) == [("ops", "firing", 1, "pending")]
    assert runs(daemon, alarm.name)

    daemon.leave()
    for _ in range(3):
        daemon.clock.advance(MINUTE)
        daemon.settle()
    assert [who for who, *_ in messages(daemon)] == ["ops", "ops"]


def test_a_heartbeat_that_a_chain_resolves_is_raised_again(daemon: RunningDaemon) -> None:
    """As long as it is missing: a chain cannot have it forgotten."""
    chain(daemon, Notify((contact(daemon, "ops"),)), Wait(MINUTE), Resolve())
    expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    daemon.pass_time(2 * MINUTE)
    assert [alarm.resolve_reason for alarm in alarms(daemon)] == [AlertGroup.ESCALATION]

    daemon.pass_time(INTERVAL)
    daemon.settle()
    assert sorted(AlertGroup.State.Name(alarm.state) for alarm in alarms(daemon)) == ["FIRING", "RESOLVED"]
    assert len(messages(daemon)) == 2


def test_that_no_gateway_is_there_is_not_told_again_and_again(daemon: RunningDaemon) -> None:
    """A chain may tell it and resolve it at once: it is raised again after a while, as when a person resolves it."""
    chain(daemon, Notify((contact(daemon, "ops"),)), Resolve())
    daemon.integration()
    daemon.leave()
    for _ in range(6):
        daemon.clock.advance(MINUTE // 2)
        daemon.settle()

    assert messages(daemon) == [("ops", "firing", 1, "pending")]
    assert [AlertGroup.State.Name(group.state) for group in daemon.list_groups()] == ["RESOLVED"]
