"""What belongs together, and what an integration may be."""

import re
from dataclasses import replace
from typing import Any

import pytest
from fake_clock import DAY, HOUR, MINUTE
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain import integration as rules
from tocsind.domain.alert_group import Source
from tocsind.domain.identity import identity, new_public_id, wiped_identity
from tocsind.domain.integration import Integration

GOOD = Integration(1, "abc", "alertmanager", "prod", "", "a-token-of-20-letters")

IDENTITIES = st.tuples(st.integers(1, 200), st.sampled_from(Source), st.text(max_size=20))


@given(IDENTITIES, IDENTITIES)
def test_identities_are_equal_only_where_all_parts_are(one: Any, other: Any) -> None:
    """The integration, what made the notification and the exact key make an identity, and nothing else does."""
    assert (identity(*one) == identity(*other)) == (one == other)
    assert len(identity(*one)) == 32


def test_the_parts_of_an_identity_cannot_run_together() -> None:
    """No key can be written so that it looks like another integration's, and its length has no limit."""
    assert identity(1, Source.ALERTMANAGER, "1/x") != identity(11, Source.ALERTMANAGER, "x")
    assert identity(1, Source.ALERTMANAGER, "heartbeat") != identity(1, Source.HEARTBEAT, "heartbeat")
    assert identity(1, Source.ALERTMANAGER, "x" * 100_000) != identity(1, Source.ALERTMANAGER, "x" * 99_999)


@given(st.integers(1, 10**9), st.integers(1, 10**9), IDENTITIES)
def test_no_notification_has_the_identity_of_a_wiped_group(number: int, other: int, of_notification: Any) -> None:
    """Nor does another group that was wiped."""
    assert wiped_identity(number) != identity(*of_notification)
    assert (wiped_identity(number) == wiped_identity(other)) == (number == other)
    assert len(wiped_identity(number)) == 32


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"display_name": "x"},
        {"display_name": "ü" * 150},
        {"description": "d" * 2_000},
        {"reopen_window": 0},
        {"reopen_window": 7 * DAY},
        {"stale_after": 0},
        {"stale_after": MINUTE},
        {"stale_after": 30 * DAY},
        {"retention": HOUR},
        {"retention": 3_650 * DAY},
    ],
)
def test_settings_up_to_their_bounds_are_good(settings: dict[str, Any]) -> None:
    """Every setting may be at the end of its range."""
    assert list(rules.violations(replace(GOOD, **settings))) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"display_name": ""},
        {"display_name": "x" * 151},
        {"display_name": " x"},
        {"display_name": "x\n"},
        {"display_name": "   "},
        {"description": "d" * 2_001},
        {"type": ""},
        {"type": "grafana"},
        {"type": "tocsin"},
        {"reopen_window": -1},
        {"reopen_window": 7 * DAY + 1},
        {"stale_after": -1},
        {"stale_after": MINUTE - 1},
        {"stale_after": 30 * DAY + 1},
        {"retention": HOUR - 1},
        {"retention": 3_650 * DAY + 1},
        {"retention": 0},
    ],
)
def test_settings_beyond_their_bounds_are_refused_by_name(settings: dict[str, Any]) -> None:
    """What is wrong is named by its field."""
    (field,) = settings
    assert [path for path, _ in rules.violations(replace(GOOD, **settings))] == [f"integration.{field}"]


def test_ids_and_tokens_are_new_each_time_and_fit_into_a_url() -> None:
    """Neither needs escaping, neither can be guessed from the other, and no two are the same."""
    ids = {new_public_id() for _ in range(500)}
    tokens = {rules.new_token() for _ in range(500)}

    assert (len(ids), len(tokens)) == (500, 500)
    assert all(re.fullmatch("[0-9a-z]{12}", id) for id in ids)
    assert all(re.fullmatch("[0-9A-Za-z_-]{43}", token) for token in tokens)


def test_any_string_can_be_looked_up_as_a_token() -> None:
    """What a URL can hold, even broken Unicode, is a token that nobody has, and no error."""
    assert len(rules.token_hash("\udcff")) == 32
    assert rules.token_hash("a") != rules.token_hash("A")
