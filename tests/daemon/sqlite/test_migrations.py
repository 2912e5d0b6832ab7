"""Bringing a file up to date."""

import sqlite3
from pathlib import Path

import pytest

from tocsind.sqlite import migrate as migrating
from tocsind.sqlite.migrate import NewerFileError, migrate, migrations
from tocsind.sqlite.store import Store


def version(connection: sqlite3.Connection) -> int:
    """The number of the last migration in the file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(connection: sqlite3.Connection) -> set[str]:
    """The tables in the file."""
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_new_file_gets_every_migration_once() -> None:
    """All are made in order, the file remembers the last, and a second time there is nothing to do."""
    connection = sqlite3.connect(":memory:", isolation_level=None)

    assert migrate(connection) == [name for _, name, _ in migrations()]
    assert version(connection) == migrations()[-1][0]
    assert {"alert_groups", "alerts", "events", "heartbeats", "integrations", "payloads"} <= tables(connection)
    assert migrate(connection) == []


def test_migrations_are_numbered_without_gaps() -> None:
    """The number in the name is the place in the order."""
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_every_table_is_strict() -> None:
    """SQLite holds each column to its type."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)

    strict = dict(connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'"))
    assert all(strict[name] for name in tables(connection) if not name.startswith("sqlite_"))


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """What a newer version wrote is not touched by an older one."""
    path = tmp_path / "tocsin.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(NewerFileError, match="at migration 9999"):
        migrate(sqlite3.connect(path, isolation_level=None))

    assert path.read_bytes() == before


def test_a_migration_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halfway is not a state that a file can be in; once the cause is gone, the same migration is made whole."""
    path = tmp_path / "tocsin.db"
    whole = migrations()
    migrate(sqlite3.connect(path, isolation_level=None))
    last = whole[-1][0]
    broken = (last + 1, "9999_broken.sql", "CREATE TABLE half (x);\nINSERT INTO no_such_table VALUES (1);")
    monkeypatch.setattr(migrating, "migrations", lambda: [*whole, broken])
    interrupted = sqlite3.connect(path, isolation_level=None)

    with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
        migrate(interrupted)

    interrupted.close()
    connection = sqlite3.connect(path, isolation_level=None)
    assert version(connection) == last
    assert "half" not in tables(connection)
    fixed = (*broken[:2], "CREATE TABLE half (x);")
    monkeypatch.setattr(migrating, "migrations", lambda: [*whole, fixed])
    assert migrate(connection) == ["9999_broken.sql"]
    assert (version(connection), "half" in tables(connection)) == (last + 1, True)


def test_the_file_and_its_companions_are_for_their_owner_only(tmp_path: Path) -> None:
    """They hold every integration's secret."""
    store = Store(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"tocsin.db", "tocsin.db-wal", "tocsin.db-shm"}
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
    store.close()


def test_what_is_committed_is_on_disk(tmp_path: Path) -> None:
    """The connection that writes waits for the disk at every commit, and keeps a log that readers do not wait for."""
    store = Store(tmp_path)
    settings = {
        name: store.writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    store.close()

    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_cannot_write_and_sees_one_moment(tmp_path: Path) -> None:
    """What is read together is of one moment, whatever is committed meanwhile."""
    store = Store(tmp_path)
    store.writer.execute("INSERT INTO daemon_state (only, intake_clock, alive_at) VALUES (1, 10, 10)")
    with store.reading() as connection:
        assert connection.execute("SELECT intake_clock FROM daemon_state").fetchone() == (10,)
        store.writer.execute("UPDATE daemon_state SET intake_clock = 20")
        assert connection.execute("SELECT intake_clock FROM daemon_state").fetchone() == (10,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM daemon_state")
    with store.reading() as connection:
        assert connection.execute("SELECT intake_clock FROM daemon_state").fetchone() == (20,)
    store.close()
