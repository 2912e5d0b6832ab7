"""The jobs that people, tools and timers do to alert groups.

Rules
- Many groups are acted on as if each by itself, but in one transaction with few statements, so that intake is not held
  up: what is refused for one changes nothing of that one, and nothing of the others.
- When a person resolves, wipes or deletes the open group of a heartbeat that is missing, it is raised again after
  another interval.
- When a person resolves, wipes or deletes the group that collects for a maintenance, that ends.
- Acting on a group starts and stops its escalation, in the same transaction (`engine/telling/escalations.py`).
- A group that is wiped or deleted is no longer the one that notifications reach. What fires on opens a new one.
"""

from collections.abc import Sequence
from functools import partial

from tocsind.domain.access import Caller
from tocsind.domain.alert_group import (
    MAX_NOTE,
    MAX_SILENCE,
    MIN_SILENCE,
    Action,
    AlertGroup,
    ResolveReason,
    Source,
    State,
)
from tocsind.domain.errors import TocsinError, invalid, not_found
from tocsind.engine import audit, heartbeats, maintenance
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups
from tocsind.sqlite.alert_groups import GroupRow
from tocsind.sqlite.writer import Transaction


def act(
    transaction: Transaction,
    memory: Memory,
    group_id: int,
    action: Action,
    *,
    by: Caller,
    note: str,
    silence_for: int | None = None,
) -> GroupRow:
    """Does what a person or a tool asks for, and returns the group after it.

    `silence_for` is in microseconds, None for ever. TocsinError: NOT_FOUND, INVALID, FORBIDDEN_NOW.
    """
    (outcome,) = act_on_many(transaction, memory, [group_id], action, by=by, note=note, silence_for=silence_for)
    if isinstance(outcome, TocsinError):
        raise outcome
    return outcome


def act_on_many(
    transaction: Transaction,
    memory: Memory,
    group_ids: Sequence[int],
    action: Action,
    *,
    by: Caller,
    note: str,
    silence_for: int | None = None,
) -> list[GroupRow | TocsinError]:
    """Does to many groups, each given once, what `act` does to one; returns for each, in the same order, the group
    after it or why it was refused: NOT_FOUND, FORBIDDEN_NOW. Raises TocsinError (INVALID) for what is asked of all."""
    if len(note) > MAX_NOTE:
        raise invalid("note", f"must be at most {MAX_NOTE} characters")
    if silence_for is not None and not MIN_SILENCE <= silence_for <= MAX_SILENCE:
        raise invalid("duration", "must be 1 second to 366 days, or unset for ever")
    until = None if silence_for is None else transaction.now + silence_for
    ledger = Ledger(transaction, memory)
    # Read once, with what describes the groups: what is changed is changed in place.
    rows = alert_groups.several(transaction.connection, group_ids)
    refused: dict[int, TocsinError] = {}
    changes: list[tuple[str, audit.Fields, audit.Fields]] = []
    dismissed: list[int] = []
    closed: list[AlertGroup] = []
    # Those that collect for a maintenance last: what is resolved together with one was resolved, and not released.
    for group_id in sorted(group_ids, key=lambda each: each in rows and rows[each].group.source is Source.SELF):
        if group_id not in rows:
            refused[group_id] = not_found(f"alertGroups/{group_id}")
            continue
        group = rows[group_id].group
        before = audit.of_group(group)
        try:
            reason = maintenance.summary_of(transaction, memory, group, closed) if action is Action.RESOLVE else ""
            changed = ledger.act(group, action, actor=by.actor, reason=reason, note=note, silence_until=until)
        except TocsinError as refusal:
            refused[group_id] = refusal
            continue
        if changed:
            changes.append((f"alertGroups/{group_id}", before, audit.of_group(group)))
            if group.source is Source.HEARTBEAT and group.resolve_reason is ResolveReason.USER:
                dismissed.append(group.integration_id)
            if not group.is_open:
                closed.append(group)
    if changes:
        ledger.write()
        alert_groups.read_escalations(transaction.connection, rows.values())
        audit.record_all(transaction, by, changes)
    if dismissed:
        heartbeats.dismissed(transaction, memory, dismissed)
    maintenance.end_with(transaction, memory, closed, by=by)
    return [refused[i] if i in refused else rows[i] for i in group_ids]


def wipe(transaction: Transaction, memory: Memory, group_id: int, *, by: Caller) -> GroupRow:
    """Removes what a group says, and returns the shell that is left. TocsinError: NOT_FOUND."""
    ledger = Ledger(transaction, memory)
    group = ledger.group(group_id)
    was_open, before = group.is_open, audit.of_group(group)
    if ledger.wipe(group, actor=by.actor):
        ledger.write()
        audit.record(transaction, by, f"alertGroups/{group_id}", before, audit.of_group(group))
        if was_open and group.source is Source.HEARTBEAT:
            heartbeats.dismissed(transaction, memory, [group.integration_id])
        maintenance.end_with(transaction, memory, [group], by=by)
    row = alert_groups.one(transaction.connection, group_id)
    assert row is not None
    return row


def delete(transaction: Transaction, memory: Memory, group_id: int, *, by: Caller) -> None:
    """Removes a group with all that belongs to it. TocsinError: NOT_FOUND."""
    ledger = Ledger(transaction, memory)
    group = ledger.group(group_id)
    ledger.delete(group, actor=by.actor)
    ledger.write()
    audit.record(transaction, by, f"alertGroups/{group_id}", audit.of_group(group), audit.NOTHING)
    if group.is_open and group.source is Source.HEARTBEAT:
        heartbeats.dismissed(transaction, memory, [group.integration_id])
    maintenance.end_with(transaction, memory, [group], by=by)


def end_silences(transaction: Transaction, memory: Memory, group_ids: Sequence[int]) -> None:
    """Ends the silences whose timers ended."""
    ledger = Ledger(transaction, memory)
    for group_id in group_ids:
        group = alert_groups.by_id(transaction.connection, group_id)
        if group is None or group.state is not State.SILENCED or group.silence_until is None:
            continue
        if group.state_since == transaction.now:
            # Its end was moved in this very transaction: the timer that ended was that of the old one.
            transaction.after_commit(partial(memory.silence, group.id, group.silence_until))
        else:
            ledger.act(group, Action.SILENCE_END, reason="the silence ended")
    ledger.write()


def go_stale(transaction: Transaction, memory: Memory, group_ids: Sequence[int]) -> None:
    """Resolves the groups that were not heard of for too long, as the file says: the setting may have changed."""
    ledger = Ledger(transaction, memory)
    for group_id in group_ids:
        group = alert_groups.by_id(transaction.connection, group_id)
        if group is None or not group.is_open:
            continue
        integration = memory.by_id(transaction.connection, group.integration_id)
        if integration is None or not integration.stale_after:
            continue
        if group.heard + integration.stale_after <= ledger.reading:
            ledger.act(group, Action.GO_STALE, reason="not heard of for longer than stale_after")
        else:
            memory.watch_for_staleness(transaction.connection, group)
    ledger.write()
