"""Keeps the calendars of contact points up to date, by a thread of its own that looks every 10 seconds.

Rules
- An address is read every 5 minutes, a little more or less, so that not all are at once; a file when it changes, and
  where it could not be read every 5 minutes too. Shifts are worked out anew from the copy that is held, once a day.
- The last good copy serves until there is a better one. A source that is down, and one that says nonsense, are failures
  alike: they are counted, noted on the contact point, and logged when they begin, change and end.
- A calendar is fetched and worked out without the pen, by a few threads, so that a slow source delays no other. What is
  written is rows, and only where something changed: another text, more shifts, a failure that begins, changes or ends.
  That a source still says the same, or still fails, is written down once an hour, for how old a copy may be called.
- What somebody changed meanwhile is not overwritten: the copy must be the one that was looked at, and of this source.
"""

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import structlog

from tocsind.domain.contact_point import CalendarRole, CalendarSource
from tocsind.domain.errors import Code, TocsinError
from tocsind.domain.shift import BACK
from tocsind.domain.units import HOUR, SECOND
from tocsind.engine.memory import Memory
from tocsind.engine.telling import calendars
from tocsind.engine.telling.calendars import CalendarCopy, Desk, Signature
from tocsind.ical.process import Unreadable
from tocsind.metrics import Metrics
from tocsind.sqlite import calendars as rows
from tocsind.sqlite.calendars import Held
from tocsind.sqlite.writer import Transaction
from tocsind.threads import Threads

LOOK: Final = 10 * SECOND
"""How often it looks for what is to be done."""

EVERY: Final = 300 * SECOND
"""How often an address is read, a tenth more or less."""

STAMP: Final = HOUR
"""How often it is written down when a source was last asked, while that says nothing new."""

THREADS: Final = 4

T = TypeVar("T")
P = ParamSpec("P")

_Place = tuple[int, CalendarRole]

log = structlog.get_logger()


@dataclass(slots=True)
class _Watch:
    """What is known of a source beside what is on disk. Times of the monotonic clock: `due` is when to ask it again,
    `stamp` when to write down what it says though it says nothing new, `extend` when to work out shifts further ahead
    again where that failed. `good` is the time of day when it last answered. `file` is the signature of a file when it
    was read, if it was (`seen`)."""

    source: CalendarSource
    good: int
    due: int
    stamp: int
    extend: int = 0
    file: Signature | None = None
    seen: bool = False


class Office(Desk, Protocol):
    """What the refresher needs of the engine."""

    metrics: Metrics

    def change(self, job: Callable[Concatenate[Transaction, Memory, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a job and returns its answer once it is on disk."""


class Refresher:
    """Looks after the calendars of an engine, from `start` to `stop`."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._wake = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._watches: dict[_Place, _Watch] = {}
        self._running: dict[_Place, Future[None]] = {}
        self._pool = Threads(THREADS, "calendars")
        self._thread = threading.Thread(target=self._run, name="calendars", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Begins nothing more; what is under way changes nothing more."""
        self._stopping = True
        self._wake.set()

    def join(self) -> None:
        """Waits until nothing is under way any more."""
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def look(self) -> list["Future[None]"]:
        """Begins with what is due; returns what is under way."""
        # Read with the lock: what is no longer under way has been written then.
        with self._lock:
            with self._office.store.reading() as connection:
                every = rows.every(connection)
            self._running = {place: running for place, running in self._running.items() if not running.done()}
            places = {(held.contact_id, held.role) for held in every}
            for gone in self._watches.keys() - places:
                del self._watches[gone]
            for held in every:
                place = held.contact_id, held.role
                if place not in self._running and not self._stopping and self._is_due(held, place):
                    self._running[place] = self._pool.submit(self._refresh, held, self._watches[place])
            return list(self._running.values())

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.look()
            except Exception:
                # The file cannot be read at the moment, or this is a defect: the copies serve, and it looks again.
                log.exception("the calendars could not be looked after")
            self._wake.wait(LOOK / SECOND)

    def _is_due(self, held: Held, place: _Place) -> bool:
        steady, wall = self._office.clock.steady(), self._office.clock.wall()
        watch = self._watches.get(place)
        if watch is None or watch.source != held.source:
            waited = min(max(wall - held.checked, 0), EVERY)
            due = steady + EVERY - waited
            watch = self._watches[place] = _Watch(held.source, held.read, due, steady + STAMP)
        return (
            (self._is_short(held, wall) and steady >= watch.extend)
            or (bool(held.source.url) and steady >= watch.due)
            or (bool(held.source.file) and self._file_is_due(held, watch, steady))
        )

    def _file_is_due(self, held: Held, watch: _Watch, steady: int) -> bool:
        """Whether a file has changed, or it is time to try again what could not be read."""
        found = calendars.signature(self._office.store.path.parent, held.source.file)
        if watch.seen and found is not None and found == watch.file and not held.error:
            watch.good = self._office.clock.wall()
        return not watch.seen or found != watch.file or (steady >= watch.due and (bool(held.error) or found is None))

    @staticmethod
    def _is_short(held: Held, wall: int) -> bool:
        """Whether shifts are not known far enough ahead; or from too late on, after a clock that had jumped ahead."""
        return not wall + calendars.LEAST_KNOWN <= held.until <= wall + calendars.KNOWN + BACK

    def _refresh(self, held: Held, watch: _Watch) -> None:
        try:
            self._ask(held, watch)
            # What changed is worked out from what is held now.
            with self._office.store.reading() as connection:
                present = rows.one(connection, held.contact_id, held.role)
            if present is not None and self._is_short(present, self._office.clock.wall()) and not self._stopping:
                self._extend(present, watch)
        except TocsinError as error:
            # The file cannot be written, or too much is going on: another time. Nothing is wrong with the calendar.
            watch.seen = False
            if error.code is not Code.UNAVAILABLE:
                raise
            if not self._stopping:
                log.warning("a calendar was not refreshed", error=error.message)
        except Exception:
            log.exception("a calendar was not refreshed")

    def _ask(self, held: Held, watch: _Watch) -> None:
        """Asks the source of a calendar, where it has one and that is due."""
        steady = self._office.clock.steady()
        folder = self._office.store.path.parent
        if held.source.file:
            found = calendars.signature(folder, held.source.file)
            if watch.seen and found == watch.file and steady < watch.due:
                return
            # Before it is read: what is written meanwhile is a change.
            watch.file, watch.seen = found, True
        elif not held.source.url or steady < watch.due:
            return
        watch.due = steady + EVERY + random.randint(-EVERY // 10, EVERY // 10)
        copy = None
        try:
            text = calendars.fetch(self._office.courier, folder, held.source)
            with self._office.store.reading() as connection:
                is_new = text != rows.text(connection, held.contact_id, held.role)
            if is_new:
                copy = calendars.expand(self._office.reader, text, self._office.clock.wall())
        except Unreadable as error:
            if not self._stopping:
                self._failed(held, watch, str(error))
            return
        self._answered(held, watch, copy)

    def _failed(self, held: Held, watch: _Watch, error: str) -> None:
        self._office.metrics.calendar_failures.inc()
        if error != held.error:
            log.warning(
                "a calendar cannot be read", contact_point=held.name, calendar=held.role.name.lower(), error=error
            )
        self._note(held, watch, error)

    def _answered(self, held: Held, watch: _Watch, copy: CalendarCopy | None) -> None:
        if held.error:
            log.info("a calendar can be read again", contact_point=held.name, calendar=held.role.name.lower())
        watch.good = self._office.clock.wall()
        if copy is None:
            self._note(held, watch, "")
            return
        if not self._office.change(_replace, held, copy):
            # Somebody changed it meanwhile: it is looked at anew.
            watch.seen, watch.due = False, self._office.clock.steady()
            return
        log.info("a calendar changed", contact_point=held.name, calendar=held.role.name.lower(), notes=list(copy.notes))

    def _note(self, held: Held, watch: _Watch, error: str) -> None:
        """Writes down what came of asking, where that is another than before, and else once an hour."""
        steady = self._office.clock.steady()
        if error == held.error and steady < watch.stamp:
            return
        self._office.change(_note, held, max(watch.good, held.read), error)
        watch.stamp = steady + STAMP

    def _extend(self, held: Held, watch: _Watch) -> None:
        """Works out shifts further ahead."""
        with self._office.store.reading() as connection:
            text = rows.text(connection, held.contact_id, held.role)
        if text is None or self._office.clock.steady() < watch.extend:
            return
        try:
            copy = calendars.expand(self._office.reader, text, self._office.clock.wall())
        except Unreadable as error:
            watch.extend = self._office.clock.steady() + STAMP
            self._failed(held, watch, f"shifts cannot be worked out any further: {error}")
            return
        self._office.change(_replace, held, copy, only_shifts=True)


def _is_present(transaction: Transaction, held: Held) -> bool:
    """Whether a copy is still the one that was looked at, from where it came."""
    present = rows.one(transaction.connection, held.contact_id, held.role)
    return present is not None and (present.source, present.read) == (held.source, held.read)


def _replace(
    transaction: Transaction, memory: Memory, held: Held, copy: CalendarCopy, *, only_shifts: bool = False
) -> bool:
    """Replaces a copy and its shifts; or its shifts alone, which says nothing of its source. Returns whether it was
    still the one that was looked at."""
    if not _is_present(transaction, held):
        return False
    rows.replace(
        transaction.connection,
        held.contact_id,
        held.role,
        content=copy.text,
        read=held.read if only_shifts else copy.read,
        checked=held.checked if only_shifts else copy.read,
        error=held.error if only_shifts else "",
        until=copy.until,
        shifts=copy.shifts,
    )
    return True


def _note(transaction: Transaction, memory: Memory, held: Held, read: int, error: str) -> None:
    if _is_present(transaction, held):
        rows.note(transaction.connection, held.contact_id, held.role, read=read, checked=transaction.now, error=error)
