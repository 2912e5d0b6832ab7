"""A message: what one contact point is told of one group.

Rules
- It is written in the transaction that decides that somebody is to be told, and sent until the receiver took it: at
  least once. Receivers know a repeat by its key.
- Those of a group to a contact point are sent in their order, one after the other.
- What was not yet tried and is not needed any more is not sent.
"""

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What it says. The numbers are those of `tocsin.v1.Message.Kind` and of the database."""

    FIRING = 1
    RESOLVED = 2


class MessageState(IntEnum):
    """Where it stands. The numbers are those of `tocsin.v1.Message.State` and of the database."""

    PENDING = 1
    SENDING = 2
    DELIVERED = 3
    DEAD = 4
    CANCELLED = 5


@dataclass(slots=True)
class Message:
    """A message. Times in microseconds since 1970. `via_id` is the contact point by whose calendar `contact_id` is on
    call. `step` is that of the chain, from 1, or 0. `due` is when it is to be tried next, decided at `set`."""

    id: int
    group_id: int
    contact_id: int
    kind: Kind
    key: str
    via_id: int | None = None
    step: int = 0
    state: MessageState = MessageState.PENDING
    attempts: int = 0
    answer: str = ""
    created: int = 0
    set: int = 0
    due: int = 0
    ended: int | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"alertGroups/{self.group_id}/messages/{self.id}"
