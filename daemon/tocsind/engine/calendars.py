"""The calendars of contact points: read before they are stored, and kept."""

from dataclasses import dataclass

from tocsind.domain.contact_point import CalendarRole, CalendarSource
from tocsind.engine.engine import Engine
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction


@dataclass(frozen=True, slots=True)
class CalendarCopy:
    """A calendar as it was read."""

    text: str


def admit(engine: Engine, field: str, source: CalendarSource, text: str) -> CalendarCopy:
    """Reads a calendar for the first time; `text` is the calendar itself where it has no source. TocsinError
    (CALENDAR_UNREADABLE, INVALID, with this field)."""
    return CalendarCopy(text)


def store(transaction: Transaction, memory: Memory, contact_id: int, role: CalendarRole, copy: CalendarCopy) -> None:
    """Stores what was read in place of what was there."""
    transaction.connection.execute(
        "INSERT OR REPLACE INTO calendars (contact_id, role, text, read_at, checked_at, error, expanded_until) "
        "VALUES (?, ?, ?, ?, ?, '', 0)",
        (contact_id, role, copy.text, transaction.now, transaction.now),
    )
