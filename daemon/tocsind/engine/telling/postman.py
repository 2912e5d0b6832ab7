"""The postman: the thread that has messages sent, and writes down what comes of it.

Rules
- What may be sent is the mailroom's to say, what is written the jobs' (`sending.py`); here is only the order of
  it: claim on disk, compose, give to the courier, record.
- Nothing of it waits for a receiver: the courier answers when it does, and many errands are under way at once.
- Answers are recorded in batches: whatever came in while the last one was written, with what is claimed next.
- What messages say is composed outside the pen. Where a contact point has templates, a few threads wait for them: one
  that takes long delays none that has none. Where the system has no thread for that, it is better that the others wait
  than that nobody is told.
- Where the file cannot be written, answers are kept and tried again every second, and nothing is begun meanwhile.
- What a defect keeps from being composed, claimed or recorded is the matter of that errand alone: it has failed, is
  tried again after a minute, or is left as it is until the next start; and the log says so.
- It stops in two steps: first nothing more is begun, and what is under way may end; when the courier is gone, what it
  delivered is recorded, and what it did not is left SENDING: the next start takes it up.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

import structlog

from tocsind.clock import Clock
from tocsind.courier.wire import Errand as Task
from tocsind.courier.wire import Outcome
from tocsind.domain import backoff
from tocsind.domain.errors import TocsinError
from tocsind.domain.outbox_queue import Errand
from tocsind.engine.memory import Memory
from tocsind.engine.telling import bulletins, sending
from tocsind.engine.telling.sending import Claim, Report, Turn
from tocsind.rendering.renderer import Renderer
from tocsind.sqlite.store import Store
from tocsind.sqlite.writer import Transaction
from tocsind.threads import Threads

MOST_A_TURN = 200
"""Messages that are recorded, and that are claimed, by one job, or few more: intake waits for it."""

COMPOSERS = 4
GRACE = 2.0
"""Seconds for which what is under way may end when the daemon stops."""

log = structlog.get_logger()


class Sender(Protocol):
    """What the postman needs of the courier."""

    def send(self, errand: Task) -> "Future[Outcome]":
        """Gives it an errand; the future always gets an outcome."""


class Office(Protocol):
    """What the postman needs of the engine."""

    clock: Clock
    store: Store
    memory: Memory
    renderer: Renderer

    @property
    def courier(self) -> Sender:
        """Who carries messages."""

    def change(self, job: Callable[[Transaction, Memory], Turn | int]) -> Turn | int:
        """Runs a job and returns once it is on disk."""


class Postman:
    """Sends what the outbox holds, from `start` on."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._room = office.memory.outbox
        self._composers = Threads(COMPOSERS, "composer")
        self._came_in: deque[Report] = deque()
        self._unrecorded: list[Report] = []
        self._recovered = False
        self._stopping = False
        self._cut_off = False
        self._ending = False
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Begins with what an earlier daemon left."""
        self._thread.start()
        self._room.ring()

    def stop(self, grace: float = GRACE) -> None:
        """Begins nothing more, and gives what is under way so many seconds. What fails after that may have failed
        because the courier is ended: it does not count."""
        self._stopping = True
        self._room.ring()
        self._idle.wait(grace)
        self._cut_off = True

    def finish(self) -> None:
        """Records what was delivered so far, and ends. The courier must have ended."""
        self._ending = True
        self._composers.shutdown(cancel_futures=True)
        self._room.ring()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._room.wait()
            ending = self._ending
            try:
                while self._turn():
                    pass
            except Exception:
                log.exception("the postman stumbled")
                self._room.give_back([])
            if self._stopping and not self._room.under_way:
                self._idle.set()
            if ending:
                return

    def _turn(self) -> bool:
        """Records and begins what there is, some of it; returns whether there may be more."""
        if not self._recovered and not self._recover():
            return False
        count = sum(len(report.errand.ids) for report in self._unrecorded)
        while self._came_in and count < MOST_A_TURN:
            report = self._came_in.popleft()
            if report.outcome.done or not self._cut_off:
                self._unrecorded.append(report)
                count += len(report.errand.ids)
        reports = self._unrecorded
        errands = [] if self._stopping else self._room.take(MOST_A_TURN)
        if not reports and not errands:
            self._room.go_on()
            return False
        try:
            turn = self._write(reports, errands)
        except TocsinError as refusal:
            self._room.give_back(errands)
            log.debug("messages wait for the file", reason=refusal.message)
            return False
        except Exception:
            # The writer has logged it. One of them is at fault: each for itself.
            self._each_alone(reports, errands)
            return True
        self._done(reports, errands, turn)
        return True

    def _recover(self) -> bool:
        """Takes up what an earlier daemon was sending; returns whether that is done."""
        try:
            while self._office.change(sending.recover):
                pass
        except TocsinError:
            self._room.give_back([])
            return False
        self._room.go_on()
        self._recovered = True
        return True

    def _write(self, reports: Sequence[Report], errands: Sequence[Errand]) -> Turn:
        luck = [random.random() for _ in reports]
        turn = self._office.change(partial(sending.turn, reports=reports, errands=errands, luck=luck))
        assert isinstance(turn, Turn)
        return turn

    def _done(self, reports: Sequence[Report], errands: Sequence[Errand], turn: Turn) -> None:
        """Follows the file, and has what was claimed sent."""
        self._unrecorded = []
        self._room.go_on(turn.receivers)
        for report, waits in zip(reports, turn.waits, strict=True):
            error = "" if report.outcome.done else report.answer
            tried = report.outcome.tried
            self._room.settle(report.errand, report.outcome.done, error, waits, report.asked, tried=tried)
        for errand, claim in zip(errands, turn.claims, strict=True):
            if claim is None:
                self._room.settle(errand, None)
            elif claim.contact.title_template or claim.contact.body_template:
                self._have_sent(claim)
            else:
                self._send(claim)

    def _have_sent(self, claim: Claim) -> None:
        try:
            self._composers.submit(self._send, claim)
        except RuntimeError as error:
            log.warning("a message is composed without a thread of its own", reason=str(error))
            self._send(claim)

    def _each_alone(self, reports: Sequence[Report], errands: Sequence[Errand]) -> None:
        self._unrecorded = []
        for report in reports:
            try:
                self._done([report], [], self._write([report], []))
            except TocsinError:
                self._came_in.append(report)
            except Exception:
                log.exception("what came of a message cannot be recorded", messages=report.errand.ids)
                self._room.settle(report.errand, None)
        for errand in errands:
            try:
                self._done([], [errand], self._write([], [errand]))
            except TocsinError:
                self._room.give_back([errand])
            except Exception:
                log.exception("a message cannot be claimed", messages=errand.ids)
                self._room.settle(errand, None, waits=dict.fromkeys(errand.ids, backoff.LONGEST_REST))

    def _send(self, claim: Claim) -> None:
        """Composes what messages say and gives it to the courier."""
        office = self._office
        try:
            with office.store.reading() as connection:
                now = office.clock.wall()
                composed = bulletins.compose(connection, office.renderer, claim.contact, claim.messages, now)
            sent = office.courier.send(composed.errand)
        except Exception:
            log.exception("a message cannot be composed", messages=claim.errand.ids)
            self._come_in(claim, (), Outcome(False, "it could not be composed: the daemon's log says why"))
        else:
            sent.add_done_callback(partial(self._answered, claim, composed.failures))

    def _answered(self, claim: Claim, failures: Sequence[str], sent: "Future[Outcome]") -> None:
        if sent.cancelled() or sent.exception() is not None:
            self._come_in(claim, failures, Outcome(False, "the courier failed"))
        else:
            self._come_in(claim, failures, sent.result())

    def _come_in(self, claim: Claim, failures: Sequence[str], outcome: Outcome) -> None:
        self._came_in.append(Report(claim.errand, outcome, failures))
        self._room.ring()
