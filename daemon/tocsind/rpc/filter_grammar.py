"""The grammar that filters have in common: a small part of https://google.aip.dev/160.

Rules
- Comparisons joined by AND: a field, an operator, a value. The parts of a field are joined by dots.
- A part of a field is a plain word (letters, digits, _), a value is anything without spaces and operators; both can
  stand in double quotes, in which \\" is a quote and \\\\ a backslash. There are no wildcards.
- Whatever else is written - OR, NOT, parentheses, a field alone - is refused with the place where it stands, never
  passed over: an answer to another question than the one that was asked looks like good news.
- The text is read once from left to right, so the time it takes grows with its length only.
- Which fields there are, and what can be done with them, is known to who uses this.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeVar

from tocsind.domain.errors import TocsinError, invalid
from tocsind.domain.span import Span

MAX_LENGTH = 2_000
MAX_COMPARISONS = 20

_SPACE = re.compile(r"\s*+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*+)"')
_PART = re.compile(r"[^\s=!<>:\"().,]++")
_OPERATOR = re.compile(r"<=|>=|!=|[=<>:]")
_VALUE = re.compile(r"[^\s=!<>\"(),']++")
# What is shown of something that cannot be read: up to the next space.
_ANYTHING = re.compile(r"\S++")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+")
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYWORDS = ("AND", "OR", "NOT")

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Token:
    """What stands at a place of the text, quotes taken away."""

    place: int
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison; `path` are the parts of the field, of which there is at least one."""

    path: tuple[Token, ...]
    operator: Token
    value: Token

    @property
    def field(self) -> str:
        """The field, its parts joined by dots."""
        return ".".join(part.text for part in self.path)

    def demand(self, *operators: str) -> None:
        """Refuses every operator but these."""
        if self.operator.text not in operators:
            message = f"cannot compare so; {self.path[0].text} takes {_listed(operators)}"
            raise refusal(self.operator, message)


def comparisons(text: str) -> list[Comparison]:
    """Reads a filter; TocsinError (INVALID) where it cannot be read."""
    if len(text) > MAX_LENGTH:
        raise invalid("filter", f"must be at most {MAX_LENGTH:,} characters")
    return list(_Reader(text).comparisons())


def refusal(token: Token, message: str) -> TocsinError:
    """Returns the refusal of what stands at a place."""
    return invalid("filter", f"at character {token.place + 1}, {token.text[:40]!r}: {message}")


def member(value: Token, choices: type[E], what: str) -> E:
    """Returns the member of an enumeration that a value names; `what` it is, such as "a state"."""
    try:
        return choices[value.text]
    except KeyError:
        names = ", ".join(choice.name for choice in choices)
        raise refusal(value, f"is not {what}; {names} are") from None


def span(comparison: Comparison) -> Span:
    """Returns the times for which a comparison with a time holds: of stored ones, which are whole microseconds."""
    comparison.demand("<", "<=", ">", ">=")
    nanoseconds = _nanoseconds(comparison.value)
    floor, ceiling = nanoseconds // 1_000, -(-nanoseconds // 1_000)
    match comparison.operator.text:
        case "<":
            return Span(last=ceiling - 1)
        case "<=":
            return Span(last=floor)
        case ">":
            return Span(first=floor + 1)
        case _:
            return Span(first=ceiling)


def _nanoseconds(value: Token) -> int:
    """Returns a time of RFC 3339 in nanoseconds since 1970."""
    found = _TIME.fullmatch(value.text)
    try:
        if found is None:
            raise ValueError
        day, time, fraction, sign, hours, minutes = found.groups()
        moment = datetime.fromisoformat(f"{day}T{time}+00:00")
    except ValueError:
        raise refusal(value, 'must be a time such as "2026-11-01T00:00:00Z", with Z or an offset') from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if sign:
        offset = int(hours) * 3_600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


class _Reader:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._skip_space()

    def comparisons(self) -> Iterator[Comparison]:
        """Yields each comparison of the text."""
        count = 0
        while not self._at_end():
            if count:
                self._and()
            count += 1
            if count > MAX_COMPARISONS:
                raise refusal(self._rest(), f"at most {MAX_COMPARISONS} comparisons can be joined")
            yield Comparison(self._path(), self._operator(), self._value())

    def _and(self) -> None:
        token = self._take(_PART)
        if token is None or token.text != "AND":
            raise refusal(token or self._rest(), "AND expected (OR and parentheses are not supported)")
        if self._at_end():
            raise self._ended("another comparison expected")

    def _path(self) -> tuple[Token, ...]:
        path = [self._part()]
        while self._text.startswith(".", self._place):
            self._place += 1
            path.append(self._part())
        self._skip_space()
        return tuple(path)

    def _part(self) -> Token:
        token = self._quoted() or self._take(_PART, spaces=False)
        if token is None:
            raise self._expected("a field expected (parentheses are not supported)")
        if token.quoted:
            return token
        if token.text in _KEYWORDS or token.text.startswith("-"):
            raise refusal(token, "a field expected (NOT and - are not supported: write !=)")
        if not _PLAIN.fullmatch(token.text):
            raise refusal(token, 'must be a plain word, or stand in double quotes: labels."some.key"')
        return token

    def _operator(self) -> Token:
        token = self._take(_OPERATOR)
        if token is None:
            raise self._expected("an operator expected: =, !=, <, <=, >, >= or :")
        return token

    def _value(self) -> Token:
        token = self._quoted() or self._take(_VALUE)
        if token is None or (token.text in _KEYWORDS and not token.quoted):
            raise self._expected("a value expected, in double quotes", token)
        self._skip_space()
        return token

    def _quoted(self) -> Token | None:
        if not self._text.startswith('"', self._place):
            return None
        place = self._place
        found = _QUOTED.match(self._text, place)
        if found is None:
            raise refusal(
                self._rest(), 'cannot be read: no quote ends it, or a \\ stands before something else than " or \\'
            )
        self._place = found.end()
        return Token(place, re.sub(r'\\(["\\])', r"\1", found[1]), quoted=True)

    def _take(self, pattern: re.Pattern[str], *, spaces: bool = True) -> Token | None:
        found = pattern.match(self._text, self._place)
        if found is None:
            return None
        self._place = found.end()
        if spaces:
            self._skip_space()
        return Token(found.start(), found[0])

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._place)
        self._place = found.end() if found else self._place

    def _at_end(self) -> bool:
        return self._place == len(self._text)

    def _rest(self) -> Token:
        found = _ANYTHING.match(self._text, self._place)
        return Token(self._place, found[0] if found else "")

    def _expected(self, message: str, token: Token | None = None) -> TocsinError:
        if token is None and self._at_end():
            return self._ended(message)
        return refusal(token or self._rest(), message)

    def _ended(self, message: str) -> TocsinError:
        return invalid("filter", f"at the end of {self._text[-40:]!r}: {message}")


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
