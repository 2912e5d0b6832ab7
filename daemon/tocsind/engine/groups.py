"""The jobs that people, tools and timers do to alert groups."""

from collections.abc import Sequence
from functools import partial

from tocsind.domain.access import Caller
from tocsind.domain.alert_group import Action, ResolveReason, Source, State
from tocsind.domain.errors import invalid
from tocsind.engine import audit, heartbeats
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups
from tocsind.sqlite.alert_groups import GroupRow
from tocsind.sqlite.writer import Transaction

MAX_NOTE = 3_000
MIN_SILENCE = 1_000_000
MAX_SILENCE = 366 * 86_400 * 1_000_000


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
    if len(note) > MAX_NOTE:
        raise invalid("note", f"must be at most {MAX_NOTE} characters")
    if silence_for is not None and not MIN_SILENCE <= silence_for <= MAX_SILENCE:
        raise invalid("duration", "must be 1 second to 366 days, or unset for ever")
    ledger = Ledger(transaction, memory)
    group = ledger.group(group_id)
    before = audit.of_group(group)
    until = None if silence_for is None else transaction.now + silence_for
    if ledger.act(group, action, actor=by.actor, note=note, silence_until=until):
        ledger.write()
        audit.record(transaction, by, f"alertGroups/{group_id}", before, audit.of_group(group))
        if group.source is Source.HEARTBEAT and group.resolve_reason is ResolveReason.USER:
            heartbeats.dismissed(transaction, memory, group.integration_id)
    row = alert_groups.one(transaction.connection, group_id)
    assert row is not None
    return row


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
