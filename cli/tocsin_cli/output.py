"""What is printed: tables and labelled lines for people, proto3 JSON for programs.

On a terminal, tables are as wide as it is, long texts fold, and states have colours (unless NO_COLOR is set).
Elsewhere they are plain aligned text, as wide as it takes. In neither are names ever cut: they are made to be copied.

Texts come from whoever can reach a monitored system. What could steer a terminal (escape sequences, line breaks,
characters that reverse the reading direction) is shown in its escaped form instead.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import durations

STATE_STYLES = {
    "firing": "bold red",
    "acknowledged": "yellow",
    "silenced": "blue",
    "resolved": "green",
    "unreported": "dim",
    "missing": "bold red",
    "up": "green",
    "paused": "blue",
    "waiting": "dim",
}

_GAP = 2  # cells between two columns
_FOLDED_WIDTH = 10  # cells that are left to a column that folds, whatever happens; a date fits

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, line and paragraph separator
_ZERO_WIDTH_JOINER = "\u200d"  # a format character, too, but harmless, and family emoji are made with it


@dataclass(frozen=True)
class Column:
    """A column of a table. A column that folds gives way where the terminal is narrow; others stay whole."""

    title: str
    folds: bool = False
    right: bool = False


def message_dict(message: Message, list_field: str | None = None) -> dict[str, Any]:
    """Return a message as proto3 JSON has it; `list_field` (its JSON name) is there even if it is empty."""
    result: dict[str, Any] = MessageToDict(message, always_print_fields_with_no_presence=False)
    if list_field is not None:
        result.setdefault(list_field, [])
    return result


def print_json(message: Message, list_field: str | None = None) -> None:
    """Print a message as indented proto3 JSON."""
    click.echo(json.dumps(message_dict(message, list_field), indent=2))


def print_json_line(message: Message) -> None:
    """Print a message as proto3 JSON on one line, for where several follow one another."""
    click.echo(json.dumps(message_dict(message)))


def print_deleted(name: str, response: Message, as_json: bool) -> None:
    """Print what answers a deletion: a sentence, or the message as JSON."""
    if as_json:
        print_json(response)
    else:
        click.echo(f"{name} deleted")


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], err: bool = False) -> None:
    """Print rows under the titles of their columns; say so on stderr if there are none.

    With `err` the table itself goes to stderr, as part of a question.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    if not cells:
        click.echo("Nothing there.", err=True)
    elif (sys.stderr if err else sys.stdout).isatty():
        _print_rich_table(columns, cells, err)
    else:
        _print_plain_table(columns, cells, err)


def _print_rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], err: bool) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            no_wrap=not column.folds,
            overflow="fold",
            justify="right" if column.right else "left",
        )
    for row in rows:
        table.add_row(*(Text(cell, style=STATE_STYLES.get(cell, "")) for cell in row))
    # On a terminal too narrow even for the columns that must not fold, let it break the lines rather than cut names.
    width = max(Console(stderr=err).width, _least_width(columns, rows))
    Console(stderr=err, width=width).print(table)


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return the width below which columns that must not fold would be cut."""
    width = 0
    for index, column in enumerate(columns):
        content = max(cell_len(cell) for cell in [column.title, *(row[index] for row in rows)])
        width += (min(content, _FOLDED_WIDTH) if column.folds else content) + _GAP
    return width


def _print_plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], err: bool) -> None:
    lines = [[column.title for column in columns], *rows]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        padded = []
        for column, width, cell in zip(columns, widths, line, strict=True):
            padding = " " * (width - cell_len(cell))
            padded.append(padding + cell if column.right else cell + padding)
        click.echo((" " * _GAP).join(padded).rstrip(), err=err)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print `label: value` lines, leaving out those without a value."""
    for label, value in fields:
        if value:
            click.echo(f"{label}: {styled(visible(value), STATE_STYLES.get(value, ''))}")


def print_heading(text: str) -> None:
    """Print a title above what follows, with an empty line before it."""
    click.echo(f"\n{styled(text, 'bold')}")


def use_colour() -> bool:
    """Return whether stdout is a terminal whose owner likes colours."""
    return sys.stdout.isatty() and not Console().no_color


def _click_style(style: str) -> dict[str, Any]:
    words = style.split()
    colours = [word for word in words if word not in ("bold", "dim")]
    return {"fg": colours[0] if colours else None, "bold": "bold" in words or None, "dim": "dim" in words or None}


def styled(text: str, style: str) -> str:
    """Return `text` in a style like those of STATE_STYLES where colours are wanted, else as it is."""
    return click.style(text, **_click_style(style)) if style and use_colour() else text


def visible(text: str) -> str:
    """Return `text` with everything that could steer a terminal in its escaped form: `\\x1b`, `\\n`, `\\u202e`."""
    return "".join(
        char
        if char == _ZERO_WIDTH_JOINER or unicodedata.category(char) not in _STEERING
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def enum_word(message: Message, field: str) -> str:
    """Return the value of an enum field as a word for people, `firing`; empty if it is unspecified.

    A value that is newer than this program is shown as its number.
    """
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    number = getattr(message, field)
    value = descriptor.enum_type.values_by_number.get(number) if descriptor.enum_type is not None else None
    if value is None:
        return str(number)
    return value.name.lower().replace("_", " ") if number else ""


def local_time(message: Message, field: str) -> str:
    """Return a timestamp field in this machine's time zone, to the second; empty if it is unset."""
    when = _datetime(message, field)
    return _local(when) if when is not None else ""


def time_and_age(message: Message, field: str, now: datetime | None = None) -> str:
    """Return a timestamp field like `2026-03-01 10:02:00 (3m ago)`, or `(in 1h3m)`; empty if it is unset."""
    when = _datetime(message, field)
    if when is None:
        return ""
    age = (now or datetime.now(UTC)) - when
    if age >= timedelta():
        return f"{_local(when)} ({durations.format_roughly(age)} ago)"
    return f"{_local(when)} (in {durations.format_ahead(-age)})"


def time_ahead(message: Message, field: str) -> str:
    """Return how far ahead a timestamp field is, like `1h59m`; empty if it is unset or past."""
    when = _datetime(message, field)
    ahead = when - datetime.now(UTC) if when is not None else timedelta()
    return durations.format_ahead(ahead) if ahead > timedelta() else ""


def length(message: Message, field: str) -> str:
    """Return a duration field as `durations` writes it; empty if it is unset."""
    if not message.HasField(field):
        return ""
    value: Duration = getattr(message, field)
    return durations.format(value.ToTimedelta())


def labels(values: Iterable[tuple[str, str]]) -> str:
    """Return labels in Prometheus's notation, sorted: `{alertname="Down", job="api"}`."""
    return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(values)) + "}"


def _datetime(message: Message, field: str) -> datetime | None:
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def _local(when: datetime) -> str:
    try:
        when, zone = when.astimezone(), ""
    except OverflowError:  # the year 1, which Go programs send for "no time", has no local time west of Greenwich
        zone = "Z"
    return when.replace(tzinfo=None).isoformat(" ", "seconds") + zone
