"""The jobs of the postman: what is about to be sent is written first, and what came of it afterwards.

Rules
- Before anything is sent its message is SENDING, with one attempt more, on disk. What cannot be written is not sent.
- One job records what came in and claims what is next: so nothing is claimed before all that is known is on disk.
- A receiver may get a message twice, with the same key: where the daemon, or the machine, stops between the sending and
  the record of it (also while the file cannot be written: what came of it is kept in memory and tried again); and
  where the receiver took it and its answer was lost, as in a timeout. It is never lost.
- After a start, what is SENDING was begun by a daemon that is gone: it is PENDING, and due at once.
- A message that says that a group fires, and failed, is not tried again once the group fires no more; but where its own
  chain resolved it: "tell them, and resolve it" is to tell them. One that says that it is resolved is not once it is
  not.
- A group that is gone or wiped, and a contact point that is gone, have their messages cancelled instead of sent.
- Where nothing left this machine, as the courier does not start, that is no attempt: a message is not given up for what
  its receiver never heard of. It is said once, not each time.
- The settings of a contact point are read when a message is claimed: each attempt has those of its time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tocsind.courier.wire import Outcome
from tocsind.domain import backoff, wording
from tocsind.domain.alert_group import EventKind, State
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.domain.outbox_queue import Errand
from tocsind.domain.units import SECOND
from tocsind.engine.memory import Memory
from tocsind.engine.telling import outbox
from tocsind.sqlite import contact_points
from tocsind.sqlite import messages as rows
from tocsind.sqlite.messages import GroupState, Receiver
from tocsind.sqlite.writer import Transaction

STOPPED = "the daemon stopped before it was answered"
STEP = 500
_LONGEST_ANSWER = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """An errand that may be sent now: it is on disk that it is. `messages` are those that are still to be sent."""

    errand: Errand
    contact: ContactPoint
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an errand. `failures`: a line for each template that failed when it was composed."""

    errand: Errand
    outcome: Outcome
    failures: Sequence[str] = ()

    @property
    def answer(self) -> str:
        """What the other side said, in one line."""
        return " ".join(self.outcome.answer.split())[:_LONGEST_ANSWER]

    @property
    def asked(self) -> int:
        """For how long the other side wants to be left alone, in microseconds."""
        return max(0, int(min(self.outcome.retry_after, 1e9) * SECOND))


@dataclass(frozen=True, slots=True)
class Turn:
    """What was written: for each report, after how long which messages are tried again; and for each errand that was
    to be begun what is left of it, None where that is nothing. `receivers` are the contact points as they are now."""

    waits: Sequence[dict[int, int]]
    claims: Sequence[Claim | None]
    receivers: Sequence[Receiver] = field(default=())


def recover(transaction: Transaction, memory: Memory) -> int:
    """Takes up what a daemon that is gone was sending, some of it; returns how many there were."""
    begun = rows.sending(transaction.connection, STEP)
    needed = _needed(transaction, begun)
    lines = []
    for each in needed.values():
        again = f"attempt {each.attempts} of {backoff.MOST_ATTEMPTS}: {STOPPED}; again now"
        lines.append((each, EventKind.DELIVERY_FAILED, again))
        # The last attempt is made again, rather than one more than there are.
        each.attempts = min(each.attempts, backoff.MOST_ATTEMPTS - 1)
        each.answer, each.state = STOPPED, MessageState.PENDING
        each.set = each.due = transaction.now
    rows.update(transaction.connection, needed.values())
    outbox.tell(transaction, outbox.timeline(transaction, lines))
    _let_go(transaction, memory, [each for each in begun if each.id not in needed])
    return len(begun)


def turn(
    transaction: Transaction,
    memory: Memory,
    reports: Sequence[Report],
    errands: Sequence[Errand],
    luck: Sequence[float],
) -> Turn:
    """Records what came of errands, and claims others. `luck`: for each report, what `backoff.pause` wants."""
    waits = _record(transaction, memory, reports, luck) if reports else []
    receivers = rows.receivers(transaction.connection, list({errand.contact_id for errand in errands}))
    claims = _claim(transaction, memory, errands, receivers) if errands else []
    return Turn(waits, claims, tuple(receivers.values()))


def _record(
    transaction: Transaction, memory: Memory, reports: Sequence[Report], luck: Sequence[float]
) -> list[dict[int, int]]:
    """Writes what came of errands; returns for each after how long which of its messages are tried again."""
    found = rows.by_ids(transaction.connection, [number for report in reports for number in report.errand.ids])
    sent = {number: each for number, each in found.items() if each.state is MessageState.SENDING}
    failed = [sent[i] for report in reports if not report.outcome.done for i in report.errand.ids if i in sent]
    needed = _needed(transaction, failed)
    settled: list[Message] = []
    unneeded: list[Message] = []
    lines: list[tuple[Message, EventKind, str]] = []
    all_waits: list[dict[int, int]] = []
    for report, chance in zip(reports, luck, strict=True):
        waits: dict[int, int] = {}
        all_waits.append(waits)
        for each in (sent[i] for i in report.errand.ids if i in sent):
            said_before, each.answer = each.answer == report.answer, report.answer
            lines.extend((each, EventKind.TEMPLATE_FAILED, line) for line in report.failures)
            if not report.outcome.done and each.id not in needed:
                unneeded.append(each)
                continue
            settled.append(each)
            kind, text, wait = _settle(each, report, transaction.now, chance)
            if report.outcome.tried or not said_before:
                lines.append((each, kind, text))
            if wait is not None:
                waits[each.id] = wait
    rows.update(transaction.connection, settled)
    outbox.tell(transaction, outbox.timeline(transaction, lines))
    _let_go(transaction, memory, unneeded)
    transaction.after_commit(partial(_count, memory, settled, transaction.now))
    return all_waits


def _settle(message: Message, report: Report, now: int, luck: float) -> tuple[EventKind, str, int | None]:
    """Changes a message that was sent by what came of it; returns its event, what that says, and after how long it is
    tried again, if it is."""
    if report.outcome.done:
        message.state, message.ended = MessageState.DELIVERED, now
        return EventKind.DELIVERED, report.answer, None
    if not report.outcome.tried:
        message.attempts = max(0, message.attempts - 1)
        soon = backoff.pause(1, luck)
        message.state, message.set, message.due = MessageState.PENDING, now, now + soon
        return EventKind.DELIVERY_FAILED, f"{report.answer}; tried again until it does", soon
    tried = f"attempt {message.attempts} of {backoff.MOST_ATTEMPTS}: {report.answer}"
    wait = backoff.next_try(message.attempts, luck, report.asked)
    if wait is None:
        message.state, message.ended = MessageState.DEAD, now
        retry = f"tocsin messages retry {message.group_id}/{message.id}"
        return EventKind.DELIVERY_GIVEN_UP, f"{tried}; given up; to send it again: {retry}", None
    message.state, message.set, message.due = MessageState.PENDING, now, now + wait
    return EventKind.DELIVERY_FAILED, f"{tried}; again in {wording.span(wait)}", wait


def _claim(
    transaction: Transaction, memory: Memory, errands: Sequence[Errand], receivers: Mapping[int, Receiver]
) -> list[Claim | None]:
    """Marks the messages of errands as being sent, and cancels what cannot be sent any more."""
    found = rows.by_ids(transaction.connection, [number for errand in errands for number in errand.ids])
    states = rows.states_of_groups(transaction.connection, list({each.group_id for each in found.values()}))
    contacts = {
        receiver.id: contact_points.by_id(transaction.connection, receiver.id)
        for receiver in receivers.values()
        if not receiver.deleted
    }
    claims: list[Claim | None] = []
    cancelled: list[Message] = []
    for errand in errands:
        contact = contacts.get(errand.contact_id)
        usable: list[Message] = []
        for each in (found[i] for i in errand.ids if i in found):
            group = states.get(each.group_id)
            if each.state is not MessageState.PENDING:
                continue
            if contact is None or group is None or group.wiped:
                cancelled.append(each)
                continue
            each.state, each.attempts = MessageState.SENDING, each.attempts + 1
            usable.append(each)
        claims.append(Claim(errand, contact, usable) if contact is not None and usable else None)
    rows.update(transaction.connection, [each for claim in claims if claim for each in claim.messages])
    # Where the group is gone there is no timeline to say so in.
    outbox.tell(transaction, outbox.cancel(transaction, memory, cancelled, lambda _: outbox.CONTACT_DELETED))
    return claims


def _let_go(transaction: Transaction, memory: Memory, unneeded: Sequence[Message]) -> None:
    """Cancels messages that were begun, and need not be tried again."""

    def why(each: Message) -> str:
        tried = f"attempt {each.attempts} of {backoff.MOST_ATTEMPTS}: {each.answer or STOPPED}"
        what = "does not fire" if each.kind is Kind.FIRING else "is not resolved"
        return f"{tried}; not tried again, as the group {what} any more"

    outbox.tell(transaction, outbox.cancel(transaction, memory, unneeded, why))


def _needed(transaction: Transaction, messages: Sequence[Message]) -> dict[int, Message]:
    """Returns the messages that are to be tried again if they failed, by their ids."""
    if not messages:
        return {}
    states = rows.states_of_groups(transaction.connection, list({each.group_id for each in messages}))
    return {each.id: each for each in messages if _is_needed(each, states.get(each.group_id))}


def _is_needed(message: Message, group: GroupState | None) -> bool:
    if group is None or group.wiped:
        return False
    if message.kind is Kind.RESOLVED:
        return group.state is State.RESOLVED
    return group.state is State.FIRING or group.by_chain


_OUTCOMES = {MessageState.DELIVERED: "delivered", MessageState.PENDING: "failed", MessageState.DEAD: "dead"}


def _count(memory: Memory, settled: Sequence[Message], now: int) -> None:
    """Counts what came of attempts that were recorded at `now`."""
    for each in settled:
        memory.metrics.messages[_OUTCOMES[each.state]].inc()
        if each.state is MessageState.DELIVERED:
            memory.metrics.message_delay.observe(max(0, now - each.created) / SECOND)
