"""The steps of an escalation chain, from the contract's messages and to them.

Decoding refuses nothing, so that all that is wrong with a chain can be told at once: what is no value at all becomes
one that the rules of the domain refuse, and of lists no more is decoded than shows that they are too long.
"""

from collections.abc import Iterator, Mapping, Sequence

from google.protobuf.duration_pb2 import Duration
from google.type import timeofday_pb2  # type: ignore[import-untyped]

from tocsin.v1 import escalation_chains_pb2
from tocsind.domain.errors import TocsinError, Violation
from tocsind.domain.escalation_chain import (
    MOST_CONTACTS,
    MOST_STEPS,
    UNFIT,
    AskedStep,
    MoreThan,
    Notify,
    NotifyNamed,
    Repeat,
    Resolve,
    Step,
    Wait,
    Within,
    path_of_contact,
)
from tocsind.rpc import decode, encode, names

_DAYS_OF_A_WEEK = 7
_EscalationStep = escalation_chains_pb2.EscalationStep


def decoded(message: _EscalationStep) -> AskedStep:
    """Returns a step as it is asked for."""
    match message.WhichOneof("step"):
        case "wait":
            return Wait(_microseconds(message.wait.duration))
        case "notify":
            return NotifyNamed(tuple(message.notify.contact_points[: MOST_CONTACTS + 1]))
        case "resolve":
            return Resolve()
        case "within":
            within = message.within
            weekdays = tuple(int(day) for day in within.weekdays[: _DAYS_OF_A_WEEK + 1])
            return Within(weekdays, _minutes(within.start), _minutes(within.end), within.time_zone)
        case "more_than":
            return MoreThan(message.more_than.alerts, _microseconds(message.more_than.duration))
        case "repeat":
            return Repeat(message.repeat.times)
        case _:
            return None


def malformed(steps: Sequence[AskedStep]) -> Iterator[Violation]:
    """Yields what cannot be the names of contact points, of lists that are not too long."""
    for index, step in enumerate(steps if len(steps) <= MOST_STEPS else ()):
        if isinstance(step, NotifyNamed) and len(step.contacts) <= MOST_CONTACTS:
            for place, name in enumerate(step.contacts):
                path = path_of_contact(index, place)
                try:
                    names.contact_id(name, path)
                except TocsinError:
                    # Without the name: there can be many of them.
                    yield path, "must be of the form contactPoints/{id}"


def encoded(step: Step, contacts: Mapping[int, str]) -> _EscalationStep:
    """Returns the message for a step; `contacts` are the resource names of contact points by their ids."""
    message = _EscalationStep()
    match step:
        case Wait(duration):
            message.wait.duration.CopyFrom(encode.duration(duration))
        case Notify(told):
            message.notify.contact_points.extend(contacts[contact] for contact in told)
        case Resolve():
            message.resolve.SetInParent()
        case Within(weekdays, start, end, zone):
            message.within.weekdays.extend(weekdays)
            message.within.start.CopyFrom(_time_of_day(start))
            message.within.end.CopyFrom(_time_of_day(end))
            message.within.time_zone = zone
        case MoreThan(alerts, duration):
            message.more_than.alerts = alerts
            message.more_than.duration.CopyFrom(encode.duration(duration))
        case Repeat(times):
            message.repeat.times = times
    return message


def _microseconds(message: Duration) -> int:
    try:
        return decode.microseconds(message, "duration")
    except TocsinError:
        return UNFIT


def _minutes(message: timeofday_pb2.TimeOfDay) -> int:
    fits = 0 <= message.hours <= 24 and 0 <= message.minutes < 60 and not (message.seconds or message.nanos)
    return message.hours * 60 + message.minutes if fits else UNFIT


def _time_of_day(minutes: int) -> timeofday_pb2.TimeOfDay:
    return timeofday_pb2.TimeOfDay(hours=minutes // 60, minutes=minutes % 60)
