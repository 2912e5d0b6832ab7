"""Hours of the week, against a clock that is looked at minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsind.domain.escalation_chain import Within
from tocsind.domain.opening_hours import is_within, next_begin, zone
from tocsind.domain.units import DAY, SECOND

MINUTE = 60 * SECOND
BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "America/New_York", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut"]
"""Ordinary ones; one that is off by a quarter of an hour, one that jumps by half an hour, and two that jump at
midnight, so that 00:00 is not there or there twice."""

JUMPS = [
    datetime(2026, 3, 29),
    datetime(2026, 10, 25),
    datetime(2026, 3, 8),
    datetime(2026, 11, 1),
    datetime(2026, 4, 5),
]
MONDAY = datetime(2026, 6, 1)


def at(day: int, hour: int, minute: int = 0, *, month: int = 3, name: str = BERLIN, fold: int = 0) -> int:
    """A time of 2026 as the clocks somewhere show it."""
    shown = datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo(name), fold=fold)
    return int(shown.timestamp()) * SECOND


def hours(begin: int, end: int, *weekdays: int, name: str = BERLIN) -> Within:
    """Hours, from and to minutes of the day."""
    return Within(weekdays, begin, end, name)


def spans(wanted: Within, first: int, last: int) -> list[tuple[int, int]]:
    """The hours as somebody finds them who looks at a clock at each minute and knows nothing else."""
    where = ZoneInfo(wanted.zone)
    shown = [
        (moment, (datetime.fromtimestamp(moment // SECOND, UTC).astimezone(where)).replace(tzinfo=None))
        for moment in range(first, last, MINUTE)
    ]

    def first_showing(wall: datetime) -> int:
        return next((moment for moment, local in shown if local >= wall), last)

    found = []
    for day in sorted({local.date() for _, local in shown}):
        if not wanted.weekdays or day.isoweekday() in wanted.weekdays:
            midnight = datetime(day.year, day.month, day.day)
            begin = first_showing(midnight + timedelta(minutes=wanted.start))
            length = wanted.end - wanted.start
            length += 1440 if length <= 0 else 0
            end = first_showing(midnight + timedelta(minutes=wanted.start + length))
            if begin < end:
                found.append((begin, end))
    return found


@given(
    name=st.sampled_from(ZONES),
    weekdays=st.sets(st.integers(1, 7)),
    begin=st.integers(0, 1439),
    end=st.integers(0, 1440),
    around=st.sampled_from(JUMPS),
    offset=st.integers(-2 * 1440, 2 * 1440),
)
@example(name=BERLIN, weekdays={7}, begin=125, end=175, around=JUMPS[0], offset=0)
@example(name="America/Havana", weekdays=set(), begin=0, end=0, around=JUMPS[2], offset=0)
@settings(max_examples=60, deadline=None)
def test_it_is_what_somebody_sees_who_looks_at_a_clock(
    name: str, weekdays: set[int], begin: int, end: int, around: datetime, offset: int
) -> None:
    """Around the days on which clocks jump, in any zone, on any weekdays, over midnight or not."""
    wanted = Within(tuple(sorted(weekdays)), begin, end, name)
    middle = int(around.replace(tzinfo=UTC).timestamp()) * SECOND
    now = middle + offset * MINUTE
    seen = spans(wanted, middle - 5 * DAY, middle + 18 * DAY)

    assert is_within(wanted, now) == any(first <= now < last for first, last in seen)
    assert next_begin(wanted, now) == next(first for first, _ in seen if first > now)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        (hours(8 * 60, 17 * 60, 1), [at(2, 8), at(2, 16, 59)], [at(2, 7, 59), at(2, 17), at(3, 12)]),
        (hours(22 * 60, 6 * 60, 5), [at(6, 22), at(7, 5, 59)], [at(6, 5), at(7, 6), at(7, 22), at(6, 21, 59)]),
        (hours(0, 0, 6), [at(7, 0), at(7, 23, 59)], [at(6, 23, 59), at(8, 0)]),
        (hours(0, 1440, 6), [at(7, 0), at(7, 23, 59)], [at(6, 23, 59), at(8, 0)]),
        (hours(720, 720, 6), [at(7, 12), at(8, 11, 59)], [at(7, 11, 59), at(8, 12)]),
        # The night in which 02:00 becomes 03:00.
        (hours(150, 240, 7), [at(29, 3), at(29, 3, 59)], [at(29, 1, 59), at(29, 4)]),
        # The night in which 03:00 becomes 02:00.
        (
            hours(150, 180, 7),
            [at(25, 2, 30, month=10), at(25, 2, 0, month=10, fold=1), at(25, 2, 59, month=10, fold=1)],
            [at(25, 2, 29, month=10), at(25, 3, month=10)],
        ),
    ],
)
def test_hours_one_by_one(wanted: Within, inside: list[int], outside: list[int]) -> None:
    """In March 2026, which began on a Sunday: days, nights, whole days, and the nights in which clocks jump."""
    assert [is_within(wanted, moment) for moment in inside] == [True] * len(inside)
    assert [is_within(wanted, moment) for moment in outside] == [False] * len(outside)


def test_what_a_jump_swallows_begins_a_week_later() -> None:
    """Sundays from 02:10 to 02:40: there are none on the day on which the clocks jump over that."""
    assert next_begin(hours(130, 160, 7), at(28, 12)) == at(5, 2, 10, month=4)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "/etc/passwd", "Europe", "\0", "a" * 300])
def test_a_zone_that_is_none_is_told(name: str) -> None:
    """Whatever is wrong with it, in one way."""
    with pytest.raises(LookupError, match="there is no time zone"):
        zone(name)
