"""Restoring: a backup takes the place of the file, and the file that was there is kept.

Rules
- Not while a daemon holds the folder: it would go on with what it has in memory.
- What is to be put in place is copied into the data folder and verified there, before anything that is there is
  touched. So what has been looked at is what will be used, and a backup may be on a disk that goes away.
- Whatever interrupts it leaves the old state or ends in the new one (`sqlite/replacing.py`).
- It has a log (WAL) from the start on, as the daemon has it. To be given one, a file must be read by nobody: a daemon
  would not start on it while a check or a backup reads.
- The new file belongs to whoever the folder belongs to, and only they can read it. So does the lock file, which a
  restore by root may have made.
- A backup of an earlier version is taken, and migrated by the next start. One of a later version is not.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tocsind.clock import Clock
from tocsind.domain.units import SECOND
from tocsind.sqlite import copying, replacing, soundness
from tocsind.sqlite.copying import CopyError
from tocsind.sqlite.lock import FolderLock, HeldError
from tocsind.sqlite.migrate import NewerFileError, pending
from tocsind.upkeep.places import UpkeepError, readable, user


def restore(data: Path, backup: Path, clock: Clock) -> str:
    """Puts a backup in the place of the file of a data folder; returns a line about it. Raises UpkeepError, and
    CopyError where the backup cannot be copied or is not sound."""
    started = clock.steady()
    backup = backup.absolute()
    readable(backup)
    if not data.is_dir():
        raise UpkeepError(
            f"there is no data folder {data}: install Tocsin first, or name the right one with --data DIR"
        )
    if os.statvfs(data).f_flag & os.ST_RDONLY:
        raise UpkeepError(f"{data} is on a disk that is read-only: see why (dmesg), and have it mounted for writing")
    if not os.access(data, os.W_OK):
        raise UpkeepError(f"{data} may not be written by {user()}: run this as root or as its owner")
    try:
        lock = FolderLock(data)
    except HeldError as error:
        raise UpkeepError(f"{error}; stop it first (systemctl stop tocsind)") from None
    except OSError as error:
        raise UpkeepError(f"{data} cannot be locked: {error.strerror}; run this as root or as its owner") from None
    try:
        _give_to_owner(data / "tocsind.lock", data)
        kept, groups = _replace(data, backup, clock)
    finally:
        lock.release()
    line = f"restored {backup} to {data}: {groups:,} alert groups, {(clock.steady() - started) / SECOND:.1f} s"
    return f"{line}; what was there is {kept}" if kept.exists() else line


def _replace(data: Path, backup: Path, clock: Clock) -> tuple[Path, int]:
    """Returns what the file is called that was there, and how many alert groups the new one holds."""
    # One that was decided comes first; `backup` may be the file that it moves aside.
    replacing.finish(data)
    for left in data.glob(replacing.PARTIAL):
        copying.remove(left)
    readable(backup)
    time = _free_time(data, clock.wall())
    partial = data / f"restore-{time}.partial"
    try:
        with closing(copying.open_to_read(backup)) as connection:
            connection.execute("BEGIN")
            copying.demand_room(data, copying.size(connection))
            pending(connection)
            copying.write_copy(connection, partial)
    except NewerFileError as error:
        raise UpkeepError(f"{backup} cannot be used: {error}") from None
    except sqlite3.Error as error:
        if not soundness.is_of_the_file(error):
            raise UpkeepError(f"{backup} cannot be read: {copying.hindrance(error, backup)}") from error
        raise CopyError(f"{backup} cannot be read: {error}; use another backup") from error
    try:
        groups = copying.verify(partial, str(backup))
        _give_log(partial)
        _give_to_owner(partial, data)
        copying.sync(partial)
    except BaseException:
        copying.remove(partial)
        raise
    copying.publish(partial, replacing.ready(data, time))
    replacing.finish(data)
    return replacing.aside(data, time), groups


def _give_log(path: Path) -> None:
    """Has a copy use a log from now on. It is still one file: closing it takes the log away."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise CopyError(f"{path} cannot be written: {error}; make room, then try again") from error


def _free_time(data: Path, now: int) -> str:
    while replacing.aside(data, copying.stamp(now)).exists():
        now += SECOND
    return copying.stamp(now)


def _give_to_owner(path: Path, folder: Path) -> None:
    """Where root runs this, what it makes is for the user of the daemon."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
