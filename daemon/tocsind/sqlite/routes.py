"""Queries of routes."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from tocsind.domain.integration import Integration
from tocsind.domain.route import ConditionKind, DefaultRoute, Route
from tocsind.sqlite import escalation_chains

_COLUMNS = (
    "id, integration_id, public_id, position, kind, condition, description, chain_id, notify_on_resolve, created_at, "
    "updated_at, coalesce((SELECT c.public_id FROM escalation_chains AS c WHERE c.id = chain_id), '')"
)


def of_integration(connection: sqlite3.Connection, integration_id: int) -> list[Route]:
    """Returns the routes of an integration in their order, without the default one."""
    query = f"SELECT {_COLUMNS} FROM routes WHERE integration_id = ? ORDER BY position"
    return [_route(row) for row in connection.execute(query, (integration_id,))]


def one(connection: sqlite3.Connection, integration_id: int, public_id: str) -> Route | None:
    """Returns one route, or None; there is no row of the default one."""
    query = f"SELECT {_COLUMNS} FROM routes WHERE integration_id = ? AND public_id = ?"
    row = connection.execute(query, (integration_id, public_id)).fetchone()
    return _route(row) if row else None


def default(connection: sqlite3.Connection, integration: Integration) -> DefaultRoute:
    """Returns the default route of an integration, with which what is particular to it is stored."""
    chain = escalation_chains.public_id(connection, integration.chain_id)
    return DefaultRoute(count(connection, integration.id), integration.chain_id, chain, integration.notify_on_resolve)


def count(connection: sqlite3.Connection, integration_id: int) -> int:
    """Returns how many routes an integration has, without the default one: the position of that."""
    row = connection.execute("SELECT count(*) FROM routes WHERE integration_id = ?", (integration_id,)).fetchone()
    return int(row[0])


def insert(connection: sqlite3.Connection, new: Route) -> int:
    """Stores a new route; returns its id in the database. Its place must be free."""
    cursor = connection.execute(
        "INSERT INTO routes (integration_id, public_id, position, kind, condition, description, chain_id, "
        "notify_on_resolve, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.integration_id,
            new.public_id,
            new.position,
            new.kind,
            new.condition,
            new.description,
            new.chain_id,
            new.notify_on_resolve,
            new.created,
            new.updated,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(connection: sqlite3.Connection, changed: Route) -> None:
    """Stores what a route says, and its place."""
    connection.execute(
        "UPDATE routes SET position = ?, kind = ?, condition = ?, description = ?, chain_id = ?, "
        "notify_on_resolve = ?, updated_at = ? WHERE id = ?",
        (
            changed.position,
            changed.kind,
            changed.condition,
            changed.description,
            changed.chain_id,
            changed.notify_on_resolve,
            changed.updated,
            changed.id,
        ),
    )


def shift(connection: sqlite3.Connection, integration_id: int, first: int, last: int, by: int) -> None:
    """Moves the routes from place `first` to and with `last` by so many places."""
    connection.execute(
        "UPDATE routes SET position = position + ? WHERE integration_id = ? AND position BETWEEN ? AND ?",
        (by, integration_id, first, last),
    )


def delete(connection: sqlite3.Connection, route_id: int) -> None:
    """Removes a route; its groups are those of the default one from now on."""
    connection.execute("DELETE FROM routes WHERE id = ?", (route_id,))


def _route(row: Sequence[Any]) -> Route:
    number, integration_id, public_id, position, kind, condition, description, chain_id, told, *rest = row
    return Route(
        number,
        integration_id,
        public_id,
        position,
        ConditionKind(kind),
        condition,
        description,
        chain_id,
        bool(told),
        *rest,
    )
