"""Which settings there are, and what they may be: `SETTINGS` is the one table.

The flags of both processes, their variables in the environment, the commented file that an installation gets
(systemd/configuration.py) and docs/configuration.md are made of it. No setting is a secret: secrets are in files of
their own, which settings name.
"""

import ipaddress
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MAX_SOCKET_PATH: Final = 107
"""The kernel's limit for the path of a unix socket, less the ending zero (unix(7): sun_path has 108 bytes)."""

MAX_RATE_LIMIT: Final = 1_000_000
ROLES: Final = ("admin", "editor", "viewer", "gateway", "none")
LOG_LEVELS: Final = ("debug", "info")

Value = str | int | bool | tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """What a setting may be. `of_text` reads what stands in a flag or a variable, `of_toml` what stands in the file;
    both raise ValueError with what it must be. `shape` stands for the value in help."""

    shape: str
    of_text: Callable[[str], Any]
    of_toml: Callable[[Any], Any]
    many: bool = False
    flag: bool = False


def _text(shape: str, check: Callable[[str], str] = str) -> Kind:
    def of_text(text: str) -> str:
        if not text:
            raise ValueError("must not be empty")
        return check(_without_zero(text))

    def of_toml(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a text in quotes, not {_shown(value)}")
        return of_text(value)

    return Kind(shape, of_text, of_toml)


def _texts(shape: str, check: Callable[[str], str]) -> Kind:
    def of_text(text: str) -> str:
        return check(_without_zero(text))

    def of_toml(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f'must be a list of texts, such as ["{shape}"], not {_shown(value)}')
        return tuple(of_text(item) for item in value)

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


def _without_zero(text: str) -> str:
    """No path can hold one, and no name."""
    if "\0" in text:
        raise ValueError("must not hold a character of code 0")
    return text


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
    if not host or not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65_535:
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
