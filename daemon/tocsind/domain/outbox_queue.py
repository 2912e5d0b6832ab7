"""What may be sent now: the order of the outbox, without a clock, a file or a thread.

Rules
- Those of one group to one contact point (a pair) go one after the other, by their numbers: a later one is not sent
  before the earlier one is delivered, dead or cancelled.
- An errand is one message to a contact point; or several where it bundles: then the first waits for the window from
  when it became due, and takes along what is due by then, 50 groups at most.
- Up to so many errands at once to a contact point as its kind has (`most`). After a failure one at a time, until one
  succeeds.
- After a failure the contact point rests as a whole, too (5 s, doubling to a minute while nothing succeeds; longer only
  where it asked for it): a dead receiver is not hammered, however many messages wait. The message that failed has its
  own, longer, backoff. So others are tried meanwhile, and one that its receiver chokes on blocks none of them. What was
  under way when the first failed, and fails as well, does not count again.
- A receiver that takes something after three failures in a row was away, and is back: what it failed to take meanwhile
  goes at once, rather than after a backoff of minutes. Fewer may be the fault of the message that failed: one that its
  receiver chokes on must not use up its attempts because others get through.
- What was tried before and what was not go separately, and take turns: neither starves, and what is new never shares an
  errand with what may be poisoned. An errand that failed is halved with each attempt, until what poisons it is alone.
- Contact points take turns. At most 200 errands are under way in all; when half of these places are taken, only those
  get one that have none: receivers that hang do not keep others from their first.
- Everything costs the logarithm of what waits, and only what is due is looked at; of very much that is due at once,
  some at a time. What is cancelled stays in the heaps until it is met there: `_is_next` says what is true.
Times are of one axis of the caller's, in microseconds.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tocsind.domain import backoff

PLACES = 200
SHARED_PLACES = PLACES // 2
MOST_BUNDLED = 50
"""Messages in one errand: groups that a message about several names."""

MOST_LOOKED_AT = 500
"""Messages to a contact point that are looked at in one go, once one is found: whoever has the pen may wait for it.
Measured: with 100,000 that were due at once it took a third of a second."""

AWAY = 3
"""Failures in a row after which a success means that the receiver was away, and is back."""

_NEVER = 2**63

_Pair = tuple[int, int]
_Heap = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Errand:
    """What goes to one contact point in one go: messages of different groups, in their order."""

    contact_id: int
    ids: tuple[int, ...]


@dataclass(slots=True)
class _Waiting:
    pair: _Pair
    due: int
    attempts: int
    under_way: bool = False


@dataclass(slots=True)
class _Contact:
    """`alarm` is when it is to be looked at again, if nothing happens before; `rest` is until when it rests; `refused`
    are the messages that it failed to take, and that wait for their next attempt."""

    id: int
    window: int = 0
    most: int = 1
    under_way: int = 0
    failures: int = 0
    rest: int = 0
    alarm: int = _NEVER
    in_turn: bool = False
    tried_next: bool = False
    pending: int = 0
    refused: set[int] = field(default_factory=set)
    later: _Heap = field(default_factory=list)
    fresh: _Heap = field(default_factory=list)
    tried: _Heap = field(default_factory=list)


class OutboxQueue:
    """The messages that are not settled. `luck` returns numbers from 0 to 1."""

    def __init__(self, luck: Callable[[], float]) -> None:
        self._luck = luck
        self._messages: dict[int, _Waiting] = {}
        self._pairs: dict[_Pair, list[int]] = {}
        self._busy: set[_Pair] = set()
        self._contacts: dict[int, _Contact] = {}
        self._turns: deque[_Contact] = deque()
        self._alarms: list[tuple[int, int]] = []
        self.under_way = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._messages

    def pending(self, contact_id: int) -> int:
        """Returns how many messages to a contact point are not settled."""
        contact = self._contacts.get(contact_id)
        return contact.pending if contact is not None else 0

    def to(self, contact_id: int) -> list[int]:
        """Returns the messages to a contact point that are not settled. It alone looks at all there are."""
        if not self.pending(contact_id):
            return []
        return [number for number, message in self._messages.items() if message.pair[1] == contact_id]

    def set_way(self, contact_id: int, window: int, most: int) -> None:
        """Says how a contact point is reached: its bundling window (0: it does not bundle), and how many errands may
        be under way to it."""
        contact = self._contact(contact_id)
        if (contact.window, contact.most) != (window, most):
            contact.window, contact.most = window, most
            self._take_turn(contact)

    def add(self, message_id: int, group_id: int, contact_id: int, due: int, attempts: int = 0) -> None:
        """Takes in a message that is not in it."""
        contact = self._contact(contact_id)
        pair = (group_id, contact_id)
        self._messages[message_id] = _Waiting(pair, due, attempts)
        contact.pending += 1
        if attempts:
            contact.refused.add(message_id)
        insort(self._pairs.setdefault(pair, []), message_id)
        self._await_next(pair)

    def remove(self, message_id: int) -> None:
        """Forgets a message, if it has it. One that is under way keeps its errand's place until that is settled."""
        message = self._messages.pop(message_id, None)
        if message is None:
            return
        contact = self._contacts[message.pair[1]]
        contact.pending -= 1
        contact.refused.discard(message_id)
        if message.under_way:
            self._busy.discard(message.pair)
        followers = self._pairs[message.pair]
        followers.remove(message_id)
        if followers:
            self._await_next(message.pair)
        else:
            del self._pairs[message.pair]

    def hasten(self, message_id: int, now: int) -> None:
        """Has a message that waits tried at once, though its receiver rests: somebody wants to know whether it is back.
        Those of its pair that come before it are, too: it goes after them."""
        pair = self._messages[message_id].pair
        contact = self._contacts[pair[1]]
        contact.rest = 0
        for number in self._pairs[pair]:
            if number <= message_id:
                self._set_due(self._messages[number], now)
        self._await_next(pair)
        self._take_turn(contact)

    def take(self, now: int, most: int) -> list[Errand]:
        """Returns what is to be sent now, and counts it as under way: errands until they have `most` messages together.
        There may be more at once after a full answer; after less, not before `next_look`, or before something is
        settled or comes in."""
        while self._alarms and self._alarms[0][0] <= now:
            at, contact_id = heappop(self._alarms)
            contact = self._contacts[contact_id]
            if contact.alarm == at:
                contact.alarm = _NEVER
                self._take_turn(contact)
        taken: list[Errand] = []
        passed_over = count = 0
        while passed_over < len(self._turns) and count < most and self.under_way < PLACES:
            contact = self._turns.popleft()
            if contact.under_way and self.under_way >= SHARED_PLACES:
                self._turns.append(contact)
                passed_over += 1
                continue
            contact.in_turn = False
            ids = self._next(contact, now)
            if ids:
                passed_over = 0
                count += len(ids)
                contact.under_way += 1
                self.under_way += 1
                taken.append(Errand(contact.id, tuple(sorted(ids))))
                self._take_turn(contact)
        return taken

    def next_look(self) -> int | None:
        """Returns when something becomes due, unless something else happens before; None for never."""
        while self._alarms and self._contacts[self._alarms[0][1]].alarm != self._alarms[0][0]:
            heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def settle(
        self,
        errand: Errand,
        now: int,
        done: bool | None,
        again: Mapping[int, int] | None = None,
        asked: int = 0,
        *,
        tried: bool = True,
    ) -> None:
        """Ends an errand. `done`: whether the receiver took it, None where nothing was sent. `tried`: whether it left
        this machine, so that a failure may be for what the messages say. `again`: when each message that is to be tried
        again is due; the others have ended. `asked`: for how long the receiver wants to be left alone."""
        contact = self._contacts[errand.contact_id]
        contact.under_way -= 1
        self.under_way -= 1
        is_back = bool(done) and contact.failures >= AWAY
        if done:
            contact.failures = contact.rest = 0
        elif done is False and now >= contact.rest:
            contact.failures += 1
            contact.rest = now + backoff.pause(contact.failures, self._luck(), asked, backoff.LONGEST_REST)
        for message_id in errand.ids:
            message = self._messages.get(message_id)
            if message is None:
                continue
            if again is None or message_id not in again:
                self.remove(message_id)
                continue
            self._busy.discard(message.pair)
            message.under_way = False
            message.due = again[message_id]
            if done is False and tried:
                message.attempts += 1
                contact.refused.add(message_id)
            self._await_next(message.pair)
        if is_back:
            for message_id in contact.refused:
                message = self._messages[message_id]
                self._set_due(message, now)
                self._await_next(message.pair)
            contact.refused.clear()
        self._take_turn(contact)

    def give_back(self, errand: Errand, now: int) -> None:
        """Takes back an errand that was not begun: all of it may be sent as before."""
        self.settle(errand, now, None, {i: self._messages[i].due for i in errand.ids if i in self._messages})

    def _next(self, contact: _Contact, now: int) -> Sequence[int]:
        """Returns the messages of the next errand to a contact point, or none, and then sees to it that it is looked at
        again in time."""
        if contact.under_way >= (1 if contact.failures else contact.most):
            return ()
        if now < contact.rest:
            self._set_alarm(contact, contact.rest)
            return ()
        looked_at = 0
        while contact.later and contact.later[0][0] <= now:
            if looked_at >= MOST_LOOKED_AT and (contact.fresh or contact.tried):
                break
            looked_at += 1
            due, message_id = heappop(contact.later)
            if self._is_next(message_id, due):
                heap = contact.tried if self._messages[message_id].attempts else contact.fresh
                heappush(heap, (due, message_id))
        heaps = (contact.tried, contact.fresh) if contact.tried_next else (contact.fresh, contact.tried)
        for heap in heaps:
            self._prune(heap)
            if heap and heap[0][0] + contact.window <= now:
                contact.tried_next = heap is contact.fresh
                return self._bundle(heap, MOST_BUNDLED if contact.window else 1)
            if heap:
                self._set_alarm(contact, heap[0][0] + contact.window)
        if contact.later:
            self._set_alarm(contact, contact.later[0][0])
        return ()

    def _bundle(self, heap: _Heap, most: int) -> list[int]:
        chosen: list[int] = []
        while heap:
            message = self._messages[heap[0][1]]
            most = min(most, max(1, MOST_BUNDLED >> message.attempts))
            if len(chosen) >= most:
                break
            message.under_way = True
            self._busy.add(message.pair)
            chosen.append(heappop(heap)[1])
            self._prune(heap)
        return chosen

    def _prune(self, heap: _Heap) -> None:
        while heap and not self._is_next(heap[0][1], heap[0][0]):
            heappop(heap)

    def _is_next(self, message_id: int, due: int) -> bool:
        """Whether what stands in a heap still holds, and nothing of its pair is before it."""
        message = self._messages.get(message_id)
        return (
            message is not None
            and message.due == due
            and message.pair not in self._busy
            and self._pairs[message.pair][0] == message_id
        )

    def _set_due(self, message: _Waiting, now: int) -> None:
        """Has a message due now, if it waits and is not yet."""
        if not message.under_way:
            message.due = min(message.due, now)

    def _await_next(self, pair: _Pair) -> None:
        """Has the first of a pair wait for its time, unless one of them is under way."""
        if pair not in self._busy:
            contact = self._contacts[pair[1]]
            first = self._pairs[pair][0]
            due = self._messages[first].due
            heappush(contact.later, (due, first))
            self._set_alarm(contact, due)

    def _contact(self, contact_id: int) -> _Contact:
        found = self._contacts.get(contact_id)
        if found is None:
            found = self._contacts[contact_id] = _Contact(contact_id)
        return found

    def _set_alarm(self, contact: _Contact, at: int) -> None:
        if at < contact.alarm:
            contact.alarm = at
            heappush(self._alarms, (at, contact.id))

    def _take_turn(self, contact: _Contact) -> None:
        if not contact.in_turn:
            contact.in_turn = True
            self._turns.append(contact)
