"""Heartbeats of a running daemon, as tests ask for them."""

from typing import Any

from fake_clock import DAY, SECOND
from running_daemon import AlertGroup, Integration, RunningDaemon, duration

from tocsin.v1 import heartbeats_pb2

Heartbeat = heartbeats_pb2.Heartbeat
INTERVAL = 20 * SECOND
BARELY = INTERVAL - 1
YEAR = 365 * DAY


def heartbeat_of(daemon: RunningDaemon, integration: Integration) -> Heartbeat:
    """The heartbeat of an integration."""
    return daemon.heartbeats.GetHeartbeat(heartbeats_pb2.GetHeartbeatRequest(name=f"{integration.name}/heartbeat"))


def state(daemon: RunningDaemon, integration: Integration) -> str:
    """Where it stands."""
    return str(Heartbeat.State.Name(heartbeat_of(daemon, integration).state))


def turn(daemon: RunningDaemon, verb: str, integration: Integration) -> Heartbeat:
    """Pauses, resumes or resets it."""
    request = getattr(heartbeats_pb2, f"{verb}HeartbeatRequest")(name=f"{integration.name}/heartbeat")
    return getattr(daemon.heartbeats, f"{verb}Heartbeat")(request, metadata=[("tocsin-actor", "ada")])


def expected(daemon: RunningDaemon, interval: int = INTERVAL, **options: Any) -> Integration:
    """A new integration that has just beaten, and is expected to beat within the interval."""
    integration = daemon.integration(**options)
    daemon.heartbeats.UpdateHeartbeat(
        heartbeats_pb2.UpdateHeartbeatRequest(
            heartbeat=Heartbeat(name=f"{integration.name}/heartbeat", interval=duration(interval))
        )
    )
    daemon.beat(integration)
    return integration


def alarms(daemon: RunningDaemon, filter: str = "") -> list[AlertGroup]:
    """The groups of heartbeats, newest first."""
    return [group for group in daemon.list_groups(filter) if group.source == AlertGroup.HEARTBEAT]
