"""The way of deliveries whose templates the daemon has to render first: each by a call of its own.

Over the stream the daemon renders nothing: it answers such a delivery with DEFERRED, and everything else goes on at
once. What is deferred is sent again here.

The rules:

* Each goes alone and is answered by its own deadline, like any other. UNAVAILABLE is repeated, after a pause, until
  then: delivering twice is harmless.
* So many are under way at once, and for one URL fewer than that: an integration whose templates are slow keeps others
  waiting neither here nor in the daemon.
* What waits here is limited too; beyond that, deliveries are refused at once.
"""

import asyncio
import time
from collections import Counter
from typing import Final

import grpc
import grpc.aio
import structlog

from tocsin.v1 import intake_pb2, intake_pb2_grpc
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.dispatcher import FIRST_PAUSE, LAST_PAUSE, Dispatcher, NotDelivered
from tocsin_gateway.metrics import Metrics

AT_ONCE: Final = 64
"""Calls that are under way at once."""

AT_ONCE_FOR_ONE: Final = 16
"""The same for one integration."""

MOST_WAITING: Final = 5_000
"""Deliveries that may be deferred at a time."""

_WORTH_REPEATING: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED})

_TOO_LATE: Final = "the daemon has not rendered the templates of this in time: try again"

_log = structlog.get_logger("tocsin_gateway")


class Deferral:
    """Stands before the dispatcher: what that brings back deferred is delivered here. It lives in one event loop."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        stub: "intake_pb2_grpc.IntakeServiceAsyncStub",
        daemon: DaemonLink,
        metrics: Metrics,
    ) -> None:
        self._dispatcher = dispatcher
        self._stub = stub
        self._daemon = daemon
        self._metrics = metrics
        self._all = asyncio.Semaphore(AT_ONCE)
        self._for_one: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()
        self._count = 0
        metrics.deferred_pending.set_function(lambda: self._count)

    async def submit(
        self, delivery: intake_pb2.Delivery, *, weight: int, arrived_at: float, deadline: float
    ) -> intake_pb2.Receipt:
        """The daemon's receipt, which is never DEFERRED; otherwise as `Dispatcher.submit`."""
        receipt = await self._dispatcher.submit(delivery, weight=weight, arrived_at=arrived_at, deadline=deadline)
        if receipt.outcome != intake_pb2.Receipt.DEFERRED:
            return receipt
        self._metrics.deferred.inc()
        if self._count >= MOST_WAITING:
            raise NotDelivered("too much waits for its templates: try again")
        self._count += 1
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self._deliver(delivery, arrived_at, deadline)
        except TimeoutError:
            raise NotDelivered(_TOO_LATE) from None
        finally:
            self._count -= 1

    async def _deliver(self, delivery: intake_pb2.Delivery, arrived_at: float, deadline: float) -> intake_pb2.Receipt:
        """Delivers it when its turn comes."""
        whose = delivery.credential
        mine = self._for_one.setdefault(whose, asyncio.Semaphore(AT_ONCE_FOR_ONE))
        self._users[whose] += 1
        try:
            async with mine, self._all:
                return await self._until_taken(delivery, arrived_at, deadline)
        finally:
            self._users[whose] -= 1
            if not self._users[whose]:
                del self._users[whose], self._for_one[whose]

    async def _until_taken(
        self, delivery: intake_pb2.Delivery, arrived_at: float, deadline: float
    ) -> intake_pb2.Receipt:
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._call(delivery, arrived_at, deadline)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise NotDelivered(_TOO_LATE) from None
                if error.code() not in _WORTH_REPEATING:
                    why = error.code().name
                    _log.warning("a call of the daemon failed", code=why, trace_ids=[delivery.trace_id])
                    raise NotDelivered(f"the daemon could not take this ({why}): try again") from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    async def _call(self, delivery: intake_pb2.Delivery, arrived_at: float, deadline: float) -> intake_pb2.Receipt:
        now = time.monotonic()
        delivery.age_micros = max(0, int((now - arrived_at) * 1e6))
        delivery.time_left_micros = max(0, int((deadline - now) * 1e6))
        request = intake_pb2.DeliverRequest(deliveries=[delivery], sent_micros=int(now * 1e6))
        metadata = (*self._daemon.metadata(), ("x-request-id", delivery.trace_id))
        response = await self._stub.Deliver(request, timeout=max(0.0, deadline - now), metadata=metadata)
        if len(response.receipts) != 1 or response.receipts[0].outcome == intake_pb2.Receipt.DEFERRED:
            raise NotDelivered("the daemon gave no answer to this: try again")
        return response.receipts[0]
