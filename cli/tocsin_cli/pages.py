"""Lists that can be long: a page at a time, or all of them.

The daemon looks at only so many things for one page. A page can be short, or empty, although more follows, so that
there is more is said wherever there is a token for it, and "Nothing there." only where there is none.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from . import output
from .commands import notice

Function = TypeVar("Function", bound=Callable[..., None])


def page_options(function: Function) -> Function:
    """Add the options `page_size` (0: the daemon's default), `page_token` and `everything`."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Follow the pages to the last one."),
        click.option(
            "--page-token",
            metavar="TOKEN",
            default="",
            help="The nextPageToken of the page before (-o json prints it).",
        ),
        click.option(
            "--page-size",
            type=click.IntRange(1, 1000),
            callback=lambda ctx, param, value: value or 0,
            help="At most this many at once. Default: 50.",
        ),
    ):
        function = option(function)
    return function


def print_page(columns: Sequence[output.Column], rows: Iterable[Sequence[str]], response: Any) -> None:
    """Print the rows of a response of a list, and say on stderr if it is not all."""
    cells = list(rows)
    if cells or not response.next_page_token:
        output.print_table(columns, cells)
    if response.next_page_token:
        notice("there are more: --all lists them all" if cells else "nothing yet, but not all was looked at: try --all")
