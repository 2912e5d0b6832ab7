"""The filter of alert groups."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsind.domain.alert_group import OPEN_STATES, Source, State
from tocsind.domain.errors import Code, TocsinError
from tocsind.domain.group_filter import GroupFilter, LabelCondition, LabelTest
from tocsind.domain.span import Span
from tocsind.rpc.group_filter import parse

NOON = 1_793_534_400_000_000
"""2026-11-01T12:00:00Z"""


def label(name: str, test: LabelTest, value: str = "") -> dict[str, Any]:
    """A filter's one condition of a label."""
    return {"labels": (LabelCondition(name, test, value),)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ("state = FIRING", {"states": (State.FIRING,)}),
        ("state=FIRING", {"states": (State.FIRING,)}),
        (' state = "FIRING" ', {"states": (State.FIRING,)}),
        ("state != RESOLVED", {"states": OPEN_STATES}),
        ("state != RESOLVED AND state != FIRING", {"states": (State.ACKNOWLEDGED, State.SILENCED)}),
        ("state = FIRING AND state = RESOLVED", {"states": ()}),
        ('integration = "integrations/abc"', {"integration": "abc"}),
        ("integration=integrations/abc", {"integration": "abc"}),
        ("state = FIRING AND integration = integrations/abc", {"states": (State.FIRING,), "integration": "abc"}),
        ("integration = integrations/abc AND integration = integrations/abc", {"integration": "abc"}),
        ("integration = integrations/abc AND integration = integrations/x", {"states": (), "integration": "x"}),
        ('route = "integrations/abc/routes/default"', {"integration": "abc", "route": "default"}),
        ("route=integrations/abc/routes/r1 AND integration=integrations/abc", {"integration": "abc", "route": "r1"}),
        (
            "route=integrations/abc/routes/default AND integration=integrations/x",
            {"states": (), "integration": "x", "route": "default"},
        ),
        (
            "route=integrations/abc/routes/r1 AND route=integrations/abc/routes/r2",
            {"states": (), "integration": "abc", "route": "r2"},
        ),
        ("source = HEARTBEAT", {"source": Source.HEARTBEAT}),
        ("source = SELF AND source = SELF", {"source": Source.SELF}),
        ("source = SELF AND source = HEARTBEAT", {"source": Source.HEARTBEAT, "states": ()}),
        ("collected = true", {"collected": True}),
        ("collected = false AND collected = false", {"collected": False}),
        ("collected = false AND collected = true", {"collected": True, "states": ()}),
        ('title : "Disk Füll"', {"titles": ("disk füll",)}),
        ("title:b AND title:A", {"titles": ("a", "b")}),
        ('title:"ÄÖ"', {"titles": ("ÄÖ",)}),
        ('labels.severity = "critical"', label("severity", LabelTest.EQUAL, "critical")),
        ("labels.severity=critical", label("severity", LabelTest.EQUAL, "critical")),
        ('labels.severity != ""', label("severity", LabelTest.DIFFERENT)),
        ("labels:severity", label("severity", LabelTest.PRESENT)),
        ('labels : "some.key"', label("some.key", LabelTest.PRESENT)),
        ('labels."some.key" = "a b"', label("some.key", LabelTest.EQUAL, "a b")),
        (r'labels."say \"hi\"" = "back\\slash"', label('say "hi"', LabelTest.EQUAL, "back\\slash")),
        ('labels.state = "AND"', label("state", LabelTest.EQUAL, "AND")),
        ("labels.url = http://x/y:80", label("url", LabelTest.EQUAL, "http://x/y:80")),
        (
            "labels.b = 2 AND labels.a = 1 AND labels.b = 2",
            {"labels": (LabelCondition("a", LabelTest.EQUAL, "1"), LabelCondition("b", LabelTest.EQUAL, "2"))},
        ),
        ('create_time >= "2026-11-01T12:00:00Z"', {"created": Span(first=NOON)}),
        ('create_time > "2026-11-01T12:00:00Z"', {"created": Span(first=NOON + 1)}),
        ('create_time <= "2026-11-01T12:00:00Z"', {"created": Span(last=NOON)}),
        ("create_time<2026-11-01T12:00:00Z", {"created": Span(last=NOON - 1)}),
        ('create_time >= "2026-11-01T12:00:00.000000001Z"', {"created": Span(first=NOON + 1)}),
        ('create_time > "2026-11-01T12:00:00.000000001Z"', {"created": Span(first=NOON + 1)}),
        ('create_time < "2026-11-01T12:00:00.000000001Z"', {"created": Span(last=NOON)}),
        ('create_time <= "2026-11-01T12:00:00.0000019Z"', {"created": Span(last=NOON + 1)}),
        ('resolve_time >= "2026-11-01T13:30:00.5+01:30"', {"resolved": Span(first=NOON + 500_000)}),
        ('resolve_time < "2026-11-01t07:00:00-05:00"', {"resolved": Span(last=NOON - 1)}),
        (
            'last_notification_time > "1969-12-31T23:59:59Z" AND last_notification_time <= "1970-01-01T00:00:00z"',
            {"notified": Span(-999_999, 0)},
        ),
    ],
)
def test_what_a_filter_means(text: str, expected: dict[str, Any]) -> None:
    """Comparisons joined by AND narrow what is wanted; contradictions want nothing."""
    assert parse(text) == GroupFilter(**expected)


def test_limits_are_within_what_is_read() -> None:
    """20 comparisons and 2,000 characters are read."""
    assert len(parse(" AND ".join(f"labels:l{n}" for n in range(20))).labels) == 20
    assert parse("state = FIRING".ljust(2_000)).states == (State.FIRING,)


TIME = "must be a time such as"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sate = FIRING", "at character 1, 'sate': is not a field; state, integration"),
        ("state = FIRING AND a.b.c = d", "at character 20, 'a.b.c': is not a field"),
        ("state.x = FIRING", "at character 1, 'state.x': is not a field"),
        ("state = firing", "at character 9, 'firing': is not a state; FIRING, ACKNOWLEDGED"),
        ("state FIRING", "at character 7, 'FIRING': an operator expected"),
        ("state", "at the end of 'state': an operator expected"),
        ("state =", "at the end of 'state =': a value expected"),
        ("state = FIRING OR state = RESOLVED", "at character 16, 'OR': AND expected"),
        ("state = FIRING and state = RESOLVED", "at character 16, 'and': AND expected"),
        ("state = FIRING state = RESOLVED", "at character 16, 'state': AND expected"),
        ("state = FIRING )", "at character 16, ')': AND expected"),
        ("state = FIRING AND", "at the end of 'state = FIRING AND': another comparison"),
        ("state = AND state = FIRING", "at character 9, 'AND': a value expected, in double quotes"),
        ("(state = FIRING)", "at character 1, '(state': a field expected"),
        ("NOT state = FIRING", "at character 1, 'NOT': a field expected (NOT and - are not"),
        ("-state = FIRING", "at character 1, '-state': a field expected (NOT and - are not"),
        ("= FIRING", "at character 1, '=': a field expected"),
        ("labels. = FIRING", "at character 8"),
        ("collected = yes", "at character 13, 'yes': must be true or false"),
        ("collected != true", "at character 11, '!=': cannot compare so"),
        ("state > FIRING", "at character 7, '>': cannot compare so; state takes = and !="),
        ("state == FIRING", "at character 8, '=': a value expected"),
        ("state : FIRING", "at character 7, ':': cannot compare so"),
        ("state = 'FIRING'", "at character 9, \"'FIRING'\": a value expected, in double quotes"),
        ("integration != integrations/abc", "at character 13, '!=': cannot compare so; integration takes ="),
        ("integration = abc", "at character 15, 'abc': must be of the form integrations/{id}"),
        ('integration = "integrations/a/b"', "at character 15, 'integrations/a/b': must be of the form"),
        ("route = integrations/a/routes/", "at character 9, 'integrations/a/routes/': must be of the form"),
        ("route = a/routes/default", "at character 9, 'a/routes/default': must be of the form"),
        ("route != integrations/a/routes/default", "at character 7, '!=': cannot compare so"),
        ("source = MARS", "at character 10, 'MARS': is not a source; ALERTMANAGER, HEARTBEAT, SELF, DEMO are"),
        ("source != SELF", "at character 8, '!=': cannot compare so"),
        ("title = x", "at character 7, '=': cannot compare so; title takes :"),
        ("labels = x", "at character 8, '=': which label?"),
        ("labels.a > x", "at character 10, '>': cannot compare so; labels takes = and !="),
        (
            "labels.a : x",
            "at character 10, ':': cannot compare so; labels.NAME takes = and !=, labels:a asks for any value",
        ),
        ("labels.some.key = x", "at character 8, 'some.key': a name with a dot in it stands in double quotes"),
        ("labels.some-key = x", "at character 8, 'some-key': must be a plain word, or stand in double quotes"),
        ("labels.größe = x", "at character 8, 'größe': must be a plain word"),
        ('labels."," = x', "at character 8, ',': is a name that cannot be asked for"),
        ('labels:":"', "at character 8, ':': is a name that cannot be asked for"),
        ('state = "FIRING', "at character 9, '\"FIRING': cannot be read"),
        (r'labels.a = "a\nb"', "at character 12, '\"a\\\\nb\"': cannot be read"),
        ('create_time = "2026-11-01T00:00:00Z"', "at character 13, '=': cannot compare so; create_time takes <, <=,"),
        ("create_time > yesterday", f"at character 15, 'yesterday': {TIME}"),
        ("create_time > 2026-11-01", f"at character 15, '2026-11-01': {TIME}"),
        ("create_time > 2026-11-01T00:00:00", f"at character 15, '2026-11-01T00:00:00': {TIME}"),
        ("create_time > 2026-02-30T00:00:00Z", f"at character 15, '2026-02-30T00:00:00Z': {TIME}"),
        ("create_time > 2026-11-01T24:00:00Z", f"at character 15, '2026-11-01T24:00:00Z': {TIME}"),
        ("create_time > 2026-11-01T00:00:60Z", f"at character 15, '2026-11-01T00:00:60Z': {TIME}"),
        ("create_time > 0000-11-01T00:00:00Z", f"at character 15, '0000-11-01T00:00:00Z': {TIME}"),
        ("create_time > 2026-11-01T00:00:00+24:00", f"at character 15, '2026-11-01T00:00:00+24:00': {TIME}"),
        ("create_time > 2026-11-01T00:00:00.0000000001Z", "at character 15"),
        ("create_time > ٢٠٢٦-11-01T00:00:00Z", "at character 15"),
        (" AND ".join(["state = FIRING"] * 21), "at character 381, 'state': at most 20 comparisons"),
        ("x" * 2_001, "must be at most 2,000 characters"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_with_the_place(text: str, place: str) -> None:
    """People who write filters are told where they went wrong."""
    with pytest.raises(TocsinError) as refusal:
        parse(text)

    assert (refusal.value.code, refusal.value.field) == (Code.INVALID, "filter")
    assert place in refusal.value.message


WORDS = (
    *("state", "integration", "labels", "title", "create_time", "source", "route", "=", "!=", "<", ">=", ":", "."),
    *("AND", "OR", "NOT", "-", "(", ")", "FIRING", "integrations/a", '"', "\\", "\\\\", '"x y"', "'", " ", "\n", "\0"),
    *("2026-11-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59", "0001-01-01T00:00:00+23:59"),
)


@given(st.text(max_size=300) | st.lists(st.sampled_from(WORDS), max_size=80).map("".join))
@example('"' + "\\" * 1_999)
@example('"' + "a" * 1_999)
@example("labels" + ".a" * 997)
@example('labels."' + '\\"' * 990)
@example(" " * 1_999 + "x")
@example("state = " + "=" * 1_990)
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever is written is read, or refused with the place, and within Hypothesis's deadline: never in a time that
    grows with more than the length."""
    answer: GroupFilter | TocsinError
    try:
        answer = parse(text)
    except TocsinError as refusal:
        answer = refusal
    if isinstance(answer, GroupFilter):
        assert set(answer.states) <= set(State)
    else:
        assert (answer.code, answer.field) == (Code.INVALID, "filter")
        assert answer.message.startswith(("filter: at character ", "filter: at the end of "))
        assert len(answer.message) < 400
