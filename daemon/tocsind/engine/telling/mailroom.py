"""The outbox in memory: which messages wait for what, and the one bell that wakes the postman.

Rules
- It follows the file: what is put, withdrawn or retried comes in after the commit. Only the taking of errands runs
  ahead of it, and what then cannot be written is given back.
- Times of day become waits when they are read from the file, and no wait is longer than it was when it was decided: a
  clock that jumped back does not keep a message for a year.
- It has a lock of its own, which is never held while anything else is waited for.
- The postman sleeps until the bell rings: for what comes in, for an answer, and at a tick of the writer at which
  something has become due. So it wakes up for a reason, at most once a tick for all of them.
"""

import random
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence

from tocsind.clock import Clock
from tocsind.domain.contact_point import Kind
from tocsind.domain.message import Message, MessageState
from tocsind.domain.outbox_queue import Errand, OutboxQueue
from tocsind.domain.units import SECOND
from tocsind.sqlite import messages as rows
from tocsind.sqlite.messages import Receiver

AT_ONCE: Mapping[Kind, int] = {Kind.WEBHOOK: 8, Kind.APPRISE: 4, Kind.ON_CALL: 1}
"""How many errands may be under way to a contact point of a kind."""

RETRY = SECOND
"""How long to wait before the file is tried again."""


class Mailroom:
    """The messages that are not settled, of one daemon. Any thread may ask."""

    def __init__(self, clock: Clock, connection: sqlite3.Connection) -> None:
        self._clock = clock
        self._bell = threading.Condition()
        self._queue = OutboxQueue(random.random)
        self._errors: dict[int, str] = {}
        self._rung = self._hearing = self._heard = 0
        self._not_before: int | None = None
        self._set_ways(rows.every_receiver(connection))
        wall, elapsed = clock.wall(), clock.elapsed()
        for number, group_id, contact_id, attempts, state, decided, due in rows.unsettled(connection):
            left = 0 if state is MessageState.SENDING else max(0, min(due - wall, due - decided))
            self._queue.add(number, group_id, contact_id, elapsed + left, attempts)

    def __len__(self) -> int:
        with self._bell:
            return len(self._queue)

    @property
    def under_way(self) -> int:
        """How many errands are under way."""
        with self._bell:
            return self._queue.under_way

    def standing(self, contact_ids: Iterable[int]) -> dict[int, tuple[int, str]]:
        """Returns for contact points how many messages to them are not settled, and why the last attempt failed, ""
        where it did not."""
        with self._bell:
            return {i: (self._queue.pending(i), self._errors.get(i, "")) for i in contact_ids}

    # What the file says

    def add(self, messages: Sequence[Message], receivers: Iterable[Receiver]) -> None:
        """Takes in new messages, or some that were settled; they are due now."""
        with self._bell:
            self._set_ways(receivers)
            now = self._clock.elapsed()
            for new in messages:
                if new.id not in self._queue:
                    self._queue.add(new.id, new.group_id, new.contact_id, now, new.attempts)
            self._ring()

    def remove(self, ids: Iterable[int]) -> None:
        """Forgets messages that are not to be sent any more."""
        with self._bell:
            for number in ids:
                self._queue.remove(number)
            self._ring()

    def hasten(self, ids: Iterable[int]) -> None:
        """Has messages tried now, though they, or their receivers, wait after a failure."""
        with self._bell:
            now = self._clock.elapsed()
            for number in ids:
                if number in self._queue:
                    self._queue.hasten(number, now)
            self._ring()

    def to(self, contact_id: int) -> list[int]:
        """Returns the messages to a contact point that are not settled."""
        with self._bell:
            return self._queue.to(contact_id)

    # What the postman does

    def take(self, most: int) -> list[Errand]:
        """Returns what is to be sent now, until it has so many messages together."""
        with self._bell:
            return self._queue.take(self._clock.elapsed(), most)

    def give_back(self, errands: Iterable[Errand]) -> None:
        """Takes back what was taken and could not be written; the bell does not ring for it before `RETRY`."""
        with self._bell:
            now = self._clock.elapsed()
            self._not_before = now + RETRY
            for errand in errands:
                self._queue.give_back(errand, now)

    def go_on(self, receivers: Iterable[Receiver] = ()) -> None:
        """The file can be written: nothing waits for that any more. Contact points may have changed."""
        with self._bell:
            self._not_before = None
            self._set_ways(receivers)

    def settle(
        self,
        errand: Errand,
        done: bool | None,
        error: str = "",
        waits: Mapping[int, int] | None = None,
        asked: int = 0,
        *,
        tried: bool = True,
    ) -> None:
        """Ends an errand, as the file has it: which messages are tried again, and after how long; else as
        `OutboxQueue.settle`."""
        with self._bell:
            now = self._clock.elapsed()
            if done is not None:
                self._errors[errand.contact_id] = error
            again = {number: now + wait for number, wait in (waits or {}).items()}
            self._queue.settle(errand, now, done, again, asked, tried=tried)

    # The bell

    def ring(self) -> None:
        """Wakes the postman: it has something to do."""
        with self._bell:
            self._ring()

    def look(self, elapsed: int) -> None:
        """Wakes the postman if something is due. Called at every tick."""
        with self._bell:
            at = self._queue.next_look() if self._not_before is None else self._not_before
            if at is not None and at <= elapsed:
                self._ring()

    def wait(self) -> None:
        """Waits for the bell. It may have rung since the last wait; all that it rang for so far is to be done then."""
        with self._bell:
            self._heard = self._hearing
            self._bell.wait_for(lambda: self._rung != self._heard)
            self._hearing = self._rung

    def _ring(self) -> None:
        self._rung += 1
        self._bell.notify()

    def _set_ways(self, receivers: Iterable[Receiver]) -> None:
        for receiver in receivers:
            window = receiver.window if receiver.kind is Kind.APPRISE else 0
            self._queue.set_way(receiver.id, window, AT_ONCE[receiver.kind])
