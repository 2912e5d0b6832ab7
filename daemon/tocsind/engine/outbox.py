"""The outbox: messages are put into it, and taken back, in the transaction that decides so."""

from collections.abc import Collection, Sequence

from tocsind.domain.alert_group import Event, EventKind
from tocsind.domain.identity import new_public_id
from tocsind.domain.message import Kind, Message
from tocsind.engine.memory import Memory
from tocsind.sqlite import messages as rows
from tocsind.sqlite.writer import Transaction


def message(group_id: int, contact_id: int, kind: Kind, *, via_id: int | None = None, step: int = 0) -> Message:
    """Returns a new message, not yet in the outbox."""
    return Message(0, group_id, contact_id, kind, f"msg_{new_public_id()}{new_public_id()}", via_id, step)


def put(transaction: Transaction, memory: Memory, messages: Sequence[Message]) -> None:
    """Puts new messages into the outbox: they are sent as soon as they are on disk."""
    for new in messages:
        new.created = new.set = new.due = transaction.now
    rows.insert(transaction.connection, messages)


def withdraw(transaction: Transaction, memory: Memory, group_ids: Collection[int], why: str) -> list[Event]:
    """Takes back the messages of groups that say that they fire and are not being sent: nobody needs them any more.
    Returns what their timelines say of that; `why` is said there."""
    found = rows.undelivered(transaction.connection, list(group_ids))
    rows.cancel(transaction.connection, [number for number, *_ in found], transaction.now)
    kind = EventKind.DELIVERY_CANCELLED
    return [
        Event(group_id, kind, state, reason=f"{name} is not told: {why}", previous=state)
        for _, group_id, state, name in found
    ]


def told(transaction: Transaction, group_ids: Collection[int]) -> dict[int, list[tuple[int, int | None]]]:
    """Returns for groups who was, or may have been, told that they fire and not yet that they are resolved: contact
    points, each with the one by whose calendar it was."""
    return rows.told(transaction.connection, list(group_ids))
