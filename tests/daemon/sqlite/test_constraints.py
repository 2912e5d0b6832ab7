"""What the database itself does not let happen, whatever the program does."""

import sqlite3

import pytest
from rows_of_groups import add_group, add_integration, make_group

from tocsind.domain.alert_group import OPEN_STATES, State
from tocsind.sqlite import alert_groups

KEY = b"k" * 32
OTHER = b"o" * 32


@pytest.fixture
def group_of_each_state(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Group 1 is firing; group 2 of the same identity is resolved."""
    integration = add_integration(connection)
    add_group(connection, make_group(1, integration, State.RESOLVED), KEY)
    add_group(connection, make_group(2, integration, State.FIRING), KEY)
    return connection


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_second_open_group_of_an_identity_cannot_be_inserted(
    group_of_each_state: sqlite3.Connection, state: State
) -> None:
    """Not in any open state."""
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        add_group(group_of_each_state, make_group(3, 1, state), KEY)


VIOLATIONS = [
    # A resolved group cannot be opened beside an open one, with or without a standing that suits it.
    "UPDATE alert_groups SET state = 1, resolve_reason = NULL WHERE id = 1",
    "UPDATE alert_groups SET state = 1, resolve_reason = NULL, standing = 9223372036854775807 WHERE id = 1",
    "UPDATE alert_groups SET standing = 9223372036854775807 WHERE id = 1",
    # An open group cannot hide its being open.
    "UPDATE alert_groups SET standing = id WHERE id = 2",
    "UPDATE alert_groups SET standing = NULL WHERE id = 2",
    "UPDATE alert_groups SET standing = 5 WHERE id = 1",
    # Resolved with a reason, open without one.
    "UPDATE alert_groups SET resolve_reason = 1 WHERE id = 2",
    "UPDATE alert_groups SET resolve_reason = NULL WHERE id = 1",
    # No state and no source that the program does not know.
    "UPDATE alert_groups SET state = 0 WHERE id = 2",
    "UPDATE alert_groups SET state = 5 WHERE id = 2",
    "UPDATE alert_groups SET source = 9 WHERE id = 2",
    # An identity is a hash.
    "UPDATE alert_groups SET identity = x'00' WHERE id = 2",
    # Each column has its type.
    "UPDATE alert_groups SET created_at = 'yesterday' WHERE id = 2",
    "UPDATE alert_groups SET title = x'00' WHERE id = 2",
    "UPDATE integrations SET token_hash = 'text'",
    # Nothing without what it belongs to, and nothing removed that others belong to.
    "UPDATE alert_groups SET integration_id = 99 WHERE id = 2",
    "INSERT INTO notes VALUES (1, 99, 'text', 'ada', 0, 0)",
    "INSERT INTO api_tokens VALUES (1, 'a', 'a', 5, zeroblob(32), '', 0, NULL, NULL)",
    "INSERT INTO api_tokens VALUES (1, 'a', 'a', 1, zeroblob(31), '', 0, NULL, NULL)",
    "INSERT INTO alerts VALUES (NULL, 99, 'f', 1, 1, NULL, NULL, '{}', '{}', '', 0)",
    "INSERT INTO payloads VALUES (198, 0, x'00')",
    "DELETE FROM integrations",
    # Values out of range.
    "INSERT INTO payloads VALUES (2, NULL, x'00')",
    "INSERT INTO heartbeats VALUES (1, 5, 10, NULL, NULL, 0)",
    "INSERT INTO heartbeats VALUES (1, 1, 0, NULL, NULL, 0)",
    "INSERT INTO daemon_state (only, intake_clock, alive_at) VALUES (2, 0, 0)",
    "UPDATE integrations SET retention = 0",
    "UPDATE integrations SET reopen_window = -1",
]


@pytest.mark.parametrize("sql", VIOLATIONS)
def test_the_database_refuses(group_of_each_state: sqlite3.Connection, sql: str) -> None:
    """Each of these would break a promise, and fails."""
    before = list(group_of_each_state.iterdump())

    with pytest.raises(sqlite3.IntegrityError):
        group_of_each_state.execute(sql)

    assert list(group_of_each_state.iterdump()) == before


def test_a_name_can_be_used_again_after_deletion(connection: sqlite3.Connection) -> None:
    """Two integrations of one name cannot both exist, but one can follow the other."""
    first = add_integration(connection, "prod")
    with pytest.raises(sqlite3.IntegrityError, match="display_name"):
        connection.execute(
            "INSERT INTO integrations SELECT 9, 'x', type, display_name, description, token, x'01', reopen_window, "
            "stale_after, retention, created_at, updated_at, deleted_at, templates, rate_limit, NULL, 0 "
            "FROM integrations"
        )
    connection.execute("UPDATE integrations SET deleted_at = 1 WHERE id = ?", (first,))
    connection.execute(
        "INSERT INTO integrations SELECT 9, 'x', type, display_name, description, token, x'01', reopen_window, "
        "stale_after, retention, created_at, updated_at, NULL, templates, rate_limit, NULL, 0 FROM integrations"
    )


def test_the_group_that_matters_is_the_open_one_else_the_last(connection: sqlite3.Connection) -> None:
    """An unresolved older group comes before a newer resolved one."""
    integration = add_integration(connection)
    for number in (1, 2, 3):
        add_group(connection, make_group(number, integration, State.RESOLVED), KEY)
    add_group(connection, make_group(4, integration), OTHER)
    assert alert_groups.by_identity(connection, [KEY])[KEY].id == 3

    oldest = alert_groups.by_id(connection, 1)
    assert oldest is not None
    oldest.state, oldest.resolve_reason = State.ACKNOWLEDGED, None
    alert_groups.move(connection, [oldest])

    found = alert_groups.by_identity(connection, [KEY, b"n" * 32, OTHER])
    assert {key: group.id for key, group in found.items()} == {KEY: 1, OTHER: 4}
    assert alert_groups.open_sibling(connection, 3) == 1
    assert alert_groups.open_sibling(connection, 1) is None


def test_numbers_are_never_used_twice(connection: sqlite3.Connection) -> None:
    """The last number is remembered even when its group is gone."""
    integration = add_integration(connection)
    add_group(connection, make_group(7, integration), KEY)
    connection.execute("DELETE FROM alert_groups")

    assert alert_groups.last_id(connection) == 7
