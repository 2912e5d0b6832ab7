"""Who is on call when.

Rules
- What an override cuts out of the schedule is not listed. A shift that began before the time that is asked for, or goes
  on after it, is listed whole.
- Shifts are known from a week ago until 62 days ahead: what is beyond is refused, as an empty answer would say that
  nobody is on call.
"""

import sqlite3

from tocsin.v1 import contact_points_pb2
from tocsind.domain.contact_point import CalendarRole, ContactPoint, Kind
from tocsind.domain.errors import invalid, not_found
from tocsind.domain.shift import AHEAD, BACK, overlaid
from tocsind.domain.units import DAY
from tocsind.engine.engine import Engine
from tocsind.engine.telling.on_call import resolve
from tocsind.rpc import decode, encode, names
from tocsind.sqlite import calendars, contact_points

MOST = 10_000
"""Shifts in one answer."""

_ALL = "contactPoints/-"
_EVER = 1 << 62
_SPAN = 7 * DAY


def list_shifts(engine: Engine, request: contact_points_pb2.ListShiftsRequest) -> contact_points_pb2.ListShiftsResponse:
    """Returns the shifts of one contact point, or of all that are on call, by their begin."""
    start, end = _span(request, engine.clock.wall())
    with engine.store.reading() as connection:
        if request.parent == _ALL:
            parents = [each for each in contact_points.every(connection) if each.kind is Kind.ON_CALL]
        else:
            parents = [_parent(connection, request.parent)]
        directory = calendars.people(connection)
        public_ids = calendars.public_ids(connection)
        found = []
        for parent in parents:
            schedule = calendars.shifts(connection, parent.id, CalendarRole.SCHEDULE, start, end)
            # Not only those between the two times: each cuts shifts that are listed whole.
            overrides = list(calendars.shifts(connection, parent.id, CalendarRole.OVERRIDES, 0, _EVER))
            for shift in overlaid(schedule, overrides):
                if shift.start < end and shift.end > start:
                    found.append((shift, parent))
            if len(found) > MOST:
                raise invalid("end_time", f"there are over {MOST} shifts until then; ask for a shorter time")
    found.sort(key=lambda each: (each[0].start, each[0].end))
    response = contact_points_pb2.ListShiftsResponse()
    for shift, parent in found:
        contacts, unknown = resolve(directory, shift.people)
        response.shifts.add(
            on_call=parent.name,
            start_time=encode.timestamp(shift.start),
            end_time=encode.timestamp(shift.end),
            people=shift.people,
            contact_points=[f"contactPoints/{public_ids[contact]}" for contact in contacts],
            unknown_people=unknown,
            is_override=shift.is_override,
        )
    return response


def _span(request: contact_points_pb2.ListShiftsRequest, now: int) -> tuple[int, int]:
    start = decode.time(request.start_time, "start_time") if request.HasField("start_time") else now
    if start < now - BACK:
        raise invalid("start_time", "must not be more than 7 days ago: earlier shifts are not kept")
    if request.HasField("end_time"):
        end = decode.time(request.end_time, "end_time")
        if end > now + AHEAD:
            raise invalid("end_time", "must be at most 62 days from now")
    else:
        end = min(start + _SPAN, now + AHEAD)
    if end <= start:
        field = "end_time" if request.HasField("end_time") else "start_time"
        raise invalid(field, "the time must begin before it ends, and within 62 days from now")
    return start, end


def _parent(connection: sqlite3.Connection, name: str) -> ContactPoint:
    found = contact_points.by_public_id(connection, names.contact_id(name, "parent"))
    if found is None:
        raise not_found(name)
    if found.kind is not Kind.ON_CALL:
        raise invalid("parent", "must be a contact point that is on_call")
    return found
