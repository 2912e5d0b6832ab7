"""Takes secrets out of texts that people will see: receivers love to repeat in an error what was sent to them.

This is done where the answer comes in, by what the errand is made of. What callers of the API are shown of a contact
point is gone over once more there, by what is in its settings (`domain/masking.py`).

Rules
- An errand's secrets are: its address as a whole, user and password in it, the segments of its path and the values of
  its query unless they are obviously harmless, the values of headers, what signs it, and keys.
- They are recognised in any case of letters, and written as in URLs, in JSON (of which every library escapes something
  else), in HTML, and as the base64 of basic authentication.
- Too much is taken out rather than too little: `****` in an answer hurts nobody.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from urllib.parse import quote, unquote, unquote_plus, urlsplit

MASK = "****"

# What segments of paths and values of queries often are, and what nobody takes for a password.
_HARMLESS = re.compile(
    r"|v?\d{1,5}|[.-]|true|false|yes|no|on|off|api|rest|hooks?|webhooks?|services?|incoming|integrations?|alerts?"
    r"|alertmanager|events?|notify|notifications?|messages?|send|push|post|in|basic\.ics|calendars?|ical|public|private",
    re.IGNORECASE,
)
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent", "host"})
_HARMLESS_WORDS = frozenset({"basic", "bearer", "token", "digest", "apikey", "negotiate"})

_SHORT = 4
"""Characters below which something is only recognised as a word of its own."""


def is_harmless(text: str) -> bool:
    """Whether a part of an address is obviously no secret."""
    return _HARMLESS.fullmatch(text) is not None


def of_url(url: str) -> Iterator[str]:
    """What is secret in an address of HTTP."""
    if "/" in url.strip("/"):
        yield url
    try:
        parts = urlsplit(url)
        user, password = parts.username or "", parts.password or ""
    except ValueError:
        return
    yield unquote(user)
    yield from of_login(user, password)
    segments = [segment for segment in parts.path.split("/") if not is_harmless(segment)]
    if segments:
        yield parts.path
    if parts.query:
        yield f"{parts.path}?{parts.query}"
        yield parts.query
    yield parts.fragment
    values = [pair.partition("=")[2] or pair for pair in parts.query.split("&")]
    yield from (each for each in (*segments, *values) if not is_harmless(each))


def of_login(user: str, password: str) -> Iterator[str]:
    """What is secret in a user's name with a password, both as in an address."""
    if not password:
        return
    user, password = unquote(user), unquote(password)
    yield from (password, f"{user}:{password}")
    yield base64.b64encode(f"{user}:{password}".encode()).decode()


def of_headers(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What is secret in headers."""
    for name, value in headers:
        if name.lower() in _HARMLESS_HEADERS:
            continue
        yield value
        words = [word.strip(",;\"'") for word in value.split()]
        yield from (word for word in words if word.lower() not in _HARMLESS_WORDS)
        if words and words[0].lower() == "basic":
            try:
                login = base64.b64decode(words[-1], validate=True).decode()
            except ValueError:
                continue
            yield from of_login(*map(quote, login.partition(":")[::2]))


def of_key(key: str) -> Iterator[str]:
    """What is secret in a signing secret or in PEM."""
    yield key
    yield key.removeprefix("whsec_")
    yield from (line for line in key.split() if len(line) >= 16)


class Scrubber:
    """Takes secrets out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = {form for secret in secrets for form in _forms(secret)}

    def scrub(self, text: str) -> str:
        """Returns a text without them."""
        return self._pattern.sub(MASK, text) if self._forms and text else text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Only where there is something to show, as many receivers say nothing: it takes milliseconds.
        # The longest first: a part of a secret must not break the whole of it apart.
        patterns = [_pattern(form) for form in sorted(self._forms, key=lambda form: (-len(form), form))]
        return re.compile("|".join(patterns), re.IGNORECASE)

    def line(self, text: str, most: int = 200) -> str:
        """Returns the first line of a text that says something, printable, without secrets, and not too long."""
        for line in self.scrub(text).splitlines():
            words = "".join(char if char.isprintable() else " " for char in line).split()
            if words:
                said = " ".join(words)
                return said if len(said) <= most else said[: most - 2] + ".."
        return ""


def _forms(secret: str) -> Iterator[str]:
    """What a secret may be, but for how its characters are written (`_writings`)."""
    for plain in {secret, unquote(secret), unquote_plus(secret)}:
        form = plain.strip().strip("/")
        if len(form) > 1:
            yield form


def _pattern(form: str) -> str:
    pattern = "".join(map(_writings, form))
    return rf"(?<!\w){pattern}(?!\w)" if len(form) < _SHORT else pattern


@cache
def _writings(char: str) -> str:
    """How a character may be written: as it is, in a URL, in JSON and in HTML."""
    if (char.isalnum() or char in "-._~") and char.isascii():
        # Nobody escapes these.
        return re.escape(char)
    number = ord(char)
    ways = [char, quote(char, safe=""), json.dumps(char)[1:-1], html.escape(char)]
    if char.isascii():
        ways += [f"\\{char}", f"%{number:02x}", f"\\u{number:04x}", f"\\x{number:02x}"]
        ways += [f"&#{number};", f"&#x{number:x};", *("+" if char == " " else "")]
    return f"(?:{'|'.join(map(re.escape, dict.fromkeys(ways)))})"
