"""The gRPC server: which services there are, where they listen, and how they stop.

Rules
- A unix socket is made with mode 0660: its group may use it. TCP is plain; beyond loopback it lets everybody in who can
  reach it, and says so loudly in the log.
- Health and reflection are the standard services. The health of `tocsin.v1.IntakeService` is that of the file: it does
  not serve while nothing can be committed.
- Stopping: nothing new is accepted, streams are ended, what is under way is finished.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tocsin.v1 import (
    alert_groups_pb2,
    alert_groups_pb2_grpc,
    heartbeats_pb2,
    heartbeats_pb2_grpc,
    intake_pb2,
    intake_pb2_grpc,
    integrations_pb2,
    integrations_pb2_grpc,
)
from tocsind.engine.engine import Engine
from tocsind.rpc.alert_groups import AlertGroupServicer
from tocsind.rpc.errors import ErrorInterceptor
from tocsind.rpc.heartbeats import HeartbeatServicer
from tocsind.rpc.intake import IntakeServicer
from tocsind.rpc.integrations import IntegrationServicer
from tocsind.rpc.watch import MOST_WATCHERS

# Each watcher takes one for as long as it watches, each gateway two; the rest is for calls.
THREADS = 48 + MOST_WATCHERS
MOST_BYTES = 256 * 1024 * 1024
_MODULES = (alert_groups_pb2, heartbeats_pb2, intake_pb2, integrations_pb2)
SERVICES = sorted(service.full_name for module in _MODULES for service in module.DESCRIPTOR.services_by_name.values())

log = structlog.get_logger()


class ListenError(Exception):
    """An address cannot be listened on."""


class Health:
    """The standard health service, told by the engine whether the file can be written."""

    def __init__(self) -> None:
        self.servicer = health.HealthServicer()
        self.report(True)

    def report(self, healthy: bool) -> None:
        """Tells whether the daemon can do its work."""
        status = health_pb2.HealthCheckResponse.SERVING if healthy else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *SERVICES):
            self.servicer.set(service, status)


class Server:
    """Serves an engine on addresses such as `unix:/run/tocsin/tocsind.sock` and `127.0.0.1:9095`."""

    def __init__(self, engine: Engine, health_service: Health, addresses: list[str], base_url: str) -> None:
        self._engine = engine
        self._health = health_service
        self._intake = IntakeServicer(engine)
        self._server = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="rpc"),
            interceptors=[ErrorInterceptor()],
            options=[
                ("grpc.max_receive_message_length", MOST_BYTES),
                ("grpc.max_send_message_length", MOST_BYTES),
                ("grpc.so_reuseport", 0),
                # Gateways on other machines look every 10 s whether we are there; gRPC's default takes that for abuse.
                # And a gateway that was lost without a word gives its threads back.
                ("grpc.keepalive_time_ms", 20_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ],
        )
        intake_pb2_grpc.add_IntakeServiceServicer_to_server(self._intake, self._server)
        integrations_pb2_grpc.add_IntegrationServiceServicer_to_server(
            IntegrationServicer(engine, base_url), self._server
        )
        alert_groups_pb2_grpc.add_AlertGroupServiceServicer_to_server(AlertGroupServicer(engine), self._server)
        heartbeats_pb2_grpc.add_HeartbeatServiceServicer_to_server(HeartbeatServicer(engine), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(health_service.servicer, self._server)
        reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        for address in addresses:
            self._listen(address)

    def start(self) -> None:
        """Starts to serve."""
        self._server.start()

    def stop(self, grace: float) -> None:
        """Stops, giving what is under way `grace` seconds to finish."""
        self._health.servicer.enter_graceful_shutdown()
        stopped = self._server.stop(grace)
        self._intake.dismiss()
        self._engine.changes.close()
        stopped.wait()

    def _listen(self, address: str) -> None:
        path = address.removeprefix("unix:") if address.startswith("unix:") else None
        # gRPC makes the socket file itself; nobody may reach it before its mode is right.
        before = os.umask(0o117)
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {address}: {error}") from None
        finally:
            os.umask(before)
        if path is not None:
            Path(path).chmod(0o660)
        elif not _is_loopback(address):
            log.warning("listening beyond loopback without encryption or access control", address=address)
        log.info("listening", address=address)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
