"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_cli import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("5m", 300), ("1h30m", 5400), ("7d", 604800), ("0s", 0), ("1d1h1m1s", 90061), ("90m", 5400)],
)
def test_a_duration_is_numbers_with_units(text: str, seconds: int) -> None:
    """Each unit counts, and no unit has an upper limit of its own."""
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["300", "0", "1.5"])
def test_a_number_without_a_unit_is_refused_with_advice(text: str) -> None:
    """A plain number could mean anything, so the message says what to write for it."""
    with pytest.raises(ValueError, match=f"has no unit: write {text}s for seconds"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["", " ", "m", "5x", "-5m", "5m5", "30m1h", "1m1m", "1.5h", "5 m", "٣m", "1e3s"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """What is no row of numbers and units, largest first, is refused."""
    with pytest.raises(ValueError, match="write it like 10s, 5m, 1h30m or 7d"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["3652501d", "9" * 400 + "d"])
def test_what_the_api_cannot_hold_is_refused(text: str) -> None:
    """A duration beyond 10,000 years is refused before it could overflow anything."""
    with pytest.raises(ValueError, match="too long"):
        durations.parse(text)


@given(st.integers(min_value=0, max_value=3_652_500 * 86_400))
def test_what_is_formatted_is_understood_again(seconds: int) -> None:
    """Formatting and parsing are inverse to each other for whole seconds."""
    length = timedelta(seconds=seconds)
    assert durations.parse(durations.format(length)) == length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(minutes=5), "5m"),
        (timedelta(hours=9), "9h"),
        (timedelta(days=90), "90d"),
        (timedelta(0), "0s"),
        (timedelta(seconds=90061), "1d1h1m1s"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(seconds=-90), "-1m30s"),
    ],
)
def test_a_length_is_written_in_its_units(length: timedelta, text: str) -> None:
    """Units that are zero are left out, and parts of a second are kept."""
    assert durations.format(length) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (239, "3m"), (7199, "1h"), (172800, "2d")])
def test_an_age_is_written_in_its_largest_unit(seconds: float, text: str) -> None:
    """An age is rounded down to its largest unit."""
    assert durations.format_roughly(timedelta(seconds=seconds)) == text
