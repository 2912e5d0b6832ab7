"""Backing up: a verified copy of the file, made while the daemon goes on.

Rules
- Nothing that was answered before the backup began is missing in it (`sqlite/copying.py`), and it is `tocsin-TIME.db`
  only when it is sound and on disk. What is half done is called `.partial`, and removed by the next one.
- Backups into one folder happen one after the other: the folder is locked, by the kernel.
- Older ones are removed only after a new one stands. The new one is never among them, whatever the clock says.
- What is copied from a file whose rows do not agree is kept as `tocsin-TIME.db.unsound`, the last one only, and is no
  success: it is more than nothing, it pushes no good one out, and somebody hears of it.
"""

import errno
import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tocsind.clock import Clock
from tocsind.domain.units import SECOND
from tocsind.sqlite import copying, soundness
from tocsind.sqlite.copying import CopyError, UnsoundError
from tocsind.upkeep.places import UNSOUND, UpkeepError, file_in, user

_NAME = re.compile(r"tocsin-\d{8}T\d{6}Z\.db")
_UNSOUND = ".unsound"


def backup(data: Path, into: Path, keep: int | None, clock: Clock) -> str:
    """Makes a backup of a data folder in the folder `into`, and removes older ones but for `keep` (None: none is);
    returns a line about it. Raises UpkeepError, and CopyError where there is no copy."""
    started = clock.steady()
    file = file_in(data)
    with _locked(into):
        for left in into.glob(f"tocsin-*.db{copying.PARTIAL}"):
            copying.remove(left)
        final = copying.free_name(into, "tocsin-", clock.wall())
        partial = final.with_name(final.name + copying.PARTIAL)
        try:
            with closing(copying.open_to_read(file)) as connection:
                connection.execute("BEGIN")
                size = copying.size(connection)  # from here on it is one moment
                copying.demand_room(into, size)
                copying.write_copy(connection, partial)
        except sqlite3.Error as error:
            if not soundness.is_of_the_file(error):
                raise UpkeepError(f"{file} cannot be read: {copying.hindrance(error, file)}") from error
            raise CopyError(f"{file} cannot be read: {error}; see what `tocsin check` says of it") from error
        try:
            groups = copying.verify(partial, str(file))
        except UnsoundError as error:
            raise UpkeepError(f"{error}; what could be copied is {_keep_unsound(partial, final)}", UNSOUND) from error
        except CopyError:
            copying.remove(partial)
            raise
        copying.publish(partial, final)
        removed = _remove_old(into, final, keep) if keep is not None else 0
    seconds = (clock.steady() - started) / SECOND
    line = f"backed up {data} to {final}: {copying.megabytes(size)}, {groups:,} alert groups, {seconds:.1f} s"
    return f"{line}; removed {removed} older" if removed else line


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a folder against other backups; it is made where only its last part is missing."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UpkeepError(f"there is no folder {folder.parent}: make it, or name another one") from None
    except (FileExistsError, NotADirectoryError):
        raise UpkeepError(f"{folder} is no folder: name one for backups") from None
    except PermissionError:
        raise UpkeepError(f"{folder} is not open to {user()}: run this as its owner, or name another one") from None
    except OSError as error:
        raise UpkeepError(f"{folder} cannot be used: {error.strerror}; name another one") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UpkeepError(f"another backup into {folder} is under way: wait for its end") from None
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
            os.close(descriptor)
            raise
        # Some network file systems lock no folders; then it is for who runs backups to run one at a time.
    try:
        yield
    finally:
        os.close(descriptor)


def _keep_unsound(partial: Path, final: Path) -> Path:
    kept = final.with_name(final.name + _UNSOUND)
    for old in final.parent.glob(f"tocsin-*.db{_UNSOUND}"):
        copying.remove(old)
    copying.publish(partial, kept)
    return kept


def _remove_old(folder: Path, new: Path, keep: int) -> int:
    others = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path != new)
    old = others[: max(0, len(others) - (keep - 1))]
    for path in old:
        try:
            copying.remove(path)
        except OSError as error:
            text = f"the backup {new} is made, but {path} cannot be removed: {error.strerror}; remove it by hand"
            raise UpkeepError(text) from None
    return len(old)
