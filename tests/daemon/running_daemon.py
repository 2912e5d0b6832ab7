"""A real daemon in this process: a folder on disk, a unix socket, gRPC, and a clock that the test sets."""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
from fake_clock import SECOND, FakeClock
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from notices import notice

from tocsin.v1 import (
    access_pb2_grpc,
    alert_groups_pb2,
    alert_groups_pb2_grpc,
    audit_pb2_grpc,
    heartbeats_pb2_grpc,
    intake_pb2,
    intake_pb2_grpc,
    integrations_pb2,
    integrations_pb2_grpc,
)
from tocsind.config import Config
from tocsind.domain.access import Role
from tocsind.domain.intake_clock import LEASE
from tocsind.domain.notification import Notification
from tocsind.engine.memory import Memory
from tocsind.main import Main
from tocsind.rpc.server import Listener
from tocsind.rpc.tls import TlsFiles
from tocsind.sqlite.writer import Transaction

AlertGroup = alert_groups_pb2.AlertGroup
Event = alert_groups_pb2.Event
Integration = integrations_pb2.Integration
Receipt = intake_pb2.Receipt


def duration(microseconds: int) -> Duration:
    """A duration for the contract."""
    return Duration(seconds=microseconds // SECOND, nanos=microseconds % SECOND * 1_000)


def message(notification: Notification) -> intake_pb2.Notification:
    """A notification as the gateway sends it."""
    return intake_pb2.Notification(
        grouping_key=notification.grouping_key,
        firing=notification.firing,
        title=notification.title,
        labels=notification.labels,
        receiver=notification.receiver,
        external_url=notification.external_url,
        truncated_alerts=notification.truncated,
        reason=notification.reason,
        alerts=[
            intake_pb2.ReportedAlert(
                fingerprint=alert.fingerprint, firing=alert.firing, labels=alert.labels, annotations=alert.annotations
            )
            for alert in notification.alerts
        ],
        content_digest=notification.digest,
        payload=notification.payload,
    )


def details(error: grpc.RpcError) -> list[Any]:
    """What an error says to machines, unpacked."""
    found = []
    status = rpc_status.from_call(error)
    assert isinstance(status, status_pb2.Status)
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.type_url.rpartition(".")[2])()
        assert packed.Unpack(kind)
        found.append(kind)
    return found


def reason(error: grpc.RpcError) -> str:
    """The reason in the ErrorInfo of an error."""
    return str(details(error)[0].reason)


def outcome(receipt: Receipt) -> str:
    """What became of a delivery."""
    return str(Receipt.Outcome.Name(receipt.outcome))


class RunningDaemon:
    """One daemon on one folder; `reopen` and `crash` give its folder to another."""

    def __init__(
        self,
        folder: Path,
        clock: FakeClock,
        *,
        attended: bool = True,
        listen: Sequence[Listener] = (),
        tls: TlsFiles | None = None,
        rate_limit: int = 0,
        total_rate_limit: int = 0,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.attended = attended
        self.closed = False
        listeners = (Listener(f"unix:{folder}/d.sock", Role.ADMIN), *listen)
        self.limits = {"rate_limit": rate_limit, "total_rate_limit": total_rate_limit}
        self.main = Main(Config(folder, listeners, "http://tocsin.example", tls, **self.limits), clock)
        self.engine = self.main.engine
        self.channel = grpc.insecure_channel(f"unix:{folder}/d.sock", options=[("grpc.use_local_subchannel_pool", 1)])
        self.access = access_pb2_grpc.AccessServiceStub(self.channel)
        self.audit = audit_pb2_grpc.AuditServiceStub(self.channel)
        self.groups = alert_groups_pb2_grpc.AlertGroupServiceStub(self.channel)
        self.heartbeats = heartbeats_pb2_grpc.HeartbeatServiceStub(self.channel)
        self.integrations = integrations_pb2_grpc.IntegrationServiceStub(self.channel)
        self.intake = intake_pb2_grpc.IntakeServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self._pulse()

    # Time

    def settle(self) -> None:
        """Returns when everything is on disk that the time on the clock demands: the writer looks at its timers in the
        transaction of any job, once a tick has passed."""
        self.clock.advance(SECOND // 10)
        self._pulse()
        for _ in range(2):
            self.engine.change(_nothing)

    def pass_time(self, span: int) -> None:
        """Lets exactly this much time pass, with a gateway attending all the time if there is one."""
        while span > 0:
            step = min(span, LEASE)
            self.clock.advance(step)
            self._pulse()
            span -= step
        self.engine.change(_nothing)

    def leave(self) -> None:
        """The gateway goes."""
        self.engine.memory.presence.leave(self, self.clock.steady())
        self.attended = False

    def attend(self) -> None:
        """A gateway comes."""
        self.attended = True
        self._pulse()

    def _pulse(self) -> None:
        if self.attended:
            self.engine.memory.presence.pulse(self, self.clock.steady())

    # Integrations and what they send

    def integration(self, display_name: str = "prod", **settings: Any) -> Integration:
        """A new integration."""
        asked = Integration(display_name=display_name, type="alertmanager", **settings)
        created = self.integrations.CreateIntegration(integrations_pb2.CreateIntegrationRequest(integration=asked))
        assert isinstance(created, Integration)
        return created

    def delivery(self, integration: Integration, content: Any, *, age: int = 0, left: int = 5 * SECOND) -> Any:
        """One delivery: of a notification, of a beat, or of nothing."""
        delivery = intake_pb2.Delivery(
            integration_type="alertmanager",
            credential=integration.token,
            age_micros=age,
            time_left_micros=left,
        )
        if isinstance(content, Notification):
            delivery.notification.CopyFrom(message(content))
        elif content is not None:
            delivery.beat.CopyFrom(content)
        return delivery

    def deliver(self, deliveries: Sequence[Any]) -> list[Receipt]:
        """Delivers a batch."""
        return list(self.intake.Deliver(intake_pb2.DeliverRequest(deliveries=deliveries)).receipts)

    def send(self, integration: Integration, content: Any, **timing: int) -> Receipt:
        """Delivers one notification."""
        return self.deliver([self.delivery(integration, content, **timing)])[0]

    def fire(self, integration: Integration, firing: str = "a", **options: Any) -> str:
        """Sends a firing notification; returns the name of the group that it reached."""
        return str(self.send(integration, notice(firing, **options)).alert_group)

    def beat(self, integration: Integration, **timing: int) -> Receipt:
        """Sends one beat."""
        return self.send(integration, intake_pb2.Beat(), **timing)

    # Looking

    def group(self, name: str) -> AlertGroup:
        """One group."""
        found = self.groups.GetAlertGroup(alert_groups_pb2.GetAlertGroupRequest(name=name))
        assert isinstance(found, AlertGroup)
        return found

    def list_groups(self, filter: str = "", **page: Any) -> list[AlertGroup]:
        """A page of groups."""
        request = alert_groups_pb2.ListAlertGroupsRequest(filter=filter, **page)
        return list(self.groups.ListAlertGroups(request).alert_groups)

    def events(self, name: str) -> list[Event]:
        """The timeline of a group."""
        return list(self.groups.ListEvents(alert_groups_pb2.ListEventsRequest(parent=name, page_size=1000)).events)

    def kinds(self, name: str) -> list[str]:
        """The kinds of events in the timeline of a group."""
        return [Event.Kind.Name(event.kind) for event in self.events(name)]

    def alerts(self, name: str) -> list[Any]:
        """The alerts of a group."""
        return list(self.groups.ListAlerts(alert_groups_pb2.ListAlertsRequest(parent=name)).alerts)

    def act(self, verb: str, name: str, actor: str = "ada", **fields: Any) -> AlertGroup:
        """Has a group acknowledged, silenced and so on."""
        request = getattr(alert_groups_pb2, f"{verb}AlertGroupRequest")(name=name, **fields)
        acted = getattr(self.groups, f"{verb}AlertGroup")(request, metadata=[("tocsin-actor", quote(actor))])
        assert isinstance(acted, AlertGroup)
        return acted

    def serving(self, service: str = "tocsin.v1.IntakeService") -> bool:
        """What the health service says."""
        answer = self.health.Check(health_pb2.HealthCheckRequest(service=service))
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def sql(self, query: str, *values: Any) -> list[Any]:
        """What the file itself says."""
        with self.engine.store.reading() as connection:
            return connection.execute(query, values).fetchall()

    # Ends

    def close(self) -> None:
        """Stops the daemon as a signal does."""
        if not self.closed:
            self.closed = True
            self.channel.close()
            self.main.close()

    def reopen(self, downtime: int = 0) -> "RunningDaemon":
        """Stops the daemon, and starts another one on its folder after some time."""
        self.close()
        self.clock.advance(downtime)
        return RunningDaemon(self.folder, self.clock, attended=self.attended, **self.limits)

    def crash(self, downtime: int = 0) -> "RunningDaemon":
        """What a kill -9 leaves: a daemon on a copy of the files as they are at this moment. This one is closed."""
        copy = self.folder.with_name(self.folder.name + "'")
        # No commit may come between the copies of the file and of its log.
        self.engine.change(lambda transaction, memory: shutil.copytree(self.folder, copy, ignore=_no_socket) and None)
        self.close()
        self.clock.advance(downtime)
        return RunningDaemon(copy, self.clock, attended=self.attended, **self.limits)


Start = Callable[..., RunningDaemon]
"""Starts another daemon on a folder of its own."""


def _nothing(transaction: Transaction, memory: Memory) -> None:
    """Wakes the writer."""


def _no_socket(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith((".sock", "-shm"))]


def pages(path: Path) -> int:
    """How many pages the file has, its log written back."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(connection.execute("PRAGMA page_count").fetchone()[0])
    finally:
        connection.close()
