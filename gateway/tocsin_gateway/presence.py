"""Tells the daemon that a gateway is there, for as long as it is.

While no gateway attends, nobody could deliver a beat, and the daemon lets heartbeat deadlines stand still. So one
`Attend` stream stands at all times, with a pulse every tenth of a second, and is opened again after each break, for
ever. The daemon counts no more than half a second without a pulse: a process that hangs breaks no stream. A break is
logged once, and so is its end; attempts between the two are not.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import grpc
import grpc.aio
import structlog

from tocsin.v1 import intake_pb2, intake_pb2_grpc
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.metrics import Metrics

PULSE_SECONDS: Final = 0.1
"""Between two pulses (the daemon waits for half a second)."""

RETRY_SECONDS: Final = 0.3
"""Between a break and the next attempt."""

_log = structlog.get_logger("tocsin_gateway")


class Presence:
    """One gateway's presence at the daemon."""

    def __init__(
        self, stub: "intake_pb2_grpc.IntakeServiceAsyncStub", daemon: DaemonLink, gateway: str, metrics: Metrics
    ) -> None:
        """`gateway` is what the daemon calls this gateway in its log, such as `host:pid`."""
        self._stub = stub
        self._daemon = daemon
        self._gateway = gateway
        self._metrics = metrics
        self._attending: bool | None = None

    async def attend(self) -> None:
        """Attends until it is cancelled."""
        while True:
            reason = "the stream ended"
            try:
                async for _ in self._stub.Attend(self._pulses(), metadata=self._daemon.metadata()):
                    self._note(True)
            except grpc.aio.AioRpcError as error:
                reason = error.code().name
            except Exception as error:
                _log.exception("attending failed")
                reason = type(error).__name__
            self._note(False, reason)
            await asyncio.sleep(RETRY_SECONDS)

    async def _pulses(self) -> AsyncIterator[intake_pb2.AttendRequest]:
        pulse = intake_pb2.AttendRequest(gateway=self._gateway)
        while True:
            yield pulse
            await asyncio.sleep(PULSE_SECONDS)

    def _note(self, attending: bool, reason: str = "") -> None:
        self._metrics.attending.set(attending)
        if attending is self._attending:
            return
        self._attending = attending
        if attending:
            _log.info("the daemon is there")
        else:
            _log.warning("the daemon is not there", reason=reason)
