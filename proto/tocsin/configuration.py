"""The configuration of a process: what its settings are, from its flags, its environment and the file.

Rules
- A flag overrides a variable, that overrides the file, that the default. A list is overridden as a whole.
- The file is TOML, one for both processes: each reads its own section. It is read where `--config` or TOCSIN_CONFIG
  names it, and nowhere else: a trial on a machine with an installation must not take the installation's settings.
- What the table (settings.py) does not know is a mistake, and the name that may have been meant is said. Every mistake
  is one line with file, line and key. A process does not start with one in its own section or in what is not a section
  at all.
"""

import argparse
import difflib
import os
import pwd
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from tocsin.settings import SECTIONS, SETTINGS, Setting, of_section

CONFIG_VARIABLE: Final = "TOCSIN_CONFIG"


class Mistake(Exception):
    """The configuration is wrong. The text is one line that says where, and what must be there."""


# The file


def read_file(path: Path) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """Returns what a file sets, by section and key, and what is wrong with it, a line each.

    Raises Mistake where it cannot be read, or is no TOML at all.
    """
    try:
        content = path.read_bytes()
    except PermissionError:
        user = pwd.getpwuid(os.geteuid()).pw_name
        raise Mistake(f"{path}: Permission denied: {user} must be able to read it (chmod 644 {path})") from None
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror or error}") from None
    try:
        # Some editors begin a file with a mark that nobody sees.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Mistake(f"{path}:{line}: is not UTF-8 at byte {error.start}") from None
    return read_text(text, str(path))


def read_text(text: str, name: str) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """The same for the text of a file called `name`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = _toml_error(str(error), text)
        raise Mistake(f"{name}:{line}: {what}") from None
    except (ValueError, RecursionError) as error:  # tomllib lets these out: numbers too long, brackets too deep
        raise Mistake(f"{name}: cannot be read as TOML: {error}") from None
    places = _places(text)
    found: dict[tuple[str, str], Any] = {}
    wrong: list[tuple[int, str]] = []

    def mistake(place: tuple[str, str], what: str) -> None:
        line = places.get(place) or places.get((place[0], "")) or 1
        wrong.append((line, f"{name}:{line}: {what}"))

    known = {(setting.section, setting.key): setting for setting in SETTINGS}
    for section, values in content.items():
        if section not in SECTIONS:
            mistake((section, ""), _unknown_section(section, values))
            continue
        if not isinstance(values, dict):
            mistake(("", section), f"{section} must be a section, [{section}]")
            continue
        for key, value in values.items():
            setting = known.get((section, key))
            if setting is None:
                keys = [each.key for each in of_section(section)]
                mistake((section, key), f"[{section}] {key}: there is no such setting{_meant(key, keys)}")
                continue
            try:
                found[section, key] = setting.kind.of_toml(value)
            except RecursionError:
                mistake((section, key), f"[{section}] {key}: has too many parts")
            except ValueError as error:
                mistake((section, key), f"[{section}] {key}: {error}")
    return found, [line for _, line in sorted(wrong)]


def _unknown_section(section: str, values: Any) -> str:
    if isinstance(values, dict):
        return f"[{section}]: there is no such section{_meant(section, SECTIONS)}"
    owners = [setting.section for setting in SETTINGS if setting.key == section]
    if owners:
        return f"{section}: must stand in a section, [{'] or ['.join(owners)}]"
    keys = [setting.key for setting in SETTINGS]
    return f"{section}: there is no such setting{_meant(section, keys)}"


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(dict.fromkeys(known))}"


def _toml_error(message: str, text: str) -> tuple[str, int]:
    """Returns what is wrong, and in which line. tomllib says `... (at line 3, column 5)` or `(at end of document)`, and
    not which key or section it is about."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return message, 1
    number = int(found[1]) if found[1] else max(1, text.count("\n") + (not text.endswith("\n")))
    message = message[: found.start()]
    lines = text.split("\n")
    about = lines[number - 1].strip() if number <= len(lines) else ""
    if about.startswith("["):
        first = next((n for n, line in enumerate(lines[: number - 1], start=1) if line.strip() == about), None)
        return f"{about} stands here again; the first is in line {first}" if first else f"{about}: {message}", number
    key = about.partition("=")[0].strip() if "=" in about else ""
    if message == "Invalid value" and key:
        return f"{key}: {message}: texts stand in quotes", number
    if message == "Cannot overwrite a value" and key:
        return f"{key} stands here again", number
    return f"{key}: {message}" if key else message, number


def _places(text: str) -> dict[tuple[str, str], int]:
    """Returns in which lines sections and keys stand, for messages; TOML's rarer ways to write them are not found."""
    places: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*\"?([\w-]+)\"?\s*\]", line):
            section = header[1]
            places.setdefault((section, ""), number)
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*(?:\.\s*\"?([\w-]+)\"?\s*)?[.=]", line):
            place = (key[1], key[2]) if key[2] and not section else (section, key[1])
            places.setdefault(place, number)
            if not section:
                places.setdefault((key[1], ""), number)
    return places


# What holds


class Settings(Mapping[str, Any]):
    """The settings of one process, by key. `file` is what was read of them, or None. `again` reads them anew."""

    def __init__(self, values: Mapping[str, Any], file: Path | None, again: Callable[[], "Settings"]) -> None:
        self._values = values
        self.file = file
        self.again = again

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def differences(section: str, running: Mapping[str, Any], read: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Returns which settings of a process are another now than it runs with: those that a reload takes, and those that
    need a restart."""
    changed = [setting for setting in of_section(section) if running[setting.key] != read[setting.key]]
    return [each.key for each in changed if each.reloads], [each.key for each in changed if not each.reloads]


def resolve(
    section: str, program: str, description: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> Settings:
    """Returns the settings of a process, from its command line, its environment and the file. Ends the program with
    status 2 and a line on standard error where one is wrong, and with 0 after `--help`."""
    parser = _parser(section, program, description)
    flags = parser.parse_args(arguments)
    try:
        return _resolve(section, flags, environment)
    except Mistake as mistake:
        fail(program, str(mistake))


def fail(program: str, message: str) -> NoReturn:
    """Ends the program with status 2 and a line on standard error."""
    print(f"{program}: {message}", file=sys.stderr)
    raise SystemExit(2)


def _resolve(section: str, flags: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    named = flags.config or environment.get(CONFIG_VARIABLE)
    file = Path(named) if named else None
    in_file: dict[tuple[str, str], Any] = {}
    if file is not None:
        in_file, wrong = read_file(file)
        if wrong:
            raise Mistake(wrong[0])
    values: dict[str, Any] = {}
    for setting in of_section(section):
        given = getattr(flags, setting.key)
        text = environment.get(setting.name_in_environment)
        if given is not None:
            values[setting.key] = tuple(given) if setting.kind.many else given
        elif text:
            values[setting.key] = _of_variable(setting, text)
        else:
            values[setting.key] = in_file.get((section, setting.key), setting.default)
    return Settings(values, file, lambda: _resolve(section, flags, environment))


def _of_variable(setting: Setting, text: str) -> Any:
    try:
        if setting.kind.many:
            return tuple(setting.kind.of_text(part) for part in text.split())
        return setting.kind.of_text(text)
    except ValueError as error:
        raise Mistake(f"{setting.name_in_environment}: {error}") from None


def _parser(section: str, program: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"the configuration, such as /etc/tocsin/tocsin.toml (${CONFIG_VARIABLE}, or none)",
    )
    for setting in of_section(section):
        text = setting.help.replace("%", "%%")
        if setting.default not in (None, (), False):
            text += f" ({setting.default})"
        if setting.kind.flag:
            parser.add_argument(setting.option, dest=setting.key, action="store_true", default=None, help=text)
            continue
        parser.add_argument(
            setting.option,
            dest=setting.key,
            type=_typed(setting.kind.of_text),
            action="append" if setting.kind.many else "store",
            metavar=setting.kind.shape,
            help=f"{text}; more than once if need be" if setting.kind.many else text,
        )
    return parser


def _typed(of_text: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return of_text(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
