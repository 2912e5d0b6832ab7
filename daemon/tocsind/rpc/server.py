"""The gRPC server: which services there are, where they listen, and how they stop.

Rules
- Each listener is a server of its own around the same services: what a caller without a token may do depends on where
  it came in. A unix socket is made with mode 0660: its group may use it, with the listener's role. TCP demands a token.
- TCP is served with TLS. Without, tokens could be read on the way: so plain TCP is for loopback only, unless it was
  asked for in so many words, and then the log says so loudly.
- One event loop, in a thread of its own, serves the streams; unary calls wait for the disk in a pool of threads
  (measured: as fast as gRPC's threaded server, and a thousand streams take no thread).
- Stopping: nothing new is accepted, streams are ended, what is under way is finished.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tocsin.v1 import (
    access_pb2_grpc,
    alert_groups_pb2_grpc,
    audit_pb2_grpc,
    contact_points_pb2_grpc,
    escalation_chains_pb2_grpc,
    heartbeats_pb2_grpc,
    intake_pb2_grpc,
    integrations_pb2_grpc,
    messages_pb2_grpc,
    monitoring_pb2_grpc,
    notes_pb2_grpc,
    routes_pb2_grpc,
    templates_pb2_grpc,
)
from tocsind.domain.access import Role
from tocsind.engine.engine import Engine
from tocsind.rpc.access import NEEDED, Gate, short_name
from tocsind.rpc.alert_groups import AlertGroupServicer
from tocsind.rpc.api_tokens import AccessServicer
from tocsind.rpc.audit import AuditServicer
from tocsind.rpc.contact_points import ContactPointServicer
from tocsind.rpc.contract import SERVICES
from tocsind.rpc.escalation_chains import EscalationChainServicer
from tocsind.rpc.health import Health
from tocsind.rpc.heartbeats import HeartbeatServicer
from tocsind.rpc.intake import IntakeServicer
from tocsind.rpc.integrations import IntegrationServicer
from tocsind.rpc.interceptor import Interceptor
from tocsind.rpc.messages import MessageServicer
from tocsind.rpc.monitoring import MonitoringServicer
from tocsind.rpc.notes import NoteServicer
from tocsind.rpc.routes import RouteServicer
from tocsind.rpc.streams import Streams
from tocsind.rpc.templates import TemplateServicer
from tocsind.rpc.tls import TlsError, TlsFiles, server_credentials
from tocsind.rpc.watch_hub import MOST_WATCHERS
from tocsind.threads import Threads

THREADS = 48
MOST_BYTES = 256 * 1024 * 1024
MOST_CALLS = 10_000
_OPTIONS = [
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    ("grpc.so_reuseport", 0),
    # Gateways on other machines look every 10 s whether we are there; gRPC's default takes that for abuse. And a
    # caller that was lost without a word gives its stream back.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
]

T = TypeVar("T")

log = structlog.get_logger()


class ListenError(Exception):
    """An address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen: `unix:/run/tocsin/tocsind.sock` or `127.0.0.1:9095`. `role` is what callers without a token
    are there, None where they need one."""

    address: str
    role: Role | None

    @property
    def socket(self) -> Path | None:
        """The path of a unix socket, None for TCP."""
        return Path(self.address.removeprefix("unix:")) if self.address.startswith("unix:") else None


class Server:
    """Serves an engine. `tls` is for TCP; `plain_tcp` allows TCP without it beyond loopback. `base_url` is where
    senders find the gateway. Raises ListenError, TlsError."""

    def __init__(
        self,
        engine: Engine,
        health_service: Health,
        listeners: Sequence[Listener],
        tls: TlsFiles | None,
        *,
        plain_tcp: bool,
        base_url: str,
    ) -> None:
        self._engine = engine
        self._health = health_service
        self._base_url = base_url
        self._tls = tls
        self._plain_tcp = plain_tcp
        self._threads = Threads(THREADS, "rpc")
        self._streams = Streams(engine.memory.keyring, engine.metrics)
        self._servers: list[grpc.aio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rpc", daemon=True)
        self._thread.start()
        try:
            self._run(self._open(listeners))
        except BaseException:
            self._run(self._stop(0))
            self._close()
            raise

    def start(self) -> None:
        """Starts to serve."""
        self._run(self._start())

    def stop(self, grace: float) -> None:
        """Stops, giving what is under way `grace` seconds to finish."""
        self._run(self._stop(grace))
        self._close()

    async def _open(self, listeners: Sequence[Listener]) -> None:
        engine = self._engine
        self._intake = IntakeServicer(engine)
        self._groups = AlertGroupServicer(engine)
        engine.metrics.watchers_limit.set(MOST_WATCHERS)
        for method in NEEDED:
            # A counter that begins at one is no increase for Prometheus: the first defect would go unseen.
            engine.metrics.calls.labels(short_name(method), grpc.StatusCode.INTERNAL.name)
        services: list[tuple[Any, Any]] = [
            (access_pb2_grpc.add_AccessServiceServicer_to_server, AccessServicer(engine)),
            (alert_groups_pb2_grpc.add_AlertGroupServiceServicer_to_server, self._groups),
            (audit_pb2_grpc.add_AuditServiceServicer_to_server, AuditServicer(engine)),
            (contact_points_pb2_grpc.add_ContactPointServiceServicer_to_server, ContactPointServicer(engine)),
            (
                escalation_chains_pb2_grpc.add_EscalationChainServiceServicer_to_server,
                EscalationChainServicer(engine),
            ),
            (heartbeats_pb2_grpc.add_HeartbeatServiceServicer_to_server, HeartbeatServicer(engine)),
            (intake_pb2_grpc.add_IntakeServiceServicer_to_server, self._intake),
            (
                integrations_pb2_grpc.add_IntegrationServiceServicer_to_server,
                IntegrationServicer(engine, self._base_url),
            ),
            (messages_pb2_grpc.add_MessageServiceServicer_to_server, MessageServicer(engine)),
            (monitoring_pb2_grpc.add_MonitoringServiceServicer_to_server, MonitoringServicer(engine)),
            (notes_pb2_grpc.add_NoteServiceServicer_to_server, NoteServicer(engine)),
            (routes_pb2_grpc.add_RouteServiceServicer_to_server, RouteServicer(engine)),
            (templates_pb2_grpc.add_TemplateServiceServicer_to_server, TemplateServicer(engine)),
            (health_pb2_grpc.add_HealthServicer_to_server, self._health.servicer),
        ]
        for listener in listeners:
            gate = Gate(engine.memory.keyring, engine.clock, listener.role)
            server = grpc.aio.server(
                self._threads,
                interceptors=[Interceptor(gate, self._streams, engine.clock, engine.metrics)],
                options=_OPTIONS,
                maximum_concurrent_rpcs=MOST_CALLS,
            )
            for add, servicer in services:
                add(servicer, server)
            reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
            self._servers.append(server)
            self._bind(server, listener)

    def _bind(self, server: grpc.aio.Server, listener: Listener) -> None:
        path = listener.socket
        if path is None and self._tls is None and not self._plain_tcp and not _is_loopback(listener.address):
            raise ListenError(
                f"will not listen on {listener.address} without TLS: tokens could be read on the way; give "
                "--tls-certificate and --tls-key, or --insecure-plain-tcp if something else protects that network"
            )
        # gRPC makes the socket file itself; nobody may reach it before its mode is right.
        before = os.umask(0o117)
        try:
            if path is None and self._tls is not None:
                server.add_secure_port(listener.address, server_credentials(self._tls))
            else:
                server.add_insecure_port(listener.address)
        except (RuntimeError, TlsError) as error:
            raise ListenError(f"cannot listen on {listener.address}: {error}") from None
        finally:
            os.umask(before)
        if path is not None:
            path.chmod(0o660)
        elif self._tls is None and not _is_loopback(listener.address):
            log.warning("INSECURE: plain TCP beyond loopback; tokens can be read on the way", address=listener.address)
        role = listener.role.name.lower() if listener.role is not None else "none"
        log.info("listening", address=listener.address, tls=path is None and self._tls is not None, tokenless=role)

    async def _start(self) -> None:
        await self._health.start()
        for server in self._servers:
            await server.start()

    async def _stop(self, grace: float) -> None:
        await self._health.servicer.enter_graceful_shutdown()
        stopping = [asyncio.ensure_future(server.stop(grace)) for server in self._servers]
        await asyncio.sleep(0)
        self._streams.stop()
        await asyncio.gather(*stopping)
        self._groups.close()
        self._intake.close()

    def _close(self) -> None:
        self._run(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._threads.shutdown()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def _end_tasks() -> None:
    """Ends what is still under way in the loop, so that it can be closed."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
