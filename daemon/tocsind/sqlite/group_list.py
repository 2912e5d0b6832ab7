"""Lists of alert groups: pages of them in the order of creation, and how many there are.

Rules
- The order is by creation time; ids part what was created in the same microsecond. A page begins after a key of both,
  so what comes and goes meanwhile neither repeats nor hides anything else.
- Each wanted state is one range of an index, of all groups or of those of one integration, limited by the key and by
  the times of creation that are wanted. SQLite reads the ranges in order and merges them, no further than the page
  needs (tests/daemon/sqlite/test_query_plans.py looks at every plan).
- What no index knows is compared row by row, in SQLite, so that other threads can go on. One call looks at `LOOKED_AT`
  rows at most (measured: 20,000 take 15 to 70 ms): at the first few, then at the rest, each time up to a row at a known
  distance (the edge), which the index alone tells. Where that does not fill the page, the page is short, and the next
  one begins after the edge.
- Labels are compared as they are stored, as JSON: `alert_groups.text` has one way to write each string. That is exact
  with any character in names and values (SQLite's JSON functions cut values at a NUL, and their paths cannot name every
  key), and not slower. With each backslash and quote inside strings replaced by control characters, which JSON cannot
  hold, every quote that is left begins or ends a string; then `"name":"value"` can stand elsewhere only if the name is
  what stands between strings, a comma or a colon (`AMBIGUOUS_NAMES`, which the reader of filters refuses).
- The texts of the statements vary with the number of states and the kinds of conditions, never with values.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tocsind.domain.group_filter import GroupFilter, LabelCondition, LabelTest
from tocsind.domain.route import DEFAULT_ID
from tocsind.domain.span import ALWAYS
from tocsind.sqlite.alert_groups import AS_READ, GroupRow, as_read, text

LOOKED_AT = 20_000
COUNTED = 100_000
AMBIGUOUS_NAMES = (",", ":")
"""Names of labels that cannot be asked for."""

_FIRST_LOOK = 1_000
_TEXTS = 512
# Also where the route that a group took is gone.
_UNDER_DEFAULT = "NOT EXISTS (SELECT 1 FROM routes AS taken WHERE taken.id = g.route_id)"
# The first comparison alone is fast, and true wherever the second one is.
_HAS = r"(instr(g.labels, ?) > 0 AND instr(replace(replace(g.labels, '\\', char(1)), '\"', char(2)), ?) > 0)"
_LABEL_TESTS = {LabelTest.EQUAL: _HAS, LabelTest.PRESENT: _HAS, LabelTest.DIFFERENT: f"NOT {_HAS}"}
_LEAST, _GREATEST = -(2**63), 2**63 - 1

Key = tuple[int, int]
"""Creation time and id of a group: its place in the order."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some groups in order, and the key after which the next page begins; None on the last page."""

    groups: Sequence[GroupRow]
    next: Key | None


@dataclass(frozen=True, slots=True)
class GroupList:
    """The groups that a filter wants, newest or oldest first. `integration_id` and `route_id` are the ids in the
    database of the integration and of the route that the filter names, if it names them; `route_id` is also None where
    all groups of the integration are under that route."""

    wanted: GroupFilter
    integration_id: int | None
    newest_first: bool
    route_id: int | None = None

    @property
    def is_slow(self) -> bool:
        """Whether groups have to be compared one by one."""
        return bool(_residual(self.wanted, self.route_id)[0])

    def page(self, connection: sqlite3.Connection, after: Key | None, size: int) -> Page:
        """Returns at most `size` groups after a key, or from the beginning; fewer, even none, where looking for more
        would take too long."""
        begin, end = self._bounds(after)
        conditions, values = _residual(self.wanted, self.route_id)
        if not conditions:
            return _cut(self._read(connection, begin, end, (), (), size + 1), size, None)
        found: list[GroupRow] = []
        for look in (_FIRST_LOOK, LOOKED_AT - _FIRST_LOOK):
            edge = self._edge(connection, begin, end, look)
            found += self._read(connection, begin, edge or end, conditions, values, size + 1 - len(found))
            if edge is None or len(found) >= size:
                break
            begin = edge
        return _cut(found, size, edge)

    def count(self, connection: sqlite3.Connection) -> int:
        """Returns how many groups there are on all pages; of more than `COUNTED` only so many are looked at."""
        begin, end = self._bounds(None)
        conditions, values = _residual(self.wanted, self.route_id)
        edge = self._edge(connection, begin, end, COUNTED)
        if edge is not None and not conditions:
            return COUNTED
        sql = _select("count(*) FROM alert_groups AS g", self.integration_id is None, self.newest_first, conditions)
        ranges = self._ranges(begin, edge or end, values)
        return sum(connection.execute(sql, each).fetchone()[0] for each in ranges)

    def _read(
        self,
        connection: sqlite3.Connection,
        begin: Key,
        end: Key,
        conditions: Sequence[str],
        values: Sequence[Any],
        limit: int,
    ) -> list[GroupRow]:
        """Returns at most `limit` groups after `begin` up to and with `end`."""
        rows = self._merged(connection, AS_READ, begin, end, conditions, values, limit, 0)
        return as_read(connection, rows)

    def _edge(self, connection: sqlite3.Connection, begin: Key, end: Key, distance: int) -> Key | None:
        """Returns the key of the group at a distance from `begin`, whether it meets the conditions or not; None where
        there are fewer."""
        columns = "g.created_at, g.id FROM alert_groups AS g"
        found = list(self._merged(connection, columns, begin, end, (), (), 1, distance - 1))
        return found[0] if found else None

    def _merged(
        self,
        connection: sqlite3.Connection,
        columns: str,
        begin: Key,
        end: Key,
        conditions: Sequence[str],
        values: Sequence[Any],
        limit: int,
        offset: int,
    ) -> Iterator[Any]:
        ranges = list(self._ranges(begin, end, values))
        if ranges:
            select = _select(columns, self.integration_id is None, self.newest_first, conditions)
            sql = _merge(select, len(ranges), self.newest_first)
            yield from connection.execute(sql, (*(value for each in ranges for value in each), limit, offset))

    def _ranges(self, begin: Key, end: Key, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yields the values of the statement for each range."""
        driver = () if self.integration_id is None else (self.integration_id,)
        if not self.wanted.created.is_empty:
            for state in self.wanted.listed_states:
                yield (*driver, state, *begin, *end, *values)

    def _bounds(self, after: Key | None) -> tuple[Key, Key]:
        """Returns the key before the first group that is wanted, and one that is not before the last."""
        created = self.wanted.created
        if self.newest_first:
            begin, end = (created.last, _GREATEST), (created.first, _LEAST)
            return min(begin, after or begin), end
        begin, end = (created.first, _LEAST), (created.last, _GREATEST)
        return max(begin, after or begin), end


def _residual(wanted: GroupFilter, route_id: int | None) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Returns the conditions that no index knows, and their values."""
    conditions: list[str] = []
    values: list[Any] = []
    if route_id is not None:
        conditions.append(_UNDER_DEFAULT if route_id == DEFAULT_ID else "g.route_id = ?")
        values += () if route_id == DEFAULT_ID else (route_id,)
    if wanted.source is not None:
        conditions.append("g.source = ?")
        values.append(wanted.source)
    if wanted.collected is not None:
        conditions.append(f"g.collected_by IS {'NOT ' if wanted.collected else ''}NULL")
    for column, span in (("g.state_since", wanted.resolved or ALWAYS), ("g.last_received", wanted.notified)):
        if span != ALWAYS:
            conditions.append(f"{column} BETWEEN ? AND ?")
            values += (span.first, span.last)
    for condition in wanted.labels:
        conditions.append(_LABEL_TESTS[condition.test])
        stored = _stored(condition)
        values += (stored, stored.replace(r"\\", "\1").replace(r"\"", "\2"))
    for part in wanted.titles:
        conditions.append("instr(lower(g.title), ?) > 0")
        values.append(part)
    return tuple(conditions), tuple(values)


def _stored(condition: LabelCondition) -> str:
    """Returns what stands in the labels where a condition, its negation aside, holds."""
    if condition.test is LabelTest.PRESENT:
        return text({condition.name: ""})[1:-3]
    return text({condition.name: condition.value})[1:-1]


@lru_cache(_TEXTS)
def _select(columns: str, of_all: bool, newest_first: bool, conditions: tuple[str, ...]) -> str:
    # A comparison of pairs is looked up by its first part: of groups created in one microsecond some are passed over.
    beyond, up_to = ("<", ">=") if newest_first else (">", "<=")
    driver = "" if of_all else "g.integration_id = ? AND "
    bounds = f"(g.created_at, g.id) {beyond} (?, ?) AND (g.created_at, g.id) {up_to} (?, ?)"
    return " AND ".join((f"SELECT {columns} WHERE {driver}g.state = ? AND {bounds}", *conditions))


@lru_cache(_TEXTS)
def _merge(select: str, ranges: int, newest_first: bool) -> str:
    word = "DESC" if newest_first else "ASC"
    return f"{' UNION ALL '.join([select] * ranges)} ORDER BY g.created_at {word}, g.id {word} LIMIT ? OFFSET ?"


def _cut(found: list[GroupRow], size: int, edge: Key | None) -> Page:
    """Returns the page in `found`, which holds one more than `size` if there is more; `edge` is how far was looked,
    None if to the end."""
    if len(found) <= size:
        return Page(found, edge)
    last = found[size - 1].group
    return Page(found[:size], (last.created, last.id))
