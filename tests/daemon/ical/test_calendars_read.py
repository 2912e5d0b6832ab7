"""Calendars as programs write them, each against a table worked out by hand."""

import pytest
from calendar_texts import EXPORT, GOOGLE, LAYERS, OUTLOOK, at, event, ical, said

from tocsind.ical.process import Reader, Reading

BEGIN, END = at("2026-10-01 00:00"), at("2026-12-01 00:00")

WEEKS = ("RRULE:FREQ=WEEKLY;INTERVAL=2",)

CALENDARS = {
    # Every second week by the clock in Berlin, which is set back on 25 October; the second is moved and has another
    # person, the third is taken out.
    "Google": (
        GOOGLE,
        [
            ("2026-10-05 07:00", "2026-10-12 07:00", "anna, Ben Boom"),
            ("2026-10-19 10:00", "2026-10-26 11:00", "carl"),
            ("2026-10-24 22:00", "2026-10-25 23:00", "dora"),
            ("2026-11-16 08:00", "2026-11-23 08:00", "anna, Ben Boom"),
            ("2026-11-30 08:00", "2026-12-07 08:00", "anna, Ben Boom"),
        ],
    ),
    "Outlook": (
        OUTLOOK,
        [
            ("2026-10-24 03:30", "2026-10-24 06:30", "Asha"),
            ("2026-10-24 16:00", "2026-10-25 07:00", "Jörg Müller"),
            ("2026-10-25 17:00", "2026-10-26 07:00", "Jörg Müller"),
            ("2026-10-26 17:00", "2026-10-27 07:00", "Jörg Müller"),
            ("2026-10-27 17:00", "2026-10-28 07:00", "Jörg Müller"),
            ("2026-11-01 07:00", "2026-11-01 12:00", "Liz"),
        ],
    ),
    "an export": (
        EXPORT,
        [
            ("2026-10-05 07:00", "2026-10-12 07:00", "Anna Smith"),
            ("2026-10-12 07:00", "2026-10-19 07:00", "Ben Boom"),
        ],
    ),
    "layers": (
        LAYERS,
        [
            ("2026-10-05 00:00", "2026-10-06 00:00", "carl"),
            ("2026-10-05 09:00", "2026-10-05 21:00", "anna"),
            ("2026-10-05 21:00", "2026-10-06 09:00", "ben"),
            ("2026-10-07 09:00", "2026-10-07 21:00", "anna"),
            ("2026-10-12 09:00", "2026-10-12 21:00", "anna"),
            ("2026-10-12 21:00", "2026-10-13 09:00", "ben"),
            ("2026-10-14 09:00", "2026-10-14 21:00", "anna"),
            ("2026-10-20 00:00", "2026-10-21 00:00", "carl"),
            ("2026-10-22 00:00", "2026-10-23 00:00", "carl"),
        ],
    ),
    "a rotation of two in Berlin": (
        ical(
            event(";TZID=Europe/Berlin:20261012T090000", ";TZID=Europe/Berlin:20261019T090000", "anna", *WEEKS),
            event(";TZID=Europe/Berlin:20261019T090000", ";TZID=Europe/Berlin:20261026T090000", "ben", *WEEKS),
        ),
        [
            ("2026-10-12 07:00", "2026-10-19 07:00", "anna"),
            ("2026-10-19 07:00", "2026-10-26 08:00", "ben"),
            ("2026-10-26 08:00", "2026-11-02 08:00", "anna"),
            ("2026-11-02 08:00", "2026-11-09 08:00", "ben"),
            ("2026-11-09 08:00", "2026-11-16 08:00", "anna"),
            ("2026-11-16 08:00", "2026-11-23 08:00", "ben"),
            ("2026-11-23 08:00", "2026-11-30 08:00", "anna"),
            ("2026-11-30 08:00", "2026-12-07 08:00", "ben"),
        ],
    ),
    "nights in New York, from long ago": (
        ical(
            event(
                ";TZID=America/New_York:20100101T220000",
                ";TZID=America/New_York:20100102T060000",
                "ann",
                "RRULE:FREQ=DAILY;BYDAY=SA,SU;UNTIL=20261109T000000Z",
            )
        ),
        [
            ("2026-10-04 02:00", "2026-10-04 10:00", "ann"),
            ("2026-10-05 02:00", "2026-10-05 10:00", "ann"),
            ("2026-10-11 02:00", "2026-10-11 10:00", "ann"),
            ("2026-10-12 02:00", "2026-10-12 10:00", "ann"),
            ("2026-10-18 02:00", "2026-10-18 10:00", "ann"),
            ("2026-10-19 02:00", "2026-10-19 10:00", "ann"),
            ("2026-10-25 02:00", "2026-10-25 10:00", "ann"),
            ("2026-10-26 02:00", "2026-10-26 10:00", "ann"),
            # The clock is set back at 06:00 UTC on 1 November: that night has nine hours.
            ("2026-11-01 02:00", "2026-11-01 11:00", "ann"),
            ("2026-11-02 03:00", "2026-11-02 11:00", "ann"),
            ("2026-11-08 03:00", "2026-11-08 11:00", "ann"),
        ],
    ),
    "days and times without a zone are of the calendar's": (
        ical(
            event(";VALUE=DATE:20261031", ";VALUE=DATE:20261103", "days"),
            event(
                ":20261101T090000", ":20261101T100000", "hours", "EXDATE:20261102T140000Z", "RRULE:FREQ=DAILY;COUNT=3"
            ),
            event(":20261101T090000Z", ":20261101T100000Z", "utc"),
            zone="America/New_York",
        ),
        [
            ("2026-10-31 04:00", "2026-11-03 05:00", "days"),
            ("2026-11-01 09:00", "2026-11-01 10:00", "utc"),
            ("2026-11-01 14:00", "2026-11-01 15:00", "hours"),
            ("2026-11-03 14:00", "2026-11-03 15:00", "hours"),
        ],
    ),
    "without any zone they are UTC": (
        ical(
            event(";VALUE=DATE:20261031", ";VALUE=DATE:20261101", "days"),
            event(":20261101T090000", ":20261101T100000", "a"),
        ),
        [("2026-10-31 00:00", "2026-11-01 00:00", "days"), ("2026-11-01 09:00", "2026-11-01 10:00", "a")],
    ),
    "a change to this and all that follow": (
        ical(
            event(":20261005T090000Z", ":20261005T100000Z", "a", "RRULE:FREQ=WEEKLY;COUNT=4", uid="1"),
            event(
                ":20261019T110000Z",
                ":20261019T120000Z",
                "b",
                "RECURRENCE-ID;RANGE=THISANDFUTURE:20261019T090000Z",
                uid="1",
            ),
        ),
        [
            ("2026-10-05 09:00", "2026-10-05 10:00", "a"),
            ("2026-10-12 09:00", "2026-10-12 10:00", "a"),
            ("2026-10-19 11:00", "2026-10-19 12:00", "b"),
            ("2026-10-26 11:00", "2026-10-26 12:00", "b"),
        ],
    ),
    "one instance is cancelled, and one moved without saying anew who it is": (
        ical(
            event(":20261005T090000Z", ":20261005T100000Z", "a", "RRULE:FREQ=WEEKLY;COUNT=3", uid="1"),
            event(
                ":20261005T090000Z",
                ":20261005T100000Z",
                "a",
                "RECURRENCE-ID:20261005T090000Z",
                "STATUS:CANCELLED",
                uid="1",
            ),
            "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20261012T090000Z\nDTSTART:20261013T090000Z\nDTEND:20261013T093000Z\nEND:VEVENT",
        ),
        [("2026-10-13 09:00", "2026-10-13 09:30", "a"), ("2026-10-19 09:00", "2026-10-19 10:00", "a")],
    ),
    "in an hour that the clock skips": (
        # 2026-10-04 02:00 is 03:00 in Sydney.
        ical(
            event(";TZID=Australia/Sydney:20261004T023000", ";TZID=Australia/Sydney:20261004T040000", "skip"),
            event(";TZID=Australia/Sydney:20261004T021000", ";TZID=Australia/Sydney:20261004T030500", "gone"),
        ),
        [("2026-10-03 16:30", "2026-10-03 17:00", "skip")],
    ),
    "two calendars in one, and a zone that is defined after its use": (
        ical(event(";TZID=Ours:20261101T090000", ";TZID=Ours:20261101T100000", "a"))
        + ical(
            event(";TZID=Ours:20261101T090000", ";TZID=Ours:20261101T100000", "b"),
            "BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\n"
            "END:STANDARD\nEND:VTIMEZONE",
        ),
        "line 6: the time zone 'Ours' is unknown",
    ),
    "a zone that is defined after its use": (
        ical(
            event(";TZID=Ours:20261101T090000", ";TZID=Ours:20261101T100000", "b"),
            "BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\n"
            "END:STANDARD\nEND:VTIMEZONE",
        ),
        [("2026-11-01 06:00", "2026-11-01 07:00", "b")],
    ),
}


def outcome(reader: Reader, text: str) -> "list[tuple[str, str, str]] | str":
    """What a calendar says from October to November, or why it cannot be read."""
    try:
        return said(reader.read(text, BEGIN, END).shifts)
    except Exception as error:
        return str(error)


@pytest.mark.parametrize("name", CALENDARS)
def test_calendars_of_many_programs_are_understood(reader: Reader, name: str) -> None:
    """Each shift is where its program, and its people, would say that it is."""
    text, expected = CALENDARS[name]

    assert outcome(reader, text) == expected


def test_overlapping_events_stay_apart(reader: Reader) -> None:
    """Of a long one only what is in the time that is asked for matters, and it is whole."""
    text = ical(
        event(":20200101T000000Z", ":20300101T000000Z", "long"), event(":20261101T000000Z", ":20261102T000000Z", "a")
    )

    assert outcome(reader, text) == [
        ("2020-01-01 00:00", "2030-01-01 00:00", "long"),
        ("2026-11-01 00:00", "2026-11-02 00:00", "a"),
    ]
    assert reader.read(text, at("2030-01-01 00:00"), at("2030-02-01 00:00")) == Reading(())
    assert len(reader.read(text, at("2019-01-01 00:00"), at("2020-01-01 00:00") + 1).shifts) == 1


def test_a_summary_is_names_with_commas_between(reader: Reader) -> None:
    """Nothing else in it means anything; white space does not count, and nobody is there twice."""
    summary = "On call: Anna  , ben\\,BEN ;, Zoe\u0308\u200b\\n Boom,,"
    found = reader.read(ical(event(":20261101T000000Z", ":20261102T000000Z", summary)), BEGIN, END)

    assert found.shifts[0].people == ("On call: Anna", "ben", "BEN ;", "Zo\u00eb Boom")


def test_what_means_nothing_is_passed_over_with_a_note(reader: Reader) -> None:
    """An event without a summary or without length has nobody on call; two with one UID are both used."""
    text = ical(
        event(":20261101T000000Z", ":20261102T000000Z", "  "),
        event(":20261101T000000Z", ":20261101T000000Z", "a"),
        event(":20261103T000000Z", ":20261104T000000Z", "b", uid="same"),
        event(":20261104T000000Z", ":20261105T000000Z", "c", uid="same"),
    )
    found = reader.read(text, BEGIN, END)

    assert said(found.shifts) == [
        ("2026-11-03 00:00", "2026-11-04 00:00", "b"),
        ("2026-11-04 00:00", "2026-11-05 00:00", "c"),
    ]
    assert [note.split(":")[0] for note in found.notes] == ["line 23", "line 4", "line 10"]


def test_the_later_version_of_an_event_counts(reader: Reader) -> None:
    """SEQUENCE says which of two with the same UID that is."""
    text = ical(
        event(":20261101T000000Z", ":20261102T000000Z", "new", "SEQUENCE:2", uid="1"),
        event(":20261101T000000Z", ":20261103T000000Z", "old", "SEQUENCE:1", uid="1"),
    )

    assert outcome(reader, text) == [("2026-11-01 00:00", "2026-11-02 00:00", "new")]
