"""Queries of routes."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from tocsind.domain.route import ConditionKind, Route

_COLUMNS = "id, integration_id, public_id, position, kind, condition, description, created_at, updated_at"


def of_integration(connection: sqlite3.Connection, integration_id: int) -> list[Route]:
    """Returns the routes of an integration in their order, without the default one."""
    query = f"SELECT {_COLUMNS} FROM routes WHERE integration_id = ? ORDER BY position"
    return [_route(row) for row in connection.execute(query, (integration_id,))]


def _route(row: Sequence[Any]) -> Route:
    return Route(row[0], row[1], row[2], row[3], ConditionKind(row[4]), *row[5:])
