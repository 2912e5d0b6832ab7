"""How times are shown and read, with the clock stopped at moments where that is easily wrong."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from tocsin.v1.alert_groups_pb2 import AlertGroup
from tocsin_cli import output, times

_NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


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
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 13, 59, 59, 900_000, tzinfo=UTC), "(in 2h)"),
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 13, 58, 40, tzinfo=UTC), "(in 1h59m)"),
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 24, 13, 20, tzinfo=UTC), "(in 1d1h)"),
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


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be in a time zone that is no whole number of hours from UTC."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-01", "2026-12-31T18:30:00Z"),
        ("2027-01-01T10:00", "2027-01-01T04:30:00Z"),
        ("2027-01-01 10:00:30", "2027-01-01T04:30:30Z"),
        ("2027-01-01T10:00:00Z", "2027-01-01T10:00:00Z"),
        ("2027-01-01T10:00:00.25+02:00", "2027-01-01T08:00:00.250000Z"),
        ("1d", "2026-11-22T12:00:00Z"),
        ("1h30m", "2026-11-23T10:30:00Z"),
        (" 0s ", "2026-11-23T12:00:00Z"),
    ],
)
@pytest.mark.usefixtures("in_kolkata")
def test_a_moment_is_a_local_date_or_a_duration(text: str, expected: str) -> None:
    """Dates and times of day are those of this machine unless they say otherwise; durations count back from now."""
    assert times.rfc3339(times.parse(text, _NOW, -1)) == expected


def test_an_expiry_counts_ahead() -> None:
    """For what is still to come, durations count from now on."""
    assert times.parse("90d", _NOW, 1) == _NOW + timedelta(days=90)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "300",
        "20270101",
        "1.5d",
        "-1d",
        "yesterday",
        "10:00",
        "2027-13-01",
        "2027-02-30",
        "2027-01-01T",
        "2027-W01-1",
    ],
)
def test_what_is_no_time_is_refused_with_advice(text: str) -> None:
    """A number alone, a day that there is not, or anything else is refused, with what to write."""
    with pytest.raises(ValueError, match="write it like 1d, 2027-01-01 or 2027-01-01T10:00"):
        times.parse(text, _NOW, -1)


@pytest.mark.parametrize(
    ("text", "direction"), [("3652500d", 1), ("3652500d", -1), ("0001-01-01", 1), ("9999-12-31T23:59-12:00", 1)]
)
@pytest.mark.usefixtures("in_kolkata")
def test_a_time_beyond_the_calendar_is_refused(text: str, direction: int) -> None:
    """What no calendar has is refused instead of failing."""
    with pytest.raises(ValueError, match="is no time"):
        times.parse(text, _NOW, direction)
