"""The way of deliveries whose templates the daemon has to render first: by calls of their own.

Over the stream the daemon renders nothing: it answers such a delivery with DEFERRED, and everything else goes on at
once. What is deferred is sent again here.

The rules:

* What is deferred for one URL goes through a dispatcher of its own, with all of its rules (dispatcher.py): one call at
  a time, what gathers meanwhile goes together, each is answered by its own deadline, UNAVAILABLE is repeated. So an
  integration whose templates are slow holds up nobody but itself; and as the daemon renders for one integration one
  after the other, that costs it nothing.
* A batch is small: its answer comes when all of it is rendered.
* So many calls are under way at once, and so many deliveries may wait here; beyond that, they are refused at once.
"""

import asyncio
import time
from typing import Final

import grpc
import grpc.aio

from tocsin.v1 import intake_pb2, intake_pb2_grpc
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.delivery_stream import Broken
from tocsin_gateway.dispatcher import Dispatcher, NotDelivered
from tocsin_gateway.metrics import Metrics

AT_ONCE: Final = 64
"""Calls that are under way at once."""

BATCH: Final = 8
"""Deliveries in one call. The daemon waits up to 2 s for what is to be rendered, and 250 ms are allowed for each."""

MOST_WAITING: Final = 5_000
"""Deliveries that may be deferred at a time."""


class _Lane:
    """The way for one URL, and how many use it."""

    __slots__ = ("dispatcher", "users")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self.users = 0


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
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._lanes: dict[str, _Lane] = {}
        self._count = 0
        self._closed = False
        metrics.deferred_pending.set_function(lambda: self._count)

    async def submit(
        self, delivery: intake_pb2.Delivery, *, weight: int, arrived_at: float, deadline: float
    ) -> intake_pb2.Receipt:
        """The daemon's receipt, which is never DEFERRED; otherwise as `Dispatcher.submit`."""
        receipt = await self._dispatcher.submit(delivery, weight=weight, arrived_at=arrived_at, deadline=deadline)
        if receipt.outcome != intake_pb2.Receipt.DEFERRED:
            return receipt
        self._metrics.deferred.inc()
        if self._closed:
            raise NotDelivered("the gateway is stopping: try again")
        if self._count >= MOST_WAITING:
            raise NotDelivered("too much waits for its templates: try again")
        whose = delivery.credential
        lane = self._lanes.get(whose)
        if lane is None:
            lane = self._lanes[whose] = _Lane(Dispatcher(self._call, self._metrics, most=BATCH))
        self._count += 1
        lane.users += 1
        try:
            receipt = await lane.dispatcher.submit(delivery, weight=weight, arrived_at=arrived_at, deadline=deadline)
        finally:
            self._count -= 1
            lane.users -= 1
            if not lane.users:
                del self._lanes[whose]
        if receipt.outcome == intake_pb2.Receipt.DEFERRED:
            raise NotDelivered("the daemon did not render the templates of this: try again")
        return receipt

    async def close(self) -> None:
        """Ends every call and fails what still waits; the dispatcher before it is closed by who made it."""
        self._closed = True
        await asyncio.gather(*(lane.dispatcher.close() for lane in list(self._lanes.values())))

    async def _call(self, request: intake_pb2.DeliverRequest, timeout: float) -> intake_pb2.DeliverResponse:
        """The daemon's answer. Raises `Broken`, and TimeoutError where there is none within `timeout` seconds."""
        begin = time.monotonic()
        async with asyncio.timeout(timeout), self._at_once:
            waited = time.monotonic() - begin
            for delivery in request.deliveries:
                delivery.age_micros += int(waited * 1e6)
                delivery.time_left_micros = max(0, delivery.time_left_micros - int(waited * 1e6))
            try:
                return await self._stub.Deliver(request, timeout=timeout - waited, metadata=self._daemon.metadata())
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise TimeoutError from None
                raise Broken(error.code()) from None
