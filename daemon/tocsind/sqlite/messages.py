"""Queries of the outbox.

Lists walk an index from the newest message on and look at no more than `MOST_LOOKED_AT` rows for a page, whatever is
wanted: what is open, and what was given up, are in small indexes of their own.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tocsind.domain.alert_group import ResolveReason, State
from tocsind.domain.contact_point import Kind as ContactKind
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.sqlite.rows import read_rows, write_rows

NEWEST = 2**63 - 1
MOST_LOOKED_AT = 10_000

_COLUMNS = (
    "id, group_id, contact_id, kind, key, via_id, step, state, attempts, answer, created_at, set_at, due_at, ended_at"
)
_OF_MESSAGE = ", ".join(f"m.{name}" for name in _COLUMNS.split(", "))
_INSERT = f"INSERT INTO messages ({_COLUMNS}) VALUES {{values}}"
_UPDATE = """
UPDATE messages SET state = new.column2, attempts = new.column3, answer = new.column4, set_at = new.column5,
    due_at = new.column6, ended_at = new.column7
FROM (VALUES {values}) AS new WHERE messages.id = new.column1
"""
# CROSS JOIN: what is wanted is the outer loop.
_BY_IDS = f"""
WITH wanted (id) AS (VALUES {{values}})
SELECT {_OF_MESSAGE} FROM wanted CROSS JOIN messages AS m ON m.id = wanted.id
"""
_TO_WITHDRAW = f"""
WITH wanted (id) AS (VALUES {{values}})
SELECT {_OF_MESSAGE} FROM wanted CROSS JOIN messages AS m ON m.group_id = wanted.id
WHERE m.state = {int(MessageState.PENDING)}
"""
_TOLD = f"""
WITH wanted (id) AS (VALUES {{values}})
SELECT m.group_id, m.contact_id, m.via_id, m.kind, m.attempts > 0 OR m.answer <> '', m.state <= 2
FROM wanted CROSS JOIN messages AS m ON m.group_id = wanted.id
    AND NOT (m.kind = {int(Kind.RESOLVED)} AND m.state = {int(MessageState.CANCELLED)})
CROSS JOIN contact_points AS c ON c.id = m.contact_id AND c.deleted_at IS NULL
"""
_STATES_OF_GROUPS = """
WITH wanted (id) AS (VALUES {values})
SELECT g.id, g.state, g.resolve_reason FROM wanted CROSS JOIN alert_groups AS g ON g.id = wanted.id
"""
_RECEIVERS = """
WITH wanted (id) AS (VALUES {values})
SELECT c.id, c.display_name, c.kind, c.bundle_window, c.deleted_at IS NOT NULL
FROM wanted CROSS JOIN contact_points AS c ON c.id = wanted.id
"""
_OPEN = "SELECT id, group_id, contact_id, attempts, state, set_at, due_at FROM messages WHERE state <= 2 ORDER BY id"
_AS_READ = (
    f"SELECT {_OF_MESSAGE}, c.public_id, via.public_id FROM messages AS m "
    "CROSS JOIN contact_points AS c ON c.id = m.contact_id LEFT JOIN contact_points AS via ON via.id = m.via_id"
)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as readers see it, with the public ids of its contact point and of the one by whose calendar that is on
    call, if it is."""

    message: Message
    contact: str
    via: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """What is to be known of a contact point without reading all of it; `window` in microseconds."""

    id: int
    display_name: str
    kind: ContactKind
    window: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is to be known of a group that messages are about. `by_chain`: its own chain resolved it."""

    state: State
    wiped: bool
    by_chain: bool


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages are wanted: of one group, in these states, to one contact point; None and nothing: of any."""

    group_id: int | None = None
    states: frozenset[MessageState] = frozenset()
    contact_id: int | None = None

    @property
    def driver(self) -> str:
        """The condition that an index answers; the index has the id as its last column."""
        if self.group_id is not None:
            return "m.group_id = ?"
        if self.states and self.states <= {MessageState.PENDING, MessageState.SENDING}:
            return "m.state <= 2"
        return "m.state = 4" if self.states == {MessageState.DEAD} else ""

    @property
    def is_slow(self) -> bool:
        """Whether messages have to be compared one by one, and may be many."""
        return bool(self.group_id is None and self.residual[0])

    @property
    def residual(self) -> tuple[list[str], list[object]]:
        """The conditions that no index knows, and their values."""
        conditions: list[str] = []
        values: list[object] = []
        if self.states and self.driver != "m.state = 4":
            conditions.append(f"m.state IN ({', '.join('?' * len(self.states))})")
            values += sorted(self.states)
        if self.contact_id is not None:
            conditions.append("m.contact_id = ?")
            values.append(self.contact_id)
        return conditions, values


def insert(connection: sqlite3.Connection, messages: Sequence[Message]) -> None:
    """Stores new messages, and gives each its id."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    for number, message in enumerate(messages, start=(int(row[0]) if row else 0) + 1):
        message.id = number
    write_rows(
        connection,
        _INSERT,
        [
            (
                m.id,
                m.group_id,
                m.contact_id,
                m.kind,
                m.key,
                m.via_id,
                m.step,
                m.state,
                m.attempts,
                m.answer,
                m.created,
                m.set,
                m.due,
                m.ended,
            )
            for m in messages
        ],
    )


def update(connection: sqlite3.Connection, messages: Iterable[Message]) -> None:
    """Stores where messages stand."""
    rows = [(m.id, m.state, m.attempts, m.answer, m.set, m.due, m.ended) for m in messages]
    write_rows(connection, _UPDATE, rows)


def by_ids(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Message]:
    """Returns messages by their ids; nothing for those that are gone."""
    return {row[0]: _message(row) for row in read_rows(connection, _BY_IDS, ids)}


def of_group(connection: sqlite3.Connection, group_id: int) -> list[Message]:
    """Returns the messages of a group, in their order."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM messages WHERE group_id = ? ORDER BY id", (group_id,))
    return [_message(row) for row in rows]


def to_withdraw(connection: sqlite3.Connection, group_ids: Sequence[int], kind: Kind) -> list[Message]:
    """Returns the messages of groups that say this, and are not being sent."""
    waiting = (_message(row) for row in read_rows(connection, _TO_WITHDRAW, group_ids))
    return [each for each in waiting if each.kind is kind]


def told(
    connection: sqlite3.Connection, group_ids: Sequence[int]
) -> Iterator[tuple[int, int, int | None, Kind, bool, bool]]:
    """Yields the messages of groups to contact points that are not deleted, those of each group in their order: group,
    contact point, the one by whose calendar it was, kind, whether it was tried, and whether it is yet to be sent.
    Without those that were to say that they are resolved and were taken back."""
    for group_id, contact_id, via_id, kind, tried, waits in read_rows(connection, _TOLD, group_ids):
        yield group_id, contact_id, via_id, Kind(kind), bool(tried), bool(waits)


def unsettled(connection: sqlite3.Connection) -> Iterator[tuple[int, int, int, int, MessageState, int, int]]:
    """Yields what is to be sent, or was being sent: id, group, contact point, attempts, state, and the time at which it
    was decided when it is due."""
    for *numbers, state, decided, due in connection.execute(_OPEN):
        number, group_id, contact_id, attempts = numbers
        yield number, group_id, contact_id, attempts, MessageState(state), decided, due


def sending(connection: sqlite3.Connection, limit: int) -> list[Message]:
    """Returns at most `limit` messages that are being sent."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM messages WHERE state <= 2 AND state = ? ORDER BY id LIMIT ?",
        (MessageState.SENDING, limit),
    )
    return [_message(row) for row in rows]


def states_of_groups(connection: sqlite3.Connection, group_ids: Sequence[int]) -> dict[int, GroupState]:
    """Returns how groups stand; nothing for those that are gone."""
    return {
        group_id: GroupState(State(state), reason == ResolveReason.WIPED, reason == ResolveReason.ESCALATION)
        for group_id, state, reason in read_rows(connection, _STATES_OF_GROUPS, group_ids)
    }


def receivers(connection: sqlite3.Connection, contact_ids: Sequence[int]) -> dict[int, Receiver]:
    """Returns contact points, also those that were deleted."""
    rows = read_rows(connection, _RECEIVERS, contact_ids)
    return {row[0]: _receiver(row) for row in rows}


def every_receiver(connection: sqlite3.Connection) -> list[Receiver]:
    """Returns all contact points, also those that were deleted."""
    sql = "SELECT id, display_name, kind, bundle_window, deleted_at IS NOT NULL FROM contact_points"
    return [_receiver(row) for row in connection.execute(sql)]


def count_dead(connection: sqlite3.Connection) -> int:
    """Returns how many messages were given up."""
    return int(connection.execute("SELECT count(*) FROM messages WHERE state = 4").fetchone()[0])


def oldest_open(connection: sqlite3.Connection) -> int | None:
    """Returns when the first of the messages was decided that are not settled; None where all are."""
    row = connection.execute("SELECT created_at FROM messages WHERE state <= 2 ORDER BY id LIMIT 1").fetchone()
    return int(row[0]) if row else None


def one(connection: sqlite3.Connection, group_id: int, message_id: int) -> MessageRow | None:
    """Returns a message of a group, or None."""
    row = connection.execute(f"{_AS_READ} WHERE m.id = ? AND m.group_id = ?", (message_id, group_id)).fetchone()
    return _row(row) if row else None


def page(
    connection: sqlite3.Connection, wanted: MessageFilter, before: int, limit: int
) -> tuple[list[MessageRow], int | None]:
    """Returns at most `limit` messages, newest first, with ids below `before`, and the id to go on from, or None where
    there are no more. There may be fewer than `limit` and yet more."""
    driver = " AND ".join(filter(None, (wanted.driver, "m.id < ?")))
    bounds: list[object] = [before] if wanted.group_id is None else [wanted.group_id, before]
    conditions, values = wanted.residual
    edge = None
    if conditions:
        edge = connection.execute(
            f"SELECT m.id FROM messages AS m WHERE {driver} ORDER BY m.id DESC LIMIT 1 OFFSET {MOST_LOOKED_AT - 1}",
            bounds,
        ).fetchone()
    where = " AND ".join((driver, "m.id >= ?", *conditions))
    first = int(edge[0]) if edge else 0
    rows = connection.execute(
        f"{_AS_READ} WHERE {where} ORDER BY m.id DESC LIMIT ?", (*bounds, first, *values, limit + 1)
    )
    found = [_row(row) for row in rows]
    if len(found) > limit:
        return found[:limit], found[limit - 1].message.id
    return found, first or None


def _row(row: Sequence[Any]) -> MessageRow:
    return MessageRow(_message(row[:-2]), row[-2], row[-1] or "")


def _receiver(row: Sequence[Any]) -> Receiver:
    return Receiver(row[0], row[1], ContactKind(row[2]), row[3], bool(row[4]))


def _message(row: Sequence[Any]) -> Message:
    number, group_id, contact_id, kind, key, via_id, step, state, *rest = row
    return Message(number, group_id, contact_id, Kind(kind), key, via_id, step, MessageState(state), *rest)
