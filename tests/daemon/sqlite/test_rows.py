"""Many rows in few statements."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from tocsind.sqlite.rows import read_rows, write_rows


def statements(connection: sqlite3.Connection) -> list[str]:
    """Collects the texts of the statements that are executed from now on, before their values are filled in."""
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    return seen


@given(st.integers(0, 300))
def test_every_row_is_written_once_and_read_again(count: int) -> None:
    """Whatever the number of rows, each is written and found exactly once."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (key INTEGER PRIMARY KEY, value TEXT)")
    rows = [(key, f"v{key}") for key in range(count)]

    write_rows(connection, "INSERT INTO t VALUES {values}", rows)
    found = read_rows(
        connection,
        "WITH wanted (key) AS (VALUES {values}) SELECT t.key, t.value FROM wanted JOIN t ON t.key = wanted.key",
        [key for key, _ in rows] + [-1],
    )

    assert sorted(found) == rows


def test_rows_go_in_blocks_of_fixed_sizes() -> None:
    """85 rows are one block each of 64, 16, 4 and 1: the texts stay in SQLite's cache."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (key INTEGER)")
    seen = statements(connection)

    write_rows(connection, "INSERT INTO t VALUES {values}", [(n,) for n in range(85)])

    assert [sql.count("(") for sql in seen] == [64, 16, 4, 1]


def test_keys_are_filled_up_to_the_next_block() -> None:
    """5 keys are asked for in one statement of 16, filled with NULL, which finds nothing."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (key INTEGER)")
    connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(5)] + [(None,)])
    seen = statements(connection)

    sql = "WITH wanted (key) AS (VALUES {values}) SELECT t.key FROM wanted JOIN t ON t.key = wanted.key"
    assert len(list(read_rows(connection, sql, range(5)))) == 5
    assert [text.count("NULL") for text in seen] == [11]
    assert list(read_rows(connection, sql, [])) == []
