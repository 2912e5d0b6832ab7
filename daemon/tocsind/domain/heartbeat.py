"""The state machine of a heartbeat: the expectation that a source is heard from at least once an interval.

Rules
- Waiting (it never beat): nothing is expected, whatever its interval. The first beat arms it.
- Up: the deadline is the arrival of the last beat plus the interval, on the intake clock (`domain/intake_clock.py`), so
  time in which no beat could be received does not count.
- Missing, from the deadline on: an alert group says so. A beat makes it up again and resolves the group. When a person
  resolves the group while the heartbeat is still missing, it is raised again after another interval.
- Paused: beats are recorded and nothing is expected. Resumed, the next beat is expected within a whole interval; one
  that never beat waits again.
- Reset forgets the beats: waiting again.
- Pausing, resuming or resetting what is so already changes nothing.
- A beat that a later one overtook changes nothing.
- A new interval moves a running deadline. One that is missing stays so until a beat comes.
"""

from dataclasses import dataclass
from enum import IntEnum

from tocsind.domain.errors import invalid
from tocsind.domain.etag import etag
from tocsind.domain.units import DAY, SECOND

MIN_INTERVAL = 10 * SECOND
MAX_INTERVAL = 7 * DAY
DEFAULT_INTERVAL = 600 * SECOND


class HeartbeatState(IntEnum):
    """Where a heartbeat stands. The numbers are those of `tocsin.v1.Heartbeat.State` and of the database."""

    WAITING = 1
    UP = 2
    MISSING = 3
    PAUSED = 4


@dataclass(slots=True)
class Heartbeat:
    """`interval` in microseconds; `last_beat` and `state_since` in microseconds since 1970, by our own clock;
    `deadline` is a reading of the intake clock: while up, when it goes missing; while missing, when it is raised again
    (None: not before a person resolves its group)."""

    integration_id: int
    state: HeartbeatState = HeartbeatState.WAITING
    interval: int = DEFAULT_INTERVAL
    last_beat: int | None = None
    deadline: int | None = None
    state_since: int = 0

    @property
    def etag(self) -> str:
        """Changes with what can be set: the interval, and whether it is paused. Not with beats."""
        return etag(self.interval, self.state is HeartbeatState.PAUSED)


def beat(heartbeat: Heartbeat, received: int, arrival: int, now: int) -> bool:
    """Counts a beat; returns whether the heartbeat was missing and is back.

    `received` is the time of day of its arrival, `arrival` the reading of the intake clock at that moment.
    """
    was_missing = heartbeat.state is HeartbeatState.MISSING
    deadline = arrival + heartbeat.interval
    if heartbeat.state is HeartbeatState.UP and heartbeat.deadline is not None and deadline < heartbeat.deadline:
        return False
    heartbeat.last_beat = received
    if heartbeat.state is HeartbeatState.PAUSED:
        return False
    heartbeat.deadline = deadline
    if heartbeat.state is not HeartbeatState.UP:
        _move(heartbeat, HeartbeatState.UP, now)
    return was_missing


def expire(heartbeat: Heartbeat, reading: int, now: int) -> bool:
    """Looks whether the deadline has passed at `reading`; returns whether an alert group is to be raised."""
    if heartbeat.deadline is None or heartbeat.deadline > reading:
        return False
    heartbeat.deadline = None
    if heartbeat.state is HeartbeatState.UP:
        _move(heartbeat, HeartbeatState.MISSING, now)
    return heartbeat.state is HeartbeatState.MISSING


def dismiss(heartbeat: Heartbeat, reading: int) -> None:
    """A person resolved the group of a heartbeat: if it is still missing, it is raised after another interval."""
    if heartbeat.state is HeartbeatState.MISSING:
        heartbeat.deadline = reading + heartbeat.interval


def set_interval(heartbeat: Heartbeat, interval: int) -> None:
    """Sets the interval, in microseconds; TocsinError (INVALID) outside of 10 seconds to 7 days."""
    if not MIN_INTERVAL <= interval <= MAX_INTERVAL:
        raise invalid("heartbeat.interval", "must be 10 seconds to 7 days")
    if heartbeat.state is HeartbeatState.UP and heartbeat.deadline is not None:
        heartbeat.deadline += interval - heartbeat.interval
    heartbeat.interval = interval


def pause(heartbeat: Heartbeat, now: int) -> None:
    """Expects nothing any more."""
    if heartbeat.state is not HeartbeatState.PAUSED:
        heartbeat.deadline = None
        _move(heartbeat, HeartbeatState.PAUSED, now)


def resume(heartbeat: Heartbeat, reading: int, now: int) -> None:
    """Expects beats again, after a pause."""
    if heartbeat.state is not HeartbeatState.PAUSED:
        return
    if heartbeat.last_beat is None:
        _move(heartbeat, HeartbeatState.WAITING, now)
    else:
        heartbeat.deadline = reading + heartbeat.interval
        _move(heartbeat, HeartbeatState.UP, now)


def reset(heartbeat: Heartbeat, now: int) -> None:
    """Forgets the beats."""
    heartbeat.last_beat = None
    heartbeat.deadline = None
    if heartbeat.state is not HeartbeatState.WAITING:
        _move(heartbeat, HeartbeatState.WAITING, now)


def _move(heartbeat: Heartbeat, state: HeartbeatState, now: int) -> None:
    heartbeat.state = state
    heartbeat.state_since = now
