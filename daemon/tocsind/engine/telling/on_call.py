"""Who is on call: which contact points a contact point of that kind stands for.

Rules
- It is asked by whoever has the pen, when a step of a chain notifies: a few look-ups by indexes, nothing else.
- Where the overrides have an event, those in it are on call; else those whom the schedule names. Of several events at
  once, all people are.
- Who bears a name is decided at that moment: a contact point that was renamed, or made only now, counts. Those on call
  themselves do not: calendars lead to no other calendars, so nothing goes in circles.
- Whatever is wrong is a problem, and the others are told all the same. A copy whose source could not be read for a day
  still serves, and says so.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tocsind.domain.contact_point import CalendarRole, ContactPoint
from tocsind.domain.shift import key
from tocsind.domain.units import DAY
from tocsind.domain.wording import moment as said
from tocsind.sqlite import calendars

PATIENCE = DAY
"""How old a copy may be whose source cannot be read, until that is a problem."""

_NAMES = {CalendarRole.SCHEDULE: "calendar", CalendarRole.OVERRIDES: "calendar of overrides"}


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is to be told. `problems`: in a line each, what is wrong: nobody is on call, people whom no contact point is
    called, a calendar of which an old copy is used."""

    contacts: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())


def now(connection: sqlite3.Connection, contact: ContactPoint, moment: int) -> OnDuty:
    """Returns who is on call at a time, by a contact point of that kind."""
    held = calendars.of_contact(connection, contact.id)
    problems = []
    people: list[str] = []
    for role in (CalendarRole.OVERRIDES, CalendarRole.SCHEDULE):
        if role not in held:
            continue
        read, error, until = held[role]
        if error and moment - read > PATIENCE:
            problems.append(
                f"the {_NAMES[role]} of {contact.display_name} could not be read since {said(read)}: {error}"
            )
        if until <= moment:
            problems.append(f"the {_NAMES[role]} of {contact.display_name} is known only until {said(until)}")
        if not people:
            found = calendars.shifts(connection, contact.id, role, moment, moment + 1)
            people = _each_once(person for shift in found for person in shift.people)
    if not people:
        return OnDuty(problems=(*problems, f"nobody is on call for {contact.display_name}"))
    contacts, unknown = resolve(calendars.people(connection), people)
    problems += [
        f"no contact point is called {person!r}, who is on call for {contact.display_name}" for person in unknown
    ]
    return OnDuty(tuple(contacts), tuple(people), tuple(problems))


def resolve(directory: Mapping[str, Sequence[int]], people: Sequence[str]) -> tuple[list[int], list[str]]:
    """Returns the contact points of people, each once, and the people who have none. `directory` is that of
    `calendars.people`."""
    contacts: dict[int, None] = {}
    unknown = []
    for person in people:
        ids = directory.get(key(person), ())
        contacts.update(dict.fromkeys(ids))
        if not ids:
            unknown.append(person)
    return list(contacts), unknown


def _each_once(people: Iterable[str]) -> list[str]:
    return list({key(person): person for person in people}.values())
