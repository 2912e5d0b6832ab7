"""Calendars that change, fail and come back: what is held of them, and what is written for it."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import pytest
from calendar_texts import always, at, event, ical
from fake_clock import DAY, HOUR, MINUTE, SECOND, FakeClock
from on_duty import (
    GIVEN,
    CalendarServer,
    StandInCourier,
    change_source,
    held,
    names_on_shift,
    person,
    refresh,
    schedule,
)
from running_daemon import RunningDaemon, Start

from tocsind.domain.contact_point import CalendarSource, ContactPoint
from tocsind.engine.telling import on_call
from tocsind.engine.telling.calendars import KNOWN
from tocsind.ical.process import Reader, Unreadable

SIX = 6 * MINUTE
FOREVER = ical(event(":20100101T000000Z", ":20100101T000001Z", "a", "RRULE:FREQ=SECONDLY"))
PATH = "/secret-key/basic.ics"


@pytest.fixture
def server() -> Iterator[CalendarServer]:
    """A server whose calendar has Anna on call."""
    server = CalendarServer()
    server.texts[PATH] = always("anna")
    yield server
    server.close()


@pytest.fixture(autouse=True)
def courier(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> StandInCourier:
    """What stands in for the daemon's courier."""
    courier = StandInCourier()
    monkeypatch.setattr(daemon.engine, "courier", courier)
    return courier


@pytest.fixture
def contact(daemon: RunningDaemon, server: CalendarServer) -> ContactPoint:
    """Whoever that server says."""
    return schedule(daemon, "primary", source=CalendarSource(url=server.url()))


@pytest.fixture
def shelf(daemon: RunningDaemon) -> Path:
    """The folder with calendars."""
    shelf = daemon.folder / "calendars"
    shelf.mkdir()
    return shelf


def metric(daemon: RunningDaemon, name: str) -> float:
    """A figure without labels."""
    lines = daemon.engine.metrics.exposition().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def changes(daemon: RunningDaemon) -> int:
    """How often rows were written."""
    seen: list[int] = []
    daemon.engine.change(lambda transaction, memory: seen.append(transaction.connection.total_changes))
    return seen[0]


def test_an_address_is_read_every_five_minutes(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint, courier: StandInCourier
) -> None:
    """What it says then is who is on call; before that time it is left alone."""
    server.texts[PATH] = always("ben")
    refresh(daemon)
    refresh(daemon, 4 * MINUTE)
    assert (len(courier.fetched), names_on_shift(daemon, contact)) == (1, {"anna"})

    refresh(daemon, 2 * MINUTE)
    assert names_on_shift(daemon, contact) == {"ben"}
    assert held(daemon, contact) == (daemon.clock.wall(), daemon.clock.wall(), "")
    refresh(daemon, MINUTE)
    assert len(courier.fetched) == 2


def test_nothing_is_written_where_nothing_changed(
    daemon: RunningDaemon, contact: ContactPoint, courier: StandInCourier
) -> None:
    """Until an hour has passed: then it is noted that the copy is what the source still says."""
    refresh(daemon)
    before, read = changes(daemon), held(daemon, contact)[0]
    for _ in range(9):
        refresh(daemon, SIX)
    assert (changes(daemon), held(daemon, contact)[0], len(courier.fetched)) == (before, read, 10)

    refresh(daemon, SIX)
    assert changes(daemon) == before + 1
    assert held(daemon, contact) == (read + HOUR, read + HOUR, "")


def test_the_last_good_copy_serves_while_the_source_is_down(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint
) -> None:
    """It says why and since when, is counted, and no longer once the source is back."""
    anna = person(daemon, "Anna")
    read = held(daemon, contact)[0]
    refresh(daemon, SIX)
    server.status = 503
    refresh(daemon, SIX)

    assert names_on_shift(daemon, contact) == {"anna"}
    assert held(daemon, contact) == (read + SIX, read + 2 * SIX, "503 Service Unavailable")
    assert metric(daemon, "tocsin_calendar_failures_total") == 1
    assert metric(daemon, "tocsin_calendars_failing") == 1
    assert metric(daemon, "tocsin_calendar_age_seconds") == 360
    before = changes(daemon)
    refresh(daemon, SIX)
    assert changes(daemon) == before
    assert metric(daemon, "tocsin_calendar_failures_total") == 2

    with daemon.engine.store.reading() as connection:
        soon = on_call.now(connection, contact, read + SIX + DAY)
        late = on_call.now(connection, contact, read + SIX + DAY + 1)
    assert (soon.contacts, soon.problems) == ((anna.id,), ())
    assert late.contacts == (anna.id,)
    (problem,) = late.problems
    assert problem.startswith("the calendar of primary could not be read since 2026-")
    assert problem.endswith("Z: 503 Service Unavailable")

    server.status = 200
    server.texts[PATH] = always("ben")
    refresh(daemon, SIX)
    assert (names_on_shift(daemon, contact), held(daemon, contact)[2]) == ({"ben"}, "")
    assert metric(daemon, "tocsin_calendars_failing") == 0
    assert metric(daemon, "tocsin_calendar_age_seconds") == 0


def test_it_is_back_with_what_it_said_before(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint
) -> None:
    """That ends the failure too."""
    server.status = 500
    refresh(daemon, SIX)
    assert held(daemon, contact)[2] == "500 Internal Server Error"
    server.status = 200

    refresh(daemon, SIX)

    assert held(daemon, contact) == (daemon.clock.wall(), daemon.clock.wall(), "")


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (302, always("ben"), "302 Found"),
        (200, "<html>", "line 1: must be BEGIN:VCALENDAR, not '<html>'"),
        (200, always("ben")[:-15], "line 1: VCALENDAR has no end: END:VCALENDAR is missing"),
        (200, "", "line 1: must be BEGIN:VCALENDAR, and there is nothing"),
        (200, FOREVER, "line 4: the event takes over 1 s to work out; does a rule repeat too often?"),
    ],
    ids=["redirect", "page", "half", "nothing", "forever"],
)
def test_nonsense_keeps_the_old_copy(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint, status: int, text: str, error: str
) -> None:
    """As a source that is down does; no error holds the address."""
    daemon.engine.reader = Reader(cpu_seconds=1)
    server.status, server.texts[PATH] = status, text

    refresh(daemon, SIX)

    assert (names_on_shift(daemon, contact), held(daemon, contact)[2]) == ({"anna"}, error)


def test_a_server_that_is_gone_is_a_failure(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint, start: Start
) -> None:
    """And its last good copy, with the failure, is there after a restart, and after a crash."""
    server.close()
    refresh(daemon, SIX)
    before = held(daemon, contact)
    assert before[2] == "connection refused"

    restarted = daemon.reopen()
    assert (names_on_shift(restarted, contact), held(restarted, contact)) == ({"anna"}, before)
    crashed = restarted.crash()
    assert (names_on_shift(crashed, contact), held(crashed, contact)) == ({"anna"}, before)


def test_a_slow_source_delays_no_other(daemon: RunningDaemon, server: CalendarServer) -> None:
    """Each is read by itself, and the slow one is not asked twice meanwhile."""
    server.texts["/slow"] = always("slow")
    server.hold.set()
    slow = schedule(daemon, "slow", source=CalendarSource(url=server.url("/slow")))
    other = schedule(daemon, "other", source=CalendarSource(url=server.url()))
    server.asked.acquire(timeout=10)
    server.hold.clear()
    server.texts |= {"/slow": always("slower"), PATH: always("ben")}
    daemon.clock.advance(SIX)

    first = daemon.engine.refresher.look()
    assert server.asked.acquire(timeout=10)
    if len(first) > 1:
        wait(first, return_when=FIRST_COMPLETED)
    assert names_on_shift(daemon, other) == {"ben"}
    again = daemon.engine.refresher.look()
    assert len([running for running in again if not running.done()]) == 1
    assert names_on_shift(daemon, slow) == {"slow"}
    server.hold.set()
    refresh(daemon)

    assert names_on_shift(daemon, slow) == {"slower"}


def test_a_daemon_that_stops_blames_no_source(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint
) -> None:
    """What the courier says as it ends is no failure of the calendar."""
    server.texts["/slow"] = always("anna")
    server.hold.set()
    change_source(daemon, contact, CalendarSource(url=server.url("/slow")))
    server.asked.acquire(timeout=10)
    refresh(daemon)
    server.hold.clear()
    before = held(daemon, contact)
    daemon.clock.advance(SIX)
    running = daemon.engine.refresher.look()
    assert server.asked.acquire(timeout=10)

    daemon.engine.refresher.stop()
    server.status = 500
    server.hold.set()
    wait(running)

    assert held(daemon, contact) == before
    assert daemon.engine.refresher.look() == []


def test_a_file_is_read_when_it_changes(daemon: RunningDaemon, shelf: Path) -> None:
    """Not before; where it is gone or nonsense the copy serves, until it is back."""
    file = shelf / "a.ics"
    file.write_text(always("anna"))
    contact = schedule(daemon, "primary", source=CalendarSource(file="a.ics"))
    refresh(daemon)
    before = changes(daemon)
    refresh(daemon, SIX)
    assert changes(daemon) == before

    file.write_text(always("ben"))
    refresh(daemon, 10 * SECOND)
    assert names_on_shift(daemon, contact) == {"ben"}

    file.write_text("oops")
    refresh(daemon, 10 * SECOND)
    assert names_on_shift(daemon, contact) == {"ben"}
    assert held(daemon, contact)[2] == "line 1: must be BEGIN:VCALENDAR, not 'oops'"
    file.unlink()
    refresh(daemon, 10 * SECOND)
    assert held(daemon, contact)[2] == "calendars/a.ics cannot be read: No such file or directory"
    file.write_text(always("carl"))
    refresh(daemon, 10 * SECOND)
    assert (names_on_shift(daemon, contact), held(daemon, contact)[2]) == ({"carl"}, "")


def test_a_file_that_is_replaced_by_a_link_out_of_the_folder_is_not_read(daemon: RunningDaemon, shelf: Path) -> None:
    """What holds when it is set holds ever after."""
    (shelf / "a.ics").write_text(always("anna"))
    contact = schedule(daemon, "primary", source=CalendarSource(file="a.ics"))
    (daemon.folder / "b.ics").write_text(always("ben"))
    (shelf / "a.ics").unlink()
    (shelf / "a.ics").symlink_to("../b.ics")

    refresh(daemon, 10 * SECOND)

    assert names_on_shift(daemon, contact) == {"anna"}
    assert held(daemon, contact)[2] == "leads out of the folder calendars of the daemon's data"


def test_a_file_that_fails_was_good_until_then(daemon: RunningDaemon, shelf: Path) -> None:
    """Since when a calendar cannot be read is when it was last seen, not when it last changed."""
    (shelf / "a.ics").write_text(always("anna"))
    contact = schedule(daemon, "primary", source=CalendarSource(file="a.ics"))
    refresh(daemon)
    refresh(daemon, 12 * HOUR)
    seen = daemon.clock.wall()
    shutil.rmtree(shelf)
    refresh(daemon, 10 * SECOND)

    assert held(daemon, contact)[:2] == (seen, daemon.clock.wall())


def test_a_file_that_is_not_readable_for_a_while_is_read_again(
    daemon: RunningDaemon, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that has nothing to do with its content passes too."""
    (shelf / "a.ics").write_text(always("anna"))
    contact = schedule(daemon, "primary", source=CalendarSource(file="a.ics"))
    refresh(daemon)
    (shelf / "a.ics").write_text(always("ben"))
    with monkeypatch.context() as patched:

        def fail(*args: object, **more: object) -> int:
            raise PermissionError(13, "Permission denied")

        patched.setattr(os, "open", fail)
        refresh(daemon, 10 * SECOND)
    assert held(daemon, contact)[2] == "calendars/a.ics cannot be read: Permission denied"

    refresh(daemon, SIX)

    assert (names_on_shift(daemon, contact), held(daemon, contact)[2]) == ({"ben"}, "")


def test_shifts_are_known_for_62_days_at_any_time(daemon: RunningDaemon, clock: FakeClock) -> None:
    """They are worked out anew from the copy every day, also where that is all there is; what is long past goes."""
    nights = ical(event(":20260901T200000Z", ":20260902T060000Z", "anna", "RRULE:FREQ=DAILY"))
    contact = schedule(daemon, "primary", nights)
    read = held(daemon, contact)
    span = "SELECT min(ends_at), max(starts_at), count(*) FROM shifts"

    ((_, _, count),) = daemon.sql(span)
    for _ in range(16):
        refresh(daemon, 5 * DAY)
        ((first, last, number),) = daemon.sql(span)
        assert last >= clock.wall() + 62 * DAY
        assert clock.wall() - 8 * DAY - DAY <= first <= clock.wall() - 6 * DAY
        assert abs(number - count) <= 1
    assert held(daemon, contact) == read


def test_a_long_time_out_is_made_up_for_at_the_start(daemon: RunningDaemon) -> None:
    """Without anybody asking."""
    contact = schedule(
        daemon, "primary", ical(event(":20260901T200000Z", ":20260902T060000Z", "anna", "RRULE:FREQ=DAILY"))
    )

    later = daemon.reopen(downtime=400 * DAY)
    refresh(later)

    ((last,),) = later.sql("SELECT max(starts_at) FROM shifts")
    assert last >= later.clock.wall() + 62 * DAY
    assert names_on_shift(later, contact) == {"anna"}


def test_a_clock_that_had_jumped_ahead_does_no_harm_for_long(daemon: RunningDaemon, clock: FakeClock) -> None:
    """Once it is set right, shifts are known for these days again."""
    contact = schedule(
        daemon, "primary", ical(event(":20260901T200000Z", ":20260902T060000Z", "anna", "RRULE:FREQ=DAILY"))
    )
    clock.jump(1_000 * DAY)
    refresh(daemon, 10 * SECOND)
    clock.jump(-1_000 * DAY)
    refresh(daemon, 10 * SECOND)

    ((until,),) = daemon.sql("SELECT expanded_until FROM calendars WHERE contact_id = ?", contact.id)
    assert until == clock.wall() + KNOWN


def test_shifts_that_cannot_be_worked_out_further_are_a_failure(daemon: RunningDaemon) -> None:
    """Those that are known serve; it is not tried again and again."""
    contact = schedule(daemon, "primary", always("anna"))
    tries = []

    class Failing(Reader):
        def read(self, text: str, begin: int, end: int) -> object:  # type: ignore[override]  # it never returns
            tries.append(text)
            raise Unreadable("too many")

    daemon.engine.reader = Failing()
    for _ in range(5):
        refresh(daemon, 2 * DAY if not tries else 10 * SECOND)

    assert len(tries) == 1
    assert names_on_shift(daemon, contact) == {"anna"}
    assert held(daemon, contact)[2] == "shifts cannot be worked out any further: too many"


def test_what_was_changed_meanwhile_is_not_overwritten(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint, courier: StandInCourier, clock: FakeClock
) -> None:
    """What comes late of the source before is dropped; the new one is read by its own time."""
    server.texts |= {"/slow": always("late"), PATH: always("anna")}
    server.hold.set()
    change_source(daemon, contact, CalendarSource(url=server.url("/slow")))
    server.asked.acquire(timeout=10)
    refresh(daemon)
    server.texts["/slow"] = always("too late")
    server.hold.clear()
    clock.advance(SIX)
    running = daemon.engine.refresher.look()
    assert server.asked.acquire(timeout=10)

    change_source(daemon, contact, GIVEN, always("carl"))
    server.hold.set()
    refresh(daemon)

    assert all(each.done() for each in running)
    assert names_on_shift(daemon, contact) == {"carl"}
    asked = len(courier.fetched)
    refresh(daemon, SIX)
    assert len(courier.fetched) == asked


def test_another_source_is_looked_after_from_the_start(
    daemon: RunningDaemon, contact: ContactPoint, shelf: Path, courier: StandInCourier
) -> None:
    """An address that becomes a file is read when that changes, and no longer fetched."""
    refresh(daemon)
    (shelf / "a.ics").write_text(always("ben"))
    change_source(daemon, contact, CalendarSource(file="a.ics"))
    assert names_on_shift(daemon, contact) == {"ben"}
    asked = len(courier.fetched)
    refresh(daemon, SIX)

    (shelf / "a.ics").write_text(always("carl"))
    refresh(daemon, 10 * SECOND)

    assert names_on_shift(daemon, contact) == {"carl"}
    assert len(courier.fetched) == asked


@pytest.mark.parametrize("path", [PATH, "/other"])
def test_a_source_that_is_set_anew_has_a_clean_slate(
    daemon: RunningDaemon, server: CalendarServer, contact: ContactPoint, path: str
) -> None:
    """Its next failure is noted, whatever was wrong before, and it was good until it was set."""
    server.texts["/other"] = always("ben")
    server.status = 500
    refresh(daemon, SIX)
    server.status = 200
    daemon.clock.advance(MINUTE)
    change_source(daemon, contact, CalendarSource(url=server.url(path)))
    assert held(daemon, contact) == (daemon.clock.wall(), daemon.clock.wall(), "")
    read = daemon.clock.wall()

    server.status = 500
    refresh(daemon, SIX)

    assert held(daemon, contact) == (read, daemon.clock.wall(), "500 Internal Server Error")


def test_a_contact_point_that_is_deleted_is_left_alone(
    daemon: RunningDaemon, contact: ContactPoint, courier: StandInCourier
) -> None:
    """Its source is not asked any more."""
    daemon.engine.change(
        lambda transaction, memory: transaction.connection.execute("UPDATE contact_points SET deleted_at = 1") and None
    )
    asked = len(courier.fetched)
    refresh(daemon, SIX)

    assert len(courier.fetched) == asked


def test_times_are_those_of_the_calendar(daemon: RunningDaemon) -> None:
    """The shifts in the file are what the calendar says."""
    schedule(daemon, "primary", ical(event(";VALUE=DATE:20261005", ";VALUE=DATE:20261006", "a"), zone="Asia/Tokyo"))

    assert daemon.sql("SELECT starts_at, ends_at, people FROM shifts") == [
        (at("2026-10-04 15:00"), at("2026-10-05 15:00"), '["a"]')
    ]
