"""Durations as people write them.

A duration is a row of whole numbers, each with its unit, from the largest unit to the smallest: `10s`, `5m`,
`1h30m`, `7d`, `0s`. The units are `d` (24 hours), `h`, `m` and `s`. A number without a unit is refused rather than
guessed at: Prometheus, Alertmanager and humans mean different things by `300`.
"""

import re
from datetime import timedelta

import click

_PATTERN = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = timedelta(days=3_652_500)  # what google.protobuf.Duration can hold: 10,000 years


def parse(text: str) -> timedelta:
    """Return the length that `text` says.

    Raises ValueError, with a message that tells what to write instead.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise ValueError(f"{text!r} has no unit: write {text}s for seconds or {text}m for minutes")
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is no duration: write it like 10s, 5m, 1h30m or 7d")
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    total_seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total_seconds > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is too long: 10,000 years are the most that can be said")
    return timedelta(seconds=total_seconds)


def format(length: timedelta) -> str:
    """Write `length` so that `parse` understands it again (but for parts of a second, which it keeps)."""
    if length < timedelta(0):
        return "-" + format(-length)
    minutes, seconds = divmod(length, timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{number}{unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if number]
    if seconds or not parts:
        parts.append(f"{seconds / _MICROSECOND / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def format_roughly(length: timedelta) -> str:
    """Write `length` in its largest unit only, rounded down: `3m` for 3 minutes 59. For ages, where more is noise."""
    for unit, size in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1))):
        if abs(length) >= size:
            return f"{abs(length) // size}{unit}"
    return f"{abs(length) // timedelta(seconds=1)}s"


def format_ahead(length: timedelta) -> str:
    """Write `length` to the nearest minute, `1h59m`; to the hour from a day on, to the second below a minute.

    For what is to come, which people plan by: `2h` for a moment less than that, and never `1h` for nearly two.
    """
    second, minute, hour = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
    unit = hour if length >= timedelta(days=1) else minute if length >= minute else second
    return format(unit * round(length / unit))


class DurationType(click.ParamType[timedelta]):
    """A command-line value that `parse` understands."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the length; a value that is none ends as wrong usage."""
        if isinstance(value, timedelta):
            return value
        try:
            return parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()
