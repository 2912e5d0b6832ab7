"""Maintenances of a running daemon, as tests ask for them."""

from typing import Any

from changing import by
from fake_clock import HOUR
from google.protobuf.timestamp_pb2 import Timestamp
from running_daemon import AlertGroup, Integration, RunningDaemon, duration

from tocsin.v1 import integrations_pb2

Maintenance = integrations_pb2.Maintenance


def at(microseconds: int) -> Timestamp:
    """A time for the contract."""
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1_000)


def maintain(
    daemon: RunningDaemon,
    integration: Integration,
    mode: str = "MAINTENANCE",
    span: int = HOUR,
    actor: str = "ada",
    **fields: Any,
) -> Maintenance:
    """Starts or plans a maintenance; returns it."""
    request = integrations_pb2.StartMaintenanceRequest(
        name=integration.name, mode=mode, duration=duration(span), **fields
    )
    return daemon.integrations.StartMaintenance(request, metadata=by(actor)).maintenance


def stop(daemon: RunningDaemon, integration: Integration, actor: str = "ada", **fields: Any) -> Integration:
    """Ends a maintenance."""
    request = integrations_pb2.StopMaintenanceRequest(name=integration.name, **fields)
    return daemon.integrations.StopMaintenance(request, metadata=by(actor))


def maintenance_of(daemon: RunningDaemon, integration: Integration) -> Maintenance | None:
    """The maintenance that runs or is planned."""
    found = daemon.integrations.GetIntegration(integrations_pb2.GetIntegrationRequest(name=integration.name))
    return found.maintenance if found.HasField("maintenance") else None


def collectors(daemon: RunningDaemon, filter: str = "") -> list[AlertGroup]:
    """The groups that collect or collected, newest first."""
    found = daemon.list_groups(filter, page_size=1000)
    return [group for group in found if group.labels["alertname"] == "Maintenance"]


def finish(daemon: RunningDaemon) -> None:
    """Returns when everything is released that is to be."""
    daemon.settle()
    while daemon.engine.memory.releasing:
        daemon.settle()
