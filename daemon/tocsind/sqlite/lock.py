"""One daemon for one data folder.

gRPC happily takes over a unix socket that another server listens on, and two writers would each believe that their
memory is the truth. So the daemon takes a lock on a file in its folder before anything else, and keeps it until it
ends. The kernel gives the lock back when the process ends, however it ends; a lock file that was left behind means
nothing. The file holds the number of the process, so that the one that is refused can say who holds it.
"""

import contextlib
import fcntl
import os
from pathlib import Path


class HeldError(Exception):
    """Another daemon has the data folder."""


class FolderLock:
    """Holds a data folder from construction to `release`; raises HeldError where another process has it."""

    def __init__(self, folder: Path) -> None:
        # Root takes it too, for a restore, and gives it away: what a link points to is not to be written or given.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(folder / "tocsind.lock", flags, 0o640)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f"process {holder}" if holder else "another process"
            raise HeldError(f"the data folder {folder} is in use by {who}: another tocsind is running on it") from None
        # On a full disk there is no room for the number; what is on it can be read all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Gives the folder back."""
        os.close(self._file)
