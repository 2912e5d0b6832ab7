"""The jobs of notes: writing, changing and removing them.

What was written is in the audit log by its length only, as it is to be gone when the note is.
"""

from dataclasses import replace

from tocsind.domain import alert_group
from tocsind.domain import note as rules
from tocsind.domain.access import Caller
from tocsind.domain.alert_group import AlertGroup, EventKind
from tocsind.domain.errors import not_found
from tocsind.domain.note import Note
from tocsind.engine import audit
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups, events, notes
from tocsind.sqlite.writer import Transaction


def create(transaction: Transaction, memory: Memory, group_id: int, text: str, *, by: Caller) -> Note:
    """Writes a note about a group. TocsinError: INVALID, NOT_FOUND, FORBIDDEN_NOW (it was wiped)."""
    rules.check(text)
    group = _group(transaction, group_id)
    if group.is_wiped:
        raise alert_group.wiped(group)
    new = notes.insert(transaction.connection, group_id, text, by.actor, transaction.now)
    _tell(transaction, EventKind.NOTE_ADDED, new, group, by)
    audit.record(transaction, by, new.name, audit.NOTHING, _audited(new))
    return new


def update(transaction: Transaction, memory: Memory, group_id: int, note_id: int, text: str, *, by: Caller) -> Note:
    """Changes the text of a note; the same text again changes nothing. TocsinError: INVALID, NOT_FOUND, FORBIDDEN_NOW
    (its group was wiped)."""
    rules.check(text)
    group = _group(transaction, group_id)
    if group.is_wiped:
        raise alert_group.wiped(group)
    before = _note(transaction, group, note_id)
    if text == before.text:
        return before
    changed = replace(before, text=text, updated=transaction.now)
    notes.update(transaction.connection, changed)
    _tell(transaction, EventKind.NOTE_CHANGED, changed, group, by)
    # The lengths may be the same, and yet it was changed.
    audit.record(transaction, by, changed.name, _audited(before), {**_audited(changed), "text_changed": True})
    return changed


def delete(transaction: Transaction, memory: Memory, group_id: int, note_id: int, *, by: Caller) -> None:
    """Removes a note, and its texts from the timeline. TocsinError: NOT_FOUND."""
    group = _group(transaction, group_id)
    gone = _note(transaction, group, note_id)
    notes.delete(transaction.connection, gone)
    _tell(transaction, EventKind.NOTE_DELETED, gone, group, by)
    audit.record(transaction, by, gone.name, _audited(gone), audit.NOTHING)


def _group(transaction: Transaction, group_id: int) -> AlertGroup:
    found = alert_groups.by_id(transaction.connection, group_id)
    if found is None:
        raise not_found(f"alertGroups/{group_id}")
    return found


def _note(transaction: Transaction, group: AlertGroup, note_id: int) -> Note:
    found = notes.one(transaction.connection, group.id, note_id)
    if found is None:
        raise not_found(f"alertGroups/{group.id}/notes/{note_id}")
    return found


def _tell(transaction: Transaction, kind: EventKind, note: Note, group: AlertGroup, by: Caller) -> None:
    events.insert(transaction.connection, [rules.event(kind, note, group, by.actor)], transaction.now)
    transaction.events_written = True


def _audited(note: Note) -> audit.Fields:
    return {"text_length": len(note.text)}
