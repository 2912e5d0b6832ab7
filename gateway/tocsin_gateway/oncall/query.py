"""What the query of a list asks for.

The rules, as in OnCall: of a parameter that is given twice the last one counts (of `label` all do), an empty one is as
if it were missing, and one that nobody knows is ignored. Pages are numbered from 1; a page that is no such number is
the first, and one behind the last is the last. A size that is none is the default; over `MOST`, it is that.
"""

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import falcon.asgi

from tocsin_gateway.oncall import replies
from tocsin_gateway.oncall.replies import Refusal

MOST: Final = 100
"""Entries of the largest page."""


class Page(NamedTuple):
    """One page of a list."""

    number: int
    size: int

    @property
    def start(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.size

    def within(self, count: int) -> "Page":
        """This page, or the last one of a list of `count` entries."""
        return Page(min(self.number, self.pages(count)), self.size)

    def pages(self, count: int) -> int:
        """How many pages `count` entries fill; an empty list is one page."""
        return max(1, -(-count // self.size))


class Query:
    """The query of a request."""

    def __init__(self, req: falcon.asgi.Request) -> None:
        self._pairs = parse_qsl(req.query_string, keep_blank_values=True)
        self._base = f"{req.forwarded_scheme}://{req.forwarded_host}{req.path}/"

    def last(self, name: str) -> str:
        """The value of a parameter; empty if it is missing."""
        return next((value for key, value in reversed(self._pairs) if key == name), "")

    def every(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for key, value in self._pairs if key == name]

    def page(self, size: int) -> Page:
        """The page that is asked for; `size` is the list's usual one."""
        number = _number(self.last("page"), 1)
        return Page(number, min(_number(self.last("perpage"), size), MOST))

    def check_team(self) -> None:
        """Refuses to look for a team: there are none, so that everything belongs to none."""
        if self.last("team_id") not in ("", "null"):
            raise Refusal(replies.of(400, {"team_id": ["There is no such team: there are no teams, only null."]}))

    def answer(self, page: Page, count: int, results: list[dict[str, object]]) -> dict[str, object]:
        """The body of an answer with one page of a list of `count` entries."""
        return {
            "count": count,
            "next": self._link(page.number + 1) if page.number < page.pages(count) else None,
            "previous": self._link(page.number - 1) if page.number > 1 else None,
            "results": results,
            "page_size": page.size,
            "current_page_number": page.number,
            "total_pages": page.pages(count),
        }

    def _link(self, number: int) -> str:
        """The URL of another page of the same list."""
        pairs = [pair for pair in self._pairs if pair[0] != "page"]
        if number > 1:
            pairs.append(("page", str(number)))
        return f"{self._base}?{urlencode(pairs)}" if pairs else self._base


def _number(text: str, default: int) -> int:
    """The number, at least 1, in a text."""
    try:
        number = int(text)
    except ValueError:
        return default
    return number if number >= 1 else default
