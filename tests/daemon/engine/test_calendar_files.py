"""Calendars in files that change, fail and come back: what is held of them."""

import os
import shutil
from pathlib import Path

import pytest
from calendar_texts import always
from fake_clock import HOUR, MINUTE, SECOND
from on_duty import changes, held, names_on_shift, refresh, schedule
from running_daemon import RunningDaemon

from tocsind.domain.contact_point import CalendarSource

SIX = 6 * MINUTE


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
