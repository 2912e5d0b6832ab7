"""Which data folder is meant, and what to say where one cannot go on.

Without `--data` the folder is the daemon's: as its variable in the environment says, or the configuration that
TOCSIN_CONFIG names, or /etc/tocsin/tocsin.toml if that is there, or the default. A mistake in the configuration ends
the command: it may be in the very line that names the folder, and another folder would be the wrong one.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin import configuration
from tocsin.settings import of_section
from tocsind.sqlite import replacing
from tocsind.sqlite.replacing import FILE

INSTALLED = Path("/etc/tocsin/tocsin.toml")

FAILED, USAGE, UNSOUND = 1, 2, 4


class UpkeepError(Exception):
    """Ends a command with a line that says what is wrong and what to do, and an exit status."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


def data_folder(given: Path | None, environment: Mapping[str, str], installed: Path = INSTALLED) -> Path:
    """Returns the data folder that is meant. Raises UpkeepError where the configuration is of no use."""
    if given is not None:
        return given.absolute()
    setting = next(each for each in of_section("daemon") if each.key == "data")
    if text := environment.get(setting.name_in_environment):
        return Path(text).absolute()
    named = environment.get(configuration.CONFIG_VARIABLE)
    file = Path(named) if named else installed
    found: dict[tuple[str, str], Any] = {}
    if named or os.path.lexists(file):
        try:
            found, wrong = configuration.read_file(file)
        except configuration.Mistake as mistake:
            wrong = [str(mistake)]
        if wrong:
            raise UpkeepError(f"{wrong[0]}; mend it, or name the data folder with --data DIR", USAGE)
    return Path(found.get(("daemon", "data")) or str(setting.default)).absolute()


def file_in(data: Path) -> Path:
    """Returns the file in a data folder. Raises UpkeepError where there is none that can be read."""
    if replacing.is_pending(data):
        raise UpkeepError(f"{data} is being restored, or a restore broke off: start tocsind, which finishes it")
    file = data / FILE
    readable(file)
    return file


def readable(file: Path) -> None:
    """Raises UpkeepError where a file is not there or cannot be read."""
    try:
        with file.open("rb"):
            pass
    except FileNotFoundError:
        raise UpkeepError(f"there is no file {file}: name the right one, or its data folder with --data DIR") from None
    except PermissionError:
        raise UpkeepError(f"{file} may not be read by {user()}: run this as root or as its owner") from None
    except OSError as error:
        raise UpkeepError(f"{file} cannot be read: {error.strerror}; name a file of Tocsin") from None


def user() -> str:
    """Returns who runs this, for people."""
    return f"user {os.geteuid()}"
