"""An escalation: a chain at work for one group. The pure machine; it tells nobody itself, but says what is to be done.

Rules
- Steps are done in their order, as many as can be done now, until one has to wait, or pauses, or all are done. What a
  step decides and where the chain then stands is one result, to be written in one transaction: so after a crash a step
  was done, with everything that it decided, or it was not.
- A wait counts from when the step before it was done, not from when that was due: after downtime people get the time
  to react that the chain gives them.
- Within hours the chain goes on at once. Outside them it waits for when they begin, and then goes on, whatever the
  clock says by that time: after downtime it is late rather than never.
- Where the hours cannot be reckoned with, because the time zone is gone, it goes on: not telling is worse than telling
  at night. That is said.
- "More than so many alerts" is asked again whenever it is looked at, and says that it pauses only once. It has no time:
  time alone never makes more alerts begin to fire.
- A repeat begins again with the first step, so many times in all for one start of the chain; then it is passed. Each
  repeat of a chain counts for itself.
- Resolving ends the chain.
- One call does not go on for ever, whatever the steps are: a second repeat in one go, without a wait between, waits.
- Times are microseconds since 1970. A due time is a time of day on disk and a wait in memory (`left`): no wait is
  longer than what it was when it was set, however the clock was set meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto

from tocsind.domain import opening_hours
from tocsind.domain.escalation_chain import MIN_WAIT, MoreThan, Notify, Repeat, Resolve, Step, Wait, Within


class EscalationState(IntEnum):
    """What it waits for. The numbers are those of `tocsin.v1.Escalation.State` and of the database."""

    WAITING = 1
    PAUSED = 2


class EscalationProblem(Enum):
    """What a step needed and did not find; the chain goes on."""

    CONTACT_POINT = auto()
    ON_CALL = auto()
    TIME_ZONE = auto()


@dataclass(slots=True)
class Escalation:
    """How far the chain of a group is. `step` is the index of the next step; `repeats`, how often each repeat was done,
    by the index of its step. `due` was decided at `set`; it is None while PAUSED. `version_id` is the database's."""

    group_id: int
    version_id: int
    state: EscalationState
    step: int
    started: int
    set: int
    due: int | None
    repeats: dict[int, int] = field(default_factory=dict)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing of it was done yet."""
        return self.state is EscalationState.WAITING and self.step == 0 and not self.repeats

    def left(self, now: int) -> int:
        """How long to wait at the time of day `now` for the next step; negative where its time has passed, 0 where it
        is only to be looked at."""
        return 0 if self.due is None else min(self.due - now, self.due - self.set)


@dataclass(frozen=True, slots=True)
class Tell:
    """A contact point is to be told. Here and below `step` is the number of the step, from 1."""

    step: int
    contact: int


@dataclass(frozen=True, slots=True)
class Held:
    """The chain waits for its hours, `until` they begin; or, without that, for alerts."""

    step: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The chain begins again, for the `time`th time of `times`."""

    step: int
    time: int
    times: int


@dataclass(frozen=True, slots=True)
class NoZone:
    """Hours could not be reckoned with, and were taken as if it were within them; `why` in a line."""

    step: int
    why: str


@dataclass(frozen=True, slots=True)
class ResolveGroup:
    """The group is to be resolved; nothing comes after that."""

    step: int


@dataclass(frozen=True, slots=True)
class Ended:
    """All steps are done; nothing comes after that."""


Deed = Tell | Held | Repeated | NoZone | ResolveGroup | Ended


def start(group_id: int, version_id: int, now: int) -> Escalation:
    """Returns the escalation of a group whose chain starts: its first step is due at once."""
    return Escalation(group_id, version_id, EscalationState.WAITING, 0, now, now, now)


def advance(escalation: Escalation, steps: Sequence[Step], now: int, count_alerts: Callable[[int], int]) -> list[Deed]:
    """Goes on with an escalation that is due, or paused, and changes it; returns what is to be done, in that order. It
    is over where the last of that is ResolveGroup or Ended; else it waits (due after `now`) or is paused.

    `count_alerts` is asked how many of the group's alerts began to fire within the last so many microseconds.
    """
    deeds: list[Deed] = []
    repeated = False
    while escalation.step < len(steps):
        number = escalation.step + 1
        match steps[escalation.step]:
            case Wait(duration):
                _wait(escalation, now, now + duration)
                return deeds
            case Notify(contacts):
                deeds += (Tell(number, contact) for contact in contacts)
            case Resolve():
                deeds.append(ResolveGroup(number))
                return deeds
            case Within() as hours:
                begins = _begin(hours, now, number, deeds)
                if begins is not None:
                    deeds.append(Held(number, begins))
                    _wait(escalation, now, begins)
                    return deeds
            case MoreThan(alerts, duration):
                if count_alerts(duration) <= alerts:
                    if escalation.state is not EscalationState.PAUSED:
                        deeds.append(Held(number, None))
                    escalation.state = EscalationState.PAUSED
                    escalation.set, escalation.due = now, None
                    return deeds
            case Repeat(times):
                done = escalation.repeats.get(escalation.step, 0)
                if done < times:
                    if repeated:
                        _wait(escalation, now, now + MIN_WAIT, step=escalation.step)
                        return deeds
                    repeated = True
                    deeds.append(Repeated(number, done + 1, times))
                    escalation.repeats[escalation.step] = done + 1
                    escalation.step = -1
        escalation.state = EscalationState.WAITING
        escalation.step += 1
    deeds.append(Ended())
    return deeds


def _wait(escalation: Escalation, now: int, until: int, *, step: int | None = None) -> None:
    escalation.state = EscalationState.WAITING
    escalation.step = escalation.step + 1 if step is None else step
    escalation.set, escalation.due = now, until


def _begin(hours: Within, now: int, number: int, deeds: list[Deed]) -> int | None:
    """Returns when hours begin for which is to be waited, or None where the chain goes on."""
    try:
        return None if opening_hours.is_within(hours, now) else opening_hours.next_begin(hours, now)
    except LookupError as error:
        deeds.append(NoZone(number, str(error.args[0])))
        return None
