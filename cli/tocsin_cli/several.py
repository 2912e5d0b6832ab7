"""What a command does to several things at once: asking before, and reporting after.

People are asked on a terminal only; a script that runs a command means it. One thing that fails does not keep the
others from being done: every failure is said, and the exit code is that of the first.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence

import click
import grpc
from google.protobuf.message import Message

from . import output
from .commands import report
from .connection import NOT_FOUND, CommandError, Connection, Request, Response

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask. Without a terminal nobody is asked anyway.")


def must_ask(yes: bool) -> bool:
    """Return whether there is somebody to ask, who has not said yes already."""
    return not yes and sys.stdin.isatty()


def confirm(question: str, refusal: str) -> None:
    """Ask on stderr. Raises CommandError, which says `refusal`, for any answer but yes."""
    if not click.confirm(question, err=True):
        raise CommandError(refusal)


def confirm_deletion(name: str, what: str, consequence: str = "") -> None:
    """Ask whether to delete this resource; people know it as `what`. Raises CommandError for any answer but yes."""
    confirm(f"Delete {name} ({output.visible(what)}){consequence}?", f"{name} is still there")


def count(things: Sequence[object], noun: str) -> str:
    """Return how many there are in words: `1 alert group`, `2 alert groups`."""
    return f"{len(things)} {noun}" + ("" if len(things) == 1 else "s")


def confirm_each(
    daemon: Connection,
    method: "grpc.UnaryUnaryMultiCallable[Request, Response]",
    requests: Iterable[Request],
    columns: Sequence[output.Column],
    row: Callable[[Response], Sequence[str]],
    question: Callable[[Sequence[Message]], str],
) -> None:
    """Show what the requests find, and ask about it. What does not exist is left for the command to fail on."""
    found = []
    for request in requests:
        try:
            found.append(daemon.call(method, request))
        except CommandError as error:
            if error.exit_code != NOT_FOUND:
                raise
    if found:
        output.print_table(columns, map(row, found), err=True)
        confirm(question(found), "nothing was changed")


class Failures:
    """The failures of one command on `total` things."""

    def __init__(self, total: int) -> None:
        """Expect as many things; of one alone the name is not put before what is said."""
        self._total = total
        self._first: CommandError | None = None

    def add(self, what: str, error: CommandError) -> None:
        """Say that this one failed, with its name where the message does not have it."""
        self._first = self._first or error
        said = re.search(rf"(?<!\w){re.escape(what)}(?!\w)", error.message) is not None
        report(error if said or self._total == 1 else CommandError(f"{what}: {error.message}"))

    def end(self) -> None:
        """End the program with the code of the first failure, if there was one."""
        if self._first is not None:
            raise click.exceptions.Exit(self._first.exit_code)


def for_each(names: Sequence[str], act: Callable[[str], None]) -> None:
    """Do something to each thing, one after the other."""
    failures = Failures(len(names))
    for name in names:
        try:
            act(name)
        except CommandError as error:
            failures.add(name, error)
    failures.end()
