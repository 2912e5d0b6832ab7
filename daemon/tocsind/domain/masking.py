"""Masks: what is shown in place of a secret.

Rules
- Of an address of the web its scheme, host and port are shown. Everything after that may be a key (Slack's, Discord's
  and Teams' addresses are nothing else), and so may what stands before the host.
- What others say of an address (an answer, an error) may repeat parts of it: each part that may be a secret is taken
  out before anybody reads it. What is shorter than four characters is left: taking out every `to` and `v1` would leave
  nothing to read, and protects nothing.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MASK = "****"

_SHORTEST = 4
_WEB = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[^/?#]*)@)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:[/?#].*)?)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[/?&=#;,:@\s]+")
_ESCAPED = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE)
_PORT = re.compile(r":([0-9]{1,5})$")
# Where mail goes is shown: without it nobody could tell which address an answer is about.
_OF_MAIL = re.compile(r"[?&](?:to|from|cc|bcc)=[^@&]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?=&|$)")
# The name of a machine, not a key: keys have capital letters, or no dots.
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class WebAddress(NamedTuple):
    """The parts of `https://user@host:port/rest`; `user` is None where there is no `@`, `port` where it is not said."""

    scheme: str
    user: str | None
    host: str
    port: int | None
    rest: str


def web_address(url: str) -> WebAddress | None:
    """Returns the parts of an address of the web, or None where it is none, or holds what an address cannot."""
    found = _WEB.fullmatch(url)
    if found is None or not url.isascii() or not url.isprintable() or {" ", "\\"} & set(url):
        return None
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 1 <= port <= 65_535:
        return None
    return WebAddress(found["scheme"].lower(), found["user"], found["host"], port, found["rest"])


def masked(url: str) -> str:
    """Returns an address of the web with all that may be a secret masked."""
    parts = web_address(url)
    if parts is None:
        return MASK
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.host}{port}{'' if parts.rest in ('', '/') else '/' + MASK}"


def secrets_of(url: str) -> Iterator[str]:
    """Yields an address of any kind, and each part of it that may be a secret, also as it is without escapes."""
    yield url
    _, _, rest = url.partition("://")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = place.rpartition("@")[2].partition(":")[0]
    shown = {host, *_PORT.findall(place)} if web_address(url) is not None or _HOST.fullmatch(host) else set()
    if host in shown:
        yield rest[len(place) :]
        shown.update(_OF_MAIL.findall(rest[len(place) :]))
    for part in {*_BETWEEN.split(rest), *_BETWEEN.split(_unescaped(rest))} - shown:
        yield part
        yield _unescaped(part)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Returns a text without any of these secrets."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, MASK)
    return text


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace"), text)
