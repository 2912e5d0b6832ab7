"""The file and the connections to it.

Rules
- WAL, so that readers and the writer do not wait for one another; synchronous=FULL, so that what is committed is on
  disk. Group commit pays for it (measured: at 64 rows a commit FULL costs as much as NORMAL).
- One connection writes. Readers have read-only connections of their own, kept in a pool, and each reads one snapshot.
- The settings that were measured not to help (page size, mmap, cache size, checkpoints of our own) stay SQLite's.
- The file and its companions are readable by their owner only, whatever they were before and whatever the umask: it
  holds the secrets of every integration and of every contact point.
- A restore that was broken off is finished before anything is opened. A file that is newer than the program is not
  touched; one that is older is copied before it is migrated, or not migrated.
"""

import os
import queue
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from tocsind.clock import Clock, SystemClock
from tocsind.sqlite import copying, replacing
from tocsind.sqlite.migrate import migrate, pending, version
from tocsind.sqlite.replacing import FILE
from tocsind.sqlite.safekeeping import keep_before

_CACHED_STATEMENTS = 512
_ROOM = 256 * 1024
# Seconds to wait for another process that writes the file, such as the sqlite3 command; senders wait meanwhile.
_PATIENCE = 1.0

log = structlog.get_logger()


class Store:
    """The file in a data folder. `writer` belongs to whoever has the pen. `on_progress` is called again and again
    while a file is copied and migrated.

    Raises NewerFileError, CopyError where the file is to be migrated and cannot be backed up before, sqlite3.Error and
    OSError where it cannot be used.
    """

    def __init__(
        self, folder: Path, clock: Clock | None = None, on_progress: Callable[[], None] = lambda: None
    ) -> None:
        for name in replacing.finish(folder):
            log.info("restored", file=str(name))
        self.path = folder / FILE
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # SQLite makes the companions with the mode of the file; those that are there may have come from a backup.
        for path in (self.path, *(folder / f"{FILE}{end}" for end in ("-wal", "-shm"))):
            with suppress(FileNotFoundError, PermissionError):
                if path.stat().st_mode & 0o077:
                    path.chmod(0o600)
        self.writer = sqlite3.connect(
            self.path,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        try:
            to_make = pending(self.writer)
            if to_make and version(self.writer) > 0:
                on_progress()
                keep_before(self.writer, folder, to_make[0][1], clock or SystemClock(), on_progress)
                on_progress()
            self.writer.execute("PRAGMA journal_mode = WAL")
            self.writer.execute("PRAGMA synchronous = FULL")
            self.writer.set_progress_handler(on_progress, copying.STEPS)
            self.migrated = migrate(self.writer)
            self.writer.set_progress_handler(None, 0)
            self.writer.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            self.writer.close()
            raise
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lends a read-only connection inside one read transaction: everything read with it is of one moment."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_CACHED_STATEMENTS,
            )
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error:
            # It may be of no more use; the next reader gets a new one.
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        else:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        self._idle.put(connection)

    def has_room(self) -> bool:
        """Whether the disk has room for more than the smallest of transactions."""
        try:
            return shutil.disk_usage(self.path.parent).free >= _ROOM
        except OSError:
            return False

    def close(self) -> None:
        """Closes every connection that is not lent; the last one to close writes the WAL back into the file."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self.writer.close()
