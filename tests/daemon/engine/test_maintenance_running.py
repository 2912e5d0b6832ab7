"""Maintenances of a running daemon: what is put aside, when they end and what becomes of it, whatever happens."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from beats import INTERVAL, alarms, expected
from changing import audit_log, batch, delete, wipe
from fake_clock import DAY, HOUR, MINUTE, SECOND
from google.protobuf.duration_pb2 import Duration
from maintaining import at, collectors, finish, maintain, maintenance_of, stop
from notices import notice
from running_daemon import AlertGroup, RunningDaemon, details, duration, reason
from templated import said, template

from tocsin.v1 import alert_groups_pb2, integrations_pb2

YEAR = 365 * DAY


def resolve_by_batch(daemon: RunningDaemon, name: str) -> object:
    """Resolves a group with others."""
    (result,) = batch(daemon, "Resolve", [name])
    return result.alert_group.name


ENDS: dict[str, Callable[[RunningDaemon, str], object]] = {
    "resolve": lambda daemon, name: daemon.act("Resolve", name),
    "batch": resolve_by_batch,
    "wipe": wipe,
    "delete": delete,
}
"""How a person closes the group that collects."""


# Starting


def test_what_opens_is_collected_and_what_was_open_is_not(daemon: RunningDaemon) -> None:
    """New groups are under the one that collects, which says whose maintenance it is, until when, and who wants it."""
    integration = daemon.integration()
    other = daemon.integration("other")
    before = daemon.fire(integration, key="before")

    running = maintain(daemon, integration)
    collected = daemon.fire(integration, key="new")
    elsewhere = daemon.fire(other, key="new")

    (collector,) = collectors(daemon)
    assert running.alert_group == collector.name
    assert (running.mode, running.actor) == (running.MAINTENANCE, "ada")
    assert running.start_time.ToMicroseconds() == daemon.clock.wall()
    assert running.end_time.ToMicroseconds() == daemon.clock.wall() + HOUR
    assert maintenance_of(daemon, integration) == running
    assert collector.title == "Maintenance of prod until 2026-09-21T15:13:20Z"
    assert (collector.source, collector.integration) == (AlertGroup.SELF, integration.name)
    assert dict(collector.labels) == {"alertname": "Maintenance", "integration": "prod"}
    assert (collector.collected_by, collector.debug) == ("", False)
    assert daemon.group(collected).collected_by == collector.name
    assert daemon.kinds(collected) == ["OPENED", "COLLECTED"]
    assert daemon.events(collected)[-1].reason == f"collected by {collector.name}"
    assert [daemon.group(name).collected_by for name in (before, elsewhere)] == ["", ""]
    assert [group.name for group in daemon.list_groups("collected = true")] == [collected]
    assert collected not in [group.name for group in daemon.list_groups("collected = false")]


def test_debugging_marks_and_collects_nothing(daemon: RunningDaemon) -> None:
    """What opens bears the mark, and loses it when it fires again after the end; there is no other group."""
    integration = daemon.integration()
    running = maintain(daemon, integration, "DEBUG")
    name = daemon.fire(integration)
    group = daemon.group(name)
    assert (running.alert_group, group.debug, group.collected_by, collectors(daemon)) == ("", True, "", [])

    stop(daemon, integration)
    finish(daemon)
    assert daemon.group(name).debug
    daemon.send(integration, notice("", "a"))
    assert daemon.fire(integration) == name

    assert not daemon.group(name).debug
    assert daemon.kinds(name) == ["OPENED", "RESOLVED", "REOPENED"]


def test_what_fires_again_is_collected_and_what_is_unresolved_too(daemon: RunningDaemon) -> None:
    """Opened before, resolved, and open again while the maintenance runs."""
    integration = daemon.integration()
    reopened, unresolved = daemon.fire(integration, key="r"), daemon.fire(integration, key="u")
    daemon.send(integration, notice("", "a", key="r"))
    daemon.act("Resolve", unresolved)
    collector = maintain(daemon, integration).alert_group

    assert daemon.fire(integration, key="r") == reopened
    daemon.act("Unresolve", unresolved)

    for name, how in ((reopened, "REOPENED"), (unresolved, "UNRESOLVED")):
        assert daemon.group(name).collected_by == collector
        assert daemon.kinds(name)[-2:] == [how, "COLLECTED"]


def test_what_its_source_acknowledges_stays_where_it_is(daemon: RunningDaemon) -> None:
    """It neither opened nor fires again: what was open before is not collected, what was collected is so once, and
    what is yet to be released is released."""
    integration = daemon.integration()
    template(daemon, integration, acknowledge_condition="{{ payload.known }}")
    before = daemon.send(integration, said("a", key="before")).alert_group
    collector = maintain(daemon, integration).alert_group
    inside = [daemon.send(integration, said("a", key=key)).alert_group for key in ("k1", "k2")]

    daemon.send(integration, said("a b", key="before", payload={"known": True}))
    daemon.send(integration, said("a b", key="k1", payload={"known": True}))

    assert daemon.kinds(before) == ["OPENED", "NEW_ALERTS", "ACKNOWLEDGED"]
    assert daemon.group(before).collected_by == ""
    assert daemon.kinds(inside[0]) == ["OPENED", "COLLECTED", "NEW_ALERTS", "ACKNOWLEDGED"]
    assert daemon.group(inside[0]).collected_by == collector

    stop(daemon, integration)
    daemon.send(integration, said("a b", key="k2", payload={"known": True}))
    finish(daemon)
    assert [daemon.kinds(name).count("RELEASED") for name in (before, *inside)] == [0, 1, 1]


def test_a_missing_heartbeat_is_collected(daemon: RunningDaemon) -> None:
    """As everything of the integration is, and released as everything is."""
    integration = expected(daemon)
    collector = maintain(daemon, integration).alert_group
    daemon.pass_time(INTERVAL)
    daemon.settle()
    (alarm,) = alarms(daemon)
    assert alarm.collected_by == collector

    stop(daemon, integration)
    finish(daemon)

    assert (daemon.group(alarm.name).collected_by, daemon.kinds(alarm.name)[-1]) == ("", "RELEASED")


def test_what_tocsin_says_of_itself_is_not_collected(daemon: RunningDaemon) -> None:
    """The built-in integration has no maintenance."""
    with pytest.raises(grpc.RpcError) as refusal:
        daemon.integrations.StartMaintenance(
            integrations_pb2.StartMaintenanceRequest(
                name="integrations/tocsin", mode="MAINTENANCE", duration=duration(HOUR)
            )
        )
    assert reason(refusal.value) == "BUILT_IN"


# Ending


@pytest.mark.parametrize("how", ["timer", "stop", *ENDS])
@pytest.mark.parametrize("end", ["", "crash"])
def test_what_still_fires_is_released(daemon: RunningDaemon, how: str, end: str) -> None:
    """Whatever ends the maintenance: what is open takes its normal way, what was resolved stays so, and keeps the
    number for the record; nothing more is collected, and the group that collected is resolved with what became of
    them."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    firing, acknowledged, gone = (daemon.fire(integration, key=key) for key in "fag")
    daemon.act("Acknowledge", acknowledged)
    daemon.send(integration, notice("", "a", key="g"))
    if how == "timer":
        daemon.pass_time(HOUR - 1)
        assert daemon.group(firing).collected_by == collector
        daemon.settle()
    elif how == "stop":
        assert not stop(daemon, integration).HasField("maintenance")
    else:
        ENDS[how](daemon, collector)
    if end:
        daemon = daemon.crash()
    finish(daemon)

    assert maintenance_of(daemon, integration) is None
    for name in (firing, acknowledged):
        assert (daemon.group(name).collected_by, daemon.kinds(name)[-1]) == ("", "RELEASED")
    assert daemon.group(acknowledged).state == AlertGroup.ACKNOWLEDGED
    assert daemon.group(gone).collected_by == collector
    assert daemon.kinds(gone) == ["OPENED", "COLLECTED", "RESOLVED"]
    if how != "delete":
        found = daemon.group(collector)
        by_itself = how in ("timer", "stop")
        expected_reason = {"wipe": AlertGroup.WIPED}.get(how, AlertGroup.USER)
        assert found.state == AlertGroup.RESOLVED
        assert found.resolve_reason == (AlertGroup.MAINTENANCE_ENDED if by_itself else expected_reason)
        assert found.state_actor == ("" if how == "timer" else "ada" if how == "stop" else found.state_actor)
    if how not in ("wipe", "delete"):
        text = "the maintenance ended: of what was collected 2 released, 1 resolved meanwhile"
        assert daemon.events(collector)[-1].reason == text
    assert daemon.group(daemon.fire(integration, key="later")).collected_by == ""
    daemon.pass_time(DAY)
    assert daemon.kinds(firing) == ["OPENED", "COLLECTED", "RELEASED"]


def test_what_is_resolved_together_with_what_collects_is_not_released(daemon: RunningDaemon) -> None:
    """In whatever order a batch names them."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    one, other = (daemon.fire(integration, key=key) for key in "ab")

    results = batch(daemon, "Resolve", [collector, one])

    assert [result.name for result in results] == [collector, one]
    text = "the maintenance ended: of what was collected 1 released, 1 resolved meanwhile"
    assert daemon.events(collector)[-1].reason == text
    finish(daemon)
    assert [daemon.kinds(name)[-1] for name in (one, other)] == ["RESOLVED", "RELEASED"]


def test_a_release_moves_no_other_timer(daemon: RunningDaemon) -> None:
    """A silence of what was collected lasts as long as it was to, though the clock jumped before the release."""
    integration = daemon.integration()
    maintain(daemon, integration)
    name = daemon.fire(integration)
    daemon.act("Silence", name, duration=duration(2 * HOUR))
    daemon.clock.jump(YEAR)
    daemon.pass_time(HOUR)
    finish(daemon)
    daemon.pass_time(HOUR - SECOND)
    assert (daemon.kinds(name)[-1], daemon.group(name).state) == ("RELEASED", AlertGroup.SILENCED)

    daemon.pass_time(SECOND)
    daemon.settle()

    assert daemon.group(name).state == AlertGroup.FIRING


def test_releasing_goes_on_after_a_crash_between_any_two_steps(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group is released once, however often the daemon is killed meanwhile."""
    monkeypatch.setattr("tocsind.engine.ticker.STEP_RELEASES", 2)
    integration = daemon.integration()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=f"k{n}") for n in range(9)]
    stop(daemon, integration)

    left = [len(daemon.list_groups("collected = true AND state != RESOLVED"))]
    while left[-1]:
        daemon = daemon.crash()
        left.append(len(daemon.list_groups("collected = true AND state != RESOLVED")))
        assert len(left) < 9

    assert left == [9, 7, 5, 3, 1, 0]
    assert all(daemon.kinds(name) == ["OPENED", "COLLECTED", "RELEASED"] for name in names)
    finish(daemon)
    assert daemon.sql("SELECT * FROM releases") == []


def test_a_group_that_is_resolved_before_its_step_is_not_released(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the number, and is free when it fires again, although its maintenance is long over."""
    monkeypatch.setattr("tocsind.engine.ticker.STEP_RELEASES", 1)
    integration = daemon.integration()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=f"k{n}") for n in range(3)]
    stop(daemon, integration)
    daemon.send(integration, notice("", "a", key="k2"))
    finish(daemon)

    assert daemon.kinds(names[2]) == ["OPENED", "COLLECTED", "RESOLVED"]
    daemon.fire(integration, key="k2")
    assert daemon.group(names[2]).collected_by == ""


def test_a_group_that_collected_is_not_opened_again(daemon: RunningDaemon) -> None:
    """Refused, whoever closed it: its maintenance would not come back by that."""
    integration = daemon.integration()
    for by_hand in (False, True):
        collector = maintain(daemon, integration).alert_group
        if by_hand:
            daemon.act("Resolve", collector)
        else:
            stop(daemon, integration)
        before = daemon.group(collector)

        with pytest.raises(grpc.RpcError, match="start another one") as refusal:
            daemon.act("Unresolve", collector)

        assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
        assert daemon.group(collector) == before
    assert maintenance_of(daemon, integration) is None


def test_the_next_maintenance_has_a_group_of_its_own(daemon: RunningDaemon) -> None:
    """Also within the reopen window of the last one."""
    integration = daemon.integration()
    first = maintain(daemon, integration).alert_group
    stop(daemon, integration)

    assert maintain(daemon, integration).alert_group != first
    assert len(collectors(daemon)) == 2
    assert len(collectors(daemon, "state != RESOLVED")) == 1


def test_acknowledging_what_collects_ends_nothing(daemon: RunningDaemon) -> None:
    """Only closing it does, and its end closes it from any state."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    daemon.act("Acknowledge", collector)
    assert maintenance_of(daemon, integration) is not None

    stop(daemon, integration)

    assert daemon.group(collector).resolve_reason == AlertGroup.MAINTENANCE_ENDED


# Moving and replacing


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


# Planned ones, restarts and clocks


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


# Deleting


def test_deleting_the_integration_ends_it(daemon: RunningDaemon) -> None:
    """Everything of it is closed with the reason, and no timer or row of the maintenance is left."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    name = daemon.fire(integration)

    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))

    for closed in (collector, name):
        assert daemon.group(closed).resolve_reason == AlertGroup.INTEGRATION_DELETED
    assert (daemon.sql("SELECT * FROM maintenances"), len(daemon.engine.memory.maintenances)) == ([], 0)
    daemon.pass_time(2 * HOUR)
    assert daemon.kinds(collector) == ["OPENED", "RESOLVED"]


def test_nothing_is_released_of_what_is_deleted(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a maintenance had collected that ended just before its integration goes, is resolved and nothing else."""
    monkeypatch.setattr("tocsind.engine.integrations.CLOSED_AT_ONCE", 2)
    monkeypatch.setattr("tocsind.engine.ticker.STEP_RELEASES", 2)
    integration = daemon.integration()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=f"k{number}") for number in range(12)]

    def released() -> int:
        return sum(daemon.kinds(name).count("RELEASED") for name in names)

    stop(daemon, integration)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    before = released()
    finish(daemon)
    while any(daemon.group(name).state != AlertGroup.RESOLVED for name in names):
        daemon.settle()

    assert released() == before < len(names)


# Who is told


def test_starts_and_stops_are_audited_and_timers_are_not(daemon: RunningDaemon) -> None:
    """Under the name of the integration, with mode, times and who asked; so is the end that closing the group means."""
    integration = daemon.integration()
    maintain(daemon, integration, "DEBUG", actor="bob")
    stop(daemon, integration, actor="eve")
    collector = maintain(daemon, integration).alert_group
    daemon.act("Resolve", collector, actor="eve")
    maintain(daemon, integration)
    daemon.pass_time(HOUR)
    daemon.settle()

    entries = [e for e in audit_log(daemon)[1:] if e.resource == integration.name]
    assert [
        (e.actor, dict(e.before).get("maintenance", ""), dict(e.after).get("maintenance", "")) for e in entries
    ] == [
        ("bob", "", "DEBUG"),
        ("eve", "DEBUG", ""),
        ("ada", "", "MAINTENANCE"),
        ("eve", "MAINTENANCE", ""),
        ("ada", "", "MAINTENANCE"),
    ]


def test_watchers_see_what_is_collected_and_released(daemon: RunningDaemon) -> None:
    """As events, with the group as it is then."""
    integration = daemon.integration()
    stream = daemon.groups.WatchAlertGroups(alert_groups_pb2.WatchAlertGroupsRequest())
    next(stream)
    collector = maintain(daemon, integration).alert_group
    daemon.fire(integration)
    stop(daemon, integration)
    finish(daemon)

    told = [next(stream) for _ in range(5)]

    kinds = alert_groups_pb2.Event.Kind
    assert [kinds.Name(one.event.kind) for one in told] == ["OPENED", "OPENED", "COLLECTED", "RESOLVED", "RELEASED"]
    assert collector in told[2].event.reason
    assert told[-1].alert_group.collected_by == ""
    stream.cancel()


def test_what_runs_is_counted(daemon: RunningDaemon) -> None:
    """By mode; what is planned is not, but is waited for."""
    maintain(daemon, daemon.integration("a"))
    maintain(daemon, daemon.integration("b"), "DEBUG")
    maintain(daemon, daemon.integration("c"), start_time=at(daemon.clock.wall() + HOUR))

    lines = daemon.engine.metrics.exposition().decode().splitlines()

    assert 'tocsin_maintenances_running{mode="maintenance"} 1.0' in lines
    assert 'tocsin_maintenances_running{mode="debug"} 1.0' in lines
    assert 'tocsin_timers_pending{kind="maintenance"} 3.0' in lines
