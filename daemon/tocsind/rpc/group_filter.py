"""The filter of alert groups: a small part of https://google.aip.dev/160.

Comparisons joined by AND: `state = NAME`, `state != NAME`, `integration = "integrations/{id}"` (quotes optional).
Whatever else is written is refused with the place where it stands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tocsind.domain.alert_group import State
from tocsind.domain.errors import TocsinError, invalid
from tocsind.rpc import names

_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(!=|=)|([^\s=!"]+))')
MAX_LENGTH = 2_000

# Where it stands, and what it says.
_Token = tuple[int, str]


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups are wanted: in one of `states`, and of one integration (its public id) or of any (None)."""

    states: tuple[State, ...]
    integration: str | None


def parse(text: str) -> GroupFilter:
    """Reads a filter; TocsinError (INVALID) where it cannot be read."""
    if len(text) > MAX_LENGTH:
        raise invalid("filter", f"must be at most {MAX_LENGTH} characters")
    states = set(State)
    integration: str | None = None
    for field, operator, value in _comparisons(_tokens(text), text):
        match field[1], operator[1]:
            case "state", "=":
                states &= {_state(value)}
            case "state", "!=":
                states -= {_state(value)}
            case "integration", "=":
                wanted = _integration(value)
                if integration not in (None, wanted):
                    states = set()
                integration = wanted
            case "integration" | "state", _:
                raise _at(operator, "cannot compare so; state takes = and !=, integration takes =")
            case _:
                raise _at(field, "is not a field; state and integration are")
    return GroupFilter(tuple(sorted(states)), integration)


def _comparisons(tokens: list[_Token], text: str) -> Iterator[tuple[_Token, _Token, _Token]]:
    """Yields field, operator and value of each comparison."""
    for start in range(0, len(tokens), 4):
        if start and tokens[start - 1][1] != "AND":
            raise _at(tokens[start - 1], "AND expected")
        if len(tokens) - start < 3:
            raise invalid("filter", f"at the end of {text!r}: a comparison such as state = FIRING expected")
        yield tokens[start], tokens[start + 1], tokens[start + 2]
    if tokens and len(tokens) % 4 == 0:
        raise invalid("filter", f"at the end of {text!r}: a comparison such as state = FIRING expected")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            rest = text[place:].lstrip()
            raise _at((len(text) - len(rest), rest), "cannot be read")
        quoted, operator, word = found.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else operator or word
        tokens.append((found.end() - len(found[0].lstrip()), value))
        place = found.end()
    return tokens


def _state(token: _Token) -> State:
    try:
        return State[token[1]]
    except KeyError:
        raise _at(token, f"is not a state; {', '.join(state.name for state in State)} are") from None


def _integration(token: _Token) -> str:
    try:
        return names.integration_id(token[1], "filter")
    except TocsinError:
        raise _at(token, "must be of the form integrations/{id}") from None


def _at(token: _Token, message: str) -> TocsinError:
    return invalid("filter", f"at character {token[0] + 1}, {token[1][:40]!r}: {message}")
