"""What becomes of one escalation chain of Grafana OnCall here: which steps are taken over, and which not, and why.

Pure: it asks nobody and changes nothing. `import_chains.py` carries a plan out.

Rules
- Waits, hours (in OnCall those of every day, in UTC), numbers of alerts, repeats and resolving are steps here as well.
- Who is told are people, schedules, teams, Slack's user groups and webhooks there, contact points here: those that are
  called the same, or whom the one who imports named. Nobody is guessed at.
- People who take turns are all told: that is too many, but one of them is the right one.
- A chain that tells nobody here, but did there, does not resolve either: alerts would be gone without a word.
- A step that cannot be taken over, or tells nobody, is left out and named; so is one that could not stand where it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.v1.contact_points_pb2 import ContactPoint
from tocsin.v1.escalation_chains_pb2 import EscalationStep

from . import chain_steps
from .oncall_export import OnCallChain, OnCallStep
from .oncall_plan import unique_name

_TELLING = {
    "notify_persons": "",
    "notify_on_call_from_schedule": "",
    "notify_team_members": "",
    "notify_user_group": "",
    "trigger_webhook": "",
    "trigger_action": "",
    "notify_one_person": "",
    "notify_person_next_each_time": "taking turns: all of them are told here, each time",
    "notify_whole_channel": "",
}
_REPEATS = 5  # how often OnCall begins again (MAX_TIMES_REPEAT)
_UNSET_WAIT = 300  # seconds; what OnCall waits where nothing is set
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::[0-9.]+)?Z?")
_MOST_STEPS, _MOST_CONTACTS = 100, 20


class Directory:
    """Who of OnCall is which contact point here. `called`: what those of OnCall are called, by their ids; `chosen`: the
    contact points that somebody named for them, by id or by what they are called."""

    def __init__(
        self, called: Mapping[str, Sequence[str]], there: Sequence[ContactPoint], chosen: Mapping[str, str]
    ) -> None:
        """Look people up by these."""
        self._called = called
        self._there = there
        self._chosen = {old.casefold(): name for old, name in chosen.items()}
        self.used: set[str] = set()
        """Which of `chosen` were needed, in small letters."""

    def find(self, oncall_id: str) -> list[str]:
        """Return the resource names of the contact points for one of OnCall; several where they share an alias."""
        words = [oncall_id, *self._called.get(oncall_id, ())]
        for word in words:
            if (name := self._chosen.get(word.casefold())) is not None:
                self.used.add(word.casefold())
                return [name]
        for word in words:
            folded = word.casefold()
            found = [point.name for point in self._there if folded in _words(point)]
            if found:
                exact = [point.name for point in self._there if point.display_name == word]
                return exact or found
        return []

    def describe(self, oncall_id: str) -> str:
        """Return what people know one of OnCall by."""
        names = self._called.get(oncall_id)
        return f"{names[0]} ({oncall_id})" if names else oncall_id

    def advice(self, oncall_id: str) -> str:
        """Return what to do about one whom no contact point is called."""
        names = self._called.get(oncall_id)
        old = names[0] if names else oncall_id
        return f"no contact point is called so: create one, or give --contact {old!r}=NAME, and import again"


def _words(point: ContactPoint) -> set[str]:
    return {point.display_name.casefold(), *(alias.casefold() for alias in point.aliases)}


@dataclass
class ChainPlan:
    """What is to be created. `taken` and `left` are lines for people. `tells_nobody`: though it did in OnCall."""

    oncall_id: str
    title: str
    steps: list[EscalationStep] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    tells_nobody: bool = False


def plan(chain: OnCallChain, directory: Directory, name_of: Callable[[str], str], taken_names: set[str]) -> ChainPlan:
    """Return what becomes of a chain. Its name is added to `taken_names`, which it avoids."""
    title, changed = unique_name(chain.name or f"OnCall {chain.id}", chain.id, taken_names)
    made = ChainPlan(chain.id, title)
    if changed:
        made.left.append(changed)
    if chain.team:
        made.left.append(f"team {chain.team}: there are no teams here")
    for number, step in enumerate(chain.steps, 1):
        what = f"step {number} ({step.kind or 'without a type'})"
        if made.steps and made.steps[-1].HasField("resolve"):
            made.left.append(f"{what}: it stands after one that resolves, and is never reached")
            continue
        taken = _step(step, what, made, directory)
        if taken is not None and len(made.steps) == _MOST_STEPS:
            made.left.append(f"{what}: {_MOST_STEPS} steps are the most that a chain has")
        elif taken is not None:
            made.steps.append(taken)
            made.taken.append(f"{what}: {chain_steps.format(taken, name_of)}")
    told = any(step.HasField("notify") for step in made.steps)
    made.tells_nobody = not told and any(step.kind in _TELLING for step in chain.steps)
    if made.tells_nobody:
        _leave_resolving_out(made)
        made.left.append("NOBODY is told by this chain as it is here")
    return made


def _leave_resolving_out(made: ChainPlan) -> None:
    if made.steps and made.steps[-1].HasField("resolve"):
        made.steps.pop()
        what, _, _ = made.taken.pop().partition(":")
        made.left.append(f"{what}: groups would be resolved of which nobody was told; it is added with whom it tells")


def _step(step: OnCallStep, what: str, made: ChainPlan, directory: Directory) -> EscalationStep | None:
    """Return the step here, None where there is none; what is lost is added to what the plan has left."""
    taken = EscalationStep()
    if step.kind == "wait":
        return _wait(step, what, made)
    if step.kind in _TELLING:
        return _notify(step, what, made, directory)
    if step.kind == "notify_if_time_from_to":
        return _within(step, what, made)
    if step.kind == "notify_if_num_alerts_in_window":
        if (
            step.alerts is None
            or step.minutes is None
            or not (0 <= step.alerts <= 10_000 and 1 <= step.minutes <= 1440)
        ):
            made.left.append(f"{what}: more than {step.alerts} alerts in {step.minutes} minutes cannot be")
            return None
        taken.more_than.alerts = step.alerts
        taken.more_than.duration.FromTimedelta(timedelta(minutes=step.minutes))
        return taken
    if step.kind == "repeat_escalation":
        if not any(before.HasField("wait") for before in made.steps):
            made.left.append(f"{what}: no wait stands before it, without which everybody would be told at once again")
            return None
        taken.repeat.times = _REPEATS
        return taken
    if step.kind == "resolve":
        taken.resolve.SetInParent()
        return taken
    made.left.append(f"{what}: there is no such step here")
    return None


def _wait(step: OnCallStep, what: str, made: ChainPlan) -> EscalationStep | None:
    seconds = _UNSET_WAIT if step.duration is None else step.duration
    if not 1 <= seconds <= 7 * 24 * 3600:
        made.left.append(f"{what}: a wait of {seconds} s cannot be")
        return None
    taken = EscalationStep()
    taken.wait.duration.FromTimedelta(timedelta(seconds=seconds))
    return taken


def _within(step: OnCallStep, what: str, made: ChainPlan) -> EscalationStep | None:
    start, end = _TIME.fullmatch(step.time_from), _TIME.fullmatch(step.time_to)
    if start is None or end is None:
        made.left.append(f"{what}: its hours, {step.time_from!r} to {step.time_to!r}, cannot be read")
        return None
    taken = EscalationStep()
    for time, match in ((taken.within.start, start), (taken.within.end, end)):
        time.hours, time.minutes = int(match.group(1)), int(match.group(2))
    taken.within.time_zone = "UTC"  # OnCall's API knows no other
    return taken


def _notify(step: OnCallStep, what: str, made: ChainPlan, directory: Directory) -> EscalationStep | None:
    found: list[str] = []
    for target in step.targets:
        names = directory.find(target)
        if not names:
            made.left.append(f"{what}, {directory.describe(target)}: {directory.advice(target)}")
        found += [name for name in names if name not in found]
    if not step.targets:
        made.left.append(f"{what}: it names nobody whom a contact point could be called")
    if len(found) > _MOST_CONTACTS:
        made.left.append(f"{what}: only the first {_MOST_CONTACTS} of {len(found)} contact points are told in one step")
    if not found:
        return None
    if step.important:
        made.left.append(f"{what}, important: rules of one's own there are none; other contact points can stand here")
    if _TELLING[step.kind] and len(found) > 1:
        made.left.append(f"{what}, {_TELLING[step.kind]}")
    taken = EscalationStep()
    taken.notify.contact_points.extend(found[:_MOST_CONTACTS])
    return taken
