"""IntakeService: what the gateway calls.

Rules
- Over the stream nothing waits for templates: what has them to be rendered first is sent back as deferred.
- A call of `Deliver` renders what would be deferred, as far as is known, and what is deferred all the same; and applies
  it then. It waits for that for a part of the time that the sender has left, so that enough is left to apply it: with
  the defaults, if need be.
- Where a rulebook was changed while its templates were rendered, they are rendered anew.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextvars import copy_context

import grpc
import structlog

from tocsin.v1 import intake_pb2, intake_pb2_grpc
from tocsind.domain.errors import Code, TocsinError, invalid, too_many
from tocsind.domain.rulebook import Rulebook
from tocsind.domain.transit import Transit
from tocsind.domain.units import SECOND
from tocsind.engine.deliver import Delivery, Outcome, Receipt, deliver
from tocsind.engine.engine import Engine
from tocsind.rpc import decode, encode
from tocsind.rpc.access import MAX_TRACE_ID
from tocsind.threads import Threads

MOST_DELIVERIES = 1_000
# Each gateway has one batch under way at a time.
INTAKE_THREADS = 16
# The part of a sender's time left for which templates are waited for.
_SHARE = 0.5

log = structlog.get_logger()

# What failed has lines of its own. What is over a rate limit has none: a flood of it would be a flood of lines.
_REFUSED = (Outcome.CREDENTIAL_UNKNOWN, Outcome.CREDENTIAL_REFUSED, Outcome.WRONG_TYPE, Outcome.EXPIRED)
_OUTCOMES = {outcome: intake_pb2.Receipt.Outcome.Value(outcome.name) for outcome in Outcome}


class IntakeServicer(intake_pb2_grpc.IntakeServiceServicer):
    """Decodes a batch, has it applied as one job, encodes the receipts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Threads of their own: whatever other callers do, a gateway's batch finds one.
        self._threads = Threads(INTAKE_THREADS, "intake")
        self._started = encode.timestamp(engine.clock.wall())

    async def Deliver(
        self, request: intake_pb2.DeliverRequest, context: grpc.ServicerContext
    ) -> intake_pb2.DeliverResponse:
        """Takes a batch, and renders what it takes for that."""
        begin = self._engine.clock.steady()
        deliveries = self._decode(request, begin)
        # Most come here because they were deferred over the stream: it saves a job not to ask once more.
        likely = [(each, self._likely_deferred(each, begin)) for each in deliveries]
        await self._render([(each, rulebook) for each, rulebook in likely if rulebook is not None])
        receipts = await self._applied(deliveries)
        while deferred := [index for index, receipt in enumerate(receipts) if receipt.outcome is Outcome.DEFERRED]:
            again = [deliveries[index] for index in deferred]
            await self._render([(deliveries[index], receipts[index].rulebook) for index in deferred])
            for index, receipt in zip(deferred, await self._applied(again), strict=True):
                receipts[index] = receipt
        self._note(deliveries, receipts, begin)
        return _response(receipts)

    async def DeliverStream(
        self, request_iterator: AsyncIterator[intake_pb2.DeliverRequest], context: grpc.ServicerContext
    ) -> AsyncIterator[intake_pb2.DeliverResponse]:
        """Takes one batch after another."""
        transit = Transit()
        loop = asyncio.get_running_loop()
        async for request in request_iterator:
            now = self._engine.clock.steady()
            sent = now - (transit.of(request.sent_micros, now) if request.sent_micros else 0)
            yield await loop.run_in_executor(self._threads, self._take, request, sent)

    async def Attend(
        self, request_iterator: AsyncIterator[intake_pb2.AttendRequest], context: grpc.ServicerContext
    ) -> AsyncIterator[intake_pb2.AttendResponse]:
        """Counts the calling gateway as attending until its stream breaks."""
        clock, presence = self._engine.clock, self._engine.memory.presence
        name = ""
        try:
            async for pulse in request_iterator:
                presence.pulse(context, clock.steady())
                if not name:
                    name = pulse.gateway or "unnamed"
                    log.info("a gateway attends", gateway=name)
                    yield intake_pb2.AttendResponse(start_time=self._started)
        finally:
            presence.leave(context, clock.steady())
            if name:
                log.info("a gateway left", gateway=name)

    def close(self) -> None:
        """Waits for the batches that are being applied."""
        self._threads.shutdown()

    def _take(self, request: intake_pb2.DeliverRequest, sent: int) -> intake_pb2.DeliverResponse:
        """Applies a batch that was sent at `sent`, by the daemon's monotonic clock."""
        begin = self._engine.clock.steady()
        deliveries = self._decode(request, sent)
        try:
            receipts = self._engine.change(deliver, deliveries)
        except TocsinError:
            raise
        except Exception:
            receipts = [self._alone(delivery) for delivery in deliveries]
        self._note(deliveries, receipts, begin)
        return _response(receipts)

    async def _applied(self, deliveries: list[Delivery]) -> list[Receipt]:
        """Applies a batch without keeping a thread waiting: many such calls can be under way."""
        try:
            # A caller that goes away must not take back what is queued.
            return await asyncio.shield(asyncio.wrap_future(self._engine.submit(deliver, deliveries)))
        except TocsinError:
            raise
        except Exception:
            run, loop = copy_context().run, asyncio.get_running_loop()
            return [await loop.run_in_executor(self._threads, run, self._alone, each) for each in deliveries]

    def _likely_deferred(self, delivery: Delivery, now: int) -> Rulebook | None:
        if delivery.notification is None:
            return None
        return self._engine.memory.likely_deferred(delivery.credential, delivery.notification, now)

    async def _render(self, wanted: Sequence[tuple[Delivery, Rulebook | None]]) -> None:
        """Has rendered what deliveries are deferred for."""

        async def one(delivery: Delivery, rulebook: Rulebook | None) -> None:
            assert rulebook is not None
            assert delivery.notification is not None
            left = (delivery.deadline - self._engine.clock.steady()) / SECOND
            render = self._engine.renderer.render
            delivery.rendered = await render(rulebook, delivery.notification.payload, left * _SHARE)

        if len(wanted) == 1:
            await one(*wanted[0])
        elif wanted:
            await asyncio.gather(*(one(*each) for each in wanted))

    def _decode(self, request: intake_pb2.DeliverRequest, sent: int) -> list[Delivery]:
        if len(request.deliveries) > MOST_DELIVERIES:
            raise too_many("deliveries", MOST_DELIVERIES)
        return [self._delivery(message, sent, index) for index, message in enumerate(request.deliveries)]

    def _delivery(self, message: intake_pb2.Delivery, sent: int, index: int) -> Delivery:
        content = message.WhichOneof("content")
        if content == "notification" and not message.notification.content_digest:
            raise invalid(f"deliveries[{index}].notification.content_digest", "must be set")
        return Delivery(
            message.integration_type,
            message.credential,
            message.bearer_token,
            sent - max(0, message.age_micros),
            sent + message.time_left_micros,
            decode.notification(message.notification) if content == "notification" else None,
            content == "beat",
            message.trace_id[:MAX_TRACE_ID],
        )

    def _alone(self, delivery: Delivery) -> Receipt:
        """Applies one delivery of a batch that failed, so that only what cannot be applied at all fails."""
        try:
            return self._engine.change(deliver, [delivery])[0]
        except Exception as error:
            if isinstance(error, TocsinError) and error.code is Code.UNAVAILABLE:
                raise
            log.error("a delivery cannot be applied", trace_id=delivery.trace_id, exc_info=error)
            return Receipt(Outcome.FAILED)

    def _note(self, deliveries: list[Delivery], receipts: list[Receipt], begin: int) -> None:
        """Counts a batch, and logs what was not taken: a line for each reason, however many there are."""
        metrics = self._engine.metrics
        metrics.batch_size.observe(len(deliveries))
        metrics.batch_seconds.observe((self._engine.clock.steady() - begin) / SECOND)
        outcomes = Counter(receipt.outcome for receipt in receipts)
        for outcome, count in outcomes.items():
            metrics.deliveries[outcome.name.lower()].inc(count)
            if outcome in _REFUSED:
                refused = [d.trace_id for d, r in zip(deliveries, receipts, strict=True) if r.outcome is outcome]
                log.info("deliveries refused", outcome=outcome.name, trace_ids=refused)


def _response(receipts: list[Receipt]) -> intake_pb2.DeliverResponse:
    return intake_pb2.DeliverResponse(receipts=[_receipt(receipt) for receipt in receipts])


def _receipt(receipt: Receipt) -> intake_pb2.Receipt:
    message = intake_pb2.Receipt(outcome=_OUTCOMES[receipt.outcome])
    if receipt.integration_type:
        message.integration_type = receipt.integration_type
    if receipt.group is not None:
        message.alert_group = f"alertGroups/{receipt.group.id}"
    message.retry_after_seconds = receipt.retry_after
    return message
