"""The shifts that are known of a calendar, however much time passes, or jumps."""

from calendar_texts import always, at, event, ical
from fake_clock import DAY, SECOND, FakeClock
from on_duty import held, names_on_shift, refresh, schedule
from running_daemon import RunningDaemon

from tocsind.engine.telling.calendars import KNOWN
from tocsind.ical.process import Reader, Unreadable


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


def test_times_are_those_of_the_calendar(daemon: RunningDaemon) -> None:
    """The shifts in the file are what the calendar says."""
    schedule(daemon, "primary", ical(event(";VALUE=DATE:20261005", ";VALUE=DATE:20261006", "a"), zone="Asia/Tokyo"))

    assert daemon.sql("SELECT starts_at, ends_at, people FROM shifts") == [
        (at("2026-10-04 15:00"), at("2026-10-05 15:00"), '["a"]')
    ]
