"""Times, durations and lists as they stand in what people read: timelines, reasons, messages and the audit log."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tocsind.domain.units import DAY, SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def moment(microseconds: int) -> str:
    """Returns a time: ISO 8601, UTC, whole seconds; what no calendar has, as a source may say, is `an unknown time`."""
    try:
        return datetime.fromtimestamp(microseconds // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def rfc3339(microseconds: int | None) -> str | None:
    """Returns a time to the microsecond, as RFC 3339 in UTC; None where there is none, or no calendar has it."""
    if microseconds is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def span(microseconds: int) -> str:
    """Returns a duration to the second, such as `10s`, `1h30m` or `7d`; one that is negative is none."""
    seconds = max(0, microseconds) // SECOND
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def rough_span(microseconds: int) -> str:
    """Returns a duration by its two largest units: `45s`, `12m`, `1h5m`, `3d4h`."""
    if microseconds >= 60 * SECOND:
        microseconds -= microseconds % ((3_600 if microseconds >= DAY else 60) * SECOND)
    return span(microseconds)


def some(names: Sequence[str], most: int) -> str:
    """Returns at most so many names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
