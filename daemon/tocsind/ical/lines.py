"""A calendar as lines: what of its text matters to us, and on which line each of it stands.

Rules
- Only events and time zones matter, and of events only what says when and who. The rest, such as reminders, tasks and
  descriptions, is passed over before anything looks at it: it cannot make a calendar unreadable, or slow.
- What is wrong with the whole is said here: no calendar at all, a component that does not end, one that ends another.
- Lines are counted as people's editors count them; a folded line (RFC 5545, 3.1) is where it begins.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TIMES = frozenset(["DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"])
_PROPERTIES = frozenset(["UID", "SEQUENCE", "STATUS", "SUMMARY"]) | _TIMES
_OF_CALENDARS = frozenset(["X-WR-TIMEZONE", "CALSCALE"])
_NAME = re.compile(r"[A-Za-z0-9-]+")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_SHOWN = 60


class CalendarError(Exception):
    """A calendar cannot be read. The text says where and why."""


@dataclass(slots=True)
class Component:
    """An event or a time zone. `properties`: of events, the lines that matter, by name; each is its number and text."""

    line: int
    properties: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)

    def where(self, name: str) -> int:
        """Returns the line of a property, or that of the component where it has none."""
        found = self.properties.get(name)
        return found[0][0] if found else self.line


@dataclass(slots=True)
class Lines:
    """One calendar. `zone`: what its X-WR-TIMEZONE says, with its line."""

    zone: tuple[int, str] | None = None
    zones: list[Component] = field(default_factory=list)
    events: list[Component] = field(default_factory=list)


def wrong(line: int, message: str) -> CalendarError:
    """What is wrong, on a line."""
    return CalendarError(f"line {line}: {message}")


def shown(text: str) -> str:
    """Returns a piece of a calendar for an error."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def calendars(text: str) -> list[Lines]:
    """Returns the calendars in a text: usually one. Raises CalendarError."""
    found: list[Lines] = []
    open_: list[tuple[int, str]] = []
    component: Component | None = None
    for number, line in _unfolded(text):
        name, value = _split(line)
        if name == "BEGIN":
            kind = value.upper()
            if not open_ and kind != "VCALENDAR":
                raise wrong(number, f"must be BEGIN:VCALENDAR, not {shown(line)}")
            open_.append((number, kind))
            if kind == "VCALENDAR":
                if len(open_) > 1:
                    raise wrong(number, f"a calendar in the {open_[-2][1]} of line {open_[-2][0]}")
                found.append(Lines())
            elif len(open_) == 2 and kind in ("VEVENT", "VTIMEZONE"):
                component = Component(number)
                (found[-1].events if kind == "VEVENT" else found[-1].zones).append(component)
        elif not open_:
            raise wrong(number, f"must be BEGIN:VCALENDAR, not {shown(line)}")
        if name == "END":
            begun, kind = open_.pop()
            if value.upper() != kind:
                raise wrong(number, f"must be END:{kind}, for line {begun}, not {shown(line)}")
        if component is not None:
            _add(component, open_, number, name, line)
            if len(open_) == 1:
                component = None
        elif len(open_) == 1 and name in _OF_CALENDARS:
            _note(found[-1], number, name, value)
    if open_:
        begun, kind = open_[-1]
        raise CalendarError(f"line {begun}: {kind} has no end: END:{kind} is missing")
    if not found:
        raise CalendarError("line 1: must be BEGIN:VCALENDAR, and there is nothing")
    return found


def _add(component: Component, open_: list[tuple[int, str]], number: int, name: str, line: str) -> None:
    """Keeps a line of a time zone, and one that matters of an event."""
    in_event = len(open_) == 2 and open_[-1][1] == "VEVENT"
    # The end of a time zone belongs to it, though it is not open any more.
    if any(kind == "VTIMEZONE" for _, kind in open_) or (len(open_) == 1 and component.text):
        component.text.append(line)
    elif in_event and name in _PROPERTIES:
        component.properties.setdefault(name, []).append((number, line))


def _note(calendar: Lines, number: int, name: str, value: str) -> None:
    if name == "X-WR-TIMEZONE":
        calendar.zone = (number, value)
    elif value.upper() != "GREGORIAN":
        raise wrong(number, f"only the Gregorian calendar can be read, not {shown(value)}")


def _split(line: str) -> tuple[str, str]:
    """Returns the name in a line, and what is after the colon: right for what has no parameters."""
    match = _NAME.match(line)
    name = match[0].upper() if match else ""
    return name, line.partition(":")[2].strip()


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yields the lines with their numbers; those that begin with white space belong to the one before. Empty ones are
    passed over, as many programs write some."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(_NEWLINE.split(text.removeprefix("\ufeff")), 1):
        if "\0" in line:
            raise wrong(number, "must not hold a zero byte")
        if parts and line[:1] in (" ", "\t"):
            parts.append(line[1:])
        elif line.strip():
            if parts:
                yield begun, "".join(parts)
            begun, parts = number, [line]
    if parts:
        yield begun, "".join(parts)
