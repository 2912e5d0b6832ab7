"""How SQLite finds who is on call: by indexes that hold all that is looked at."""

import sqlite3
from collections.abc import Callable

import pytest

from tocsind.domain.contact_point import Apprise, CalendarRole, CalendarSource, ContactPoint, OnCall
from tocsind.domain.shift import Shift
from tocsind.sqlite import calendars, contact_points

QUERIES: dict[str, tuple[Callable[[sqlite3.Connection], object], str]] = {
    "shifts of a moment": (
        lambda c: list(calendars.shifts(c, 1, CalendarRole.SCHEDULE, 5_000, 5_001)),
        "USING INDEX shifts_in_time (contact_id=? AND role=? AND ends_at>?)",
    ),
    "people": (calendars.people, "USING COVERING INDEX contact_points_by_call (kind=?)"),
    "how calendars stand": (
        lambda c: calendars.of_contact(c, 1),
        "USING INDEX sqlite_autoindex_calendars_1 (contact_id=?)",
    ),
    "one": (
        lambda c: calendars.one(c, 1, CalendarRole.SCHEDULE),
        "sqlite_autoindex_calendars_1 (contact_id=? AND role=?)",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_looks_at_every_row(connection: sqlite3.Connection, name: str) -> None:
    """Nothing is scanned and nothing is sorted."""
    shifts = [Shift(start, start + 10, ("a",)) for start in range(0, 1_000, 10)]
    for number in range(100):
        contact_points.insert(connection, ContactPoint(0, f"p{number}", f"p{number}", "", (), Apprise("json://a")))
        on_call = ContactPoint(0, f"c{number}", f"c{number}", "", (), OnCall(CalendarSource()))
        on_call.id = contact_points.insert(connection, on_call)
        for role in CalendarRole:
            calendars.replace(
                connection, on_call.id, role, content="", read=0, checked=0, error="", until=0, shifts=shifts
            )
    connection.execute("ANALYZE")
    query, expected = QUERIES[name]
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    query(connection)
    connection.set_trace_callback(None)

    steps = [row[3] for sql in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]

    assert any(expected in step for step in steps), steps
    assert [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step] == []


def test_a_copy_takes_the_place_of_the_one_before(connection: sqlite3.Connection) -> None:
    """With its shifts, and without touching those of the other calendar."""
    contact = ContactPoint(0, "c", "primary", "", (), OnCall(CalendarSource(), CalendarSource(file="a")))
    contact.id = contact_points.insert(connection, contact)
    for role, who in ((CalendarRole.SCHEDULE, "a"), (CalendarRole.OVERRIDES, "b"), (CalendarRole.SCHEDULE, "c")):
        calendars.replace(
            connection,
            contact.id,
            role,
            content=who,
            read=1,
            checked=2,
            error="",
            until=3,
            shifts=[Shift(0, 10, (who,))],
        )

    assert [shift.people for shift in calendars.shifts(connection, contact.id, CalendarRole.SCHEDULE, 0, 9)] == [("c",)]
    assert [shift.people for shift in calendars.shifts(connection, contact.id, CalendarRole.OVERRIDES, 0, 9)] == [
        ("b",)
    ]
    assert [(held.role, held.source.file) for held in calendars.every(connection)] == [
        (CalendarRole.SCHEDULE, ""),
        (CalendarRole.OVERRIDES, "a"),
    ]
