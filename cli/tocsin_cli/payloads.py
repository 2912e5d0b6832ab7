"""What templates and routes are tried with: a payload from a file, that of a group, or the one that came last."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from . import names
from .commands import notice
from .connection import USAGE, CommandError

Function = TypeVar("Function", bound=Callable[..., None])


def payload_options(function: Function) -> Function:
    """Add the options `payload` and `group`."""
    for option in (
        click.option("--group", type=names.ALERT_GROUP, help="Take the latest payload of this alert group: 42."),
        click.option(
            "--payload",
            metavar="FILE|-",
            help="Take this payload, JSON as Alertmanager sends it; - is stdin. Default: what the integration received "
            "last.",
        ),
    ):
        function = option(function)
    return function


def given(payload: str | None, group: str | None) -> dict[str, str]:
    """Return the fields of a request that say what to take."""
    if payload is not None and group is not None:
        raise click.UsageError("--payload and --group exclude each other", click.get_current_context())
    if payload is not None:
        return {"payload": read_text(payload)}
    return {"alert_group": group} if group is not None else {}


def read_text(file: str) -> str:
    """Return what a file holds, or stdin for -. Raises CommandError for what cannot be read."""
    if file == "-" and sys.stdin.isatty():
        notice("type or paste it; Ctrl-D on a line of its own ends it")
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: it is no UTF-8, from byte {error.start} on", USAGE) from error


def say_whose(alert_group: str) -> None:
    """Say on stderr whose payload was taken, if it was not given."""
    if alert_group:
        notice(f"with the latest payload of {alert_group}")
