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


def migrate(connection: sqlite3.Connection) -> list[str]:
    """Brings the file up to date; returns the names of the migrations that were made now.

    Raises NewerFileError where the file is newer than the program.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = migrations()
    if version > known[-1][0]:
        raise NewerFileError(
            f"the file is at migration {version}, and this version of tocsind knows {known[-1][0]}: "
            "it was written by a newer version, which must be used to open it"
        )
    made = []
    for number, name, text in known:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
            made.append(name)
    return made
