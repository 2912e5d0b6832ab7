"""Whether a group is one that somebody wants to see; lists are compared with this in tests/daemon/rpc."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tocsind.domain.alert_group import AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.group_filter import GroupFilter, LabelCondition, LabelTest, fold, matches
from tocsind.domain.span import Span


@dataclass
class Read:
    """A group as readers see it."""

    group: AlertGroup
    integration: str = "integrations/abc"
    route: str = "integrations/abc/routes/r1"
    title: str = "Disk FULL Ä"
    labels: dict[str, str] = field(default_factory=lambda: {"severity": "critical", "empty": ""})


def read(state: State = State.FIRING) -> Read:
    """A group that was created at 10, heard of at 20, and moved at 30."""
    reason = ResolveReason.SOURCE if state is State.RESOLVED else None
    group = AlertGroup(
        1, 1, Source.ALERTMANAGER, state, 10, 30, EventKind.OPENED, resolve_reason=reason, last_received=20
    )
    return Read(group)


def label(name: str, test: LabelTest, value: str = "") -> dict[str, Any]:
    """A filter's one condition of a label."""
    return {"labels": (LabelCondition(name, test, value),)}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"states": ()}, False),
        ({"states": (State.FIRING,)}, True),
        ({"states": (State.RESOLVED,)}, False),
        ({"integration": "abc"}, True),
        ({"integration": "ab"}, False),
        ({"integration": "abc", "route": "r1"}, True),
        ({"integration": "abc", "route": "default"}, False),
        ({"integration": "ab", "route": "r1"}, False),
        ({"source": Source.ALERTMANAGER}, True),
        ({"source": Source.SELF}, False),
        ({"collected": False}, True),
        ({"collected": True}, False),
        ({"titles": ("disk", "full")}, True),
        ({"titles": ("disk", "empty")}, False),
        ({"titles": ("ä",)}, False),
        ({"titles": ("Ä",)}, True),
        ({"created": Span(10, 10)}, True),
        ({"created": Span(first=11)}, False),
        ({"created": Span(last=9)}, False),
        ({"created": Span(11, 9)}, False),
        ({"notified": Span(20, 20)}, True),
        ({"notified": Span(first=21)}, False),
        ({"resolved": Span()}, False),
        (label("severity", LabelTest.EQUAL, "critical"), True),
        (label("severity", LabelTest.EQUAL, "Critical"), False),
        (label("severity", LabelTest.DIFFERENT, "critical"), False),
        (label("severity", LabelTest.DIFFERENT, "page"), True),
        (label("missing", LabelTest.DIFFERENT, "page"), True),
        (label("missing", LabelTest.EQUAL, ""), False),
        (label("missing", LabelTest.DIFFERENT, ""), True),
        (label("empty", LabelTest.EQUAL, ""), True),
        (label("empty", LabelTest.PRESENT), True),
        (label("missing", LabelTest.PRESENT), False),
    ],
)
def test_every_condition_must_hold(conditions: dict[str, Any], expected: bool) -> None:
    """Each by itself, for one and the same firing group."""
    assert matches(GroupFilter(**conditions), read()) is expected


@pytest.mark.parametrize(("span", "expected"), [(Span(), True), (Span(30, 30), True), (Span(last=29), False)])
def test_only_a_resolved_group_has_a_time_of_resolution(span: Span, expected: bool) -> None:
    """It is that of its last change of state."""
    assert matches(GroupFilter(resolved=span), read(State.RESOLVED)) is expected
    assert not matches(GroupFilter(resolved=span), read(State.SILENCED))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (State.FIRING, State.RESOLVED, True),
        (State.RESOLVED, State.FIRING, True),
        (State.ACKNOWLEDGED, State.SILENCED, False),
        (None, State.FIRING, True),
        (None, State.RESOLVED, False),
    ],
)
def test_an_event_matches_by_the_state_before_or_after_it(before: State | None, after: State, expected: bool) -> None:
    """Who watches what fires is told when that ends; the state that the group has meanwhile does not count."""
    wanted = GroupFilter(states=(State.FIRING,))

    for now in State:
        assert matches(wanted, read(now), states=(before, after)) is expected
    assert not matches(GroupFilter(states=(State.FIRING,), integration="x"), read(), states=(before, after))


def test_only_the_letters_a_to_z_have_cases() -> None:
    """As for SQLite's `lower`."""
    assert fold("AZaz ÄÉİ\u212a") == "azaz ÄÉİ\u212a"
