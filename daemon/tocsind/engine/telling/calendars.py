"""The calendars of contact points: read from where they come from, and held as the last good copy.

Rules
- A calendar is read, and its shifts are worked out, before anything is stored: what is wrong with it is told to whoever
  sets it. Nobody has the pen meanwhile; what is done with it is rows.
- Shifts are known from a week ago until 64 days ahead; the refresher (refresher.py) moves that on before it is less
  than 63, so that the 62 days that may be asked for are always there.
- A file is a plain name in the folder `calendars` of the data: no folder in it, no hidden file, nothing that leads out
  of that folder by a link, nothing but a regular file.
- An address is a secret: no error holds it. The courier fetches it, within the networks that webhooks may reach.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from tocsind.clock import Clock
from tocsind.courier.courier import Courier
from tocsind.courier.wire import Fetch
from tocsind.domain.contact_point import CalendarRole, CalendarSource, is_plain
from tocsind.domain.errors import Reason, TocsinError, invalid
from tocsind.domain.shift import AHEAD, BACK, MOST_TEXT, Shift
from tocsind.domain.units import DAY
from tocsind.ical.process import Reader, Unreadable
from tocsind.sqlite import calendars
from tocsind.sqlite.store import Store
from tocsind.sqlite.writer import Transaction

FOLDER: Final = "calendars"
"""Where calendars that are files are, in the data folder."""

KNOWN: Final = AHEAD + 2 * DAY
"""How far ahead shifts are worked out."""

LEAST_KNOWN: Final = AHEAD + DAY
"""How far ahead they must be known, or are worked out anew."""

Signature = tuple[int, int, int, int]
"""What changes whenever a file does."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CalendarCopy:
    """A calendar that was read: its text, its shifts up to `until`, and when it was `read`, in microseconds. `notes`
    are of events in it that mean nothing."""

    text: str
    shifts: tuple[Shift, ...]
    read: int
    until: int
    notes: tuple[str, ...] = ()


class Desk(Protocol):
    """What reading a calendar needs of the engine."""

    clock: Clock
    store: Store
    courier: Courier
    reader: Reader


def admit(desk: Desk, field: str, source: CalendarSource, text: str) -> CalendarCopy:
    """Reads the calendar that a request has at `field`: the one in `text` where `source` says nowhere. What the rules
    of contact points say of a source holds already. Raises TocsinError: INVALID_FIELD where there is no text,
    CALENDAR_UNREADABLE where the calendar cannot be read, or is none."""
    kind = "url" if source.url else "file" if source.file else "ical"
    path = f"{field}.{kind}"
    if kind == "ical" and not text.strip():
        raise invalid(path, "must be a calendar")
    try:
        content = text if kind == "ical" else fetch(desk.courier, desk.store.path.parent, source)
        copy = expand(desk.reader, content, desk.clock.wall())
    except Unreadable as error:
        raise TocsinError(Reason.CALENDAR_UNREADABLE, f"{path}: {error}", field=path) from None
    if copy.notes:
        log.info("calendar read", field=path, notes=list(copy.notes))
    return copy


def fetch(courier: Courier, folder: Path, source: CalendarSource) -> str:
    """Returns what a calendar's address or file says; `folder` is the data folder. Raises Unreadable."""
    if source.url:
        outcome = courier.run(Fetch(source.url, MOST_TEXT))
        if not outcome.done:
            raise Unreadable(outcome.answer or "there was no answer")
        content = outcome.body
    else:
        content = _read_file(folder / FOLDER, source.file)
    if len(content) > MOST_TEXT:
        raise Unreadable(f"is over {MOST_TEXT >> 20} MiB long")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line}: is not UTF-8") from None


def expand(reader: Reader, text: str, now: int) -> CalendarCopy:
    """Returns a calendar with its shifts. Raises Unreadable, and TocsinError (NOT_IN_TIME)."""
    until = now + KNOWN
    found = reader.read(text, now - BACK - DAY, until)
    return CalendarCopy(text, found.shifts, now, until, found.notes)


def store(transaction: Transaction, contact_id: int, role: CalendarRole, copy: CalendarCopy) -> None:
    """Puts a copy in the place of the one that a contact point has, with its shifts."""
    calendars.replace(
        transaction.connection,
        contact_id,
        role,
        content=copy.text,
        read=copy.read,
        checked=copy.read,
        error="",
        until=copy.until,
        shifts=copy.shifts,
    )


def signature(folder: Path, name: str) -> Signature | None:
    """Returns the signature of a file, None where there is none. `folder` is the data folder."""
    try:
        found = os.stat(folder / FOLDER / name)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _read_file(folder: Path, name: str) -> bytes:
    """Reads a file of the folder with calendars."""
    if not is_plain(name):
        raise Unreadable("is no plain name of a file")
    try:
        inside = os.path.realpath(folder)
        path = os.path.realpath(os.path.join(inside, name))
        if os.path.commonpath([inside, path]) != inside:
            raise Unreadable(f"leads out of the folder {FOLDER} of the daemon's data")
        # What is no file, such as a pipe, must not have us wait.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise Unreadable("is no regular file")
            with os.fdopen(opened, "rb", closefd=False) as file:
                return file.read(MOST_TEXT + 1)
        finally:
            os.close(opened)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Unreadable(f"{FOLDER}/{name} cannot be read: {reason or 'it is no file'}") from None
