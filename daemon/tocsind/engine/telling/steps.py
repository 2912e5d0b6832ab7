"""The job that does the steps of escalations when they are due.

Rules
- What a step decides (messages, lines of timelines, where the chain then stands) is one transaction: after a crash it
  was done, or it is due. So each step is done once, whenever the daemon is killed.
- After downtime what is due is done once, in the order in which it was due, and the timeline says how late that was.
- One transaction decides on so many messages, or few more: a storm of groups, each of which tells many, does not stop
  intake. What is left is done first at the next tick.
- What is due is what a timer says; the row says what that is. A chain that was stopped meanwhile has none.
- What a step needs and is not there (a contact point that was deleted, somebody who is on call, a time zone) is a line
  in the timeline and in a metric, and the chain goes on. A defect in one chain is in the log, and does not hold up the
  others; it is tried again.
- Within a step a contact point is told once, also where more than one calendar leads to it.
- A group that its chain resolves is resolved like one that a person resolved: a heartbeat that is still missing is
  raised again.
"""

import sqlite3
from collections.abc import Iterable
from functools import partial

import structlog

from tocsind.domain.alert_group import Action, AlertGroup, Event, EventKind, Source, State
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.contact_point import Kind as ContactKind
from tocsind.domain.errors import TocsinError
from tocsind.domain.escalation import (
    Deed,
    Ended,
    Escalation,
    EscalationProblem,
    Held,
    NoZone,
    Repeated,
    ResolveGroup,
    Tell,
    advance,
)
from tocsind.domain.escalation_chain import MoreThan, Version
from tocsind.domain.message import Kind, Message
from tocsind.domain.units import SECOND
from tocsind.domain.wording import moment, span
from tocsind.engine import heartbeats
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.engine.telling import on_call, outbox
from tocsind.engine.telling.escalations import Contacts, naming
from tocsind.sqlite import alert_groups, escalations
from tocsind.sqlite.writer import Transaction

LATE = 5 * SECOND
"""What is later than this is said to be."""
RETRY = SECOND
MOST_TOLD = 500
"""Messages after which no further escalation is gone on with in a transaction. Measured: 500 groups that tell 20
contact points each held the pen for a second and a half."""

log = structlog.get_logger()


def take(transaction: Transaction, memory: Memory, group_ids: Iterable[int]) -> list[int]:
    """Goes on with the escalations of groups: those that are due, and those that paused and are to be looked at.
    Returns the groups that it has left for the next time, in their order."""
    found = escalations.load(transaction.connection, list(group_ids))
    found.sort(key=lambda each: (each.set if each.due is None else each.due, each.group_id))
    round_ = _Round(transaction, memory)
    left: list[int] = []
    for escalation in found:
        if round_.is_full:
            left.append(escalation.group_id)
            continue
        try:
            round_.go_on(escalation)
        except (sqlite3.Error, TocsinError):
            raise
        except Exception:
            log.exception("an escalation failed", alert_group=f"alertGroups/{escalation.group_id}")
            memory.metrics.failed_jobs.inc()
            transaction.after_commit(partial(memory.look_at_escalation, escalation.group_id, RETRY))
    round_.write()
    return left


class _Round:
    """What some escalations decide at one time."""

    def __init__(self, transaction: Transaction, memory: Memory) -> None:
        self._transaction = transaction
        self._connection = transaction.connection
        self._memory = memory
        self._contacts = Contacts(transaction.connection)
        self._ledger = Ledger(transaction, memory)
        self._kept: list[Escalation] = []
        self._over: list[int] = []
        self._messages: list[Message] = []
        self._problems: list[EscalationProblem] = []
        self._resolved: list[AlertGroup] = []

    @property
    def is_full(self) -> bool:
        """Whether it has decided on as many messages as one transaction may."""
        return len(self._messages) >= MOST_TOLD

    def go_on(self, escalation: Escalation) -> None:
        """Does what can be done now of one escalation."""
        group_id = escalation.group_id
        version = self._memory.version(self._connection, escalation.version_id)
        fresh, late = escalation.is_fresh, self._late(escalation)
        now = self._transaction.now
        deeds = advance(
            escalation, version.steps, now, lambda span: escalations.count_fired(self._connection, group_id, now - span)
        )
        telling = _Telling(escalation, version, self._contacts, late)
        if fresh:
            telling.say(EventKind.ESCALATION_STARTED, version.display_name)
        for deed in deeds:
            telling.do(deed, self._connection, now)
        # From here on nothing fails: what one escalation decided is taken as a whole.
        self._messages += telling.messages
        self._problems += telling.problems
        self._ledger.note(telling.events)
        if deeds and isinstance(deeds[-1], ResolveGroup):
            self._resolve(group_id, telling.step(deeds[-1].step), version)
        elif deeds and isinstance(deeds[-1], Ended):
            self._over.append(group_id)
        else:
            self._kept.append(escalation)

    def write(self) -> None:
        """Writes it."""
        escalations.store(self._connection, self._kept)
        escalations.remove(self._connection, self._over)
        # Before the ledger, which may tell of resolutions those who are told here.
        outbox.put(self._transaction, self._memory, self._messages)
        self._ledger.write()
        missing = [group.integration_id for group in self._resolved if group.source is Source.HEARTBEAT]
        if missing:
            heartbeats.dismissed(self._transaction, self._memory, missing)
        self._transaction.after_commit(self._after_commit)

    def _resolve(self, group_id: int, step: str, version: Version) -> None:
        group = alert_groups.by_id(self._connection, group_id)
        self._over.append(group_id)
        if group is not None and group.is_open:
            self._ledger.act(group, Action.ESCALATION_RESOLVE, reason=f"{step} of {version.display_name}")
            self._resolved.append(group)

    def _late(self, escalation: Escalation) -> int:
        """How late it is. A clock that jumped ahead does not make anything late."""
        return 0 if escalation.due is None else max(0, self._memory.no_later_than() - escalation.due)

    def _after_commit(self) -> None:
        for escalation in self._kept:
            self._memory.await_escalation(escalation)
        for group_id in self._over:
            self._memory.forget_escalation(group_id)
        for problem in self._problems:
            self._memory.metrics.escalation_problems[problem.name.lower()].inc()


class _Telling:
    """From what the rules say of one escalation to messages and lines of its timeline."""

    def __init__(self, escalation: Escalation, version: Version, contacts: Contacts, late: int) -> None:
        self._group_id = escalation.group_id
        self._version = version
        self._contacts = contacts
        self._late = f", {span(late)} late" if late > LATE else ""
        self._told: set[tuple[int, int]] = set()
        self.messages: list[Message] = []
        self.events: list[Event] = []
        self.problems: list[EscalationProblem] = []

    def step(self, number: int) -> str:
        """Returns how timelines name a step."""
        return f"step {number} of {len(self._version.steps)}"

    def say(self, kind: EventKind, reason: str) -> None:
        """Adds a line to the timeline; a group with an escalation is firing."""
        self.events.append(Event(self._group_id, kind, State.FIRING, reason=reason, previous=State.FIRING))

    def do(self, deed: Deed, connection: sqlite3.Connection, now: int) -> None:
        """Does one thing, but for resolving the group."""
        match deed:
            case Tell(step, contact_id):
                self._tell(step, contact_id, connection, now)
            case Held(step, None):
                more = self._version.steps[step - 1]
                assert isinstance(more, MoreThan)
                wanted = f"more than {more.alerts:,} alerts began to fire within {span(more.duration)}"
                self.say(EventKind.ESCALATION_HELD, f"{self.step(step)}: until {wanted}")
            case Held(step, int(until)):
                self.say(EventKind.ESCALATION_HELD, f"{self.step(step)}: outside its hours, until {moment(until)}")
            case Repeated(step, time, times):
                self.say(EventKind.ESCALATION_REPEATED, f"{self.step(step)}: repeat {time} of {times}")
            case NoZone(step, why):
                self._miss(step, EscalationProblem.TIME_ZONE, f"{why}; taken as within the hours")
            case Ended():
                self.say(EventKind.ESCALATION_ENDED, self._version.display_name)

    def _tell(self, step: int, contact_id: int, connection: sqlite3.Connection, now: int) -> None:
        contact = self._contacts.any(contact_id)
        if contact is None or contact.deleted is not None:
            called = contact.display_name if contact is not None else f"number {contact_id}"
            self._miss(step, EscalationProblem.CONTACT_POINT, f"the contact point {called} was deleted")
        elif contact.kind is ContactKind.ON_CALL:
            self._tell_who_is_on_call(step, contact, connection, now)
        else:
            self._put(step, contact)

    def _tell_who_is_on_call(self, step: int, schedule: ContactPoint, connection: sqlite3.Connection, now: int) -> None:
        try:
            duty = on_call.now(connection, schedule, now)
        except sqlite3.Error:
            raise
        except Exception:
            # Whatever is wrong with a calendar, the steps that come after it are not.
            log.exception("nobody knows who is on call", contact_point=schedule.name)
            duty = on_call.OnDuty(problems=(f"who is on call for {schedule.display_name} could not be found out",))
        found = [self._contacts.present(contact_id) for contact_id in duty.contacts]
        people = [each for each in found if each is not None and each.kind is not ContactKind.ON_CALL]
        problems = list(duty.problems)
        if not people and not problems:
            problems.append(f"nobody is on call for {schedule.display_name}")
        for problem in problems:
            self._miss(step, EscalationProblem.ON_CALL, problem)
        for person in people:
            self._put(step, person, schedule)

    def _put(self, step: int, contact: ContactPoint, via: ContactPoint | None = None) -> None:
        if (step, contact.id) in self._told:
            return
        self._told.add((step, contact.id))
        via_id = via.id if via is not None else None
        self.messages.append(outbox.message(self._group_id, contact.id, Kind.FIRING, via_id=via_id, step=step))
        self.say(EventKind.NOTIFIED, f"{self.step(step)}: {naming(contact, via)}{self._late}")

    def _miss(self, step: int, problem: EscalationProblem, what: str) -> None:
        self.problems.append(problem)
        self.say(EventKind.ESCALATION_PROBLEM, f"{self.step(step)}: {what}")
