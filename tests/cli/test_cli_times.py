"""How times are shown, with the clock stopped at moments where that is easily wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from tocsin.v1.alert_groups_pb2 import AlertGroup
from tocsin_cli import output


def opened(moment: datetime) -> AlertGroup:
    """A group that was opened then."""
    group = AlertGroup()
    group.create_time.FromDatetime(moment)
    return group


@pytest.mark.parametrize(
    ("stopped_at", "opened_at", "expected"),
    [
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 11, 57, tzinfo=UTC), "(3m ago)"),
        ("2027-01-01T00:00:01Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "(2s ago)"),
        ("2028-03-01T00:00:00Z", datetime(2028, 2, 28, tzinfo=UTC), "(2d ago)"),
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 12, 0, 0, 400_000, tzinfo=UTC), "(in 0s)"),
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 12, 9, tzinfo=UTC), "(in 9m)"),
    ],
)
def test_how_long_ago(stopped_at: str, opened_at: datetime, expected: str) -> None:
    """An age is that of now, over ends of years and leap days; a daemon whose clock is ahead makes a future, not an
    age below zero."""
    with freeze_time(stopped_at):
        assert output.time_and_age(opened(opened_at), "create_time").endswith(expected)


def test_an_age_grows() -> None:
    """The same time is shown with another age a minute later."""
    begun = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    with freeze_time(begun) as clock:
        before = output.time_and_age(opened(begun), "create_time")
        clock.tick(timedelta(minutes=1))
        after = output.time_and_age(opened(begun), "create_time")
    assert (before[-8:], after[-8:]) == ("(0s ago)", "(1m ago)")
