"""Queries of escalation chains and of their versions.

Steps are stored as a JSON list, each a list of its kind and its values: `[["wait", 300000000], ["notify", [4, 7]]]`.

What a chain says is in its version, which stays when the chain is changed or deleted: what has started goes on by it.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from tocsind.domain.escalation_chain import (
    EscalationChain,
    MoreThan,
    Notify,
    Repeat,
    Resolve,
    Step,
    Version,
    Wait,
    Within,
)
from tocsind.domain.route import DEFAULT, name_of
from tocsind.sqlite.rows import read_rows

_CONTACTS = "contactPoints/"
_SELECT = (
    "SELECT c.id, c.public_id, c.display_name, c.description, v.steps, c.is_default, c.version_id, c.created_at, "
    "c.updated_at FROM escalation_chains AS c JOIN chain_versions AS v ON v.id = c.version_id"
)


def by_public_id(connection: sqlite3.Connection, public_id: str) -> EscalationChain | None:
    """Returns the chain that has this id, or None."""
    return _one(connection, "c.public_id = ?", public_id)


def by_display_name(connection: sqlite3.Connection, display_name: str) -> EscalationChain | None:
    """Returns the chain that bears this name, or None."""
    return _one(connection, "c.display_name = ?", display_name)


def default(connection: sqlite3.Connection) -> EscalationChain | None:
    """Returns the chain that is the default, or None."""
    return _one(connection, "c.is_default = ?", 1)


def page(connection: sqlite3.Connection, after: str, limit: int) -> list[EscalationChain]:
    """Returns at most `limit` chains by display name, with names after that one."""
    rows = connection.execute(f"{_SELECT} WHERE c.display_name > ? ORDER BY c.display_name LIMIT ?", (after, limit))
    return [_chain(row) for row in rows]


def contact_names(connection: sqlite3.Connection, chains: Sequence[EscalationChain]) -> dict[int, str]:
    """Returns the resource names of all contact points that chains name, deleted or not, by their ids."""
    steps = (step for chain in chains for step in chain.steps)
    named = {contact for step in steps if isinstance(step, Notify) for contact in step.contacts}
    query = "SELECT id, public_id FROM contact_points WHERE id IN (VALUES {values})"
    return {row[0]: _CONTACTS + row[1] for row in read_rows(connection, query, sorted(named))}


def contact_ids(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
    """Returns the ids of those contact points that exist and are not deleted, by their resource names."""
    public_ids = [name.removeprefix(_CONTACTS) for name in names]
    query = "SELECT public_id, id FROM contact_points WHERE deleted_at IS NULL AND public_id IN (VALUES {values})"
    return {_CONTACTS + row[0]: row[1] for row in read_rows(connection, query, public_ids)}


def public_id(connection: sqlite3.Connection, chain_id: int | None) -> str:
    """Returns the public id of the chain with this id of the database, or "" for None."""
    row = connection.execute("SELECT public_id FROM escalation_chains WHERE id = ?", (chain_id,)).fetchone()
    return str(row[0]) if row else ""


def insert(connection: sqlite3.Connection, new: EscalationChain) -> int:
    """Stores a new chain, whose version is stored; returns its id in the database."""
    cursor = connection.execute(
        "INSERT INTO escalation_chains (public_id, display_name, description, version_id, is_default, created_at, "
        "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (new.public_id, new.display_name, new.description, new.version_id, new.is_default, new.created, new.updated),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(connection: sqlite3.Connection, changed: EscalationChain) -> None:
    """Stores what a chain says; its version is stored."""
    connection.execute(
        "UPDATE escalation_chains SET display_name = ?, description = ?, version_id = ?, is_default = ?, "
        "updated_at = ? WHERE id = ?",
        (
            changed.display_name,
            changed.description,
            changed.version_id,
            changed.is_default,
            changed.updated,
            changed.id,
        ),
    )


def routes_naming(connection: sqlite3.Connection, chain_id: int) -> list[str]:
    """Returns the resource names of the routes that name a chain, default ones among them."""
    rows = connection.execute(
        "SELECT i.public_id, r.public_id FROM routes AS r JOIN integrations AS i ON i.id = r.integration_id "
        "WHERE r.chain_id = ?1 UNION ALL SELECT public_id, ?2 FROM integrations WHERE chain_id = ?1 ORDER BY 1, 2",
        (chain_id, DEFAULT),
    )
    return [name_of(integration, route) for integration, route in rows]


def delete(connection: sqlite3.Connection, chain_id: int, now: int) -> None:
    """Removes a chain. Routes that name it name none from then on."""
    connection.execute("UPDATE routes SET chain_id = NULL, updated_at = ? WHERE chain_id = ?", (now, chain_id))
    connection.execute("UPDATE integrations SET chain_id = NULL WHERE chain_id = ?", (chain_id,))
    connection.execute("DELETE FROM escalation_chains WHERE id = ?", (chain_id,))


def steps_text(steps: Sequence[Step]) -> str:
    """Returns steps as they are stored."""
    return msgspec.json.encode([_stored(step) for step in steps]).decode()


def steps_of(stored: str) -> tuple[Step, ...]:
    """Returns steps from how they are stored."""
    return tuple(_step(*parts) for parts in msgspec.json.decode(stored))


def version(connection: sqlite3.Connection, version_id: int) -> Version:
    """Returns a version of a chain, which is there as long as anything refers to it."""
    row = connection.execute(
        "SELECT id, chain, display_name, steps FROM chain_versions WHERE id = ?", (version_id,)
    ).fetchone()
    return Version(row[0], row[1], row[2], steps_of(row[3]))


def insert_version(connection: sqlite3.Connection, chain: str, display_name: str, steps: Sequence[Step]) -> int:
    """Stores a version, or finds the very same; returns its id."""
    text = steps_text(steps)
    known = connection.execute(
        "SELECT id FROM chain_versions WHERE chain = ? AND display_name = ? AND steps = ?", (chain, display_name, text)
    ).fetchone()
    if known:
        return int(known[0])
    cursor = connection.execute(
        "INSERT INTO chain_versions (chain, display_name, steps) VALUES (?, ?, ?)", (chain, display_name, text)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _stored(step: Step) -> list[Any]:
    match step:
        case Wait(duration):
            return ["wait", duration]
        case Notify(contacts):
            return ["notify", list(contacts)]
        case Resolve():
            return ["resolve"]
        case Within(weekdays, start, end, zone):
            return ["within", list(weekdays), start, end, zone]
        case MoreThan(alerts, duration):
            return ["more_than", alerts, duration]
        case Repeat(times):
            return ["repeat", times]


def _step(kind: str, *values: Any) -> Step:
    match kind:
        case "wait":
            return Wait(*values)
        case "notify":
            return Notify(tuple(values[0]))
        case "resolve":
            return Resolve()
        case "within":
            return Within(tuple(values[0]), *values[1:])
        case "more_than":
            return MoreThan(*values)
        case _:
            return Repeat(*values)


def _one(connection: sqlite3.Connection, where: str, value: object) -> EscalationChain | None:
    row = connection.execute(f"{_SELECT} WHERE {where}", (value,)).fetchone()
    return _chain(row) if row else None


def _chain(row: Sequence[Any]) -> EscalationChain:
    number, public_id, display_name, description, steps, is_default, version_id, created, updated = row
    return EscalationChain(
        number, public_id, display_name, description, steps_of(steps), bool(is_default), version_id, created, updated
    )
