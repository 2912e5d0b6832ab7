"""Starting and stopping the escalations of groups, with the change that has them start or stop.

Rules
- A chain starts when a group has opened, fires again or anew, or is released from a maintenance, if it is firing then
  and people are to be told of it. Whatever else happens to its state stops the chain. So a row of `escalations` is
  there only for a group that is firing.
- Nobody is told of what a maintenance collects or is debugged; of a group that was demonstrated to one contact point
  nobody else is told, however often it starts anew. Of the group that collects for a maintenance nobody is told either:
  a person asked for the maintenance so that nobody is woken.
- The chain is that of the group's route, of the default route where that is gone, or the one that is the default. It is
  taken as it is now, as a version: what is changed or deleted later does not change what has started.
- Starting costs intake a row and a timer; the timeline is told with the first step (`steps.py`), at the next tick.
- With the chain, messages that say that the group fires and were not tried yet are taken back. But not where the chain
  itself resolves the group: "tell them, and resolve it" is to tell them.
- A group that fires again takes back what says that it is resolved: that is not true any more, and what says that it
  fires would wait behind it, for an hour where its receiver chokes on it.
- When a group is resolved, and its route wants that, those who were told that it fires are told so. Not where the group
  is wiped, or its integration is deleted.
- Who is told is a contact point that is still there.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from tocsind.domain.alert_group import AlertGroup, Event, EventKind, ResolveReason, Source, State
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.escalation import start
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.message import Kind, Message
from tocsind.domain.route import DEFAULT_ID
from tocsind.engine.memory import Memory
from tocsind.engine.telling import outbox
from tocsind.sqlite import contact_points, escalations
from tocsind.sqlite.writer import Transaction

_NO_LONGER = {
    State.FIRING: "its escalation starts anew",
    State.ACKNOWLEDGED: "it is acknowledged",
    State.SILENCED: "it is silenced",
    State.RESOLVED: "it is resolved",
}


def follow(
    transaction: Transaction,
    memory: Memory,
    opened: Iterable[AlertGroup],
    moved: Iterable[AlertGroup],
    gone: Collection[int],
) -> list[Event]:
    """Starts and stops what the states of groups demand that have opened or moved; `gone` are those that are deleted.
    Returns what is to be added to timelines. What groups are must be written already."""
    moved = list(moved)
    stopped = [*(group.id for group in moved), *gone]
    events: list[Event] = []
    if stopped:
        escalations.remove(transaction.connection, stopped)
        events += _take_back(transaction, memory, moved, gone)
        events += _tell_of_resolution(transaction, memory, moved)
    started = _start(transaction, memory, [*opened, *moved])
    if started or stopped:
        transaction.after_commit(partial(_set_timers, memory, started, stopped))
    return events


def naming(contact: ContactPoint, via: ContactPoint | None = None) -> str:
    """Returns how timelines name who is told."""
    return contact.display_name if via is None else f"{contact.display_name}, on call by {via.display_name}"


class Contacts:
    """The contact points that one job needs, each read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._found: dict[int, ContactPoint | None] = {}

    def any(self, contact_id: int) -> ContactPoint | None:
        """Returns a contact point, deleted or not, or None."""
        if contact_id not in self._found:
            self._found[contact_id] = contact_points.by_id(self._connection, contact_id)
        return self._found[contact_id]

    def present(self, contact_id: int) -> ContactPoint | None:
        """Returns a contact point that is not deleted, or None."""
        found = self.any(contact_id)
        return found if found is not None and found.deleted is None else None


def _start(transaction: Transaction, memory: Memory, groups: Iterable[AlertGroup]) -> Sequence[int]:
    """Starts the chains that are meant for groups; returns for which one was."""
    current: dict[int | None, int | None] = {}
    new = []
    for group in groups:
        if group.state is State.FIRING and not group.debug and group.collected_by is None:
            version_id = _meant(transaction.connection, memory, group, current)
            if version_id is not None:
                new.append(start(group.id, version_id, transaction.now))
    if new:
        escalations.store(transaction.connection, new)
    return [escalation.group_id for escalation in new]


def _meant(
    connection: sqlite3.Connection, memory: Memory, group: AlertGroup, current: dict[int | None, int | None]
) -> int | None:
    """Returns the version of the chain that is meant for a group, or None. `current`: the versions of chains that were
    looked up."""
    if group.source is Source.DEMO:
        chosen = escalations.chosen_version(connection, group.id)
        if chosen is not None:
            return chosen
    integration = memory.by_id(connection, group.integration_id)
    if integration is None or _collects(group, integration):
        return None
    chain_id, _ = _told_by(connection, memory, group, integration)
    if chain_id not in current:
        current[chain_id] = escalations.meant_version(connection, chain_id)
    return current[chain_id]


def _collects(group: AlertGroup, integration: Integration) -> bool:
    """Whether a group collects for a maintenance: what else Tocsin says of itself it says in its own integration."""
    return group.source is Source.SELF and integration.type != BUILT_IN


def _told_by(
    connection: sqlite3.Connection, memory: Memory, group: AlertGroup, integration: Integration
) -> tuple[int | None, bool]:
    """Returns the chain that a group's route names, and whether its resolution is told."""
    if group.route_id != DEFAULT_ID:
        route = memory.rulebook(connection, integration).by_id.get(group.route_id)
        if route is not None:
            return route.chain_id, route.notify_on_resolve
    return integration.chain_id, integration.notify_on_resolve


def _take_back(
    transaction: Transaction, memory: Memory, moved: Iterable[AlertGroup], gone: Collection[int]
) -> list[Event]:
    """Takes back the messages that nobody needs any more."""
    silent = set(gone)
    firing: list[int] = []
    by_reason: dict[str, list[int]] = {}
    for group in moved:
        if group.state is State.FIRING:
            firing.append(group.id)
        if group.is_wiped:
            silent.add(group.id)
        elif group.resolve_reason is not ResolveReason.ESCALATION:
            by_reason.setdefault(_NO_LONGER[group.state], []).append(group.id)
    events = [
        event
        for why, group_ids in by_reason.items()
        for event in outbox.withdraw(transaction, memory, group_ids, why)
        if event.group_id not in silent
    ]
    events += outbox.withdraw(transaction, memory, firing, "it fires again", Kind.RESOLVED)
    if silent:
        outbox.withdraw(transaction, memory, silent, "it is removed")
    return events


def _tell_of_resolution(transaction: Transaction, memory: Memory, moved: Iterable[AlertGroup]) -> list[Event]:
    """Tells those who know, or may know, that groups fire that they are resolved, where that is wanted."""
    connection = transaction.connection
    resolved: dict[int, AlertGroup] = {}
    for group in moved:
        if not group.is_open and not group.is_wiped:
            integration = memory.by_id(connection, group.integration_id)
            if integration is not None and _told_by(connection, memory, group, integration)[1]:
                resolved[group.id] = group
    if not resolved:
        return []
    by_chain = {group.id for group in resolved.values() if group.resolve_reason is ResolveReason.ESCALATION}
    told = outbox.told(transaction, list(resolved), by_chain)
    contacts = Contacts(connection)
    new: list[Message] = []
    events: list[Event] = []
    for group_id, people in told.items():
        for contact_id, via_id in people:
            contact = contacts.present(contact_id)
            if contact is not None:
                new.append(outbox.message(group_id, contact_id, Kind.RESOLVED, via_id=via_id))
                via = contacts.any(via_id) if via_id is not None else None
                reason = f"that it is resolved: {naming(contact, via)}"
                state = resolved[group_id].state
                events.append(Event(group_id, EventKind.NOTIFIED, state, reason=reason, previous=state))
    outbox.put(transaction, memory, new)
    return events


def _set_timers(memory: Memory, started: Iterable[int], stopped: Iterable[int]) -> None:
    for group_id in stopped:
        memory.forget_escalation(group_id)
    for group_id in started:
        memory.look_at_escalation(group_id)
