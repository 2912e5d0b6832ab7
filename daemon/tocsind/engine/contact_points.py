"""The jobs of contact points: creating, changing and deleting them.

What needs a look outside (an address that apprise is to know, a calendar, a certificate, a template) was looked at
before, by `rpc/contact_points.py`: a job never waits for anything. So it takes a contact point as a whole, and makes a
change only where nobody else made one since that look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from tocsind.domain import contact_point as rules
from tocsind.domain import etag as etags
from tocsind.domain.access import Caller
from tocsind.domain.contact_point import MOST_CONTACT_POINTS, CalendarRole, CalendarSource, ContactPoint, OnCall
from tocsind.domain.errors import Reason, TocsinError, name_taken, not_found
from tocsind.domain.identity import new_public_id
from tocsind.domain.wording import some
from tocsind.engine import audit
from tocsind.engine.memory import Memory
from tocsind.engine.telling import calendars, outbox
from tocsind.engine.telling.calendars import CalendarCopy
from tocsind.sqlite import calendars as calendar_rows
from tocsind.sqlite import contact_points
from tocsind.sqlite.writer import Transaction

_SHOWN = 3
"""How many chains a refusal names."""

Copies = Mapping[CalendarRole, CalendarCopy]


@dataclass(frozen=True, slots=True)
class Shown:
    """A contact point as it is in the file, and how its calendars stand."""

    contact: ContactPoint
    calendars: Mapping[CalendarRole, calendar_rows.State]


def create(transaction: Transaction, memory: Memory, wanted: ContactPoint, copies: Copies, *, by: Caller) -> Shown:
    """Creates a contact point with a new id. `copies` are its calendars. TocsinError: EXISTS, FORBIDDEN_NOW."""
    connection = transaction.connection
    _refuse_taken_name(transaction, wanted)
    if contact_points.count(connection) >= MOST_CONTACT_POINTS:
        message = f"there are {MOST_CONTACT_POINTS:,} contact points already, and there cannot be more"
        raise TocsinError(
            Reason.TOO_MANY_CONTACT_POINTS, message, resource="contactPoints", most=str(MOST_CONTACT_POINTS)
        )
    new = replace(wanted, public_id=new_public_id(), created=transaction.now, updated=transaction.now)
    new.id = contact_points.insert(connection, new)
    _store(transaction, new.id, copies)
    audit.record(transaction, by, new.name, audit.NOTHING, audit.of_contact_point(new))
    memory.forget()
    return _shown(transaction, new)


def update(
    transaction: Transaction,
    memory: Memory,
    before: ContactPoint,
    wanted: ContactPoint,
    copies: Copies,
    *,
    by: Caller,
) -> Shown:
    """Makes of `before` what is wanted, unless it was changed meanwhile. `copies` are the calendars that were read for
    it. TocsinError: NOT_FOUND, EXISTS, ABORTED."""
    connection = transaction.connection
    current = contact_points.by_public_id(connection, before.public_id)
    if current is None:
        raise not_found(before.name)
    etags.check(before.etag, current.etag, before.name)
    _refuse_taken_name(transaction, wanted)
    # What is read from an address or a file says something else now and then: that is no change of ours.
    given = [role for role, source in _calendars(wanted).items() if source.is_text and role in copies]
    said = {
        f"on_call.{role.name.lower()}_changed": True
        for role in given
        if copies[role].text != calendar_rows.text(connection, current.id, role)
    }
    _store(transaction, current.id, copies)
    if wanted == current and not said:
        return _shown(transaction, current)
    after = rules.changed(current, wanted, transaction.now)
    contact_points.update(connection, after)
    _remove_unnamed(transaction, after)
    differs = {**said, **audit.of_secrets(current, after)}
    audit.record(
        transaction, by, after.name, audit.of_contact_point(current), {**audit.of_contact_point(after), **differs}
    )
    if after.settings != current.settings:
        # What waits because the old way failed is not to wait out its time: most often that was why it was changed.
        transaction.after_commit(partial(memory.outbox.hasten, memory.outbox.to(after.id)))
    memory.forget()
    return _shown(transaction, after)


def delete(
    transaction: Transaction, memory: Memory, public_id: str, etag: str = "", *, force: bool, by: Caller
) -> None:
    """Deletes a contact point with all its secrets, and takes back what waits to be sent to it. With `force` also where
    chains name it. TocsinError: NOT_FOUND, ABORTED, FORBIDDEN_NOW."""
    gone = contact_points.by_public_id(transaction.connection, public_id)
    if gone is None:
        raise not_found(f"contactPoints/{public_id}")
    etags.check(etag, gone.etag, gone.name)
    if not force:
        _refuse_used(transaction, gone)
    contact_points.delete(transaction.connection, gone, transaction.now)
    outbox.withdraw_to(transaction, memory, gone.id)
    audit.record(transaction, by, gone.name, audit.of_contact_point(gone), audit.NOTHING)
    memory.forget()


def _refuse_taken_name(transaction: Transaction, wanted: ContactPoint) -> None:
    other = contact_points.by_display_name(transaction.connection, wanted.display_name)
    if other is not None and other.public_id != wanted.public_id:
        raise name_taken(other.name, wanted.display_name, "contact_point.display_name")


def _refuse_used(transaction: Transaction, gone: ContactPoint) -> None:
    chains = contact_points.chains_naming(transaction.connection, gone.id)
    if chains:
        named = some([f"{display_name!r} ({name})" for name, display_name in chains], _SHOWN)
        message = f"{gone.name} is told by the escalation chains {named}"
        raise TocsinError(Reason.IN_USE, message, resource=gone.name)


def _store(transaction: Transaction, contact_id: int, copies: Copies) -> None:
    for role, copy in copies.items():
        calendars.store(transaction, contact_id, role, copy)


def _remove_unnamed(transaction: Transaction, contact: ContactPoint) -> None:
    """Removes the calendars that a contact point has no more."""
    for role in set(CalendarRole) - set(_calendars(contact)):
        calendar_rows.remove(transaction.connection, contact.id, role)


def _calendars(contact: ContactPoint) -> Mapping[CalendarRole, CalendarSource]:
    return contact.settings.calendars if isinstance(contact.settings, OnCall) else {}


def _shown(transaction: Transaction, contact: ContactPoint) -> Shown:
    return Shown(contact, calendar_rows.of_contact(transaction.connection, contact.id))
