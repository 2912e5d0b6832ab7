"""The way of deliveries to the daemon: what arrives together travels together.

Each batch that goes to the daemon and back costs much of what the gateway does, and the daemon commits all of one batch
at once. So one batch is in flight; what arrives meanwhile is gathered and goes with the next one. Nothing waits for
company. When a batch is answered, the next one is sent before the answers are passed on: the daemon works while senders
are told.

The rules:

* Every delivery is answered by its own deadline, whatever becomes of the call that carries it.
* UNAVAILABLE means that nothing of the batch was applied, or that nobody knows; delivering twice is harmless. What has
  time left is sent again after a pause: the daemon may just be restarting. So it is when the daemon broke a call off.
* If a batch is refused for what is in it (or nobody knows why), each of its deliveries is sent once more, alone: one
  bad delivery must not take others with it.
* Ages and times left are computed when a batch is made. That is also why none waits for the daemon to be there: ages
  would stand still while it does.
* What waits for an answer is limited in number and in size; beyond that, deliveries are refused at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from typing import Final

import grpc
import structlog

from tocsin.v1 import intake_pb2
from tocsin_gateway.delivery_stream import Broken
from tocsin_gateway.metrics import Metrics

BATCH_COUNT: Final = 256
"""Deliveries in one call (the contract allows 1,000)."""

BATCH_WEIGHT: Final = 8 * 1024 * 1024
"""Bytes of request bodies in one call, beyond its first delivery."""

PENDING_COUNT: Final = 20_000
"""Deliveries that may wait for an answer."""

PENDING_WEIGHT: Final = 512 * 1024 * 1024
"""Bytes of request bodies that may wait for an answer."""

FIRST_PAUSE: Final = 0.05
"""Seconds before the first repeat after UNAVAILABLE; the pause doubles up to `LAST_PAUSE`."""

LAST_PAUSE: Final = 0.4

ROUNDS_TO_SEND: Final = 1
"""Rounds of the event loop from starting a call to its bytes being handed to gRPC."""

TICK: Final = 0.05
"""Seconds between two looks at the deadlines, while anything waits."""

_TOO_LATE: Final = "the daemon has not answered in time: try again"

_WORTH_REPEATING: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED})

_REFUSED_FOR_CONTENT: Final = frozenset(
    {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)

_log = structlog.get_logger("tocsin_gateway")

Deliver = Callable[[intake_pb2.DeliverRequest, float], Awaitable[intake_pb2.DeliverResponse]]
"""Makes the call, within so many seconds; raises `Broken`, and TimeoutError."""


class NotDelivered(Exception):
    """The daemon has not taken the delivery, or nobody knows. The text says why, for the sender's log."""


class _Pending:
    """One delivery that waits for its receipt."""

    __slots__ = ("alone", "answer", "arrived_at", "deadline", "delivery", "weight")

    def __init__(self, delivery: intake_pb2.Delivery, weight: int, arrived_at: float, deadline: float) -> None:
        self.delivery = delivery
        self.weight = weight
        self.arrived_at = arrived_at
        self.deadline = deadline
        self.alone = False
        self.answer: asyncio.Future[intake_pb2.Receipt] = asyncio.get_running_loop().create_future()

    def fail(self, reason: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(NotDelivered(reason))


class Dispatcher:
    """Gathers deliveries and calls the daemon, with up to `most` at once. It lives in one event loop."""

    def __init__(self, deliver: Deliver, metrics: Metrics, *, most: int = BATCH_COUNT) -> None:
        self._deliver = deliver
        self._most = most
        self._metrics = metrics
        self._queue: deque[_Pending] = deque()
        self._calls: dict[asyncio.Task[None], list[_Pending]] = {}
        self._in_flight = False
        self._pause = 0.0
        self._pausing: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._count = 0
        self._weight = 0
        self._closed = False
        # A batch is nobody's request alone: its lines in the log name all of them, and none as their own.
        self._context = Context()

    @property
    def pending(self) -> int:
        """How many deliveries wait for their receipts."""
        return self._count

    async def submit(
        self, delivery: intake_pb2.Delivery, *, weight: int, arrived_at: float, deadline: float
    ) -> intake_pb2.Receipt:
        """The daemon's receipt for `delivery`, whose two times are filled in when it is sent.

        `weight` is about how many bytes it takes; `arrived_at` and `deadline` are times of the monotonic clock. Raises
        `NotDelivered` by the deadline at the latest (and one tick).
        """
        if self._closed:
            raise NotDelivered("the gateway is stopping: try again")
        # One delivery is always taken, however large: the limit of the body is the limit for one.
        if self._count and (self._count >= PENDING_COUNT or self._weight + weight > PENDING_WEIGHT):
            raise NotDelivered("too much is waiting for the daemon: try again")
        pending = _Pending(delivery, weight, arrived_at, deadline)
        self._count += 1
        self._weight += weight
        self._queue.append(pending)
        self._go_on()
        try:
            return await pending.answer
        finally:
            self._count -= 1
            self._weight -= weight

    async def close(self) -> None:
        """Ends every call and fails what still waits."""
        self._closed = True
        for timer in (self._pausing, self._ticking):
            if timer is not None:
                timer.cancel()
        _fail(self._waiting(), "the gateway is stopping: try again")
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _waiting(self) -> Iterable[_Pending]:
        yield from self._queue
        for batch in self._calls.values():
            yield from batch

    def _go_on(self) -> bool:
        """Starts a call if there is something to send and nothing speaks against it; returns whether it did."""
        if not self._queue or self._in_flight or self._pausing is not None or self._closed:
            return False
        self._in_flight = True
        batch: list[_Pending] = []
        # The task starts in the loop's next round, and only then takes what has gathered.
        task = asyncio.get_running_loop().create_task(self._call(batch), context=self._context)
        self._calls[task] = batch
        task.add_done_callback(self._after_call)
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)
        return True

    def _after_call(self, task: asyncio.Task[None]) -> None:
        del self._calls[task]
        self._go_on()

    def _tick(self) -> None:
        """Fails what has run out of time. It looks at all that waits: usually that is little, at most 20,000."""
        self._ticking = None
        now = time.monotonic()
        for pending in self._waiting():
            if pending.deadline <= now:
                pending.fail(_TOO_LATE)
        while self._queue and self._queue[0].answer.done():
            self._queue.popleft()
        self._go_on()
        if (self._queue or self._calls) and self._ticking is None and not self._closed:
            self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _take(self, batch: list[_Pending]) -> None:
        """Moves the next deliveries from the queue into `batch`; leaves out those whose sender waits no longer."""
        weight = 0
        while self._queue and len(batch) < self._most:
            pending = self._queue[0]
            if not pending.answer.done():
                if batch and (pending.alone or weight + pending.weight > BATCH_WEIGHT):
                    return
                # The first one is not weighed: see BATCH_WEIGHT.
                weight += pending.weight if batch else 0
                batch.append(pending)
            self._queue.popleft()
            if pending.alone and batch:
                return

    async def _call(self, batch: list[_Pending]) -> None:
        response: intake_pb2.DeliverResponse | None = None
        try:
            self._take(batch)
            if batch:
                response = await self._send(batch)
        except BaseException:
            _fail(batch, "the gateway failed to hand this on: try again")
            raise
        finally:
            self._in_flight = False
        if response is None:
            return
        self._pause = 0.0
        if self._go_on():
            for _ in range(ROUNDS_TO_SEND):
                await asyncio.sleep(0)
        for pending, receipt in zip(batch, response.receipts, strict=True):
            if not pending.answer.done():
                pending.answer.set_result(receipt)

    async def _send(self, batch: list[_Pending]) -> intake_pb2.DeliverResponse | None:
        """Makes the call; where it fails, its deliveries are failed or queued again, and None is returned."""
        now = time.monotonic()
        request = intake_pb2.DeliverRequest(sent_micros=int(now * 1e6))
        for pending in batch:
            delivery = pending.delivery
            delivery.age_micros = max(0, int((now - pending.arrived_at) * 1e6))
            delivery.time_left_micros = max(0, int((pending.deadline - now) * 1e6))
            request.deliveries.append(delivery)
        self._metrics.batch_size.observe(len(batch))
        try:
            response = await self._deliver(request, max(TICK, max(pending.deadline for pending in batch) - now))
        except TimeoutError:
            _fail(batch, _TOO_LATE)
            return None
        except Broken as broken:
            self._failed(batch, broken.code)
            return None
        except Exception as error:
            _log.exception("calling the daemon failed", trace_ids=_trace_ids(batch))
            self._refused(batch, type(error).__name__)
            return None
        if len(response.receipts) != len(batch):
            self._refused(batch, f"{len(response.receipts)} receipts for {len(batch)} deliveries")
            return None
        return response

    def _failed(self, batch: list[_Pending], code: grpc.StatusCode) -> None:
        if code in _WORTH_REPEATING:
            self._again(batch)
            self._pause = min(self._pause * 2, LAST_PAUSE) or FIRST_PAUSE
            if self._pausing is None and not self._closed:
                self._pausing = asyncio.get_running_loop().call_later(self._pause, self._end_pause)
        elif code in _REFUSED_FOR_CONTENT:
            self._refused(batch, code.name)
        else:
            _give_up(batch, code.name)

    def _refused(self, batch: list[_Pending], why: str) -> None:
        if len(batch) == 1:
            _give_up(batch, why)
            return
        _log_failure(batch, why)
        for pending in batch:
            pending.alone = True
        self._again(batch)

    def _again(self, batch: list[_Pending]) -> None:
        self._queue.extendleft(pending for pending in reversed(batch) if not pending.answer.done())

    def _end_pause(self) -> None:
        self._pausing = None
        self._go_on()


def _fail(waiting: Iterable[_Pending], reason: str) -> None:
    for pending in waiting:
        pending.fail(reason)


def _give_up(batch: list[_Pending], why: str) -> None:
    _log_failure(batch, why)
    _fail(batch, f"the daemon could not take this ({why}): try again")


def _log_failure(batch: list[_Pending], why: str) -> None:
    _log.warning("a call of the daemon failed", code=why, trace_ids=_trace_ids(batch))


def _trace_ids(batch: list[_Pending]) -> list[str]:
    return [pending.delivery.trace_id for pending in batch]
