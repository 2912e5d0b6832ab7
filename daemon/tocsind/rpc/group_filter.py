"""The filter of alert groups: a small part of https://google.aip.dev/160.

Comparisons joined by AND: `state = NAME`, `state != NAME`, `integration = "integrations/{id}"` (quotes optional).
Whatever else is written is refused with the place where it stands.
"""

import re
from dataclasses import dataclass

from tocsind.domain.alert_group import State
from tocsind.domain.errors import TocsinError, invalid
from tocsind.rpc import names

_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(!=|=)|([^\s=!"]+))')
MAX_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups are wanted: in one of `states`, and of one integration (its public id) or of any (None)."""

    states: tuple[State, ...]
    integration: str | None


def parse(text: str) -> GroupFilter:
    """Reads a filter; TocsinError (INVALID) where it cannot be read."""
    if len(text) > MAX_LENGTH:
        raise invalid("filter", f"must be at most {MAX_LENGTH} characters")
    tokens = _tokens(text)
    states = set(State)
    integration: str | None = None
    index = 0
    while index < len(tokens):
        if index and tokens[index] != (tokens[index][0], "AND"):
            raise _at(tokens[index], "AND expected")
        index += 1 if index else 0
        if len(tokens) - index < 3:
            raise invalid("filter", f"at the end: a comparison such as state = FIRING expected, in {text!r}")
        (_, field), (where, operator), (_, value) = tokens[index : index + 3]
        index += 3
        if operator not in ("=", "!="):
            raise _at((where, operator), "= or != expected")
        if field == "state":
            named = _state(tokens[index - 1])
            states &= {named} if operator == "=" else set(State) - {named}
        elif field == "integration" and operator == "=":
            wanted = _integration(tokens[index - 1])
            if integration not in (None, wanted):
                states = set()
            integration = wanted
        else:
            raise _at(tokens[index - 3], f"cannot compare {field!r} by {operator}; state (=, !=), integration (=) can")
    return GroupFilter(tuple(sorted(states)), integration)


def _tokens(text: str) -> list[tuple[int, str]]:
    tokens: list[tuple[int, str]] = []
    place = 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise _at((place, text[place:]), "cannot be read")
        quoted, operator, word = found.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else operator or word
        tokens.append((found.end() - len(found[0].lstrip()), value))
        place = found.end()
    return tokens


def _state(token: tuple[int, str]) -> State:
    try:
        return State[token[1]]
    except KeyError:
        raise _at(token, f"is not a state; {', '.join(state.name for state in State)} are") from None


def _integration(token: tuple[int, str]) -> str:
    try:
        return names.integration_id(token[1], "filter")
    except TocsinError:
        raise _at(token, "must be of the form integrations/{id}") from None


def _at(token: tuple[int, str], message: str) -> TocsinError:
    return invalid("filter", f"at character {token[0] + 1}, {token[1][:40]!r}: {message}")
