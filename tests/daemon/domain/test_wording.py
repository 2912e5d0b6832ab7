"""How times and durations are written for people."""

from fake_clock import DAY, HOUR, MINUTE, SECOND

from tocsind.domain.wording import moment, rough_span, span


def test_a_rough_span_has_two_units() -> None:
    """Two units at most, none where there is nothing."""
    spans = (-SECOND, 0, 59 * SECOND, 60 * SECOND, 12 * MINUTE + 37 * SECOND, HOUR, HOUR + MINUTE, DAY + 61 * MINUTE)
    assert [rough_span(span) for span in spans] == ["0s", "0s", "59s", "1m", "12m", "1h", "1h1m", "1d1h"]
    assert rough_span(DAY) == "1d"
    assert rough_span(400 * DAY + 30 * MINUTE) == "400d"


def test_times_that_no_calendar_has() -> None:
    """They are no reason not to tell somebody."""
    assert moment(2**62) == "an unknown time"
    assert moment(0) == "1970-01-01T00:00:00Z"


def test_a_span_is_exact_to_the_second() -> None:
    """With all its units, and without those that are nothing."""
    spans = (0, SECOND - 1, 10 * SECOND, 90 * MINUTE, 7 * DAY, DAY + HOUR + MINUTE + SECOND, -HOUR)

    assert [span(each) for each in spans] == ["0s", "0s", "10s", "1h30m", "7d", "1d1h1m1s", "0s"]
