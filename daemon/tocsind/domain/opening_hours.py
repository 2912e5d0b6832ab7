"""Hours of the week in some time zone: is it within them, and when do they next begin?

Rules
- Hours begin on each of their weekdays, at the first moment at which the clocks there show that day and minute, or
  later; and end at the first moment at which they show the end, or later. So what a clock jumps over begins (or ends)
  when it has jumped, and of what it shows twice the first counts.
- Hours that a jump swallows whole are none on that day.
- A weekday is that on which hours begin: from Friday 22:00 to 06:00 is over on Saturday morning.
- The time zone database is the machine's, and may lose a zone while a chain refers to it: LookupError.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsind.domain.escalation_chain import Within
from tocsind.domain.units import SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Hours on one weekday that daylight saving swallows are there a week later. A zone may skip a day, but not a month.
_DAYS_AHEAD = 40


def zone(name: str) -> ZoneInfo:
    """Returns an IANA time zone. LookupError where there is none of that name, or it cannot be read."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise LookupError(f"there is no time zone {name!r}") from error


def is_within(hours: Within, now: int) -> bool:
    """Whether a time is within hours; in microseconds since 1970. LookupError where their zone is not known."""
    return any(begin <= now < end for begin, end in _around(hours, now, days_ahead=1))


def next_begin(hours: Within, now: int) -> int:
    """Returns when hours first begin after a time; both in microseconds since 1970. LookupError where their zone is not
    known, or they never do."""
    for begin, _ in _around(hours, now, days_ahead=_DAYS_AHEAD):
        if begin > now:
            return begin
    raise LookupError("the hours never begin")


def _around(hours: Within, now: int, days_ahead: int) -> Iterator[tuple[int, int]]:
    """Yields when hours begin and end: those that may not be over yet, and those of so many days ahead."""
    where = zone(hours.zone)
    today = _local(where, now).date()
    ends_next_day = hours.end <= hours.start
    for offset in range(-2, days_ahead + 1):
        day = today + timedelta(days=offset)
        if hours.weekdays and day.isoweekday() not in hours.weekdays:
            continue
        begin = _first(where, day, hours.start)
        end = _first(where, day + timedelta(days=ends_next_day), hours.end)
        if begin < end:
            yield begin, end


def _first(where: ZoneInfo, day: date, minutes: int) -> int:
    """Returns the first moment at which the clocks show this, or later."""
    shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    first, second = (_moment(shown.replace(tzinfo=where, fold=fold)) for fold in (0, 1))
    if second >= first:
        return first
    # They never show it: they jump over it between these two.
    before, after = second // SECOND, first // SECOND
    while after - before > 1:
        middle = (before + after) // 2
        if _local(where, middle * SECOND) >= shown:
            after = middle
        else:
            before = middle
    return after * SECOND


def _local(where: ZoneInfo, now: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=now)).astimezone(where).replace(tzinfo=None)


def _moment(shown: datetime) -> int:
    return (shown.astimezone(UTC) - _EPOCH) // _MICROSECOND
