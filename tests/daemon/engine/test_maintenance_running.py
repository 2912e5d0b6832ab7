"""Maintenances of a running daemon: what is put aside, and who is told of that."""

import grpc
import pytest
from beats import INTERVAL, alarms, expected
from changing import audit_log
from fake_clock import HOUR
from maintaining import at, collectors, finish, maintain, maintenance_of, stop
from notices import notice
from running_daemon import AlertGroup, RunningDaemon, duration, reason
from templated import said, template

from tocsin.v1 import alert_groups_pb2, integrations_pb2

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
