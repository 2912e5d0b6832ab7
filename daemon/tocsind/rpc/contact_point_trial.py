"""Trying out a contact point: a message that is sent now, once, past the outbox.

Rules
- The caller waits, and learns what came of it before it would give up: what a receiver has not answered by then is not
  delivered. It may have taken it all the same.
- Waiting takes no thread: a receiver that hangs holds up no other call.
- The courier sends alerts too, and has room for so many errands: tests take no more than a part of it, until they have
  ended there, whether anybody still waits for them or not.
- Nothing is written: there is no group of which a timeline could tell, and nothing was changed.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import msgspec
import structlog

from tocsin.v1 import contact_points_pb2
from tocsind.courier.wire import Outcome
from tocsind.domain.contact_point import ContactPoint, Kind, secrets
from tocsind.domain.errors import not_found
from tocsind.domain.masking import scrub
from tocsind.domain.units import SECOND
from tocsind.engine.engine import Engine
from tocsind.engine.telling import bulletins, on_call
from tocsind.engine.telling.bulletins import Composed
from tocsind.rpc import encode
from tocsind.rpc.access import caller
from tocsind.sqlite import contact_points as rows

MOST_PATIENCE: Final = 75.0
"""Seconds to wait at most: a webhook may take a minute."""

MOST_AT_ONCE: Final = 64
"""Test messages that are under way at once."""

_HEAD_START: Final = 0.5
"""Seconds before the caller gives up, by which it is answered; a tenth of its wait where that is shorter."""

log = structlog.get_logger()


class Trial:
    """Sends test messages."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._room = threading.Semaphore(MOST_AT_ONCE)

    async def run(self, public_id: str) -> contact_points_pb2.TestContactPointResponse:
        """Sends one to a contact point, or to all who are on call by it. TocsinError: NOT_FOUND."""
        patience = self._patience()
        begin = self._engine.clock.steady()
        contacts, composed = await asyncio.to_thread(self._prepare, public_id)
        left = max(0.0, patience - (self._engine.clock.steady() - begin) / SECOND)
        sent = [self._send(contact, each, left, patience) for contact, each in zip(contacts, composed, strict=True)]
        return contact_points_pb2.TestContactPointResponse(outcomes=await asyncio.gather(*sent))

    def _patience(self) -> float:
        deadline = caller().deadline
        if deadline is None:
            return MOST_PATIENCE
        left = (deadline - self._engine.clock.steady()) / SECOND
        return max(0.0, min(MOST_PATIENCE, left - min(_HEAD_START, left / 10)))

    def _prepare(self, public_id: str) -> tuple[Sequence[ContactPoint], Sequence[Composed]]:
        """Returns whom to send what; blocks."""
        now = self._engine.clock.wall()
        with self._engine.store.reading() as connection:
            named = rows.by_public_id(connection, public_id)
            if named is None:
                raise not_found(f"contactPoints/{public_id}")
            contacts = [named]
            if named.kind is Kind.ON_CALL:
                on_duty = on_call.now(connection, named, now).contacts
                found = [rows.by_id(connection, contact_id) for contact_id in on_duty]
                contacts = [each for each in found if each is not None and _can_be_told(each)]
        return contacts, [bulletins.compose_test(self._engine.renderer, contact, now) for contact in contacts]

    async def _send(
        self, contact: ContactPoint, composed: Composed, left: float, patience: float
    ) -> contact_points_pb2.TestOutcome:
        if left <= 0:
            outcome: Outcome | None = Outcome(False, f"not sent: it was not ready within {patience:.3g} seconds")
        elif not self._room.acquire(blocking=False):
            outcome = Outcome(False, "not sent: too many other tests are under way")
        else:
            # The courier need not go on with what nobody waits for.
            errand = msgspec.structs.replace(composed.errand, timeout=min(composed.errand.timeout, left))
            future = self._engine.courier.send(errand)
            future.add_done_callback(lambda _: self._room.release())
            outcome = await _within(future, left)
        if outcome is None:
            outcome = Outcome(False, f"no answer within {patience:.3g} seconds", seconds=left)
        log.info("a test message was sent", contact_point=contact.name, delivered=outcome.done)
        hidden = secrets(contact.settings)
        return contact_points_pb2.TestOutcome(
            contact_point=contact.name,
            delivered=outcome.done,
            answer=scrub(outcome.answer, hidden),
            duration=encode.duration(int(outcome.seconds * SECOND)),
            template_error=scrub("; ".join(composed.failures), hidden),
        )


def _can_be_told(contact: ContactPoint) -> bool:
    return contact.deleted is None and contact.kind is not Kind.ON_CALL


async def _within(future: "Future[Outcome]", seconds: float) -> Outcome | None:
    """Returns what comes of an errand, None where nothing does in time. The future itself is left alone: cancelled, it
    could not be given its outcome any more."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: "Future[Outcome]") -> None:
        # The daemon may have stopped meanwhile, and its loop with it.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
    return future.result() if future.done() else None
