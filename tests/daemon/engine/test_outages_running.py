"""No false alarm from our own outages, nor from clocks that jump."""

import pytest
from beats import BARELY, INTERVAL, YEAR, alarms, expected, heartbeat_of, state
from fake_clock import DAY, HOUR, MINUTE, SECOND, FakeClock
from running_daemon import AlertGroup, RunningDaemon, Start

from tocsind.domain.intake_clock import LEASE


def test_a_restart_adds_its_downtime(daemon: RunningDaemon) -> None:
    """A deadline is as far away after the daemon was stopped for a day as it was before."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL // 2)
    daemon = daemon.reopen(downtime=DAY)
    daemon.pass_time(INTERVAL // 2 - 1)
    assert state(daemon, integration) == "UP"

    daemon.pass_time(SECOND)

    assert state(daemon, integration) == "MISSING"


def test_a_crash_adds_its_downtime(daemon: RunningDaemon) -> None:
    """After a kill it is noticed at most the second later for which the clock was not on disk, and never early."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL // 2)
    daemon = daemon.crash(downtime=DAY)
    daemon.pass_time(INTERVAL // 2 - 1)
    assert state(daemon, integration) == "UP"

    daemon.pass_time(2 * SECOND)
    daemon.settle()

    assert state(daemon, integration) == "MISSING"


def test_what_is_missing_stays_so_over_a_crash(daemon: RunningDaemon) -> None:
    """Nothing is raised twice, the promise to come back after a person resolved it is kept, and a beat ends it."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon = daemon.crash()
    daemon.pass_time(5 * INTERVAL)
    (group,) = alarms(daemon)
    daemon.act("Resolve", group.name)
    daemon = daemon.crash()
    daemon.pass_time(INTERVAL + SECOND)
    daemon.settle()
    assert [found.state for found in alarms(daemon)] == [AlertGroup.FIRING, AlertGroup.RESOLVED]

    daemon.beat(integration)

    assert alarms(daemon, "state != RESOLVED") == []


def test_deadlines_stand_still_while_no_gateway_attends(daemon: RunningDaemon) -> None:
    """Nobody could have delivered a beat: what was left of the deadline is left when a gateway is back."""
    integrations = [expected(daemon, display_name=f"i{n}") for n in range(5)]
    daemon.pass_time(INTERVAL - SECOND)
    daemon.leave()
    daemon.pass_time(HOUR)
    assert alarms(daemon) == []
    daemon.attend()
    daemon.pass_time(SECOND - 1)
    assert [state(daemon, integration) for integration in integrations] == ["UP"] * 5

    daemon.settle()

    assert [state(daemon, integration) for integration in integrations] == ["MISSING"] * 5


def test_a_gateway_that_hangs_stops_the_clock(daemon: RunningDaemon) -> None:
    """Its stream stands, but it pulses no more: after its lease it no longer counts."""
    integration = expected(daemon)
    daemon.attended = False  # It neither pulses nor leaves.
    daemon.pass_time(HOUR)
    assert state(daemon, integration) == "UP"

    daemon.attend()
    daemon.pass_time(INTERVAL - LEASE - 1)
    assert state(daemon, integration) == "UP"
    daemon.settle()
    assert state(daemon, integration) == "MISSING"


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_a_jump_of_the_time_of_day_neither_fires_nor_delays(daemon: RunningDaemon, clock: FakeClock, jump: int) -> None:
    """NTP sets the clock by a year: every deadline is as far away as before."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL // 2)
    clock.jump(jump)
    daemon.pass_time(INTERVAL // 2 - 1)
    assert state(daemon, integration) == "UP"
    found = heartbeat_of(daemon, integration)
    assert found.due_time.ToMicroseconds() == clock.wall() + 1

    daemon.pass_time(SECOND)

    assert state(daemon, integration) == "MISSING"


def test_a_suspended_machine_fires_nothing(daemon: RunningDaemon, clock: FakeClock) -> None:
    """While it slept nothing could be received."""
    integration = expected(daemon)
    clock.suspend(DAY)
    daemon.pass_time(BARELY)
    assert state(daemon, integration) == "UP"

    daemon.pass_time(SECOND)

    assert state(daemon, integration) == "MISSING"


def test_a_jump_while_the_daemon_was_down_reaches_no_deadline(daemon: RunningDaemon, clock: FakeClock) -> None:
    """Deadlines on disk are no times of day."""
    integration = expected(daemon)
    daemon.close()
    clock.jump(YEAR)
    daemon = RunningDaemon(daemon.folder, clock)
    daemon.pass_time(BARELY)
    assert state(daemon, integration) == "UP"

    daemon.pass_time(SECOND)

    assert state(daemon, integration) == "MISSING"


def self_reports(daemon: RunningDaemon) -> list[AlertGroup]:
    """What Tocsin reports about itself."""
    return daemon.list_groups('integration = "integrations/tocsin"')


def test_one_group_says_that_no_gateway_attends(start: Start) -> None:
    """After a minute, one group instead of hundreds; it is resolved when a gateway comes."""
    daemon = start(attended=False)
    for n in range(3):
        expected(daemon, display_name=f"i{n}")
    daemon.pass_time(59 * SECOND)
    assert self_reports(daemon) == []
    daemon.pass_time(10 * MINUTE)

    (group,) = daemon.list_groups()
    assert (group.integration, group.source) == ("integrations/tocsin", AlertGroup.SELF)
    assert (group.title, group.state) == ("No gateway is connected", AlertGroup.FIRING)
    daemon.attend()
    daemon.settle()
    daemon.pass_time(2 * SECOND)

    (group,) = self_reports(daemon)
    assert (group.state, group.resolve_reason) == (AlertGroup.RESOLVED, AlertGroup.SOURCE)


def test_the_group_stays_while_the_daemon_restarts_without_a_gateway(start: Start) -> None:
    """A restart is not the end of an outage, and does not tell of it twice."""
    daemon = start(attended=False)
    daemon.integration()
    daemon.pass_time(2 * MINUTE)
    daemon = daemon.reopen()
    daemon.pass_time(10 * MINUTE)
    (group,) = self_reports(daemon)
    assert daemon.kinds(group.name) == ["OPENED"]

    daemon = daemon.reopen()
    daemon.attend()
    daemon.pass_time(2 * SECOND)

    assert self_reports(daemon)[0].state == AlertGroup.RESOLVED


def test_an_installation_without_integrations_is_told_nothing(start: Start) -> None:
    """Nothing is expected there."""
    daemon = start(attended=False)
    daemon.pass_time(HOUR)

    assert daemon.list_groups() == []
