"""Checking: whether a file is whole, and its rows agree with one another (`sqlite/soundness.py`).

It reads all of the file, one moment of it, and changes nothing; the daemon may be writing it. Meanwhile its log grows,
as the moment is kept.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from tocsind.clock import Clock
from tocsind.domain.units import SECOND
from tocsind.sqlite import copying, soundness
from tocsind.sqlite.migrate import NewerFileError, pending, version
from tocsind.upkeep.places import UpkeepError, readable

MOST_LINES = 20
DAMAGED = (
    "it is damaged. Look at the disk first. Then stop tocsind, and restore the last backup (`tocsin restore FILE`); "
    "what came after it may be saved by `sqlite3 FILE .recover`"
)
DISAGREES = (
    "it is whole, but its rows do not agree. tocsind can go on with it. Keep a copy, look for the cause (something "
    "else that wrote the file, a defect of Tocsin: please report it), and restore a backup from before it if it matters"
)


def check(file: Path, clock: Clock) -> tuple[str, list[str]]:
    """Looks at a file; returns a line about it, and sentences about what is wrong with it, the last of which says what
    to do. Raises UpkeepError where it cannot be looked at."""
    readable(file)
    started = clock.steady()
    try:
        with copying.opened_to_check(file) as connection:
            connection.execute("BEGIN")
            pending(connection)
            if found := soundness.damage(connection):
                with suppress(sqlite3.DatabaseError):
                    found += soundness.disagreements(connection)
                return "", _told(file, found, DAMAGED)
            if found := soundness.disagreements(connection):
                return "", _told(file, found, DISAGREES)
            groups, at = soundness.count_groups(connection), version(connection)
            size = copying.size(connection)
    except NewerFileError as error:
        raise UpkeepError(f"{file}: {error}") from None
    except sqlite3.DatabaseError as error:
        if not soundness.is_of_the_file(error):
            raise UpkeepError(f"{file} cannot be checked: {copying.hindrance(error, file)}") from None
        return "", _told(file, [str(error)], DAMAGED)
    seconds = (clock.steady() - started) / SECOND
    return (
        f"{file} is sound: {copying.megabytes(size)}, {groups:,} alert groups, migration {at}, "
        f"{len(soundness.INVARIANTS)} invariants, {seconds:.1f} s"
    ), []


def _told(file: Path, found: list[str], advice: str) -> list[str]:
    lines = [f"{file}: {sentence}" for sentence in found[:MOST_LINES]]
    if len(found) > MOST_LINES:
        lines.append(f"{file}: and {len(found) - MOST_LINES} more")
    return [*lines, f"{file}: {advice}"]
