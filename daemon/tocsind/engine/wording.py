"""Times and durations as they stand in what the daemon writes for people."""

from datetime import UTC, datetime

from tocsind.domain.units import SECOND


def moment(microseconds: int) -> str:
    """Returns a time for people: ISO 8601, UTC, whole seconds."""
    return datetime.fromtimestamp(microseconds // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(microseconds: int) -> str:
    """Returns a duration for people, such as `10s`, `1h30m` or `7d`."""
    seconds = microseconds // SECOND
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
