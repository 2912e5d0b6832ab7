"""Maintenance: a time in which an integration's alert groups wake nobody.

Rules
- An integration has one maintenance at most, planned or running. A planned one is replaced by whatever is asked for. Of
  one that runs the end can be moved; another mode, or a later start, is refused until it is stopped: what was collected
  would have to be released now and told to people, which whoever plans something for later does not expect.
- DEBUG marks the groups that open or fire again, MAINTENANCE puts them under a group that collects them. What was open
  before is left alone: somebody was told of it already. What Tocsin says of itself (`Source.SELF`) is never put aside:
  the collecting group is of that kind.
- Whether a group is put aside is decided when it opens, fires again or is unresolved, each time anew: nothing is
  collected by a maintenance that has ended.
- The collecting group and its maintenance end together, whichever ends first. It has an identity of its own, so that
  neither a sender nor the next maintenance reaches it, and it is never opened again: start another maintenance.
- When a maintenance ends, what it collected and is still open is released. What was resolved meanwhile keeps the number
  of the group that collected it, for the record. Grafana OnCall resolves everything it collected, firing or not.
- Times are times of day on disk, for people and for restarts; in between they are waited for, so that a clock that
  jumps neither ends a maintenance nor keeps it. No wait is longer than what was asked for when it was asked for.
"""

from dataclasses import dataclass
from enum import IntEnum

from tocsind.domain.alert_group import AlertGroup, Event, EventKind, Source
from tocsind.domain.errors import Reason, TocsinError, invalid
from tocsind.domain.units import DAY, SECOND

MIN_DURATION = 60 * SECOND
MAX_DURATION = 30 * DAY
MAX_AHEAD = 366 * DAY
_KEY = "maintenance/"


class Mode(IntEnum):
    """What becomes of new groups. The numbers are those of `tocsin.v1.Maintenance.Mode` and of the database."""

    DEBUG = 1
    MAINTENANCE = 2


@dataclass(slots=True)
class Maintenance:
    """A maintenance that runs or is planned. Times in microseconds since 1970; `changed` is when somebody last asked
    for it. `group_id` is the group that collects, once one does. `actor` is who asked."""

    integration_id: int
    mode: Mode
    starts: int
    ends: int
    running: bool
    group_id: int | None
    actor: str
    changed: int

    @property
    def due(self) -> int:
        """When something is to happen to it: its start, or its end."""
        return self.ends if self.running else self.starts

    def left(self, now: int) -> int:
        """How long to wait at the time of day `now` for what is due; negative where that was in the past."""
        asked = max(self.starts, self.changed) if self.running else self.changed
        return min(self.due - now, self.due - asked)


def plan(
    known: Maintenance | None,
    integration_id: int,
    mode: Mode,
    duration: int,
    starts: int | None,
    *,
    resource: str,
    actor: str,
    now: int,
) -> Maintenance:
    """Returns what is after somebody asked for a maintenance; `running` where it is to run from now on.

    `known` is the one that runs or is planned, `resource` the name of the integration. TocsinError: INVALID,
    FORBIDDEN_NOW (OTHER_MAINTENANCE).
    """
    if not MIN_DURATION <= duration <= MAX_DURATION:
        raise invalid("duration", "must be 1 minute to 30 days")
    if starts is not None and starts > now + MAX_AHEAD:
        raise invalid("start_time", "must be at most 366 days from now")
    later = starts is not None and starts > now
    begins = starts if starts is not None and later else now
    if known is not None and known.running:
        if known.mode is not mode or later:
            wanted = "starts later" if later else f"has the mode {mode.name}"
            message = f"a maintenance of the mode {known.mode.name} runs, and the one asked for {wanted}: stop it first"
            raise TocsinError(Reason.OTHER_MAINTENANCE, message, resource=resource, mode=known.mode.name)
        # A time of day that was set back must not make it end before it started.
        begins, group_id = min(known.starts, now), known.group_id
        return Maintenance(integration_id, mode, begins, now + duration, True, group_id, actor, now)
    return Maintenance(integration_id, mode, begins, begins + duration, not later, None, actor, now)


def put_aside(group: AlertGroup, maintenance: Maintenance | None) -> list[Event]:
    """A group has opened, fires again or was unresolved: puts it aside, or no longer; returns the event of that."""
    group.collected_by, group.debug = None, False
    if maintenance is None or not maintenance.running or group.source is Source.SELF:
        return []
    if maintenance.mode is Mode.DEBUG:
        group.debug = True
        return []
    group.collected_by = maintenance.group_id
    reason = f"collected by alertGroups/{maintenance.group_id}"
    return [Event(group.id, EventKind.COLLECTED, group.state, reason=reason, previous=group.state)]


def release(group: AlertGroup) -> Event:
    """Has an open group take its normal way again."""
    reason = f"the maintenance ended; it was collected by alertGroups/{group.collected_by}"
    group.collected_by = None
    return Event(group.id, EventKind.RELEASED, group.state, reason=reason, previous=group.state)


def summary(still_open: int, resolved: int) -> str:
    """Returns what became of the groups that a maintenance collected, for the event that ends it."""
    if not still_open + resolved:
        return "the maintenance ended: nothing was collected"
    return f"the maintenance ended: of what was collected {still_open} released, {resolved} resolved meanwhile"


def grouping_key(unique: str) -> str:
    """Returns the grouping key of a new collecting group."""
    return _KEY + unique


def refuse_second_start(group: AlertGroup, key: str) -> None:
    """Raises TocsinError (WRONG_STATE) where a group with this grouping key collected for a maintenance: that has
    ended, and opening the group again would not bring it back."""
    if group.source is Source.SELF and key.startswith(_KEY):
        name = f"alertGroups/{group.id}"
        message = f"cannot unresolve {name}: the maintenance for which it collected is over; start another one"
        raise TocsinError(Reason.WRONG_STATE, message, resource=name, state=group.state.name)
