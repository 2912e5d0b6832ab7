"""Heartbeats of a running daemon: their states and groups, to the microsecond."""

import grpc
import pytest
from beats import BARELY, INTERVAL, Heartbeat, alarms, expected, heartbeat_of, state, turn
from fake_clock import HOUR, MINUTE, SECOND, START
from running_daemon import AlertGroup, RunningDaemon, duration

from tocsin.v1 import heartbeats_pb2, integrations_pb2
from tocsind.domain.heartbeat import Heartbeat as Row
from tocsind.domain.heartbeat import HeartbeatState
from tocsind.domain.integration import Integration as Owner
from tocsind.engine.memory import Memory
from tocsind.sqlite import heartbeats, integrations
from tocsind.sqlite.writer import Transaction


def test_a_heartbeat_that_never_beat_is_not_expected(daemon: RunningDaemon) -> None:
    """It waits, for ever, and the first beat arms it."""
    integration = daemon.integration()
    daemon.pass_time(HOUR)
    assert (state(daemon, integration), alarms(daemon)) == ("WAITING", [])

    daemon.beat(integration)

    found = heartbeat_of(daemon, integration)
    assert Heartbeat.State.Name(found.state) == "UP"
    assert found.last_beat_time.ToMicroseconds() == daemon.clock.wall()
    assert found.due_time.ToMicroseconds() == daemon.clock.wall() + 10 * MINUTE


@pytest.mark.parametrize(("waited", "expected_state"), [(BARELY, "UP"), (INTERVAL, "MISSING")])
def test_it_is_missing_at_its_interval_and_not_a_microsecond_before(
    daemon: RunningDaemon, waited: int, expected_state: str
) -> None:
    """Exactly the interval of attended time after the last beat."""
    integration = expected(daemon)

    daemon.pass_time(waited)

    assert state(daemon, integration) == expected_state
    assert len(alarms(daemon)) == (expected_state == "MISSING")


def test_the_group_names_the_integration_the_interval_and_the_last_beat(daemon: RunningDaemon) -> None:
    """Whoever reads it at night knows what is missing, since when, and how often it should come."""
    integration = expected(daemon, 90 * MINUTE, display_name="Backup of the vault")
    daemon.pass_time(90 * MINUTE)

    (group,) = alarms(daemon)
    (alert,) = daemon.alerts(group.name)

    assert group.title == "Heartbeat missing: Backup of the vault"
    assert (group.integration, group.state) == (integration.name, AlertGroup.FIRING)
    assert alert.annotations["description"] == (
        "Tocsin expects a heartbeat from the integration Backup of the vault every 1h30m; "
        "the last one came at 2026-09-21T14:13:20Z."
    )
    assert daemon.events(group.name)[0].reason == alert.annotations["description"]


def test_a_beat_resolves_and_a_flap_is_one_group(daemon: RunningDaemon) -> None:
    """What comes back resolves its group; what goes missing again within the reopen window reopens it."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.beat(integration)
    (group,) = alarms(daemon)
    assert (group.state, group.resolve_reason) == (AlertGroup.RESOLVED, AlertGroup.SOURCE)
    assert state(daemon, integration) == "UP"

    daemon.pass_time(INTERVAL)

    assert [found.name for found in alarms(daemon)] == [group.name]
    assert daemon.kinds(group.name) == ["OPENED", "RESOLVED", "REOPENED"]


def test_beats_in_time_raise_nothing(daemon: RunningDaemon) -> None:
    """A beat a microsecond before each deadline is in time."""
    integration = expected(daemon)
    for _ in range(5):
        daemon.pass_time(BARELY)
        daemon.beat(integration)

    assert (state(daemon, integration), alarms(daemon)) == ("UP", [])


def test_a_beat_counts_from_its_arrival_at_the_gateway(daemon: RunningDaemon) -> None:
    """Time in the gateway is not given to the sender, and what arrived in time is in time."""
    integration = expected(daemon)
    daemon.pass_time(10 * SECOND)
    daemon.beat(integration, age=3 * SECOND)

    found = heartbeat_of(daemon, integration)
    assert found.last_beat_time.ToMicroseconds() == daemon.clock.wall() - 3 * SECOND
    assert found.due_time.ToMicroseconds() == daemon.clock.wall() + INTERVAL - 3 * SECOND
    daemon.pass_time(INTERVAL - 3 * SECOND)
    assert state(daemon, integration) == "MISSING"


def test_one_that_a_person_resolved_comes_back(daemon: RunningDaemon) -> None:
    """Resolved while still missing, it is raised again after another interval, as a new group, until it beats."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.act("Resolve", alarms(daemon)[0].name)
    daemon.pass_time(BARELY)
    assert alarms(daemon, "state != RESOLVED") == []

    daemon.pass_time(SECOND)

    (again,) = alarms(daemon, "state != RESOLVED")
    assert len(alarms(daemon)) == 2
    daemon.beat(integration)
    assert daemon.group(again.name).state == AlertGroup.RESOLVED
    daemon.pass_time(BARELY)
    assert alarms(daemon, "state != RESOLVED") == []


def test_one_that_a_person_acknowledged_is_not_raised_again(daemon: RunningDaemon) -> None:
    """Somebody is on it: it stays theirs until it beats."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    (group,) = alarms(daemon)
    daemon.act("Acknowledge", group.name)
    daemon.pass_time(5 * INTERVAL)
    assert [found.state for found in alarms(daemon)] == [AlertGroup.ACKNOWLEDGED]

    daemon.beat(integration)

    assert daemon.group(group.name).state == AlertGroup.RESOLVED


@pytest.mark.parametrize(("verb", "after"), [("Pause", "PAUSED"), ("Reset", "WAITING")])
def test_turning_it_off_resolves_its_group(daemon: RunningDaemon, verb: str, after: str) -> None:
    """Paused or reset, nothing is expected, and the group says who turned it off."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)

    turn(daemon, verb, integration)

    (group,) = alarms(daemon)
    assert (group.resolve_reason, group.state_actor) == (AlertGroup.HEARTBEAT_OFF, "ada")
    daemon.pass_time(5 * INTERVAL)
    assert (state(daemon, integration), len(alarms(daemon))) == (after, 1)


def test_resumed_it_has_a_whole_interval(daemon: RunningDaemon) -> None:
    """Beats in the pause are recorded; the next one is expected within the interval from the end of the pause."""
    integration = expected(daemon)
    turn(daemon, "Pause", integration)
    daemon.pass_time(HOUR)
    daemon.beat(integration)
    assert state(daemon, integration) == "PAUSED"
    assert heartbeat_of(daemon, integration).last_beat_time.ToMicroseconds() == daemon.clock.wall()

    turn(daemon, "Resume", integration)

    daemon.pass_time(BARELY)
    assert state(daemon, integration) == "UP"
    daemon.pass_time(SECOND)
    assert state(daemon, integration) == "MISSING"


def test_a_new_interval_moves_the_deadline(daemon: RunningDaemon) -> None:
    """Longer or shorter, it counts from the last beat."""
    integration = expected(daemon)
    daemon.pass_time(10 * SECOND)
    name = f"{integration.name}/heartbeat"
    for interval, due in ((HOUR, HOUR - 10 * SECOND), (15 * SECOND, 5 * SECOND)):
        request = heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=Heartbeat(name=name, interval=duration(interval)))
        request.update_mask.paths.append("interval")
        changed = daemon.heartbeats.UpdateHeartbeat(request)
        assert changed.due_time.ToMicroseconds() == daemon.clock.wall() + due

    daemon.pass_time(5 * SECOND)

    assert state(daemon, integration) == "MISSING"


def test_a_deleted_integration_takes_its_heartbeat_with_it(daemon: RunningDaemon) -> None:
    """Nothing is expected any more, and nobody can ask for it."""
    integration = expected(daemon)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    daemon.pass_time(5 * INTERVAL)

    assert alarms(daemon) == []
    with pytest.raises(grpc.RpcError) as refusal:
        heartbeat_of(daemon, integration)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert daemon.sql("SELECT count(*) FROM heartbeats") == [(0,)]


def test_thousands_that_go_missing_at_once_are_all_noticed(daemon: RunningDaemon) -> None:
    """More than one tick takes are taken by the next ones, each once."""

    def many(transaction: Transaction, memory: Memory) -> None:
        reading = memory.presence.read(transaction.steady)
        for n in range(1_200):
            new = Owner(0, f"id{n}", "alertmanager", f"name {n}", "", f"token {n}")
            new.id = integrations.insert(transaction.connection, new)
            row = Row(new.id, HeartbeatState.UP, INTERVAL, START, reading + INTERVAL, START)
            heartbeats.store(transaction.connection, [row])
            memory.expect([row])

    daemon.engine.change(many)
    daemon.pass_time(INTERVAL)
    for _ in range(4):
        daemon.settle()

    assert daemon.sql("SELECT count(*), count(DISTINCT integration_id) FROM alert_groups") == [(1_200, 1_200)]
