"""Who is on call when, over gRPC."""

from datetime import UTC, datetime

import grpc
import pytest
from calendar_texts import always, at, event, ical
from fake_clock import DAY, SECOND
from google.protobuf.timestamp_pb2 import Timestamp
from on_duty import person, schedule
from running_daemon import RunningDaemon, details, reason

from tocsin.v1 import contact_points_pb2, contact_points_pb2_grpc
from tocsind.rpc import shifts

WEEKS = ical(
    event(":20260914T080000Z", ":20260921T080000Z", "Anna", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
    event(":20260921T080000Z", ":20260928T080000Z", "ben, ghost", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
)
OVER = ical(event(":20260923T000000Z", ":20260924T000000Z", "carl"))


def stamp(microseconds: int) -> Timestamp:
    """A time for the contract."""
    return Timestamp(seconds=microseconds // SECOND, nanos=microseconds % SECOND * 1_000)


def ask(
    daemon: RunningDaemon, parent: str, start: int | None = None, end: int | None = None
) -> list[contact_points_pb2.Shift]:
    """The shifts that are listed."""
    stub = contact_points_pb2_grpc.ContactPointServiceStub(daemon.channel)
    request = contact_points_pb2.ListShiftsRequest(parent=parent)
    if start is not None:
        request.start_time.CopyFrom(stamp(start))
    if end is not None:
        request.end_time.CopyFrom(stamp(end))
    return list(stub.ListShifts(request).shifts)


def row(shift: contact_points_pb2.Shift) -> tuple[str, str, str, bool]:
    """A shift as tables have it."""
    times = [
        datetime.fromtimestamp(time.seconds, UTC).strftime("%m-%d %H:%M") for time in (shift.start_time, shift.end_time)
    ]
    return times[0], times[1], ", ".join(shift.people), shift.is_override


def test_the_next_days_are_listed_by_their_begin(daemon: RunningDaemon) -> None:
    """From now on for a week, with what is on now whole; what an override cuts out of the schedule is not there."""
    anna, carl = person(daemon, "anna"), person(daemon, "Carl")
    ben = [person(daemon, "Ben"), person(daemon, "Ben's phone", "BEN")]
    primary = schedule(daemon, "primary", WEEKS, overrides=OVER)

    found = ask(daemon, primary.name)

    # It is 21 September 2026, 14:13.
    assert [row(shift) for shift in found] == [
        ("09-21 08:00", "09-23 00:00", "ben, ghost", False),
        ("09-23 00:00", "09-24 00:00", "carl", True),
        ("09-24 00:00", "09-28 08:00", "ben, ghost", False),
        ("09-28 08:00", "10-05 08:00", "Anna", False),
    ]
    assert [list(shift.contact_points) for shift in found] == [
        [each.name for each in ben],
        [carl.name],
        [each.name for each in ben],
        [anna.name],
    ]
    assert [list(shift.unknown_people) for shift in found] == [["ghost"], [], ["ghost"], []]
    assert {shift.on_call for shift in found} == {primary.name}


def test_any_time_of_the_next_62_days_can_be_asked_for(daemon: RunningDaemon) -> None:
    """And the week before."""
    primary = schedule(daemon, "primary", WEEKS)
    now = daemon.clock.wall()

    assert len(ask(daemon, primary.name, end=now + 62 * DAY)) == 9
    assert [row(shift)[:3] for shift in ask(daemon, primary.name, now - 7 * DAY, now - 5 * DAY)] == [
        ("09-14 08:00", "09-21 08:00", "Anna")
    ]
    assert [
        row(shift)[:3] for shift in ask(daemon, primary.name, at("2026-11-02 08:00"), at("2026-11-02 08:00") + 1)
    ] == [("11-02 08:00", "11-09 08:00", "ben, ghost")]
    assert [row(shift)[0] for shift in ask(daemon, primary.name, at("2026-11-02 07:00"))] == [
        "10-26 08:00",
        "11-02 08:00",
    ]


def test_what_comes_later_cuts_what_is_on_now(daemon: RunningDaemon) -> None:
    """A shift ends where the next override begins, also where that is not asked for."""
    primary = schedule(daemon, "primary", WEEKS, overrides=OVER)

    found = ask(daemon, primary.name, end=daemon.clock.wall() + 1)

    assert [row(shift)[:2] for shift in found] == [("09-21 08:00", "09-23 00:00")]


def test_all_schedules_are_listed_together(daemon: RunningDaemon) -> None:
    """By the begin of each shift, whosever it is."""
    person(daemon, "anna")
    first = schedule(daemon, "first", WEEKS)
    second = schedule(daemon, "second", ical(event(":20260922T000000Z", ":20260923T000000Z", "zoe")))

    assert [shift.on_call for shift in ask(daemon, "contactPoints/-")] == [first.name, second.name, first.name]


def test_nobody_is_on_call_where_there_is_no_shift(daemon: RunningDaemon) -> None:
    """An empty answer says so."""
    assert ask(daemon, "contactPoints/-") == []
    assert ask(daemon, schedule(daemon, "empty", ical()).name) == []


def test_what_cannot_be_known_is_refused(daemon: RunningDaemon) -> None:
    """With the field: too far ahead, too long ago, no time at all, or what is not on call."""
    primary = schedule(daemon, "primary", always("anna"))
    anna = person(daemon, "anna")
    now = daemon.clock.wall()
    cases = [
        ((primary.name, None, now + 62 * DAY + 1), "end_time"),
        ((primary.name, now - 7 * DAY - 1, None), "start_time"),
        ((primary.name, now + 62 * DAY, None), "start_time"),
        ((primary.name, now + DAY, now + DAY), "end_time"),
        ((anna.name, None, None), "parent"),
        (("integrations/a", None, None), "parent"),
        (("", None, None), "parent"),
    ]
    for (parent, start, end), field in cases:
        with pytest.raises(grpc.RpcError) as refused:
            ask(daemon, parent, start, end)
        assert reason(refused.value) == "INVALID_FIELD"
        assert details(refused.value)[1].field_violations[0].field == field
    with pytest.raises(grpc.RpcError) as missing:
        ask(daemon, "contactPoints/nope")
    assert reason(missing.value) == "NOT_FOUND"


def test_an_answer_is_never_endless(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants that many asks for a shorter time."""
    monkeypatch.setattr(shifts, "MOST", 100)
    hours = ical(event(":20260921T000000Z", ":20260921T010000Z", "anna", "RRULE:FREQ=HOURLY"))
    primary = schedule(daemon, "primary", hours)

    assert len(ask(daemon, primary.name, end=daemon.clock.wall() + 2 * DAY)) == 49
    with pytest.raises(grpc.RpcError, match="over 100 shifts until then"):
        ask(daemon, primary.name)
