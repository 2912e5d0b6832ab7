"""Numbered migrations, each recorded in the transaction that makes it.

Rules
- `migrations/NNNN_name.sql` are applied in the order of their numbers, once each, and never change once released.
- The number of the last one applied is the file's `user_version`; it changes in the same transaction, so a crash
  leaves a file that is wholly before or wholly after a migration.
- A file with a greater number than this program knows was written by a newer one: it is refused and left alone.
"""

import sqlite3
from importlib.resources import files


class NewerFileError(Exception):
    """The file was written by a newer version of the program."""


def migrations() -> list[tuple[int, str, str]]:
    """Returns number, name and text of each migration, in order."""
    found = [
        (int(entry.name[:4]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in files(__package__).joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found)


def version(connection: sqlite3.Connection) -> int:
    """Returns the number of the last migration that was made in a file; 0 where none was."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def pending(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
    """Returns the migrations that are yet to be made in a file, as `migrations` does; changes nothing.

    Raises NewerFileError where the file is newer than the program.
    """
    at = version(connection)
    known = migrations()
    if at > known[-1][0]:
        raise NewerFileError(
            f"the file is at migration {at}, and this version of tocsind knows {known[-1][0]}: it was written by a "
            "newer version, which must be used to open it; or restore a backup that was made before the upgrade"
        )
    return [each for each in known if each[0] > at]


def migrate(connection: sqlite3.Connection, last: int | None = None) -> list[str]:
    """Brings the file up to date, or up to the migration `last`; returns the names of those that were made now.

    Raises NewerFileError where the file is newer than the program.
    """
    made = []
    for number, name, text in pending(connection):
        if last is None or number <= last:
            connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
            made.append(name)
    return made
