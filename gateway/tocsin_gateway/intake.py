"""The two kinds of request that the daemon decides: notifications and beats.

Both become a `Delivery`; whether the credentials are good is for the daemon to say, each time: the gateway remembers
nothing about them.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

import falcon
import falcon.asgi

from tocsin.v1 import intake_pb2
from tocsin_gateway import answers
from tocsin_gateway.alertmanager import BadNotification, read_notification, says_resolved
from tocsin_gateway.answers import Answer
from tocsin_gateway.body import Body, BodyCut, BodyTooLarge, NoRoom
from tocsin_gateway.deferral import Deferral
from tocsin_gateway.dispatcher import NotDelivered
from tocsin_gateway.edge import BODY, KIND, TRACE_ID
from tocsin_gateway.metrics import Metrics

TIME_TO_ANSWER: Final = 5.0
"""Seconds from a complete body to the answer. Alertmanager's shortest window for one notification, with all repeats, is
10 s."""

LARGE_BODY: Final = 256 * 1024
"""Bytes from which a body is read by another thread (for some milliseconds), so that others are not held up."""

T = TypeVar("T")
P = ParamSpec("P")

_Request = falcon.asgi.Request
_Response = falcon.asgi.Response


class _Resource(ABC):
    """What both have in common."""

    kind: Literal["notification", "heartbeat"]

    def __init__(self, deferral: Deferral, metrics: Metrics, max_body: int) -> None:
        self._deferral = deferral
        self._metrics = metrics
        self._max_body = max_body

    async def on_post(self, req: _Request, resp: _Response, integration_type: str, credential: str) -> None:
        """Answers once the body is read, and the daemon has judged what it says."""
        req.scope[KIND] = self.kind
        try:
            content = await self._read(req)
        except BodyTooLarge:
            answer = Answer(413, f"the body is over the limit of {self._max_body} bytes")
        except BodyCut:
            answer = answers.unavailable("the body did not arrive in full")
        except NoRoom:
            answer = answers.unavailable("too much is arriving at once: try again")
        else:
            answer = await self._answer(req, content, _addressed(req, integration_type, credential))
        answers.give(resp, answer)

    async def on_options(self, req: _Request, resp: _Response, **_: str) -> None:
        """Refused like any other method; by itself Falcon would answer 200."""
        raise falcon.HTTPMethodNotAllowed(())

    async def _read(self, req: _Request) -> bytes:
        """The body, within the limit. Raises what `Body.read` raises."""
        body: Body = req.scope[BODY]
        content = await body.read(self._max_body)
        self._metrics.request_bytes.inc(len(content))
        return content

    @abstractmethod
    async def _answer(self, req: _Request, content: bytes, delivery: intake_pb2.Delivery) -> Answer:
        """The answer to a body; `delivery` says where it was sent, and has no content yet."""

    async def _deliver(
        self, delivery: intake_pb2.Delivery, size: int, arrived_at: float, complete_at: float, if_accepted: Answer
    ) -> Answer:
        try:
            receipt = await self._deferral.submit(
                delivery, weight=size + 512, arrived_at=arrived_at, deadline=complete_at + TIME_TO_ANSWER
            )
        except NotDelivered as reason:
            self._metrics.count_undelivered()
            return answers.unavailable(str(reason))
        self._metrics.count_receipt(receipt.outcome)
        is_beat = delivery.HasField("beat")
        return answers.for_receipt(receipt, delivery.integration_type, if_accepted, is_beat=is_beat)


class NotificationResource(_Resource):
    """`/integrations/v1/{integration_type}/{credential}/`: one notification of an Alertmanager."""

    kind = "notification"

    async def _answer(self, req: _Request, content: bytes, delivery: intake_pb2.Delivery) -> Answer:
        # The order of notifications is that in which they were complete here.
        complete_at = time.monotonic()
        if delivery.integration_type != "alertmanager":
            unreadable = answers.refusal(answers.NOT_READABLE_HERE)
            return await self._deliver(delivery, 0, complete_at, complete_at, unreadable)
        try:
            await _read_by(content, read_notification, delivery.notification)
        except BadNotification as error:
            return answers.refusal(str(error))
        never_judged = answers.unavailable("the daemon checked the token only")
        return await self._deliver(delivery, len(content), complete_at, complete_at, never_judged)


class HeartbeatResource(_Resource):
    """`/integrations/v1/{integration_type}/{credential}/heartbeat/`: one beat."""

    kind = "heartbeat"

    async def on_get(self, req: _Request, resp: _Response, integration_type: str, credential: str) -> None:
        """A beat, whatever else the request says."""
        req.scope[KIND] = self.kind
        body: Body = req.scope[BODY]
        delivery = _addressed(req, integration_type, credential)
        delivery.beat.SetInParent()
        answers.give(resp, await self._deliver(delivery, 0, body.arrived_at, body.arrived_at, answers.OK))

    async def _answer(self, req: _Request, content: bytes, delivery: intake_pb2.Delivery) -> Answer:
        # An Alertmanager's body that says the source has stopped is no beat.
        body: Body = req.scope[BODY]
        if not await _read_by(content, says_resolved):
            delivery.beat.SetInParent()
        # The source was alive when it began to send, so that is the time of the beat.
        return await self._deliver(delivery, 0, body.arrived_at, time.monotonic(), answers.OK)


async def _read_by(content: bytes, reader: Callable[Concatenate[bytes, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `reader` makes of a body; of a large one, in another thread."""
    if len(content) > LARGE_BODY:
        return await asyncio.to_thread(reader, content, *args, **kwargs)
    return reader(content, *args, **kwargs)


def _addressed(req: _Request, integration_type: str, credential: str) -> intake_pb2.Delivery:
    """A delivery without content, with what the request says about its integration."""
    scheme, _, token = (req.auth or "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return intake_pb2.Delivery(
        integration_type=integration_type,
        credential=credential,
        bearer_token=bearer,
        trace_id=req.scope[TRACE_ID],
    )
