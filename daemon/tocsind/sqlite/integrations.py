"""Queries of integrations."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from tocsind.domain.integration import BUILT_IN, Integration, token_hash
from tocsind.domain.template import Slot
from tocsind.sqlite import maintenances

_COLUMNS = (
    "id, public_id, type, display_name, description, token, reopen_window, stale_after, retention, created_at, "
    f"updated_at, templates, rate_limit, chain_id, notify_on_resolve, {maintenances.COLUMNS}"
)
_TABLES = "integrations LEFT JOIN maintenances ON integration_id = id"


def by_token(connection: sqlite3.Connection, token: str) -> Integration | None:
    """Returns the integration that has this token and is not deleted, or None."""
    return _one(connection, "token_hash = ? AND deleted_at IS NULL", token_hash(token))


def by_public_id(connection: sqlite3.Connection, public_id: str) -> Integration | None:
    """Returns the integration that has this id and is not deleted, or None."""
    return _one(connection, "public_id = ? AND deleted_at IS NULL", public_id)


def by_id(connection: sqlite3.Connection, integration_id: int) -> Integration | None:
    """Returns the integration with this id of the database, if it is not deleted, or None."""
    return _one(connection, "id = ? AND deleted_at IS NULL", integration_id)


def by_display_name(connection: sqlite3.Connection, display_name: str) -> Integration | None:
    """Returns the integration that bears this name and is not deleted, or None."""
    return _one(connection, "display_name = ? AND deleted_at IS NULL", display_name)


def owner_of_token(connection: sqlite3.Connection, token: str) -> tuple[bool, str]:
    """Returns whether any integration has or had this token, and which (its resource name) if it can be read: "" for
    the built-in one and for those that are deleted."""
    row = connection.execute(
        "SELECT public_id, type, deleted_at FROM integrations WHERE token_hash = ?", (token_hash(token),)
    ).fetchone()
    if row is None:
        return False, ""
    return True, f"integrations/{row[0]}" if row[1] != BUILT_IN and row[2] is None else ""


def page(connection: sqlite3.Connection, after: int, limit: int) -> list[Integration]:
    """Returns at most `limit` integrations, oldest first, with ids above `after`; not the built-in one."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE id > ? AND type <> ? AND deleted_at IS NULL ORDER BY id LIMIT ?",
        (after, BUILT_IN, limit),
    )
    return [_integration(row) for row in rows]


def any_created(connection: sqlite3.Connection) -> bool:
    """Whether there is an integration that could be sent to."""
    return bool(page(connection, 0, 1))


def insert(connection: sqlite3.Connection, new: Integration) -> int:
    """Stores a new integration; returns its id in the database."""
    cursor = connection.execute(
        "INSERT INTO integrations (public_id, type, display_name, description, token, token_hash, reopen_window, "
        "stale_after, retention, templates, rate_limit, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (new.public_id, new.type, *_settings(new), new.created, new.updated),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(connection: sqlite3.Connection, changed: Integration) -> None:
    """Stores the settings and the token of an integration."""
    connection.execute(
        "UPDATE integrations SET display_name = ?, description = ?, token = ?, token_hash = ?, reopen_window = ?, "
        "stale_after = ?, retention = ?, templates = ?, rate_limit = ?, updated_at = ? WHERE id = ?",
        (*_settings(changed), changed.updated, changed.id),
    )


def set_default_route(
    connection: sqlite3.Connection, integration_id: int, chain_id: int | None, notify_on_resolve: bool
) -> None:
    """Stores whom the default route of an integration tells."""
    connection.execute(
        "UPDATE integrations SET chain_id = ?, notify_on_resolve = ? WHERE id = ?",
        (chain_id, notify_on_resolve, integration_id),
    )


def delete(connection: sqlite3.Connection, integration_id: int, now: int) -> None:
    """Marks an integration as deleted, and removes all of it that its groups do not refer to: its routes (groups are
    under the default one then), its maintenance, its templates, and the token itself. The token's hash stays, so that
    whoever still sends with it can be told from others."""
    connection.execute(
        "UPDATE integrations SET deleted_at = ?, token = '', templates = '{}', chain_id = NULL WHERE id = ?",
        (now, integration_id),
    )
    for table in ("routes", "maintenances"):
        connection.execute(f"DELETE FROM {table} WHERE integration_id = ?", (integration_id,))


def any_id(connection: sqlite3.Connection, public_id: str) -> int | None:
    """Returns the id in the database of an integration, deleted or not, or None."""
    row = connection.execute("SELECT id FROM integrations WHERE public_id = ?", (public_id,)).fetchone()
    return int(row[0]) if row else None


def any_display_name(connection: sqlite3.Connection, public_id: str) -> str | None:
    """Returns what an integration is called, deleted or not, or None."""
    row = connection.execute("SELECT display_name FROM integrations WHERE public_id = ?", (public_id,)).fetchone()
    return str(row[0]) if row else None


def any_described(connection: sqlite3.Connection, public_id: str) -> tuple[str, str] | None:
    """Returns what an integration is called, and its type, deleted or not; or None."""
    row = connection.execute("SELECT display_name, type FROM integrations WHERE public_id = ?", (public_id,)).fetchone()
    return (str(row[0]), str(row[1])) if row else None


def deleted_with_open_groups(connection: sqlite3.Connection) -> list[int]:
    """Returns the deleted integrations that still have open groups."""
    rows = connection.execute(
        "SELECT i.id FROM integrations AS i WHERE i.deleted_at IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM alert_groups AS g WHERE g.integration_id = i.id AND g.state IN (1, 2, 3))"
    )
    return [row[0] for row in rows]


def _settings(integration: Integration) -> Sequence[Any]:
    return (
        integration.display_name,
        integration.description,
        integration.token,
        token_hash(integration.token),
        integration.reopen_window,
        integration.stale_after,
        integration.retention,
        msgspec.json.encode({slot.value: source for slot, source in integration.templates.items()}).decode(),
        integration.rate_limit,
    )


def _one(connection: sqlite3.Connection, where: str, value: object) -> Integration | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM {_TABLES} WHERE {where}", (value,)).fetchone()
    return _integration(row) if row else None


def _integration(row: Sequence[Any]) -> Integration:
    templates = {Slot(slot): source for slot, source in msgspec.json.decode(row[11], type=dict[str, str]).items()}
    found = Integration(*row[:11])
    found.templates, found.rate_limit = templates, row[12]
    found.chain_id, found.notify_on_resolve = row[13], bool(row[14])
    if row[15] is not None:
        found.maintenance = maintenances.maintenance(row[15:])
    return found
