"""Filters of lists, put together from options in the notation of the API (https://google.aip.dev/160).

Values are quoted, so that none can smuggle in a condition. What people write themselves (`--filter`) is passed on: what
is wrong with it is the daemon's to say.
"""

import re
from collections.abc import Sequence
from datetime import datetime

import click

from . import times

OPEN = "state != RESOLVED"
NOT_TAKEN = "state != RESOLVED AND state != ACKNOWLEDGED"

# The words of the notation are none that can stand without quotes.
_PLAIN_LABEL = re.compile(r"(?!(?:AND|OR|NOT)\Z)[A-Za-z_][A-Za-z0-9_]*")


def quoted(text: str) -> str:
    """Return `text` as a string of the notation."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def all_of(conditions: Sequence[str]) -> str:
    """Join conditions by AND, so that each has to hold. (In this notation even an OR would bind more tightly.)

    What people wrote goes first: the daemon says at which character it is wrong.
    """
    return " AND ".join(condition for condition in conditions if condition.strip())


def created(since: datetime | None, until: datetime | None) -> list[str]:
    """Return the conditions for what was created in [since, until)."""
    conditions = []
    if since is not None:
        conditions.append(f"create_time >= {quoted(times.rfc3339(since))}")
    if until is not None:
        conditions.append(f"create_time < {quoted(times.rfc3339(until))}")
    return conditions


class LabelType(click.ParamType[str]):
    """A command-line value `NAME=VALUE` that becomes a condition on a label."""

    name = "name=value"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the condition; a value without `=`, or without a name before it, ends as wrong usage."""
        label, equals, wanted = value.partition("=")
        if not label or not equals:
            self.fail(f"{value!r} is no label: write it like severity=critical", param, ctx)
        field = label if _PLAIN_LABEL.fullmatch(label) else quoted(label)
        return f"labels.{field} = {quoted(wanted)}"


LABEL = LabelType()
