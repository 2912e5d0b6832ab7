"""Rules that repeat, against our own computation: naive times of day, one after the other, each put into its zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from calendar_texts import SECOND, at, event, ical, said
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsind.domain.shift import Shift
from tocsind.ical.reading import read
from tocsind.ical.wire import Task

BEGIN, END = at("2026-09-20 00:00"), at("2026-12-01 00:00")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "UTC"]
STEPS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}


def micros(moment: datetime) -> int:
    """An aware time in microseconds."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def shifts(text: str) -> list[Shift]:
    """What the calendar says, read in this process."""
    answer = read(Task(text, BEGIN, END, 10, 100_000), [])
    return [Shift(start, end, tuple(who)) for start, end, who in answer.shifts]


starts = st.builds(
    datetime.combine,
    st.dates(date(2026, 1, 1), date(2026, 11, 20)),
    st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30])),
)


@settings(max_examples=150, deadline=None)
@given(
    start=starts,
    hours=st.integers(1, 200),
    zone=st.sampled_from(ZONES),
    frequency=st.sampled_from(["DAILY", "WEEKLY"]),
    interval=st.integers(1, 5),
    count=st.none() | st.integers(1, 60),
    left_out=st.sets(st.integers(0, 20), max_size=4),
)
def test_a_rule_is_what_counting_days_gives(
    start: datetime, hours: int, zone: str, frequency: str, interval: int, count: int | None, left_out: set[int]
) -> None:
    """Whatever the interval, the zone, the count and the instances that are taken out: hand-overs are by the clock on
    the wall."""
    step = STEPS[frequency] * interval
    rule = f"RRULE:FREQ={frequency};INTERVAL={interval}" + (f";COUNT={count}" if count else "")
    form = "%Y%m%dT%H%M%S"
    without = [f"EXDATE;TZID={zone}:{start + number * step:{form}}" for number in sorted(left_out)]
    end = start + timedelta(hours=hours)
    text = ical(event(f";TZID={zone}:{start:{form}}", f";TZID={zone}:{end:{form}}", "a", rule, *without))

    expected = []
    for number in range(count or 400):
        if number in left_out:
            continue
        began = (start + number * step).replace(tzinfo=ZoneInfo(zone))
        ended = (end + number * step).replace(tzinfo=ZoneInfo(zone))
        if micros(began) < micros(ended) and micros(began) < END and micros(ended) > BEGIN:
            expected.append(Shift(micros(began), micros(ended), ("a",)))
    assert said(shifts(text)) == said(expected)


@settings(max_examples=60, deadline=None)
@given(start=starts, interval=st.integers(1, 50), hours=st.integers(1, 40))
def test_a_rotation_in_utc_is_an_arithmetic_row(start: datetime, interval: int, hours: int) -> None:
    """Where no clock is changed, every so many hours is every so many hours."""
    form = "%Y%m%dT%H%M%SZ"
    end = start + timedelta(hours=hours)
    text = ical(event(f":{start:{form}}", f":{end:{form}}", "a", f"RRULE:FREQ=HOURLY;INTERVAL={interval}"))

    first, span, step = micros(start.replace(tzinfo=UTC)), hours * 3600 * SECOND, interval * 3600 * SECOND
    row = range(first, END, step)
    assert [(shift.start, shift.end) for shift in shifts(text)] == [(at, at + span) for at in row if at + span > BEGIN]


@settings(max_examples=60, deadline=None)
@given(day=st.dates(date(2026, 9, 22), date(2026, 11, 20)), days=st.integers(1, 9), zone=st.sampled_from(ZONES))
def test_a_day_is_from_midnight_to_midnight(day: date, days: int, zone: str) -> None:
    """In the calendar's zone, however long that day is there."""
    end = day + timedelta(days=days)
    text = ical(event(f";VALUE=DATE:{day:%Y%m%d}", f";VALUE=DATE:{end:%Y%m%d}", "a"), zone=zone)

    (shift,) = shifts(text)

    assert shift.start == micros(datetime.combine(day, time(), ZoneInfo(zone)))
    assert shift.end == micros(datetime.combine(end, time(), ZoneInfo(zone)))
