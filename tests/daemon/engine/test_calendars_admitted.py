"""Calendars that are set: read before anything is stored, or refused with the field that is wrong."""

import os
from pathlib import Path

import pytest
from calendar_texts import always, ical
from on_duty import CalendarServer, StandInCourier
from running_daemon import RunningDaemon

from tocsind.courier.wire import Outcome
from tocsind.domain.contact_point import CalendarSource
from tocsind.domain.errors import Reason, TocsinError
from tocsind.engine.telling import calendars

FIELD = "contact_point.on_call.overrides"


@pytest.fixture
def courier(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> StandInCourier:
    """What stands in for the daemon's courier."""
    courier = StandInCourier()
    monkeypatch.setattr(daemon.engine, "courier", courier)
    return courier


def refused(daemon: RunningDaemon, source: CalendarSource, text: str = "") -> tuple[Reason, str, str]:
    """Why a calendar is refused."""
    with pytest.raises(TocsinError) as refusal:
        calendars.admit(daemon.engine, FIELD, source, text)
    return refusal.value.reason, refusal.value.field, refusal.value.message


def test_a_text_is_read_and_its_shifts_are_known(daemon: RunningDaemon) -> None:
    """Up to 64 days ahead, at the time of the clock."""
    copy = calendars.admit(daemon.engine, FIELD, CalendarSource(), always("anna"))

    assert [shift.people for shift in copy.shifts] == [("anna",)]
    assert (copy.text, copy.read) == (always("anna"), daemon.clock.wall())
    assert copy.until == daemon.clock.wall() + calendars.KNOWN


def test_what_is_none_is_refused_with_its_field(daemon: RunningDaemon) -> None:
    """And with what is wrong on which line."""
    broken = ical("BEGIN:VEVENT\nSUMMARY:a\nEND:VEVENT")

    reason, field, message = refused(daemon, CalendarSource(), broken)

    assert (reason, field) == (Reason.CALENDAR_UNREADABLE, f"{FIELD}.ical")
    assert message == f"{FIELD}.ical: line 4: an event without DTSTART"
    assert refused(daemon, CalendarSource(), " \n") == (
        Reason.INVALID_FIELD,
        f"{FIELD}.ical",
        f"{FIELD}.ical: must be a calendar",
    )
    reason, _, message = refused(daemon, CalendarSource(), always("a") + " " * (4 << 20))
    assert (reason, message) == (Reason.CALENDAR_UNREADABLE, f"{FIELD}.ical: is over 4 MiB long")


def test_an_address_is_fetched_by_the_courier(daemon: RunningDaemon, courier: StandInCourier) -> None:
    """No more than a calendar may have."""
    server = CalendarServer()
    server.texts["/a"] = "\ufeff" + always("anna")
    copy = calendars.admit(daemon.engine, FIELD, CalendarSource(url=server.url("/a")), "")
    server.close()

    assert [shift.people for shift in copy.shifts] == [("anna",)]
    (fetch,) = courier.fetched
    assert fetch.most == 4 << 20


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (404, always("anna"), "404 Not Found"),
        (302, always("anna"), "302 Found"),
        (500, "", "500 Internal Server Error"),
        (200, "<html>Please log in</html>", "line 1: must be BEGIN:VCALENDAR, not '<html>Please log in</html>'"),
        (200, "x" * (4 << 20) + "x", "is over 4 MiB long"),
        (200, "", "line 1: must be BEGIN:VCALENDAR, and there is nothing"),
    ],
)
def test_an_address_without_a_calendar_is_refused(
    daemon: RunningDaemon, courier: StandInCourier, status: int, text: str, said: str
) -> None:
    """With what it answered, and without the address: that is a secret."""
    server = CalendarServer()
    server.status, server.texts["/key"] = status, text
    reason, field, message = refused(daemon, CalendarSource(url=server.url("/key")))
    server.close()

    assert (reason, field) == (Reason.CALENDAR_UNREADABLE, f"{FIELD}.url")
    assert message == f"{FIELD}.url: {said}"


def test_what_is_not_utf_8_is_told_with_its_line(
    daemon: RunningDaemon, courier: StandInCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guess would call people what nobody is called."""
    monkeypatch.setattr(courier, "run", lambda errand: Outcome(True, "", body=b"BEGIN:VCALENDAR\r\nX:\xe4\r\n"))

    assert refused(daemon, CalendarSource(url="https://a"))[2] == f"{FIELD}.url: line 2: is not UTF-8"


def test_a_file_of_the_folder_is_read(daemon: RunningDaemon, shelf: Path) -> None:
    """Also by a link to another one there, as those who mount folders make them."""
    (shelf / "..data").mkdir()
    (shelf / "..data" / "a.ics").write_text(always("anna"))
    (shelf / "team a.ics").symlink_to("..data/a.ics")

    copy = calendars.admit(daemon.engine, FIELD, CalendarSource(file="team a.ics"), "")

    assert [shift.people for shift in copy.shifts] == [("anna",)]


@pytest.mark.parametrize("name", ["../tocsin.db", "/etc/passwd", "..", ".", ".hidden", "a\0b"])
def test_nothing_but_a_plain_name_is_read(daemon: RunningDaemon, shelf: Path, name: str) -> None:
    """Nothing leads out of the folder, also where it comes from the file with all settings."""
    assert refused(daemon, CalendarSource(file=name)) == (
        Reason.CALENDAR_UNREADABLE,
        f"{FIELD}.file",
        f"{FIELD}.file: is no plain name of a file",
    )


def test_what_is_no_file_of_the_folder_is_refused(daemon: RunningDaemon, shelf: Path) -> None:
    """A link that leads out of it, a folder, a pipe that would have us wait, what is not there, what is too long."""
    secret = daemon.folder / "secret.ics"
    secret.write_text(always("anna"))
    (shelf / "out").symlink_to("../secret.ics")
    (shelf / "loop").symlink_to("loop")
    (shelf / "folder").mkdir()
    os.mkfifo(shelf / "pipe")
    (shelf / "long").write_text("x" * (4 << 20) + "x")

    said = {
        name: refused(daemon, CalendarSource(file=name))[2].removeprefix(f"{FIELD}.file: ")
        for name in ("out", "loop", "folder", "pipe", "none", "long")
    }

    assert said == {
        "out": "leads out of the folder calendars of the daemon's data",
        "loop": "calendars/loop cannot be read: Too many levels of symbolic links",
        "folder": "is no regular file",
        "pipe": "is no regular file",
        "none": "calendars/none cannot be read: No such file or directory",
        "long": "is over 4 MiB long",
    }
