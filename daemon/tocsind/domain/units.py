"""Units of time. Times and durations are whole microseconds wherever the daemon reckons with them."""

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
