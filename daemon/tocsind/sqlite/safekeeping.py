"""The copy that is kept of a file before migrations change it.

Rules
- It is made where a file that has data has migrations to be made, and before anything of it is changed. Without it
  nothing is migrated: who upgrades can go back to the version before, with what was there.
- Its name says before what and when: `backups/before-0004-telling-20261123T154500Z.db` in the data folder.
- A start that was broken off, before the first migration or between two, finds the copy again, and makes no second
  one: it is of the same moment, as the intake clock, the time at which the daemon was last alive, and every number
  given so far say. Migrations change none of these. So there is one copy of each upgrade, and room is needed once.
- Rows that do not agree are told in the log and do not stop an upgrade, as they did not stop the version before; a
  damaged file does.
- The last three are kept.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import structlog

from tocsind.clock import Clock
from tocsind.sqlite import copying
from tocsind.sqlite.copying import CopyError, UnsoundError
from tocsind.sqlite.migrate import version

FOLDER = "backups"
KEPT = 3
_NAME = re.compile(r"before-\d{4}-.+-(\d{8}T\d{6}Z)\.db")

log = structlog.get_logger()


def keep_before(
    connection: sqlite3.Connection,
    folder: Path,
    migration: str,
    clock: Clock,
    on_progress: Callable[[], None] = lambda: None,
) -> None:
    """Makes a copy of the file of `connection`, which is in `folder`, before the migration with this name.
    `on_progress` is called again and again: a start that is ended as it takes too long would begin anew for ever.

    Raises CopyError where there can be none; then nothing was changed.
    """
    place = folder / FOLDER
    step = f"before-{migration.removesuffix('.sql').replace('_', '-')}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        for left in place.glob(f"before-*{copying.PARTIAL}"):
            copying.remove(left)
        if any(_same(connection, known) for known in _kept(place)):
            return
        connection.execute("BEGIN")
        try:
            needed = copying.size(connection)
            # As much again for the log of the migration, which may write every page of the file anew.
            copying.demand_room(place, 2 * needed)
            started = clock.steady()
            final = copying.free_name(place, f"{step}-", clock.wall())
            partial = final.with_name(final.name + copying.PARTIAL)
            copying.write_copy(connection, partial)
            on_progress()
        finally:
            connection.execute("ROLLBACK")
        try:
            copying.verify(partial, f"the file in {folder}", on_progress)
        except UnsoundError as error:
            for problem in error.problems:
                log.warning("unsound", problem=problem)
        except CopyError:
            copying.remove(partial)
            raise
        copying.publish(partial, final)
        log.info("backed_up", file=str(final), bytes=needed, seconds=round((clock.steady() - started) / 1e6, 3))
        # The new one stays, whatever the clock says of it.
        for old in [known for known in _kept(place) if known != final][KEPT - 1 :]:
            copying.remove(old)
    except CopyError as error:
        raise CopyError(f"{folder} is not upgraded, as it cannot be backed up before: {error}") from error
    except OSError as error:
        raise CopyError(
            f"{folder} is not upgraded, as it cannot be backed up before: {error.filename}: {error.strerror}"
        ) from error


def _kept(place: Path) -> list[Path]:
    """Returns the copies, newest first."""
    found = {path: match[1] for path in place.iterdir() if (match := _NAME.fullmatch(path.name))}
    return sorted(found, key=lambda path: (found[path], path.name), reverse=True)


def _same(connection: sqlite3.Connection, copy: Path) -> bool:
    """Whether a copy is of this very moment of the file, before any of the migrations that were made since."""
    try:
        with closing(copying.open_to_read(copy)) as other:
            if version(other) > version(connection) or _times(other) != _times(connection):
                return False
            given = _numbers(connection)
            return all(given.get(name, 0) == number for name, number in _numbers(other).items())
    except (OSError, sqlite3.Error):
        return False


def _times(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    return connection.execute("SELECT intake_clock, alive_at FROM daemon_state").fetchall()


def _numbers(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
