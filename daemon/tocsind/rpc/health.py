"""What the standard health service says: SERVING while the daemon can do its work.

The health of `tocsin.v1.IntakeService` is that of the file: it does not serve while nothing can be committed. Every
other service shares it, and the server as a whole.
"""

import asyncio

from grpc_health.v1 import health, health_pb2

from tocsin.v1 import (
    access_pb2,
    alert_groups_pb2,
    audit_pb2,
    contact_points_pb2,
    escalation_chains_pb2,
    heartbeats_pb2,
    intake_pb2,
    integrations_pb2,
    messages_pb2,
    monitoring_pb2,
    notes_pb2,
    routes_pb2,
    templates_pb2,
)

_MODULES = (
    access_pb2,
    alert_groups_pb2,
    audit_pb2,
    contact_points_pb2,
    escalation_chains_pb2,
    heartbeats_pb2,
    intake_pb2,
    integrations_pb2,
    messages_pb2,
    monitoring_pb2,
    notes_pb2,
    routes_pb2,
    templates_pb2,
)
SERVICES = sorted(service.full_name for module in _MODULES for service in module.DESCRIPTOR.services_by_name.values())
"""The full names of all services of the contract."""


class Health:
    """Told by the writer, from any thread; answers in the event loop."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()
        self._healthy = True
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Answers from now on, in the running loop."""
        self._loop = asyncio.get_running_loop()
        await self._tell()

    def report(self, healthy: bool) -> None:
        """Tells whether the daemon can do its work."""
        self._healthy = healthy
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._tell(), self._loop)

    async def _tell(self) -> None:
        kind = health_pb2.HealthCheckResponse
        status = kind.SERVING if self._healthy else kind.NOT_SERVING
        for service in ("", *SERVICES):
            await self.servicer.set(service, status)
