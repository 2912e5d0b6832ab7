"""Putting another file in the place of the one in a data folder, so that no crash leaves a mixture of the two.

A file of SQLite is up to three: it, its log (`-wal`) and an index of that. No one step replaces them, and a log of one
file beside another one is corruption (https://www.sqlite.org/howtocorrupt.html, section 1.4). So

- the new file, verified and on disk, is given the name `restore-TIME.ready`. With that it is decided: what was before
  it leaves the old state, whatever happens after it ends in the new one.
- What is there is moved aside, as `tocsin-before-restore-TIME.db` with its companions; then the new one takes its name.
- Where there is such a name when a data folder is opened, whoever opens it (the daemon too) first goes on from there.
  Each step is done where it is not done yet.

All this is for who holds the folder (`lock.py`).
"""

import os
from contextlib import suppress
from pathlib import Path

from tocsind.sqlite.copying import COMPANIONS, sync

FILE = "tocsin.db"
READY = "restore-*.ready"
PARTIAL = "restore-*.partial"


def ready(folder: Path, time: str) -> Path:
    """Returns what the file is called that is to take the place, from when that is decided."""
    return folder / f"restore-{time}.ready"


def aside(folder: Path, time: str) -> Path:
    """Returns what the file is called that was there before."""
    return folder / f"tocsin-before-restore-{time}.db"


def is_pending(folder: Path) -> bool:
    """Whether a replacement was decided and is not done."""
    return any(folder.glob(READY))


def finish(folder: Path) -> list[Path]:
    """Does what is left to do of replacements that were decided; returns the files that were put in place."""
    done = []
    for new in sorted(folder.glob(READY)):
        time = new.name.removeprefix("restore-").removesuffix(".ready")
        old, kept = folder / FILE, _free(aside(folder, time), folder)
        # The file first: while it is there, its log belongs to it.
        for end in ("", *COMPANIONS):
            with suppress(FileNotFoundError):
                os.rename(f"{old}{end}", f"{kept}{end}")
        sync(folder)
        new.rename(old)
        sync(folder)
        done.append(new)
    return done


def _free(path: Path, folder: Path) -> Path:
    """Returns a name under which nothing would be overwritten: a daemon of an earlier version, which knows nothing of
    this, may have made a new file in between."""
    number, free = 1, path
    while free.exists() and (folder / FILE).exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
