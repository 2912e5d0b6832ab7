"""Escalation chains: steps by which people are told of a group, and what they may be.

Rules
- Steps are done in their order. A chain is taken as it is when it starts for a group (a version of it), so that nobody
  is told, or not told, because somebody edits a chain while a group fires.
- Contact points are named by their ids of the database: one that is renamed stays meant, one that is deleted is missed
  when its step comes, and the chain goes on.
- Going round without a wait would tell everybody six times at once: a repeat needs a wait before it.
- A chain without steps is one: it tells nobody.
"""

from dataclasses import dataclass

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
