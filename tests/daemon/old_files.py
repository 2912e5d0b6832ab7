"""Files as earlier versions wrote them, in folders of tests."""

import sqlite3
from contextlib import closing
from pathlib import Path

FOLDER = Path(__file__).parent / "sqlite" / "old_files"
VERSIONS = sorted(int(path.stem) for path in FOLDER.glob("*.sql"))
LATEST = VERSIONS[-1]


def make_old_file(version: int, path: Path) -> Path:
    """Makes the file of a version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FOLDER / f"{version:04}.sql").read_text())
    return path


def change_file(path: Path, *statements: str) -> None:
    """Changes a file behind the back of its rules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)


def label(path: Path, text: str) -> Path:
    """Has a file say something by which it can be told, in the description of an integration; returns it."""
    change_file(path, f"UPDATE integrations SET description = '{text}' WHERE id = 2")
    return path


def rows_of(path: Path) -> dict[str, list[dict[str, object]]]:
    """All rows of all tables, by column."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        found = {}
        for (table,) in tables:
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            found[table] = sorted(rows, key=lambda row: repr(list(row.values())[:2]))
        return found
