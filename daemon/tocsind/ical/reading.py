"""From a calendar to shifts.

Rules
- An event's summary names who is on call, with commas between several; nothing else in it is interpreted. An event
  without one, or without length, means nothing: it is passed over, with a note.
- Recurrence is that of RFC 5545: RRULE, RDATE, EXDATE, RECURRENCE-ID also for THISANDFUTURE. A shift that recurs begins
  and ends at the same time of day, also where the clock is changed in between: hand-overs are by the clock on the wall.
- A time without a zone, and a whole day, is of the calendar's zone (X-WR-TIMEZONE), else UTC. A zone is one of the IANA
  database, one of Windows, or one that the calendar defines. An unknown one is an error: a guess would have the wrong
  person on call.
- Cancelled events are dropped; whether an event makes somebody look busy (TRANSP) means nothing here.
- An event that is changed and does not say anew who is on call leaves that as it was.
- Two events with the same UID, neither of which changes the other, are against the RFC, and one of them would be lost.
  Both hold: too many on call is better than nobody.
- What cannot be read is an error for the whole calendar, with its line. Where half of a calendar is left out, somebody
  is not on call, and nobody knows.
"""

import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from icalendar import Event, Timezone
from icalendar.timezone import tzp
from recurring_ical_events import (  # type: ignore[import-untyped]  # it has no types
    BadRuleStringFormat,
    EventAdapter,
    Occurrence,
    Series,
)

from tocsind.domain.shift import key
from tocsind.ical.lines import CalendarError, Component, Lines, calendars, shown, wrong
from tocsind.ical.wire import Answer, Task

__all__ = ["CalendarError", "read"]

MOST_PEOPLE = 100
MOST_NAME = 150
"""Letters; no contact point is called by more."""

_MOST_NOTES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MARGIN = timedelta(days=2)
"""Dates and times without a zone are compared as if they were UTC: the span is taken that much wider, then cut."""
_SINGLE = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "STATUS", "UID", "SEQUENCE", "SUMMARY")
_TIMES = ("DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE")


class _Event(EventAdapter):  # type: ignore[misc]  # it has no types
    """An event, and what matters of it here. `people` is None where it does not say."""

    def __init__(self, component: Event, lines: Component) -> None:
        super().__init__(component)
        self.lines = lines
        self.cancelled = str(component.get("STATUS", "")).upper() == "CANCELLED"
        self.people = people(str(component["SUMMARY"]), lines) if "SUMMARY" in component else None


class _Occurrence(Occurrence):  # type: ignore[misc]  # it has no types
    """An occurrence that says of which event it is."""

    def __init__(self, adapter: _Event, start: Any = None, end: Any = None, sequence: int = -1) -> None:
        super().__init__(adapter, start, end, sequence)
        self.event = adapter


class _Series(Series):  # type: ignore[misc]  # it has no types
    """An event, its recurrences and its changes."""

    def occurrence(self, adapter: _Event, start: Any = None, end: Any = None) -> _Occurrence:
        """One time that it happens."""
        return _Occurrence(adapter, start, end)


def read(task: Task, where: list[str]) -> Answer:
    """Returns the shifts that a calendar has between two times. Raises CalendarError. `where` is told what is being
    worked out, for whoever has to say what took too long."""
    warnings.simplefilter("ignore")
    shifts: set[tuple[int, int, tuple[str, ...]]] = set()
    notes: list[str] = []
    for calendar in calendars(task.text):
        zone = _zone(calendar)
        events = [_event(lines, zone) for lines in calendar.events]
        for series in _series(events, notes):
            where.append(f"line {series[0].lines.line}: the event ")
            for shift in _shifts(series, task, zone, notes):
                shifts.add(shift)
                if len(shifts) > task.most:
                    days = (task.end - task.begin) // (86_400 * 1_000_000)
                    raise wrong(series[0].lines.line, f"over {task.most} shifts in {days} days")
            where.pop()
    return Answer([(start, end, list(who)) for start, end, who in sorted(shifts)], _few(notes))


def people(summary: str, lines: Component) -> tuple[str, ...]:
    """Returns who is named in a summary, each once."""
    found: dict[str, str] = {}
    for part in summary.split(","):
        visible = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in part)
        name = unicodedata.normalize("NFC", " ".join(visible.split()))
        if len(name) > MOST_NAME:
            raise wrong(lines.where("SUMMARY"), f"a name of over {MOST_NAME} letters: {shown(name)}")
        if name:
            found.setdefault(key(name), name)
    if len(found) > MOST_PEOPLE:
        raise wrong(lines.where("SUMMARY"), f"over {MOST_PEOPLE} people")
    return tuple(found.values())


def _zone(calendar: Lines) -> tzinfo:
    """Makes known what zones a calendar defines, and returns its own."""
    for defined in calendar.zones:
        try:
            component = Timezone.from_ical("\r\n".join(defined.text))
            tzp.cache_timezone_component(component)
        except Exception as error:
            raise wrong(defined.line, f"the time zone cannot be read: {_cause(error)}") from None
    if calendar.zone is None:
        return UTC
    line, name = calendar.zone
    found = tzp.timezone(name)
    if found is None:
        raise wrong(line, f"the time zone {shown(name)} is unknown")
    return found


def _event(lines: Component, zone: tzinfo) -> _Event:
    """Reads one event, and has its times in zones."""
    for name in _SINGLE:
        if len(lines.properties.get(name, ())) > 1:
            raise wrong(lines.properties[name][1][0], f"a second {name} in the event of line {lines.line}")
    if "EXRULE" in lines.properties:
        raise wrong(lines.where("EXRULE"), "EXRULE is not supported, as it is not since RFC 5545; use EXDATE")
    if "DTSTART" not in lines.properties:
        raise wrong(lines.line, "an event without DTSTART")
    content = [text for found in lines.properties.values() for _, text in found]
    try:
        event = Event.from_ical("\r\n".join(["BEGIN:VEVENT", *content, "END:VEVENT", ""]))
    except Exception as error:
        raise wrong(lines.line, f"the event cannot be read: {_cause(error)}") from None
    assert isinstance(event, Event)
    for broken, problem in event.errors:
        raise wrong(lines.where(broken) if broken else _line_of(problem, lines), problem)
    for name in _TIMES:
        for value in _all(event.get(name)):
            _place(value, zone, lines.where(name))
    found = _Event(event, lines)
    try:
        if _is_before(found.raw_end, found.raw_start, zone):
            raise wrong(lines.where("DTEND"), "the event ends before it begins")
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise wrong(lines.where("DTSTART"), f"the event's times cannot be read: {_cause(error)}") from None
    return found


def _line_of(problem: str, lines: Component) -> int:
    """Returns the line that a problem quotes."""
    for found in lines.properties.values():
        for number, text in found:
            if repr(text) in problem or text in problem:
                return number
    return lines.line


def _all(value: Any) -> Iterator[Any]:
    """Yields the times in the value of a property, which may be one, several, or lists of them."""
    for each in value if isinstance(value, list) else [value]:
        tzid = None if each is None else each.params.get("TZID")
        for single in getattr(each, "dts", [each]) if each is not None else ():
            if tzid is not None and "TZID" not in single.params:
                single.params["TZID"] = tzid
            yield single


def _place(value: Any, zone: tzinfo, line: int) -> None:
    """Gives times their zone where they have none; one that says which, and has none, is of a zone that is unknown."""
    named = value.params.get("TZID")

    def placed(moment: Any) -> Any:
        if not isinstance(moment, datetime) or moment.tzinfo is not None:
            return moment
        if named is not None:
            raise wrong(line, f"the time zone {shown(str(named))} is unknown")
        return moment.replace(tzinfo=zone)

    value.dt = tuple(map(placed, value.dt)) if isinstance(value.dt, tuple) else placed(value.dt)


def _series(events: Iterable[_Event], notes: list[str]) -> list[list[_Event]]:
    """Returns events with those that change them, by their UID."""
    found: dict[str, list[_Event]] = {}
    for number, event in enumerate(events):
        uid = str(event.uid)
        twins = [other for other in found.get(uid, ()) if not other.is_modification()]
        if twins and not event.is_modification() and any(twin.sequence == event.sequence for twin in twins):
            line = event.lines.where("UID")
            notes.append(f"line {line}: the same UID as the event of line {twins[0].lines.line}; both are used")
            uid = f"{uid}\n{number}"
        found.setdefault(uid, []).append(event)
    return list(found.values())


def _shifts(
    series: list[_Event], task: Task, zone: tzinfo, notes: list[str]
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yields the shifts of an event, its recurrences and its changes."""
    core = next((event for event in series if not event.is_modification()), None)
    nameless = next((event for event in series if not _who(event, core) and not event.cancelled), None)
    if nameless is not None:
        notes.append(f"line {nameless.lines.line}: the event has no summary, so nobody is on call by it")
    first, last = _moment(task.begin) - _MARGIN, _moment(task.end) + _MARGIN
    empty = False
    line = (core or series[0]).lines
    try:
        for occurrence in _Series(series).between(first, last):
            who = _who(occurrence.event, core)
            if occurrence.event.cancelled or not who:
                continue
            start, end = _instant(occurrence.start, zone), _instant(occurrence.end, zone)
            if start >= end:
                empty = True
            elif start < task.end and end > task.begin:
                yield start, end, who
    except MemoryError:
        raise
    except Exception as error:
        place = line.where("RRULE")
        raise wrong(place, f"when the event happens cannot be worked out: {_cause(error)}") from None
    if empty:
        notes.append(f"line {line.line}: the event has no length, so nobody is on call by it")


def _who(event: _Event, core: _Event | None) -> tuple[str, ...]:
    """Who is on call by an event: a change that does not say so leaves it as it was."""
    if event.people is None:
        return () if core is None else core.people or ()
    found: tuple[str, ...] = event.people
    return found


def _is_before(one: date, other: date, zone: tzinfo) -> bool:
    """Whether a time is before another, by the clock on the wall where both are of one zone: there an event of an hour
    that is skipped begins before it ends."""
    if isinstance(one, datetime) == isinstance(other, datetime):
        return one < other
    return _instant(one, zone) < _instant(other, zone)


def _instant(moment: date, zone: tzinfo) -> int:
    """Returns a time in microseconds UTC. A day is its midnight; a time that the clock skipped is as much later."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _cause(error: BaseException) -> str:
    """Returns what an error of a library says, in a short line. What it says of a rule after its attempt to mend it
    misleads: what was wrong in the first place is told."""
    if isinstance(error, BadRuleStringFormat) and error.__context__ is not None:
        error = error.__context__
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."


def _few(notes: list[str]) -> list[str]:
    more = len(notes) - _MOST_NOTES
    return notes if more <= 0 else [*notes[:_MOST_NOTES], f"and {more} more"]
