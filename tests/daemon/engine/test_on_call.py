"""Who is on call at a moment, by the calendars and the contact points in the file."""

import pytest
from calendar_texts import always, at, event, ical
from fake_clock import DAY
from on_duty import person, schedule
from running_daemon import RunningDaemon

from tocsind.domain.contact_point import CalendarRole, ContactPoint
from tocsind.engine.telling import calendars, on_call
from tocsind.engine.telling.on_call import OnDuty
from tocsind.sqlite import calendars as rows

NIGHTS = ical(
    event(":20260928T200000Z", ":20260929T060000Z", "anna", "RRULE:FREQ=DAILY"),
    event(":20261001T050000Z", ":20261001T070000Z", "Ben\\, anna"),
)


def duty(daemon: RunningDaemon, contact: ContactPoint, moment: str) -> OnDuty:
    """Who is on call then."""
    with daemon.engine.store.reading() as connection:
        return on_call.now(connection, contact, at(moment))


@pytest.mark.parametrize(
    ("moment", "people"),
    [
        ("2026-09-30 19:59", ()),
        ("2026-09-30 20:00", ("anna",)),
        ("2026-10-01 04:59", ("anna",)),
        ("2026-10-01 05:00", ("anna", "Ben")),
        ("2026-10-01 06:00", ("Ben", "anna")),
        ("2026-10-01 07:00", ()),
    ],
)
def test_all_whose_events_are_on_are_on_call(daemon: RunningDaemon, moment: str, people: tuple[str, ...]) -> None:
    """From the begin of an event until just before its end; nobody being on call is a problem."""
    anna, ben = person(daemon, "Anna"), person(daemon, "ben")
    primary = schedule(daemon, "primary", NIGHTS)

    found = duty(daemon, primary, moment)

    assert found.people == people
    with daemon.engine.store.reading() as connection:
        assert on_call.now(connection, primary, at("2026-09-30 20:00") - 1).people == ()
        assert on_call.now(connection, primary, at("2026-10-01 07:00") - 1).people == ("Ben", "anna")
    assert found.contacts == tuple({"anna": anna.id, "Ben": ben.id}[name] for name in people)
    assert found.problems == (() if people else ("nobody is on call for primary",))


def test_an_override_counts_where_it_has_an_event(daemon: RunningDaemon) -> None:
    """Instead of the schedule, and also where that has nobody."""
    person(daemon, "Anna")
    carl = person(daemon, "Carl")
    text = ical(event(":20260930T190000Z", ":20260930T210000Z", "carl"))
    primary = schedule(daemon, "primary", NIGHTS, overrides=text)

    assert duty(daemon, primary, "2026-09-30 18:00").people == ()
    assert duty(daemon, primary, "2026-09-30 19:00").contacts == (carl.id,)
    assert duty(daemon, primary, "2026-09-30 20:30").people == ("carl",)
    assert duty(daemon, primary, "2026-09-30 21:00").people == ("anna",)


def test_people_are_found_by_name_and_alias(daemon: RunningDaemon) -> None:
    """In any case of letters; everybody who bears it is told, once. Who bears it is decided at that moment."""
    primary = schedule(daemon, "primary", always("ANNA, Jörg, the boss"))
    mail = person(daemon, "anna")
    phone = person(daemon, "Anna's phone", "Anna", "The  Boss")
    hook = person(daemon, "other", "JÖRG", webhook=True)

    found = duty(daemon, primary, "2026-10-01 00:00")

    assert sorted(found.contacts) == [mail.id, phone.id, hook.id]
    assert found.problems == ()
    daemon.engine.change(
        lambda transaction, memory: (
            transaction.connection.execute("UPDATE contact_points SET display_name = 'Zoe' WHERE id = ?", (mail.id,))
            and None
        )
    )
    assert set(duty(daemon, primary, "2026-10-01 00:00").contacts) == {phone.id, hook.id}


def test_whom_nobody_is_called_is_a_problem(daemon: RunningDaemon) -> None:
    """The others are told. Who was deleted is nobody, and a schedule is not a person."""
    anna = person(daemon, "anna")
    gone = person(daemon, "gone")
    schedule(daemon, "second", always("anna"))
    primary = schedule(daemon, "primary", always("gone, anna, second, primary, ghost"))
    daemon.engine.change(
        lambda transaction, memory: (
            transaction.connection.execute("UPDATE contact_points SET deleted_at = 1 WHERE id = ?", (gone.id,)) and None
        )
    )

    found = duty(daemon, primary, "2026-10-01 00:00")

    assert found.contacts == (anna.id,)
    assert found.people == ("gone", "anna", "second", "primary", "ghost")
    assert found.problems == tuple(
        f"no contact point is called {name!r}, who is on call for primary"
        for name in ("gone", "second", "primary", "ghost")
    )


def test_a_calendar_whose_shifts_have_run_out_says_so(daemon: RunningDaemon) -> None:
    """It is another thing than that nobody is on call."""
    primary = schedule(daemon, "primary", ical(event(":20260930T190000Z", ":20260930T210000Z", "anna")))
    until = daemon.clock.wall() + calendars.KNOWN

    with daemon.engine.store.reading() as connection:
        late = on_call.now(connection, primary, until + DAY)

    assert late.contacts == ()
    assert late.problems[0].startswith("the calendar of primary is known only until 2026-")
    assert late.problems[1] == "nobody is on call for primary"


def test_a_contact_point_without_calendars_has_nobody(daemon: RunningDaemon) -> None:
    """Which should not be, and is a problem and nothing worse."""
    primary = schedule(daemon, "primary", always("anna"))
    for role in CalendarRole:
        daemon.engine.change(lambda transaction, _, role=role: rows.remove(transaction.connection, primary.id, role))

    assert duty(daemon, primary, "2026-10-01 00:00") == OnDuty(problems=("nobody is on call for primary",))
    assert daemon.sql("SELECT count(*) FROM shifts") == [(0,)]
    assert daemon.sql("SELECT count(*) FROM calendars") == [(0,)]


def test_overrides_alone_can_be_removed(daemon: RunningDaemon) -> None:
    """The schedule stays."""
    person(daemon, "anna")
    primary = schedule(daemon, "primary", always("anna"), overrides=always("ben"))
    overrides = CalendarRole.OVERRIDES
    daemon.engine.change(lambda transaction, _: rows.remove(transaction.connection, primary.id, overrides))

    assert duty(daemon, primary, "2026-10-01 00:00").people == ("anna",)
