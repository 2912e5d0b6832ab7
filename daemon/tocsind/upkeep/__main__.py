"""`python -m tocsind.upkeep backup|restore|check`: what `tocsin backup`, `restore` and `check` run.

Exit status: 0 done (for check: the file is sound), 1 it failed (for check: it is not sound), 2 wrong usage or a mistake
in the configuration, 4 a backup of a file whose rows do not agree. What failed is one line on standard error.
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from tocsind.clock import SystemClock
from tocsind.sqlite.copying import CopyError
from tocsind.upkeep.backup import backup
from tocsind.upkeep.check import check
from tocsind.upkeep.places import FAILED, UpkeepError, data_folder, file_in
from tocsind.upkeep.restore import restore

PROGRAM = "tocsin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    asked = _parser().parse_args(arguments)
    clock = SystemClock()
    os.umask(0o077)  # all of it is for its owner only
    try:
        if asked.command == "check":
            file = asked.file or file_in(data_folder(asked.data, os.environ))
            line, wrong = check(file.absolute(), clock)
            for sentence in wrong:
                print(f"{PROGRAM}: {sentence}", file=sys.stderr)
            if wrong:
                return FAILED
        elif asked.command == "backup":
            line = backup(data_folder(asked.data, os.environ), asked.folder.absolute(), asked.keep, clock)
        else:
            line = restore(data_folder(asked.data, os.environ), asked.file, clock)
    except UpkeepError as error:
        return _fail(str(error), error.status)
    except CopyError as error:
        return _fail(str(error), FAILED)
    except (OSError, sqlite3.Error) as error:
        where = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
        return _fail(f"{asked.command} failed: {where}; nothing that was there is lost, run it again", FAILED)
    except KeyboardInterrupt:
        return 130
    print(line)
    return 0


def _fail(text: str, status: int) -> int:
    print(f"{PROGRAM}: {' '.join(text.split())}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tocsind.upkeep", description="Looks after Tocsin's file.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("backup", "restore", "check"):
        command = commands.add_parser(name)
        command.add_argument("--data", type=Path, metavar="DIR", help="the data folder (as configured)")
        if name == "backup":
            command.add_argument("folder", type=Path, metavar="DIR", help="where to put it")
            command.add_argument("--keep", type=_number, metavar="N", help="remove older ones but for N in all")
        elif name == "restore":
            command.add_argument("file", type=Path, metavar="FILE", help="the backup")
        else:
            command.add_argument("file", type=Path, nargs="?", metavar="FILE", help="which (that of the data folder)")
    return parser


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
