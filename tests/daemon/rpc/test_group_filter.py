"""The filter of alert groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.alert_group import OPEN_STATES, State
from tocsind.domain.errors import Code, TocsinError
from tocsind.rpc.group_filter import GroupFilter, parse

ALL = tuple(State)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", GroupFilter(ALL, None)),
        ("  ", GroupFilter(ALL, None)),
        ("state = FIRING", GroupFilter((State.FIRING,), None)),
        ("state=FIRING", GroupFilter((State.FIRING,), None)),
        (' state = "FIRING" ', GroupFilter((State.FIRING,), None)),
        ("state != RESOLVED", GroupFilter(OPEN_STATES, None)),
        ("state != RESOLVED AND state != FIRING", GroupFilter((State.ACKNOWLEDGED, State.SILENCED), None)),
        ("state = FIRING AND state = RESOLVED", GroupFilter((), None)),
        ('integration = "integrations/abc"', GroupFilter(ALL, "abc")),
        ("integration=integrations/abc", GroupFilter(ALL, "abc")),
        ("state = FIRING AND integration = integrations/abc", GroupFilter((State.FIRING,), "abc")),
        ("integration = integrations/abc AND integration = integrations/abc", GroupFilter(ALL, "abc")),
        ("integration = integrations/abc AND integration = integrations/x", GroupFilter((), "x")),
    ],
)
def test_what_a_filter_means(text: str, expected: GroupFilter) -> None:
    """Comparisons joined by AND narrow what is wanted; contradictions want nothing."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sate = FIRING", "at character 1, 'sate': is not a field"),
        ("state = firing", "at character 9, 'firing': is not a state"),
        ("state FIRING", "at the end of"),
        ("state = FIRING OR state = RESOLVED", "at character 16, 'OR': AND expected"),
        ("state = FIRING state = RESOLVED", "at character 16, 'state': AND expected"),
        ("state =", "at the end of"),
        ("state = FIRING AND", "at the end of"),
        ("state > FIRING", "at character 7, '>': cannot compare so"),
        ("integration != integrations/abc", "at character 13, '!=': cannot compare so"),
        ("integration = abc", "at character 15, 'abc': must be of the form integrations/{id}"),
        ('integration = "integrations/a/b"', "must be of the form integrations/{id}"),
        ('state = "FIRING', "at character 9, '\"FIRING': cannot be read"),
        ("state = FIRING AND " * 200, "must be at most 2000 characters"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_with_the_place(text: str, place: str) -> None:
    """People who write filters are told where they went wrong."""
    with pytest.raises(TocsinError) as refusal:
        parse(text)

    assert (refusal.value.code, refusal.value.field) == (Code.INVALID, "filter")
    assert place in refusal.value.message


@given(
    st.text() | st.lists(st.sampled_from(["state", "integration", "=", "!=", "AND", "FIRING", '"', " "])).map("".join)
)
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever is written is read or refused."""
    answer: GroupFilter | TocsinError
    try:
        answer = parse(text)
    except TocsinError as refusal:
        answer = refusal
    assert answer.code is Code.INVALID if isinstance(answer, TocsinError) else set(answer.states) <= set(State)
