"""The outbox: messages are put into it, and taken back, in the transaction that decides so.

Rules
- Many groups at once cost few statements: what calls this holds the pen.
- What is withdrawn is what was not begun. What is being sent goes on, and is not tried again if it fails
  (`sending.py`).
- Whoever may have been told that a group fires counts as told; who only may have been told that it is resolved, as that
  was taken back, does not: it is better to be told twice that it is over than never.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from tocsind.domain.access import Caller
from tocsind.domain.alert_group import Event, EventKind
from tocsind.domain.errors import Reason, TocsinError, not_found
from tocsind.domain.identity import new_message_key
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.engine import audit
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups, events
from tocsind.sqlite import messages as rows
from tocsind.sqlite.messages import MessageRow
from tocsind.sqlite.writer import Transaction

CONTACT_DELETED = "the contact point was deleted"
MOST_WITHDRAWN = 500
"""Messages to one contact point that are cancelled in the transaction that deletes it; others are when it is their
turn."""


def message(group_id: int, contact_id: int, kind: Kind, *, via_id: int | None = None, step: int = 0) -> Message:
    """Returns a new message, not yet in the outbox."""
    return Message(0, group_id, contact_id, kind, new_message_key(), via_id, step)


def put(transaction: Transaction, memory: Memory, messages: Sequence[Message]) -> None:
    """Puts new messages into the outbox: they are sent as soon as they are on disk."""
    if not messages:
        return
    for new in messages:
        new.created = new.set = new.due = transaction.now
    rows.insert(transaction.connection, messages)
    _await(transaction, memory, messages)


def withdraw(
    transaction: Transaction, memory: Memory, group_ids: Collection[int], why: str, kind: Kind = Kind.FIRING
) -> list[Event]:
    """Takes back the messages of groups that say that they fire, or are resolved, and are not being sent: nobody needs
    them any more.

    Returns what their timelines say of that, with the states that the file has for the groups now; `why` is said there.
    Who wipes or deletes groups throws that away.
    """
    withdrawn = rows.to_withdraw(transaction.connection, list(group_ids), kind)
    return cancel(transaction, memory, withdrawn, lambda _: why)


def withdraw_to(transaction: Transaction, memory: Memory, contact_id: int) -> None:
    """Takes back what waits to be sent to a contact point that is deleted, and says so in the timelines."""
    ids = memory.outbox.to(contact_id)
    found = rows.by_ids(transaction.connection, ids[:MOST_WITHDRAWN])
    waiting = [each for each in found.values() if each.state is MessageState.PENDING]
    tell(transaction, cancel(transaction, memory, waiting, lambda _: CONTACT_DELETED))
    if len(ids) > MOST_WITHDRAWN:
        transaction.after_commit(partial(memory.outbox.hasten, ids[MOST_WITHDRAWN:]))


def told(
    transaction: Transaction, group_ids: Collection[int], waiting: Collection[int] = ()
) -> dict[int, list[tuple[int, int | None]]]:
    """Returns for groups who was, or may have been, told that they fire and not yet that they are resolved: contact
    points, each with the one by whose calendar it was. Those that were deleted are left out. Of the groups in `waiting`
    those count too who are yet to be told."""
    found: dict[int, dict[int, int | None]] = {}
    for group_id, contact_id, via_id, kind, tried, waits in rows.told(transaction.connection, list(group_ids)):
        of_group = found.setdefault(group_id, {})
        if kind is Kind.RESOLVED:
            of_group.pop(contact_id, None)
        elif tried or (waits and group_id in waiting):
            of_group[contact_id] = via_id
    return {group_id: list(contacts.items()) for group_id, contacts in found.items() if contacts}


def retry(transaction: Transaction, memory: Memory, group_id: int, message_id: int, *, by: Caller) -> MessageRow:
    """Has a message sent now: one that was given up, with all attempts anew, or one that waits. TocsinError: NOT_FOUND,
    FORBIDDEN_NOW (it stands otherwise)."""
    row = rows.one(transaction.connection, group_id, message_id)
    group = alert_groups.by_id(transaction.connection, group_id)
    if row is None or group is None:
        raise not_found(f"alertGroups/{group_id}/messages/{message_id}")
    found = row.message
    if found.state not in (MessageState.DEAD, MessageState.PENDING):
        text = f"cannot retry {found.name}: it is {found.state.name.lower()}"
        raise TocsinError(Reason.WRONG_STATE, text, resource=found.name, state=found.state.name)
    before = audit.of_message(found)
    if found.state is MessageState.DEAD:
        found.state, found.attempts, found.ended = MessageState.PENDING, 0, None
    elif found.due <= transaction.now:
        # It waits for its receiver, or for one before it: nothing to write, but the receiver is tried.
        transaction.after_commit(partial(memory.outbox.hasten, [found.id]))
        return row
    found.set = found.due = transaction.now
    rows.update(transaction.connection, [found])
    _await(transaction, memory, [found])
    transaction.after_commit(partial(memory.outbox.hasten, [found.id]))
    name = rows.receivers(transaction.connection, [found.contact_id])[found.contact_id].display_name
    retried = Event(group_id, EventKind.DELIVERY_RETRIED, group.state, by.actor, name, previous=group.state)
    tell(transaction, [retried])
    audit.record(transaction, by, found.name, before, audit.of_message(found))
    return row


def cancel(
    transaction: Transaction, memory: Memory, cancelled: Sequence[Message], why: Callable[[Message], str]
) -> list[Event]:
    """Cancels messages; returns what the timelines of their groups say of that, as far as there are any."""
    if not cancelled:
        return []
    for each in cancelled:
        each.state, each.ended = MessageState.CANCELLED, transaction.now
    rows.update(transaction.connection, cancelled)

    def forget() -> None:
        memory.outbox.remove([each.id for each in cancelled])
        memory.metrics.messages["cancelled"].inc(len(cancelled))

    transaction.after_commit(forget)
    return timeline(transaction, ((each, EventKind.DELIVERY_CANCELLED, why(each)) for each in cancelled))


def timeline(transaction: Transaction, lines: Iterable[tuple[Message, EventKind, str]]) -> list[Event]:
    """Returns the events that say what became of messages, in the timelines of groups that are there and not wiped: who
    was to be told, and then this text."""
    lines = list(lines)
    connection = transaction.connection
    names = rows.receivers(connection, list({each.contact_id for each, _, _ in lines}))
    states = rows.states_of_groups(connection, list({each.group_id for each, _, _ in lines}))
    found = []
    for each, kind, text in lines:
        group = states.get(each.group_id)
        if group is not None and not group.wiped:
            reason = ": ".join(filter(None, (names[each.contact_id].display_name, text)))
            found.append(Event(each.group_id, kind, group.state, reason=reason, previous=group.state))
    return found


def tell(transaction: Transaction, told: Sequence[Event]) -> None:
    """Writes events of messages."""
    if told:
        events.insert(transaction.connection, told, transaction.now)
        transaction.events_written = True


def _await(transaction: Transaction, memory: Memory, messages: Sequence[Message]) -> None:
    receivers = rows.receivers(transaction.connection, list({each.contact_id for each in messages}))
    transaction.after_commit(partial(memory.outbox.add, messages, receivers.values()))
