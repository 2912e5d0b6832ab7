"""Calendars behind addresses that change, fail and come back: what is held of them, and what is written for it."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import pytest
from calendar_texts import always, event, ical
from fake_clock import DAY, HOUR, MINUTE, SECOND, FakeClock
from on_duty import (
    GIVEN,
    CalendarServer,
    StandInCourier,
    change_source,
    changes,
    held,
    names_on_shift,
    person,
    refresh,
    schedule,
)
from running_daemon import RunningDaemon, Start

from tocsind.domain.contact_point import CalendarSource, ContactPoint
from tocsind.engine.telling import on_call
from tocsind.ical.process import Reader

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


def metric(daemon: RunningDaemon, name: str) -> float:
    """A figure without labels."""
    lines = daemon.engine.metrics.exposition().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


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
