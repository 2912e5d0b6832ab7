"""The configuration: which settings there are, what they may be, and what overrides what.

Rules
- `SETTINGS` is the one table. The flags of both processes, their variables in the environment, the commented file that
  an installation gets (systemd/configuration.py) and docs/configuration.md are made of it.
- A flag overrides a variable, that overrides the file, that the default. A list is overridden as a whole.
- The file is TOML, one for both processes: each reads its own section. It is read where `--config` or TOCSIN_CONFIG
  names it, and nowhere else: a trial on a machine with an installation must not take the installation's settings.
- What the table does not know is a mistake, and the name that may have been meant is said. Every mistake is one line
  with file, line and key. A process does not start with one in its own section or in what is not a section at all.
- It holds no secrets: these are in files of their own, which settings name.
"""

import argparse
import difflib
import ipaddress
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

CONFIG_VARIABLE: Final = "TOCSIN_CONFIG"

MAX_SOCKET_PATH: Final = 107
"""The kernel's limit for the path of a unix socket, less the ending zero (unix(7): sun_path has 108 bytes)."""

MAX_RATE_LIMIT: Final = 1_000_000
ROLES: Final = ("admin", "editor", "viewer", "gateway", "none")
LOG_LEVELS: Final = ("debug", "info")

Value = str | int | bool | tuple[str, ...]


class Mistake(Exception):
    """The configuration is wrong. The text is one line that says where, and what must be there."""


@dataclass(frozen=True)
class Kind:
    """What a setting may be. `of_text` reads what stands in a flag or a variable, `of_toml` what stands in the file;
    both raise ValueError with what it must be. `shape` stands for the value in help."""

    shape: str
    of_text: Callable[[str], Any]
    of_toml: Callable[[Any], Any]
    many: bool = False
    flag: bool = False


def _text(shape: str, check: Callable[[str], str] = str, empty: bool = False) -> Kind:
    def of_text(text: str) -> str:
        if not text and not empty:
            raise ValueError("must not be empty")
        return check(text) if text else text

    def of_toml(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a text in quotes, not {_shown(value)}")
        return of_text(value)

    return Kind(shape, of_text, of_toml)


def _texts(shape: str, check: Callable[[str], str]) -> Kind:
    def of_text(text: str) -> str:
        return check(text)

    def of_toml(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f'must be a list of texts, such as ["{shape}"], not {_shown(value)}')
        return tuple(check(item) for item in value)

    return Kind(shape, of_text, of_toml, many=True)


def _number(least: int, most: int) -> Kind:
    def check(number: int) -> int:
        if not least <= number <= most:
            raise ValueError(f"must be {least} to {most}, not {number}")
        return number

    def of_text(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise ValueError(f"must be {least} to {most}, not {text!r}")
        return check(int(text))

    def of_toml(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"must be a number, {least} to {most}, not {_shown(value)}")
        return check(value)

    return Kind("N", of_text, of_toml)


def _choice(*names: str) -> Kind:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be {' or '.join(names)}, not {text!r}")
        return text

    return _text("|".join(names), check)


def _flag() -> Kind:
    def of_text(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"must be true or false, not {text!r}")
        return text.lower() == "true"

    def of_toml(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, not {_shown(value)}")
        return value

    return Kind("", of_text, of_toml, flag=True)


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _listener(text: str) -> str:
    address, comma, option = text.partition(",")
    path = address.removeprefix("unix:") if address.startswith("unix:") else None
    if path is not None and (not path or len(os.fsencode(path)) > MAX_SOCKET_PATH):
        raise ValueError(f"the path of the socket must be 1 to {MAX_SOCKET_PATH} bytes long: {path!r}")
    if path is None:
        _address(address)
    if comma and path is None:
        raise ValueError(f"over TCP every call needs a token; {option!r} is for unix sockets")
    if comma and option not in [f"role={role}" for role in ROLES]:
        known = ", ".join(f"role={role}" for role in ROLES)
        raise ValueError(f"after the comma must come one of {known}; not {option!r}")
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or not 0 <= int(port[:6]) <= 65_535:
        raise ValueError(f"must be unix:PATH or HOST:PORT, not {text!r}")
    return text


def _bind(text: str) -> str:
    return text if text.startswith(("unix:", "fd://")) else _address(text)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError(f"must begin with http:// or https://, not {text!r}")
    return text.rstrip("/")


def _socket(text: str) -> str:
    if not text.startswith("/") or len(os.fsencode(text)) > MAX_SOCKET_PATH:
        raise ValueError(f"must be a path from / on, of at most {MAX_SOCKET_PATH} bytes, not {text!r}")
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"must be a network such as 10.0.0.0/8: {error}") from None


_FILE: Final = _text("FILE")


@dataclass(frozen=True)
class Setting:
    """One setting: `[section] key` in the file, `--flag` for its process, TOCSIN_SECTION_KEY in the environment, or
    `variable`. `help` is a sentence without its dot. `reloads`: a reload takes a new value, without a restart."""

    section: str
    key: str
    kind: Kind
    default: Value | None
    help: str
    reloads: bool = False
    flag: str = ""
    variable: str = ""

    @property
    def option(self) -> str:
        """Its flag."""
        return f"--{self.flag or self.key.replace('_', '-')}"

    @property
    def name_in_environment(self) -> str:
        """Its variable."""
        return self.variable or f"TOCSIN_{self.section}_{self.key}".upper()


SETTINGS: Final = (
    Setting("daemon", "data", _text("DIR"), "/var/lib/tocsin", "The data folder"),
    Setting(
        "daemon",
        "listen",
        _texts("unix:/run/tocsin/tocsind.sock", _listener),
        None,
        "Where to serve gRPC: unix:PATH or HOST:PORT (unix:DATA/tocsind.sock). Over TCP every call needs a token. Over "
        "a unix socket the file mode (0660) is the gate, and whoever passes it without a token is an admin; "
        "unix:PATH,role=ROLE makes it an editor, viewer or gateway, and role=none demands a token",
    ),
    Setting("daemon", "tls_certificate", _FILE, None, "Serve TCP with TLS: the chain, PEM"),
    Setting("daemon", "tls_key", _FILE, None, "The key of the certificate, PEM"),
    Setting("daemon", "tls_client_ca", _FILE, None, "Demand a client certificate signed by one of these CAs, PEM"),
    Setting(
        "daemon",
        "insecure_plain_tcp",
        _flag(),
        False,
        "Allow TCP without TLS beyond loopback, where whoever listens on the network can read tokens",
    ),
    Setting("daemon", "external_url", _text("URL", _url), "http://127.0.0.1:8080", "Where senders find the gateway"),
    Setting(
        "daemon",
        "rate_limit",
        _number(0, MAX_RATE_LIMIT),
        300,
        "Notifications that an integration may send in 5 minutes, and beats as well, apart from these (0: any number); "
        "its own rate_limit overrides this",
        reloads=True,
    ),
    Setting(
        "daemon",
        "total_rate_limit",
        _number(0, MAX_RATE_LIMIT),
        900,
        "Notifications that all integrations together may send in 5 minutes (0: any number); what is too much is "
        "answered 503, and the sender tries again",
        reloads=True,
    ),
    Setting(
        "daemon",
        "webhook_networks",
        _texts("10.0.0.0/8", _network),
        (),
        "Private, loopback and link-local networks that webhooks and calendars may be at (none: only public addresses)",
        reloads=True,
        flag="webhook-network",
    ),
    Setting(
        "daemon",
        "courier",
        _text("/run/tocsin-courier/socket", _socket),
        None,
        "The socket of a courier, which does all that goes out over the network, as a service of its own (a process of "
        "the daemon)",
    ),
    Setting(
        "daemon",
        "log_level",
        _choice(*LOG_LEVELS),
        "info",
        "debug: also calls that only read, and each commit with the ids of the requests in it",
        reloads=True,
    ),
    Setting(
        "gateway",
        "http",
        _text("HOST:PORT", _bind),
        "127.0.0.1:8080",
        "Where to listen (also unix:PATH, fd://N); what systemd hands over comes first",
    ),
    Setting(
        "gateway",
        "target",
        _text("TARGET"),
        "unix:/run/tocsin/tocsind.sock",
        "The daemon, as a gRPC target",
        variable="TOCSIN_TARGET",
    ),
    Setting("gateway", "token_file", _FILE, None, "Holds the API token, role gateway, that TCP needs"),
    Setting("gateway", "ca_file", _FILE, None, "Who vouches for the daemon (PEM); else the system's CAs"),
    Setting("gateway", "cert_file", _FILE, None, "The gateway's certificate, if the daemon wants one"),
    Setting("gateway", "key_file", _FILE, None, "The key of that certificate"),
    Setting(
        "gateway",
        "insecure_plaintext",
        _flag(),
        False,
        "No TLS beyond loopback: others on the way can read all",
    ),
    Setting(
        "gateway",
        "max_body",
        _number(1_024, 1 << 30),
        32 * 1024 * 1024,
        "The largest body taken, in bytes",
        reloads=True,
    ),
    Setting("gateway", "log_level", _choice(*LOG_LEVELS), "info", "debug: each request is a line", reloads=True),
)

SECTIONS: Final = tuple(dict.fromkeys(setting.section for setting in SETTINGS))


def of_section(section: str) -> list[Setting]:
    """The settings of one process."""
    return [setting for setting in SETTINGS if setting.section == section]


# The file


def read_file(path: Path) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """Returns what a file sets, by section and key, and what is wrong with it, a line each.

    Raises Mistake where it cannot be read, or is no TOML at all.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise Mistake(f"{path}: is not UTF-8 at byte {error.start}") from None
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
    """Returns what is wrong, and in which line. tomllib says `... (at line 3, column 5)` or `(at end of document)`."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return message, 1
    line = int(found[1]) if found[1] else max(1, text.count("\n") + (not text.endswith("\n")))
    return message[: found.start()], line


def _places(text: str) -> dict[tuple[str, str], int]:
    """Returns in which lines sections and keys stand, for messages; TOML's rarer ways to write them are not found."""
    places: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*\"?([\w-]+)\"?\s*\]", line):
            section = header[1]
            places.setdefault((section, ""), number)
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*(?:\.\s*\"?([\w-]+)\"?\s*)?=", line):
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


# What is made of the table


def example() -> str:
    """The file that an installation gets: every setting with what it means, commented out with its default."""
    lines = [
        "# The configuration of Tocsin. What is commented out shows the default, or an example.",
        "# `tocsin config check` looks at it; `systemctl reload tocsind tocsin-gateway` takes what is marked (reload).",
    ]
    for section in SECTIONS:
        lines += ["", f"[{section}]"]
        for setting in of_section(section):
            mark = " (reload)" if setting.reloads else ""
            lines += ["", *_wrapped(f"{setting.help}.{mark}"), f"#{setting.key} = {_toml(setting)}"]
    return "\n".join(lines) + "\n"


def _toml(setting: Setting) -> str:
    default = setting.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int):
        return str(default)
    if isinstance(default, str):
        return f'"{default}"'
    if setting.kind.many:
        return f'["{setting.kind.shape}"]'
    return f'"{setting.kind.shape}"' if setting.kind.shape.startswith("/") else f'"/etc/tocsin/{setting.key}"'


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
