"""When maintenances of a running daemon start and end: moved, replaced, planned, over restarts and with any clock."""

from typing import Any

import grpc
import pytest
from fake_clock import DAY, HOUR, MINUTE, SECOND
from google.protobuf.duration_pb2 import Duration
from maintaining import at, collectors, finish, maintain, maintenance_of, stop
from running_daemon import RunningDaemon, details, duration, reason

from tocsin.v1 import integrations_pb2

YEAR = 365 * DAY


def test_asking_again_moves_the_end(daemon: RunningDaemon) -> None:
    """The group that collects stays, with the new end in its title; the old end is forgotten."""
    integration = daemon.integration()
    first = maintain(daemon, integration)
    daemon.pass_time(30 * MINUTE)

    moved = maintain(daemon, integration, span=2 * HOUR, actor="bob")

    assert (moved.alert_group, moved.start_time, moved.actor) == (first.alert_group, first.start_time, "bob")
    (collector,) = collectors(daemon)
    assert collector.title == "Maintenance of prod until 2026-09-21T16:43:20Z"
    assert daemon.kinds(collector.name) == ["OPENED"]
    daemon = daemon.crash()
    daemon.pass_time(2 * HOUR - SECOND)
    assert maintenance_of(daemon, integration) == moved
    daemon.pass_time(SECOND)
    daemon.settle()
    assert maintenance_of(daemon, integration) is None


def test_an_end_that_is_moved_when_it_is_due_is_moved(daemon: RunningDaemon) -> None:
    """In one transaction with the timer that ended: whoever asked for more time has it."""
    integration = daemon.integration()
    maintain(daemon, integration)
    daemon.clock.advance(HOUR)

    moved = maintain(daemon, integration)

    daemon.settle()
    assert maintenance_of(daemon, integration) == moved
    assert len(collectors(daemon)) == 1
    daemon.pass_time(HOUR)
    daemon.settle()
    assert maintenance_of(daemon, integration) is None


def test_one_that_is_planned_is_replaced_by_anything(daemon: RunningDaemon) -> None:
    """Another time, another mode, or now; nothing is left of it."""
    integration = daemon.integration()
    plan = daemon.clock.wall() + DAY
    maintain(daemon, integration, start_time=at(plan))
    later = maintain(daemon, integration, "DEBUG", start_time=at(plan + DAY))
    assert (later.start_time.ToMicroseconds(), later.mode) == (plan + DAY, later.DEBUG)

    now = maintain(daemon, integration, start_time=at(daemon.clock.wall() - DAY))

    assert now.start_time.ToMicroseconds() == daemon.clock.wall()
    stop(daemon, integration)
    daemon.pass_time(4 * DAY)
    daemon.settle()
    assert len(collectors(daemon)) == 1


@pytest.mark.parametrize("running", ["DEBUG", "MAINTENANCE"])
def test_one_that_runs_is_not_replaced_by_another_kind(daemon: RunningDaemon, running: str) -> None:
    """Neither by one of the other mode nor by one that starts later: refused with the mode, and it goes on as it
    was."""
    integration = daemon.integration()
    before = maintain(daemon, integration, running)
    other = {"DEBUG": "MAINTENANCE", "MAINTENANCE": "DEBUG"}[running]

    for mode, fields in ((other, {}), (running, {"start_time": at(daemon.clock.wall() + HOUR)})):
        with pytest.raises(grpc.RpcError, match="stop it first") as refusal:
            maintain(daemon, integration, mode, **fields)
        assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        info = details(refusal.value)[0]
        assert (info.reason, info.metadata["mode"]) == ("OTHER_MAINTENANCE", running)

    assert maintenance_of(daemon, integration) == before


def test_stopping_what_is_not_there_is_refused(daemon: RunningDaemon) -> None:
    """And stopping what is planned cancels it."""
    integration = daemon.integration()
    with pytest.raises(grpc.RpcError) as refusal:
        stop(daemon, integration)
    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_MAINTENANCE")

    maintain(daemon, integration, start_time=at(daemon.clock.wall() + HOUR))
    stop(daemon, integration)
    daemon.pass_time(3 * HOUR)
    daemon.settle()

    assert collectors(daemon) == []
    assert maintenance_of(daemon, integration) is None


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"mode": 0}, "mode"),
        ({"mode": 7}, "mode"),
        ({"duration": None}, "duration"),
        ({"duration": duration(MINUTE - 1)}, "duration"),
        ({"duration": duration(30 * DAY + 1)}, "duration"),
        ({"duration": Duration(seconds=-60)}, "duration"),
        ({"start_time": at(2_000_000_000 * SECOND)}, "start_time"),
        ({"start_time": {"nanos": -1}}, "start_time"),
        ({"name": "integrations/NO"}, "name"),
    ],
)
def test_what_is_asked_for_is_checked(daemon: RunningDaemon, fields: dict[str, Any], path: str) -> None:
    """The field that is wrong is named, and nothing is done."""
    integration = daemon.integration()
    asked = {"name": integration.name, "mode": "MAINTENANCE", "duration": duration(HOUR), **fields}

    with pytest.raises(grpc.RpcError) as refusal:
        daemon.integrations.StartMaintenance(integrations_pb2.StartMaintenanceRequest(**asked))

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(refusal.value)[1].field_violations[0].field == path
    assert maintenance_of(daemon, integration) is None


def test_bounds_are_allowed(daemon: RunningDaemon) -> None:
    """A minute, 30 days, and 366 days ahead."""
    integration = daemon.integration()
    for span in (MINUTE, 30 * DAY):
        planned = maintain(daemon, integration, span=span, start_time=at(daemon.clock.wall() + 366 * DAY))
        assert planned.end_time.ToMicroseconds() - planned.start_time.ToMicroseconds() == span


@pytest.mark.parametrize("end", ["", "crash"])
def test_a_planned_one_starts_and_ends_in_time(daemon: RunningDaemon, end: str) -> None:
    """Not a moment early, over restarts."""
    integration = daemon.integration()
    begin = daemon.clock.wall() + HOUR
    planned = maintain(daemon, integration, start_time=at(begin))
    assert (planned.alert_group, planned.start_time.ToMicroseconds()) == ("", begin)
    daemon = daemon.crash() if end else daemon
    daemon.pass_time(HOUR - 1)
    early = daemon.fire(integration, key="early")
    assert (daemon.group(early).collected_by, collectors(daemon)) == ("", [])

    daemon.settle()
    (collector,) = collectors(daemon)
    daemon = daemon.crash() if end else daemon
    collected = daemon.fire(integration, key="collected")

    running = maintenance_of(daemon, integration)
    assert running is not None
    assert (running.start_time, running.end_time) == (planned.start_time, planned.end_time)
    assert running.alert_group == collector.name == daemon.group(collected).collected_by
    daemon.pass_time(begin + HOUR - 1 - daemon.clock.wall())
    assert maintenance_of(daemon, integration) == running
    daemon.settle()
    finish(daemon)
    assert daemon.kinds(collected)[-1] == "RELEASED"


def test_what_became_due_while_the_daemon_was_down_happens_once_at_its_start(daemon: RunningDaemon) -> None:
    """A start, an end, or both in their order, before anything is received; and nothing of it twice."""
    late, over, both = (daemon.integration(name) for name in ("late", "over", "both"))
    soon = at(daemon.clock.wall() + MINUTE)
    maintain(daemon, late, start_time=soon, span=DAY)
    maintain(daemon, over)
    collected = daemon.fire(over)
    maintain(daemon, both, start_time=soon)

    daemon = daemon.crash(downtime=2 * HOUR)

    running = maintenance_of(daemon, late)
    assert running is not None
    assert running.alert_group
    assert maintenance_of(daemon, over) is maintenance_of(daemon, both) is None
    assert daemon.group(daemon.fire(both)).collected_by == ""
    titles = {group.title.split()[2]: group for group in collectors(daemon)}
    assert sorted(titles) == ["both", "late", "over"]
    assert daemon.kinds(titles["both"].name) == ["OPENED", "RESOLVED"]
    finish(daemon)
    assert daemon.kinds(collected) == ["OPENED", "COLLECTED", "RELEASED"]
    assert len(collectors(daemon.crash())) == 3


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
@pytest.mark.parametrize("planned", [False, True])
def test_a_clock_that_jumps_moves_nothing(daemon: RunningDaemon, jump: int, planned: bool) -> None:
    """Neither the start nor the end of a maintenance that is waited for."""
    integration = daemon.integration()
    ahead = HOUR if planned else 0
    maintain(daemon, integration, start_time=at(daemon.clock.wall() + ahead))
    daemon.clock.jump(jump)
    if planned:
        daemon.pass_time(HOUR - 1)
        assert collectors(daemon) == []
        daemon.settle()
    daemon.pass_time(HOUR - SECOND)
    assert len(collectors(daemon, "state != RESOLVED")) == 1

    daemon.pass_time(SECOND)
    daemon.settle()

    assert collectors(daemon, "state != RESOLVED") == []
    assert maintenance_of(daemon, integration) is None


def test_a_clock_that_was_set_back_does_not_keep_a_maintenance_over_a_restart(daemon: RunningDaemon) -> None:
    """It never lasts longer than what was asked for, counted from the restart."""
    integration = daemon.integration()
    maintain(daemon, integration)
    daemon.clock.jump(-YEAR)
    daemon = daemon.crash()
    daemon.pass_time(HOUR)
    daemon.settle()

    assert maintenance_of(daemon, integration) is None


def test_more_time_after_the_clock_was_set_back(daemon: RunningDaemon) -> None:
    """The end is moved to a time before the start, and that is fine."""
    integration = daemon.integration()
    maintain(daemon, integration)
    daemon.clock.jump(-YEAR)

    moved = maintain(daemon, integration)

    assert moved.end_time.ToMicroseconds() == daemon.clock.wall() + HOUR


def test_suspended_time_counts(daemon: RunningDaemon) -> None:
    """Who planned an hour meant an hour of everybody's day."""
    integration = daemon.integration()
    maintain(daemon, integration)
    daemon.clock.suspend(HOUR)
    daemon.settle()

    assert maintenance_of(daemon, integration) is None
