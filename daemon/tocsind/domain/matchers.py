"""Alertmanager's matchers: `severity=~"critical|page", team!=""`, as amtool takes them.

Rules
- A matcher is the name of a label, one of `=`, `!=`, `=~`, `!~`, and a value. All matchers of a list must hold. A label
  that is missing is like an empty one.
- Alertmanager has two grammars, and so has this. Where the classic one (pkg/labels/parse.go, up to 0.26 the only one)
  can read a text, it is the one that counts; else the UTF-8 one (matcher/parse) is. That is what Alertmanager and
  amtool do by default (matcher/compat: it warns, and takes the classic reading, wherever the two differ).
- In both: braces around the list are optional, a comma may stand at its end, and a value may stand in double quotes.
  Classic: names are letters, digits, `_` and `:`; without quotes a value reaches to the next comma; `\\"`, `\\\\` and
  `\\n` are escapes, and any other backslash is a backslash. UTF-8: names may stand in quotes too; without quotes, names
  and values are anything but space and `{}!=~,\\"'` and the backtick; inside quotes the escapes are those of Go.
- Regular expressions are RE2's, as Alertmanager's are, and match the whole value. Their time grows with the length of
  the value only, and what it grows by is bounded here: by the size of the compiled expression, when it is saved, and by
  the length of the value. A longer value is compared with no expression: neither `=~` nor `!~` holds. What many lists
  take together is for whoever compares with many to bound (`effort`).
- What cannot be read is an error that says what and where: places are counted in characters, from 1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

import re2  # type: ignore[import-untyped]

from tocsind.domain.errors import TocsinError, invalid

MAX_PROGRAM = 5_000
"""Instructions of all compiled expressions of a list: what one character of a value can cost at most. An alternation
of 2,000 characters has about as many."""

MAX_VALUE = 16_384
"""Characters of a value that an expression is compared with."""

# Bytes: for the compiled expression, and for what RE2 finds out about it while it is used.
_MAX_MEMORY = 1024 * 1024
_SHOWN = 80

# Go's unicode.IsSpace.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACES = re.compile(f"[{_SPACE}]*+")
_UNQUOTED = re.compile(f"[^{_SPACE}{{}}!=~,\\\\\"'`]++")
_RESERVED = re.compile(f"[{_SPACE}{{}}!=~,\\\\\"'`]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_OPERATOR = re.compile(r"=~|!~|!=|=")
_ESCAPE = re.compile(r'\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}

_CLASSIC = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*)", re.DOTALL)
_CLASSIC_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class _TooLargeError(ValueError):
    """RE2 gave up on an expression, for the memory that it would need."""


class MatchType(Enum):
    """How a value is compared; the values are the operators."""

    EQUAL = "="
    DIFFERENT = "!="
    REGEX = "=~"
    NO_REGEX = "!~"


_REGULAR = (MatchType.REGEX, MatchType.NO_REGEX)


@dataclass(frozen=True)
class Matcher:
    """What is demanded of one label. `str` is how Alertmanager writes it."""

    name: str
    type: MatchType
    value: str

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as demanded."""
        actual = labels.get(self.name, "")
        if self.type not in _REGULAR:
            return (actual == self.value) is (self.type is MatchType.EQUAL)
        if len(actual) > MAX_VALUE:
            return False
        return (self._expression.fullmatch(actual) is not None) is (self.type is MatchType.REGEX)

    def explain(self, labels: Mapping[str, str]) -> str:
        """Returns in one line why it holds or does not."""
        actual = labels.get(self.name, "")
        holds = self.holds(labels)
        said = "holds" if holds else "does not hold"
        if not holds and self.type in _REGULAR and len(actual) > MAX_VALUE:
            return f"{_shown(str(self))} {said}: the value is over {MAX_VALUE:,} characters"
        if not actual:
            return f"{_shown(str(self))} {said}: the label is {'empty' if self.name in labels else 'missing'}"
        return f"{_shown(str(self))} {said}: it is {_quoted(_shown(actual))}"

    def effort(self, labels: Mapping[str, str]) -> int:
        """How many steps it takes at worst to compare labels with its expression: instructions times bytes."""
        actual = labels.get(self.name, "")
        return self.program * len(actual.encode()) if self.type in _REGULAR and len(actual) <= MAX_VALUE else 0

    @property
    def program(self) -> int:
        """How many instructions its expression has; 0 where it has none. ValueError where it is none of RE2's."""
        return int(self._expression.programsize) if self.type in _REGULAR else 0

    def __str__(self) -> str:
        if _RESERVED.search(self.name):
            return f"{_go_quoted(self.name)}{self.type.value}{_go_quoted(self.value)}"
        return f"{self.name}{self.type.value}{_quoted(self.value)}"

    @cached_property
    def _expression(self) -> Any:
        options = re2.Options()
        options.max_mem = _MAX_MEMORY
        options.log_errors = False
        try:
            return re2.compile(self.value, options)
        except re2.error as error:
            why = error.args[0] if error.args else b""
            text = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
            raise (_TooLargeError if "too large" in text else ValueError)(text) from None


@dataclass(frozen=True)
class Matchers:
    """A list of matchers. `str` is how Alertmanager writes it."""

    all: tuple[Matcher, ...] = field(default=())

    def hold(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as all of them demand."""
        return all(matcher.holds(labels) for matcher in self.all)

    def effort(self, labels: Mapping[str, str]) -> int:
        """How many steps it takes at worst to compare labels with the expressions; none where another matcher does not
        hold, as that is found out first by whoever asks."""
        if not all(matcher.holds(labels) for matcher in self.all if matcher.type not in _REGULAR):
            return 0
        return sum(matcher.effort(labels) for matcher in self.all)

    def explain(self, labels: Mapping[str, str]) -> str:
        """Returns in one line why they hold, or which is the first that does not."""
        for matcher in self.all:
            if not matcher.holds(labels):
                return matcher.explain(labels)
        if len(self.all) == 1:
            return self.all[0].explain(labels)
        return f"all {len(self.all)} matchers hold" if self.all else "there are no matchers: everything matches"

    def __str__(self) -> str:
        return "{" + ",".join(map(str, self.all)) + "}"


def parse(text: str, field: str = "route.matchers") -> Matchers:
    """Reads a list of matchers. TocsinError (INVALID, with this field) where it cannot be read, where an expression is
    none of RE2's, and where the expressions are too large together."""
    read = _classic(text)
    if read is None:
        read = _Reader(text, field).matchers()
    total = 0
    for matcher in read:
        try:
            total += matcher.program
        except _TooLargeError:
            total = MAX_PROGRAM + 1
        except ValueError as error:
            raise invalid(field, f"{_shown(str(matcher))}: not a regular expression of RE2: {error}") from None
        if total > MAX_PROGRAM:
            raise invalid(field, f"{_shown(str(matcher))}: the regular expression is too large to be compared quickly")
    return Matchers(tuple(read))


def _classic(text: str) -> list[Matcher] | None:
    """Reads the classic grammar; None where it cannot be read."""
    parts: list[str] = []
    begin, inside, escaped = 0, False, False
    text = text.removeprefix("{").removesuffix("}")
    for place, sign in enumerate(text):
        match sign:
            case "," if not inside:
                parts.append(text[begin:place])
                begin = place + 1
            case ",":
                pass
            case '"' if escaped:
                escaped = False
            case '"':
                inside = not inside
            case "\\":
                escaped = not escaped
            case _:
                escaped = False
    if text[begin:].strip(_SPACE_SIGNS):
        parts.append(text[begin:].strip(_SPACE_SIGNS))
    matchers = []
    for part in parts:
        found = _CLASSIC.fullmatch(part)
        value = _classic_value(found[3].rstrip("\t\n\f\r ")) if found else None
        if found is None or value is None:
            return None
        matchers.append(Matcher(found[1], MatchType(found[2]), value))
    return matchers


def _classic_value(raw: str) -> str | None:
    quoted = raw.startswith('"')
    raw = raw.removeprefix('"')
    value: list[str] = []
    place, last = 0, len(raw) - 1
    while place <= last:
        sign = raw[place]
        if sign == "\\" and place < last:
            place += 1
            value.append(_CLASSIC_ESCAPES.get(raw[place], "\\" + raw[place]))
        elif sign == '"':
            if not quoted or place < last:
                return None
            quoted = False
        else:
            value.append(sign)
        place += 1
    return None if quoted else "".join(value)


class _Reader:
    """Reads the UTF-8 grammar from left to right."""

    def __init__(self, text: str, field: str) -> None:
        self._text = text
        self._field = field
        self._place = 0

    def matchers(self) -> list[Matcher]:
        """Returns all that the text holds."""
        braces = self._take("{")
        found: list[Matcher] = []
        while not self._ends() and not self._sees("}"):
            found.append(self._matcher())
            if not self._take(",") and not self._ends() and not self._sees("}"):
                raise self._refusal("expected a comma" + (" or }" if braces else " or the end"))
        if braces and not self._take("}"):
            raise self._refusal("expected }")
        if not self._ends():
            raise self._refusal("there is no { before it" if self._sees("}") and not braces else "expected the end")
        return found

    def _matcher(self) -> Matcher:
        place = self._place
        name = self._word("expected the name of a label")
        if not name:
            self._place = place
            raise self._refusal("the name of a label cannot be empty")
        self._skip()
        operator = _OPERATOR.match(self._text, self._place)
        if operator is None:
            raise self._refusal("expected one of = != =~ !~")
        self._place = operator.end()
        return Matcher(name, MatchType(operator[0]), self._word("expected a value"))

    def _word(self, expected: str) -> str:
        self._skip()
        found = _QUOTED.match(self._text, self._place)
        if found is None and self._sees('"'):
            raise self._refusal("the quote is not closed")
        if found is not None:
            text = self._unquoted(found[0][1:-1])
        else:
            found = _UNQUOTED.match(self._text, self._place)
            if found is None:
                raise self._refusal(expected)
            text = found[0]
        self._place = found.end()
        return text

    def _unquoted(self, raw: str) -> str:
        """Returns what Go's strconv.Unquote makes of the inside of double quotes."""
        if "\n" in raw:
            raise self._refusal(r"a line break inside quotes is written \n")
        parts: list[bytes] = []
        done = 0
        for found in _ESCAPE.finditer(raw):
            parts.append(raw[done : found.start()].encode())
            parts.append(self._escape(found, raw))
            done = found.end()
        parts.append(raw[done:].encode())
        try:
            return b"".join(parts).decode()
        except UnicodeDecodeError:
            raise self._refusal("its escapes make no text in UTF-8") from None

    def _escape(self, found: re.Match[str], raw: str) -> bytes:
        simple, octal, byte, *points = found.groups()
        if simple:
            return _ESCAPED[simple].encode()
        try:
            if octal or byte:
                return bytes([int(octal, 8) if octal else int(byte, 16)])
            return chr(int(points[0] or points[1], 16)).encode()
        except (TypeError, ValueError, OverflowError):
            unknown = raw[found.start() : max(found.end(), found.start() + 2)]
            raise self._refusal(f"{unknown} is no escape; a backslash is written \\\\") from None

    def _skip(self) -> None:
        found = _SPACES.match(self._text, self._place)
        assert found is not None
        self._place = found.end()

    def _sees(self, sign: str) -> bool:
        self._skip()
        return self._text.startswith(sign, self._place)

    def _take(self, sign: str) -> bool:
        seen = self._sees(sign)
        self._place += len(sign) * seen
        return seen

    def _ends(self) -> bool:
        self._skip()
        return self._place == len(self._text)

    def _refusal(self, message: str) -> TocsinError:
        if self._place == len(self._text):
            return invalid(self._field, f"at its end: {message}")
        rest = _UNQUOTED.match(self._text, self._place)
        what = rest[0] if rest else self._text[self._place : self._place + 20]
        return invalid(self._field, f"at character {self._place + 1}, {_shown(what)!r}: {message}")


# What Go's strings.TrimSpace takes away, as single characters.
_SPACE_SIGNS = "".join(chr(point) for point in range(0x3001) if re.fullmatch(f"[{_SPACE}]", chr(point)))


def _quoted(text: str) -> str:
    """Returns a text in quotes, with the escapes that both grammars know."""
    return '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'


def _go_quoted(text: str) -> str:
    """Returns a text in quotes for the UTF-8 grammar alone."""
    signs = (sign if sign.isprintable() or sign == " " else f"\\U{ord(sign):08x}" for sign in text)
    return '"' + "".join({"\\": "\\\\", '"': '\\"'}.get(sign, sign) for sign in signs) + '"'


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
