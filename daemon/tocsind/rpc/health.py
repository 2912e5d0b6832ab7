"""What the standard health service says: SERVING while the daemon can do its work.

The health of `tocsin.v1.IntakeService` is that of the file: it does not serve while nothing can be committed. Every
other service shares it, and the server as a whole.
"""

import asyncio

from grpc_health.v1 import health, health_pb2

from tocsind.rpc.contract import SERVICES


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
