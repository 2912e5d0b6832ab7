"""`tocsin oncall`: who is on call now, and in the next days.

The first lines answer the question: one for each contact point that is whoever is on call. Times are those of this
machine's time zone, which is named beside each: it may change from summer to winter between two lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import click

from tocsin.v1.contact_points_pb2 import ContactPoint, ListShiftsRequest, Shift

from . import names, output
from .commands import Command, Settings, notice, pass_settings

_MOST_DAYS = 62  # as far as the daemon looks ahead
_COLUMNS = (
    output.Column("FROM"),
    output.Column("TO"),
    output.Column("WHO", folds=True),
    output.Column("BY", folds=True),
    output.Column("NOTE", folds=True),
)


@click.command("oncall", cls=Command)
@click.option(
    "--days", type=click.IntRange(1, _MOST_DAYS), default=7, help=f"How far ahead, 1 to {_MOST_DAYS} days. Default: 7."
)
@click.option(
    "--contact",
    type=names.CONTACT_POINT,
    metavar="NAME",
    help="Only by the calendar of this contact point. Default: by all calendars.",
)
@pass_settings
def oncall(settings: Settings, days: int, contact: str | None) -> None:
    """Say who is on call now, and in the next days, by the calendars of contact points."""
    now = datetime.now(UTC)
    request = ListShiftsRequest(parent=contact or "contactPoints/-")
    # Not to the second: the daemon's clock may be ahead of ours, and 62 days are all that it takes.
    request.end_time.FromDatetime(
        now + timedelta(days=days) - (timedelta(minutes=5) if days == _MOST_DAYS else timedelta())
    )
    with settings.connect() as daemon:
        response = daemon.call(daemon.contacts.ListShifts, request)
        if settings.json:
            output.print_json(response, "shifts")
            return
        there = list(names.all_contact_points(daemon))
    called = {point.name: point.display_name for point in there}
    asked = [point for point in there if point.HasField("on_call") and contact in (None, point.name)]
    if not asked:
        notice(
            "no contact point is whoever is on call: `tocsin contacts create NAME --on-call-url-file FILE` makes one"
        )
        return
    for point in asked:
        _print_now(point, [shift for shift in response.shifts if shift.on_call == point.name], now)
    click.echo()
    output.print_table(_COLUMNS, [_row(shift, called, now) for shift in response.shifts])
    _say_what_is_old(asked)


def _print_now(point: ContactPoint, shifts: Iterable[Shift], now: datetime) -> None:
    """Print who is on call now, until when, or when somebody is next."""
    running = [shift for shift in shifts if _covers(shift, now)]
    by = output.visible(point.display_name)
    if any(shift.contact_points for shift in running):
        words = [f"{_who(shift)} until {_time(shift, 'end_time')}" for shift in running]
        click.echo(f"On call now, by {by}: {output.styled(output.visible('; '.join(words)), 'bold')}")
    else:
        people = ", ".join(_who(shift) for shift in running)
        of_them = f": no contact point is called {people}" if running else ""
        click.echo(output.styled(f"NOBODY is on call now, by {by}{output.visible(of_them)}", "bold red"))


def _covers(shift: Shift, now: datetime) -> bool:
    return shift.start_time.ToDatetime(UTC) <= now < shift.end_time.ToDatetime(UTC)


def _who(shift: Shift) -> str:
    return ", ".join(shift.people)


def _row(shift: Shift, called: Mapping[str, str], now: datetime) -> Sequence[str]:
    notes = [
        "now" if _covers(shift, now) else "",
        "override" if shift.is_override else "",
        f"no contact point is called {', '.join(shift.unknown_people)}: not told" if shift.unknown_people else "",
    ]
    return [
        _time(shift, "start_time"),
        _time(shift, "end_time"),
        _who(shift),
        called.get(shift.on_call) or shift.on_call,
        "; ".join(note for note in notes if note),
    ]


def _time(shift: Shift, field: str) -> str:
    """Return a time of a shift in the local zone, to the minute, with the weekday and the zone's name."""
    when: datetime = getattr(shift, field).ToDatetime(UTC).astimezone()
    return f"{when:%a %Y-%m-%d %H:%M} {when.tzname()}"


def _say_what_is_old(asked: Iterable[ContactPoint]) -> None:
    """Say on stderr which calendars could not be read: then what is shown is what they said before."""
    for point in asked:
        for word, calendar in (
            ("calendar", point.on_call.schedule),
            ("calendar of overrides", point.on_call.overrides),
        ):
            if calendar.error:
                read = output.time_and_age(calendar, "read_time") or "an unknown time"
                why = f"the {word} of {point.display_name} cannot be read ({calendar.error})"
                notice(f"{output.visible(why)}: this is by the copy of {read}")
