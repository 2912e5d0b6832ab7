"""`tocsin oncall` against a fake daemon."""

import json
import time
from datetime import timedelta

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon, now

from tocsin.v1.contact_points_pb2 import Calendar, OnCall


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> object:
    """Have a time zone whose name can be looked for."""
    monkeypatch.setenv("TZ", "XYZ-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _add(daemon: FakeDaemon, id_: str, **schedule: str) -> None:
    daemon.add_contact(id_, on_call=OnCall(schedule=Calendar(**schedule)))


def test_who_is_on_call_now_comes_first(run: Run, daemon: FakeDaemon) -> None:
    """The first lines say who is on call, one for each calendar; the table has the next days, with the zone."""
    _add(daemon, "primary")
    _add(daemon, "backup")
    daemon.add_contact("anna")
    daemon.add_shift("primary", -1, 3, "Anna", "Ben", contact_points=["contactPoints/anna"], unknown_people=["Ben"])
    daemon.add_shift("primary", 2, 8, "Carla", contact_points=["contactPoints/carla"], is_override=True)
    result = run("oncall")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("On call now, by Primary: Anna, Ben until ")
    assert lines[0].endswith(" XYZ")
    assert lines[1] == "NOBODY is on call now, by Backup"
    assert lines[3].split() == ["FROM", "TO", "WHO", "BY", "NOTE"]
    assert lines[4].endswith("Primary  now; no contact point is called Ben: not told")
    assert "Carla" in lines[5]
    assert lines[5].endswith("override")
    assert lines[5].count(" XYZ ") == 2


def test_people_whom_nobody_can_tell_are_nobody(run: Run, daemon: FakeDaemon) -> None:
    """Where no contact point is called as who is on call, the first line does not read as if all were well."""
    _add(daemon, "primary")
    daemon.add_shift("primary", -1, 3, "Zoe", unknown_people=["Zoe"])
    assert run("oncall").stdout.startswith("NOBODY is on call now, by Primary: no contact point is called Zoe\n")


def test_days_and_contact_are_asked_for(run: Run, daemon: FakeDaemon) -> None:
    """--days is how far ahead, 7 by default and 62 at most; --contact is whose calendar."""
    _add(daemon, "primary")
    for options in ([], ["--days", "62", "--contact", "Primary"]):
        assert run("oncall", *options).exit_code == 0
    first, second = daemon.requests("ListShifts")
    assert (first.parent, second.parent) == ("contactPoints/-", "contactPoints/primary")
    ahead = [request.end_time.ToDatetime(now().tzinfo) - now() for request in (first, second)]
    assert timedelta(days=6, hours=23) < ahead[0] < timedelta(days=7)
    assert timedelta(days=61, hours=23) < ahead[1] < timedelta(days=62)
    assert run("oncall", "--days", "63").exit_code == 2


def test_an_old_copy_is_said_to_be_one(run: Run, daemon: FakeDaemon) -> None:
    """A calendar that cannot be read is named, with why and of when the copy is."""
    _add(daemon, "primary", error="HTTP 404")
    schedule = daemon.contacts["contactPoints/primary"].on_call.schedule
    schedule.read_time.FromDatetime(now() - timedelta(days=2, minutes=1))
    result = run("oncall")
    assert "the calendar of Primary cannot be read (HTTP 404): this is by the copy of " in result.stderr
    assert "(2d ago)" in result.stderr


def test_without_calendars_it_says_so(run: Run, daemon: FakeDaemon) -> None:
    """Where nothing is whoever is on call, that is said, and how to make it."""
    daemon.add_contact("anna")
    result = run("oncall")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no contact point is whoever is on call" in result.stderr
    assert json.loads(run("oncall", "-o", "json").stdout) == {"shifts": []}
