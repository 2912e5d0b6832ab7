"""`tocsin backup`, `restore` and `check`: looking after the daemon's file, on its machine.

They do not talk to the daemon. The file is the daemon's business, so its own program does the work: this process
becomes it, and so its output, its exit status and what signals mean to it are its own. It is found where this program
was installed, never in the folder from where it is run: root runs this.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

_data = click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The data folder. Default: that of the configuration (the file that $TOCSIN_CONFIG names, or "
    "/etc/tocsin/tocsin.toml), else /var/lib/tocsin.",
)


def _command(function: Callable[..., Any]) -> click.Command:
    """Make it a command without the options about a daemon, which none of these asks."""
    return click.command(cls=click.Command)(_data(function))


@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Remove older backups in DIR, but for N in all.")
@_command
def backup(folder: Path, keep: int | None, data: Path | None) -> None:
    """Back up the daemon's file to DIR, while it runs.

    The backup is DIR/tocsin-TIME.db, of one moment, verified and on disk: all that was answered before is in it. It
    holds every secret, and its owner alone can read it. Older ones go only once the new one stands.

    Exit code 1: there is none. 4: the file is whole, but its rows do not agree (see `tocsin check`); what could be
    copied is kept as DIR/tocsin-TIME.db.unsound.
    """
    _become("backup", {"--data": data, "--keep": keep}, folder)


@click.argument("file", type=click.Path(path_type=Path))
@_command
def restore(file: Path, data: Path | None) -> None:
    """Put a backup in the place of the daemon's file.

    The daemon must be stopped. FILE is verified before anything is touched, and may be of an earlier version. What was
    there is kept, as tocsin-before-restore-TIME.db in the data folder. If it is interrupted, run it again.
    """
    _become("restore", {"--data": data}, file)


@click.argument("file", type=click.Path(path_type=Path), required=False)
@_command
def check(file: Path | None, data: Path | None) -> None:
    """Look whether a file is sound: the daemon's, which may be running, or FILE, such as a backup.

    Exit code 0: it is whole, and its rows agree with one another. 1: it is not, or cannot be read; each thing that is
    wrong is a line, and the last one says what to do.
    """
    _become("check", {"--data": data}, file)


def _become(command: str, options: Mapping[str, object], argument: Path | None) -> NoReturn:
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    rest = [] if argument is None else ["--", str(argument)]
    sys.stdout.flush()
    # -P: the current folder is no place for programs.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "tocsind.upkeep", command, *given, *rest])
