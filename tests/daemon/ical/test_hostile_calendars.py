"""Calendars that are broken, or made to do harm: each is refused in a line that says what is wrong and where."""

import subprocess
import sys

import pytest
from calendar_texts import at, event, ical
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsind.domain.errors import Reason, TocsinError
from tocsind.ical.process import Reader, Unreadable

BEGIN, END = at("2026-10-01 00:00"), at("2026-12-01 00:00")
START, STOP = ":20261101T000000Z", ":20261102T000000Z"
EVENT = event(START, STOP, "a")
FOREVER = "the event takes over 1 s to work out; does a rule repeat too often?"


def broken(old: str, new: str, *more: str) -> str:
    """A good calendar with something else in it."""
    text = ical(event(START, STOP, "a", *more))
    assert old in text
    return text.replace(old, new)


CASES = {
    "nothing": ("", "line 1: must be BEGIN:VCALENDAR, and there is nothing"),
    "a page": ("<!doctype html>\n<title>Log in</title>", "line 1: must be BEGIN:VCALENDAR, not '<!doctype html>'"),
    "no end": (ical(EVENT).replace("END:VCALENDAR", ""), "line 1: VCALENDAR has no end: END:VCALENDAR is missing"),
    "half of it": (ical(EVENT)[:120], "line 4: VEVENT has no end: END:VEVENT is missing"),
    "an event in another": (
        ical(EVENT).replace("SUMMARY:a", "SUMMARY:a\nEND:VCALENDAR"),
        "line 9: must be END:VEVENT, for line 4, not 'END:VCALENDAR'",
    ),
    "a calendar in another": (ical(ical(EVENT)), "line 4: a calendar in the VCALENDAR of line 1"),
    "something after it": (ical(EVENT) + "junk", "line 11: must be BEGIN:VCALENDAR, not 'junk'"),
    "only an event": (EVENT, "line 1: must be BEGIN:VCALENDAR, not 'BEGIN:VEVENT'"),
    "a zero byte": (broken("SUMMARY:a", "SUMMARY:a\0"), "line 8: must not hold a zero byte"),
    "no start": (broken("DTSTART:20261101T000000Z\n", ""), "line 4: an event without DTSTART"),
    "two starts": (
        broken("SUMMARY:a", "DTSTART:20261101T000000Z"),
        "line 8: a second DTSTART in the event of line 4",
    ),
    "no time": (broken("DTSTART:20261101T000000Z", "DTSTART:soon"), "line 6: Expected datetime, date, or time. "),
    "the end first": (broken("DTEND:20261102", "DTEND:20261002"), "line 7: the event ends before it begins"),
    "an unknown zone": (
        broken("DTSTART:20261101T000000Z", "DTSTART;TZID=Mars/Olympus:20261101T000000"),
        "line 6: the time zone 'Mars/Olympus' is unknown",
    ),
    "an unknown zone of what is taken out": (
        broken("END:VEVENT", "EXDATE;TZID=Mars/Olympus:20261101T000000\nEND:VEVENT"),
        "line 9: the time zone 'Mars/Olympus' is unknown",
    ),
    "an unknown zone of all": (ical(EVENT, zone="Mars/Olympus"), "line 4: the time zone 'Mars/Olympus' is unknown"),
    "a zone that is a path": (
        ical(EVENT, zone="../../../etc/passwd"),
        "line 4: the time zone '../../../etc/passwd' is unknown",
    ),
    "an unknown rule": (
        broken("SUMMARY:a", "RRULE:FREQ=SOMETIMES\nSUMMARY:a"),
        "line 8: Expected frequency, got: SOMETIMES",
    ),
    "a rule that cannot be": (
        ical(event(START, STOP, "a", "RRULE:FREQ=WEEKLY;BYHOUR=29")),
        "line 9: when the event happens cannot be worked out: hour must be in 0..23",
    ),
    "a rule for exceptions": (
        ical(event(START, STOP, "a", "EXRULE:FREQ=WEEKLY")),
        "line 9: EXRULE is not supported, as it is not since RFC 5545; use EXDATE",
    ),
    "no colon": (
        broken("SUMMARY:a", "SUMMARY a"),
        "line 8: Content line could not be parsed into parts: 'SUMMARY a': ",
    ),
    "another calendar than ours": (
        broken("VERSION:2.0", "CALSCALE:MAYAN"),
        "line 2: only the Gregorian calendar can be read, not 'MAYAN'",
    ),
    "a name without end": (ical(event(START, STOP, "a" * 151)), "line 8: a name of over 150 letters: 'aaaa"),
    "very many people": (ical(event(START, STOP, ",".join(map(str, range(101))))), "line 8: over 100 people"),
    "every ten minutes": (
        ical(event(START, ":20261101T000001Z", "a", "RRULE:FREQ=MINUTELY;INTERVAL=10")),
        "line 4: over 1000 shifts in 61 days",
    ),
    "every second, for years": (
        ical(event(":20100101T000000Z", ":20100101T000001Z", "a", "RRULE:FREQ=SECONDLY")),
        f"line 4: {FOREVER}",
    ),
    "an interval of nothing": (ical(event(START, STOP, "a", "RRULE:FREQ=DAILY;INTERVAL=0")), f"line 4: {FOREVER}"),
    "rules upon rules": (
        ical(
            *(
                event(":19000101T000000Z", ":19000101T000100Z", str(n), "RRULE:FREQ=MINUTELY;BYSECOND=1")
                for n in range(99)
            )
        ),
        f"line 4: {FOREVER}",
    ),
    "the end of time": (
        ical(event(":99991231T235959Z", ":99991231T235959Z", "a", "RRULE:FREQ=DAILY", "DURATION:P999999D")),
        "",
    ),
    "a zone that is none": (
        ical(EVENT, "BEGIN:VTIMEZONE\nTZID:Ours\nEND:VTIMEZONE"),
        "line 10: the time zone cannot be read: ",
    ),
    "folded without end": ("BEGIN:VCALENDAR\n" + " x\n" * 1_000_000, "line 1: "),
    "deep": ("BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 400_000, "line 400001: X has no end: END:X is missing"),
    "4 MiB of junk": ("\x01\u20ac;:=\n" * 500_000, "line 1: must be BEGIN:VCALENDAR, not '\\x01"),
    "more than 4 MiB": ("\u20ac" * 1_400_000, "is over 4 MiB long"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_told_with_its_line(name: str) -> None:
    """In one line, and whatever it is, the process does not live on."""
    text, expected = CASES[name]
    reader = Reader(cpu_seconds=1, most=1_000)

    if not expected:
        assert reader.read(text, BEGIN, END).shifts == ()
    else:
        with pytest.raises(Unreadable) as refused:
            reader.read(text, BEGIN, END)
        assert str(refused.value).startswith(expected)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 400
    assert reader.pids() == []


def test_what_does_not_matter_may_be_broken(reader: Reader) -> None:
    """Reminders, tasks and descriptions are not looked at."""
    junk = "DESCRIPTION oops\nX-A;=:\nBEGIN:VALARM\nTRIGGER:never\nSUMMARY:b\nEND:VALARM"
    text = ical(event(START, STOP, "a", *junk.split("\n")), "BEGIN:VTODO\nDUE:\nDTSTART:x\nEND:VTODO", "GEO:::")

    (shift,) = reader.read(text, BEGIN, END).shifts

    assert shift.people == ("a",)


def test_a_large_calendar_is_read_within_the_limits() -> None:
    """4 MiB of an honest program's events take seconds."""
    padding = "DESCRIPTION:" + "x" * 90
    text = ical(*(event(START, STOP, f"p{number}", padding, uid=str(number)) for number in range(18_000)))
    assert 3_500_000 < len(text) < 4 * 1024 * 1024

    assert len(Reader().read(text, BEGIN, END).shifts) == 18_000


def test_a_reader_that_is_closed_reads_nothing_more() -> None:
    """What is under way ends at once, and it is no fault of the calendar."""
    reader = Reader()
    reader.close()

    with pytest.raises(TocsinError) as refused:
        reader.read(ical(EVENT), BEGIN, END)
    assert refused.value.reason is Reason.NOT_IN_TIME


PIECES = st.sampled_from(
    [
        *ical(event(START, STOP, "a", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261102T000000Z")).splitlines(),
        *[
            "BEGIN:VTIMEZONE",
            "END:VTIMEZONE",
            "TZID:x",
            "RRULE:FREQ=",
            "DTSTART;TZID=x:",
            "RDATE;VALUE=PERIOD:1/2",
            " ",
            "\xff",
        ],
        *[
            "RECURRENCE-ID:20261101",
            "DURATION:-P1D",
            "DTSTART;VALUE=DATE:20261101",
            "BEGIN:STANDARD",
            "SUMMARY;=:\u2028",
        ],
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_any_lines_give_shifts_or_an_error(lines: list[str]) -> None:
    """Never neither, and never a process that broke."""
    text = "\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"])
    said = "line 1: fine"
    try:
        Reader(cpu_seconds=2).read(text, BEGIN, END)
    except Unreadable as error:
        said = str(error)
    assert said.startswith("line ")


def test_the_daemon_knows_nothing_of_icalendar() -> None:
    """Whatever calendars it has read, the library is never imported there."""
    script = """
import sys
from tocsind.main import Main
from tocsind.ical.process import Reader
assert Reader().read("BEGIN:VCALENDAR\\nEND:VCALENDAR", 0, 1).shifts == ()
print([name for name in sys.modules if "ical" in name and not name.startswith("tocsind")])
print([name for name in sys.modules if "dateutil" in name])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
