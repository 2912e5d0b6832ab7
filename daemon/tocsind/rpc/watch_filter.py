"""What watching needs of a filter: whether an event is wanted, and pages of the groups that match now."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsind.domain.alert_group import State
from tocsind.domain.errors import not_found
from tocsind.rpc import group_filter
from tocsind.rpc.group_filter import GroupFilter
from tocsind.sqlite import alert_groups, integrations
from tocsind.sqlite.alert_groups import GroupRow

Key = int
"""The place of a group in the list."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some groups in order, and the key after which the next page begins; None on the last page."""

    groups: Sequence[GroupRow]
    next: Key | None


def parse(text: str) -> GroupFilter:
    """Reads a filter; TocsinError (INVALID) where it cannot be read."""
    return group_filter.parse(text)


def matches(wanted: GroupFilter, row: GroupRow, states: Iterable[State | None]) -> bool:
    """Whether what happened to a group is wanted; one of the states, before it and after it, is enough."""
    return any(state in wanted.states for state in states) and (
        wanted.integration is None or row.integration == f"integrations/{wanted.integration}"
    )


def integration_id(connection: sqlite3.Connection, wanted: GroupFilter) -> int | None:
    """Returns the id in the database of the integration that a filter names, None where it names none. TocsinError
    (NOT_FOUND) where there never was such an integration."""
    if wanted.integration is None:
        return None
    found = integrations.any_id(connection, wanted.integration)
    if found is None:
        raise not_found(f"integrations/{wanted.integration}")
    return found


def page(connection: sqlite3.Connection, wanted: GroupFilter, after: Key | None, size: int) -> Page:
    """Returns at most `size` groups that match now, newest first."""
    found = alert_groups.page(
        connection,
        states=wanted.states,
        integration_id=integration_id(connection, wanted),
        before=alert_groups.OPEN_STANDING if after is None else after,
        limit=size + 1,
    )
    return Page(found[:size], found[size - 1].group.id if len(found) > size else None)
