"""Escalation chains: steps by which people are told of a group, and what they may be.

Rules
- Steps are done in their order. A chain is taken as it is when it starts for a group (a version of it), so that nobody
  is told, or not told, because somebody edits a chain while a group fires.
- Contact points are named by their ids of the database: one that is renamed stays meant, one that is deleted is missed
  when its step comes, and the chain goes on.
- Going round without a wait would tell everybody six times at once: a repeat needs a wait before it.
- A chain without steps is one: it tells nobody.
- At most one chain is the default. Where none is, or it is deleted, routes that name no chain tell nobody; to delete it
  takes no more than to delete another, as only what names a chain refers to it.
- A time zone is one of the IANA database, by its name there: what `localtime` means changes with the machine.
- Limits are those of proto/tocsin/v1/escalation_chains.proto.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tocsind.domain.errors import Violation
from tocsind.domain.etag import etag
from tocsind.domain.units import DAY, HOUR, SECOND

MOST_STEPS = 100
MOST_CONTACTS = 20
MIN_WAIT = SECOND
MAX_WAIT = 7 * DAY
MOST_ALERTS = 10_000
MIN_WINDOW = 60 * SECOND
MAX_WINDOW = 24 * HOUR
MOST_REPEATS = 5
MAX_NAME = 150
MAX_DESCRIPTION = 2_000
END_OF_DAY = 24 * 60
"""In minutes, as `Within` counts."""

UNFIT = -1
"""In place of a value that is none, such as a time of day with seconds: within no limits."""

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_MAX_ZONE = 64
_NO_ZONES = frozenset(["localtime", "posixrules", "Factory", "posix", "right"])
"""What is beside the zones in a folder of them."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for so many microseconds."""

    duration: int


@dataclass(frozen=True, slots=True)
class Notify:
    """Tells contact points, by their ids of the database."""

    contacts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resolve:
    """Resolves the group."""


@dataclass(frozen=True, slots=True)
class Within:
    """Goes on only within hours. `weekdays` are those on which they begin, 1 (Monday) to 7 as in ISO 8601, empty for
    every day. `start` and `end` are minutes of the day, `end` up to 1,440; at or before `start` it is on the next day.
    `zone` is an IANA time zone."""

    weekdays: tuple[int, ...]
    start: int
    end: int
    zone: str


@dataclass(frozen=True, slots=True)
class MoreThan:
    """Goes on once more than `alerts` alerts began to fire within the last `duration` microseconds."""

    alerts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """Begins again, so many times."""

    times: int


Step = Wait | Notify | Resolve | Within | MoreThan | Repeat


@dataclass(frozen=True, slots=True)
class NotifyNamed:
    """Tells contact points, by their resource names: what somebody asks for, before it is known which these are."""

    contacts: tuple[str, ...]


AskedStep = Step | NotifyNamed | None
"""A step that somebody asks for; None for one that does nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks a chain to be. What is None is to stay as it is, or to be left out of a new one."""

    display_name: str | None = None
    description: str | None = None
    steps: tuple[AskedStep, ...] | None = None
    is_default: bool | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A chain as it was at some time. `id` is the database's, `chain` the public id, or empty where only one contact
    point is told."""

    id: int
    chain: str
    display_name: str
    steps: tuple[Step, ...]


@dataclass(slots=True)
class EscalationChain:
    """A chain. Times in microseconds since 1970; `id` is the database's."""

    id: int
    public_id: str
    display_name: str
    description: str
    steps: tuple[Step, ...]
    is_default: bool = False
    version_id: int = 0
    created: int = 0
    updated: int = 0

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"escalationChains/{self.public_id}"

    @property
    def etag(self) -> str:
        """Changes with everything that can be set; not where a contact point is deleted."""
        return etag(self.display_name, self.description, self.steps, self.is_default)


def violations(asked: Asked) -> Iterator[Violation]:
    """Yields what is not what it may be. Whether contact points exist is not known here."""
    name, description = asked.display_name, asked.description
    if name is not None and (not 1 <= len(name) <= MAX_NAME or name != name.strip()):
        yield "escalation_chain.display_name", f"must be 1 to {MAX_NAME} characters, without space at its ends"
    if description is not None and len(description) > MAX_DESCRIPTION:
        yield "escalation_chain.description", f"must be at most {MAX_DESCRIPTION:,} characters"
    steps = asked.steps or ()
    if len(steps) > MOST_STEPS:
        yield "escalation_chain.steps", f"must be at most {MOST_STEPS}"
        return
    for index, step in enumerate(steps):
        path = path_of(index)
        if isinstance(step, Resolve) and index < len(steps) - 1:
            yield f"{path}.resolve", "must be the last step: it ends the chain"
        elif isinstance(step, Repeat) and not any(isinstance(earlier, Wait) for earlier in steps[:index]):
            yield f"{path}.repeat", "must have a wait before it: else people would be told many times at once"
        yield from _of_step(step, path)


def path_of(index: int) -> str:
    """Returns the path of a step in a request."""
    return f"escalation_chain.steps[{index}]"


def path_of_contact(index: int, place: int) -> str:
    """Returns the path of a contact point that a step names."""
    return f"{path_of(index)}.notify.contact_points[{place}]"


def _of_step(step: AskedStep, path: str) -> Iterator[Violation]:
    match step:
        case None:
            yield path, "must be one of: wait, notify, resolve, within, more_than, repeat"
        case Wait(duration):
            if not MIN_WAIT <= duration <= MAX_WAIT:
                yield f"{path}.wait.duration", "must be 1 second to 7 days"
        case Notify(contacts) | NotifyNamed(contacts):
            if not 1 <= len(contacts) <= MOST_CONTACTS:
                yield f"{path}.notify.contact_points", f"must be 1 to {MOST_CONTACTS}"
            else:
                yield from _repeated(contacts, f"{path}.notify.contact_points")
        case Resolve():
            pass
        case Within():
            yield from _of_hours(step, f"{path}.within")
        case MoreThan(alerts, duration):
            if not 0 <= alerts <= MOST_ALERTS:
                yield f"{path}.more_than.alerts", f"must be 0 to {MOST_ALERTS:,}"
            if not MIN_WINDOW <= duration <= MAX_WINDOW:
                yield f"{path}.more_than.duration", "must be 1 minute to 24 hours"
        case Repeat(times):
            if not 1 <= times <= MOST_REPEATS:
                yield f"{path}.repeat.times", f"must be 1 to {MOST_REPEATS}"


def _of_hours(step: Within, path: str) -> Iterator[Violation]:
    if any(not 1 <= day <= 7 for day in step.weekdays):
        place = next(place for place, day in enumerate(step.weekdays) if not 1 <= day <= 7)
        yield f"{path}.weekdays[{place}]", "must be a day of the week"
    else:
        yield from _repeated(step.weekdays, f"{path}.weekdays")
    if not 0 <= step.start < END_OF_DAY:
        yield f"{path}.start", "must be 00:00 to 23:59, in whole minutes"
    if not 0 <= step.end <= END_OF_DAY:
        yield f"{path}.end", "must be 00:00 to 24:00, in whole minutes"
    if not _is_zone(step.zone):
        yield f"{path}.time_zone", "must be one of the IANA time zone database, such as Europe/Berlin"


def _repeated(values: Sequence[object], path: str) -> Iterator[Violation]:
    """Yields each value that was there before."""
    for place, value in enumerate(values):
        if value in values[:place]:
            yield f"{path}[{place}]", "is there twice"


def _is_zone(name: str) -> bool:
    if len(name) > _MAX_ZONE or _ZONE.fullmatch(name) is None or name.partition("/")[0] in _NO_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # None of this name; a file that is not of a zone; a folder of zones, such as Europe.
        return False
    return True
