"""One daemon for one data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsind.sqlite.lock import FolderLock, HeldError

HOLD = """
import sys
from pathlib import Path
from tocsind.sqlite.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    """The second one is refused and told which process has it; given back, it can be taken again."""
    lock = FolderLock(tmp_path)
    with pytest.raises(HeldError, match=f"{tmp_path} is in use by process {os.getpid()}:"):
        FolderLock(tmp_path)

    lock.release()
    FolderLock(tmp_path).release()


def test_the_kernel_gives_the_folder_back_after_a_kill(tmp_path: Path) -> None:
    """A holder that is killed leaves a lock file that means nothing, and no other process had the folder meanwhile."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(HeldError, match=f"process {holder.pid}:"):
        FolderLock(tmp_path)

    holder.kill()
    holder.communicate()

    lock = FolderLock(tmp_path)
    assert (tmp_path / "tocsind.lock").read_text() == f"{os.getpid()}\n"
    lock.release()
