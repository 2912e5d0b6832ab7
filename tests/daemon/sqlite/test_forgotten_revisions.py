"""Up to where events are gone."""

import sqlite3

from fake_clock import START
from rows_of_groups import add_group, add_integration, make_group

from tocsind.domain.alert_group import Event, EventKind, State
from tocsind.sqlite import events, heartbeats, retention

HOUR = 3_600_000_000


def resolved(connection: sqlite3.Connection, owner: int, number: int, *, ago: int) -> None:
    """A group that was resolved some time before START, with two events."""
    group = make_group(number, owner, State.RESOLVED)
    group.state_since = START - ago
    add_group(connection, group, number.to_bytes(32, "big"))
    for kind, state in ((EventKind.OPENED, State.FIRING), (EventKind.RESOLVED, State.RESOLVED)):
        events.insert(connection, [Event(number, kind, state)], START - ago)


def test_retention_keeps_in_mind_the_last_event_that_it_removed(connection: sqlite3.Connection) -> None:
    """Of all removed ones the greatest, whatever the order of removal; nothing removed changes nothing."""
    owner = add_integration(connection, retention=HOUR)
    assert events.forgotten(connection) == 0
    resolved(connection, owner, 1, ago=0)
    resolved(connection, owner, 2, ago=3 * HOUR)
    resolved(connection, owner, 3, ago=2 * HOUR)

    found = []
    for now in (START - 2 * HOUR, START - 2 * HOUR + 1, START, START, START + HOUR + 1):
        retention.remove_expired(connection, 0, now, 200, 1)
        found.append(events.forgotten(connection))

    assert found == [0, 4, 6, 6, 6]
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert events.last_revision(connection) == 6


def test_what_was_forgotten_does_not_disturb_the_intake_clock(connection: sqlite3.Connection) -> None:
    """They share a row, which the first of the two to write makes."""
    owner = add_integration(connection, retention=HOUR)
    resolved(connection, owner, 1, ago=2 * HOUR)
    retention.remove_expired(connection, 0, START, 200, 100)
    assert (heartbeats.intake_clock(connection), events.forgotten(connection)) == (0, 2)

    heartbeats.stamp(connection, 77, START)
    resolved(connection, owner, 2, ago=2 * HOUR)
    retention.remove_expired(connection, 0, START, 200, 100)

    assert (heartbeats.intake_clock(connection), events.forgotten(connection)) == (77, 4)


def test_removing_looks_up_only_what_it_removes(connection: sqlite3.Connection) -> None:
    """The last event of a group, and all of its events, are found by the index."""
    for sql in ("SELECT max(id) FROM events WHERE group_id = 1", "DELETE FROM events WHERE group_id = 1"):
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert [step for step in steps if "SCAN" in step] == []
        assert any("events_by_group (group_id=?" in step for step in steps)
