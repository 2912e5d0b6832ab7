"""Copies of the file: of one moment, verified, on disk, or not there.

Rules
- A copy is made by SQLite's backup API in one step from one snapshot (https://www.sqlite.org/backup.html): whoever
  writes meanwhile neither waits nor makes it begin anew, and all that was committed before it began is in it.
- Room is looked at before. What is half done is called `.partial`; the name at the end is only ever borne by a copy
  that was verified and is on disk, the folder's entry included.
- A copy is one file without companions (no WAL), so that it can be moved about, and read where nobody may write.
- It holds every secret that the file holds: its owner alone can read it.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tocsind.domain.units import SECOND
from tocsind.sqlite import soundness

PARTIAL = ".partial"
COMPANIONS = ("-wal", "-shm", "-journal")
# Of SQLite's virtual machine, between two signs of life: some milliseconds.
STEPS = 100_000
_SLACK = 8 * 1024 * 1024
"""Bytes of a disk that are left to others."""
_LITTLE = 256 * 1024
"""Bytes of room below which a disk counts as full: SQLite calls it an I/O error where it meets it first."""


class CopyError(OSError):
    """There is no copy. The text is a line that says why, and what to do."""


class UnsoundError(CopyError):
    """The copy is whole in itself, and yet not sound: the file is not. `problems` are sentences."""

    def __init__(self, text: str, problems: list[str]) -> None:
        super().__init__(text)
        self.problems = problems


def stamp(now: int) -> str:
    """Returns a time, in microseconds since 1970, as it stands in the name of a copy: 20261123T154500Z."""
    return f"{datetime.fromtimestamp(now // SECOND, UTC):%Y%m%dT%H%M%SZ}"


def free_name(folder: Path, prefix: str, now: int) -> Path:
    """Returns a name for a copy that is made now, which no other bears: two may be made within a second."""
    while (path := folder / f"{prefix}{stamp(now)}.db").exists():
        now += SECOND
    return path


def open_to_read(path: Path) -> sqlite3.Connection:
    """Opens a file that others may be writing. Raises OSError or sqlite3.Error where that cannot be done."""
    # Says better than SQLite why it cannot. Not for a file that this process has open for writing: to close any other
    # descriptor of it gives up SQLite's locks (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    with path.open("rb"):
        pass
    mode = "mode=ro"
    if not os.access(path.parent, os.W_OK) and not any(Path(f"{path}{end}").exists() for end in COMPANIONS):
        # SQLite wants to make companions. Nobody can write here, so there is nothing that these would protect from.
        mode = "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)


@contextmanager
def opened_to_check(path: Path) -> Iterator[sqlite3.Connection]:
    """Lends a connection that can look for all that may be wrong with a file, and changes nothing.

    SQLite forgets the CHECKs of what it opens read-only, so this one could write if it were let. The last one that
    can write takes the log into the file when it is closed; so one that cannot is opened before and closed after it.
    """
    with closing(open_to_read(path)) as anchor:
        anchor.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            yield anchor
            return
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection


def size(connection: sqlite3.Connection) -> int:
    """Returns how many bytes a copy would have."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (each,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(each)


def demand_room(folder: Path, needed: int) -> None:
    """Raises CopyError where a folder has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SLACK:
        raise CopyError(
            f"there is no room: {megabytes(needed + _SLACK)} are needed and {megabytes(free)} are free on the disk of "
            f"{folder}; make room, then try again. Nothing was changed"
        )


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder is full."""
    try:
        return shutil.disk_usage(folder).free < _LITTLE
    except OSError:
        return False


def hindrance(error: sqlite3.Error, path: Path) -> str:
    """Returns what kept a file from being read that says nothing of it (soundness.py), and what to do."""
    advice = "see which program holds it, whether its folder is open to you, and whether there is room;"
    if is_full(path.parent):
        advice = "its disk is full: make room,"
    return f"{error}. That says nothing of the file: {advice} then try again"


def megabytes(size: int) -> str:
    """Returns a number of bytes for people."""
    return f"{size / 1e6:,.1f} MB"


def write_copy(source: sqlite3.Connection, target: Path) -> None:
    """Copies the file of `source` as it is at this moment to `target`, which is made, and has it on disk.

    Raises CopyError; then there is no `target`.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise CopyError(
            f"{target} cannot be made: {error.strerror}; run this as root or as the owner of its folder"
        ) from error
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # it is brought to disk once, below
            source.backup(connection)
        with closing(sqlite3.connect(target, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = DELETE")
        sync(target)
    except BaseException as error:
        remove(target)
        if isinstance(error, OSError | sqlite3.Error):
            raise CopyError(f"{target} cannot be written: {_why(error)}") from error
        raise


def verify(path: Path, what: str, on_progress: Callable[[], None] | None = None) -> int:
    """Looks whether the copy at `path` is sound; returns how many alert groups it holds.

    Raises CopyError where it is damaged, UnsoundError where its rows do not agree; `what` is the file that was copied.
    `on_progress` is called again and again.
    """
    try:
        with opened_to_check(path) as connection:
            connection.set_progress_handler(on_progress, STEPS)
            damage = soundness.damage(connection)
            if damage:
                raise CopyError(f"{what} is damaged: {damage[0]}; see what `tocsin check` says of it")
            problems = soundness.disagreements(connection)
            if problems:
                raise UnsoundError(f"{what} is not sound: {problems[0]}; see what `tocsin check` says of it", problems)
            return soundness.count_groups(connection)
    except sqlite3.Error as error:
        if not soundness.is_of_the_file(error):
            raise CopyError(f"the copy of {what} cannot be verified: {error}; make room, then try again") from error
        raise CopyError(f"{what} is damaged: {error}; see what `tocsin check` says of it") from error


def publish(partial: Path, final: Path) -> None:
    """Gives a copy its name, for good."""
    partial.rename(final)
    sync(final.parent)


def remove(path: Path) -> None:
    """Removes a copy, and what SQLite may have put beside it."""
    for end in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{end}")


def sync(path: Path) -> None:
    """Has a file's content, or a folder's entries, on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise  # some file systems know no sync of folders
    finally:
        os.close(descriptor)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return "the disk is full; make room, then try again" if full else str(error)
