"""Moments as people write them.

A moment is a date, `2027-01-01`, with or without a time of day, `2027-01-01 10:00` or `2027-01-01T10:00:30`, in the
time zone of this machine unless it ends in one of its own, `Z` or `+02:00`. A date alone is its first moment. Or it is
a duration, which counts from now: back for the beginning or end of a range, ahead for an expiry.

What is neither is refused. So is a number alone, which could be a date, seconds or days.
"""

import re
from datetime import UTC, datetime

import click

from . import durations

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9:]+)?)?"
)


def parse(text: str, now: datetime, direction: int) -> datetime:
    """Return the moment that `text` says, in UTC; `direction` is 1 for durations from `now` on, -1 for those before.

    Raises ValueError, with a message that tells what to write instead.
    """
    text = text.strip()
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
        return now + direction * durations.parse(text)
    except (ValueError, OverflowError) as error:  # OverflowError: beyond the years that a calendar has
        raise ValueError(f"{text!r} is no time: write it like 1d, 2027-01-01 or 2027-01-01T10:00") from error


def rfc3339(moment: datetime) -> str:
    """Return a moment as the API's filters want it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class MomentType(click.ParamType[datetime]):
    """A command-line value that `parse` understands."""

    name = "time"

    def __init__(self, direction: int) -> None:
        """Take durations as from now on (1) or as before now (-1)."""
        self._direction = direction

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment; a value that is none ends as wrong usage."""
        if isinstance(value, datetime):
            return value
        try:
            return parse(value, datetime.now(UTC), self._direction)
        except ValueError as error:
            self.fail(str(error), param, ctx)


AGO, AHEAD = MomentType(-1), MomentType(1)
