"""Pages by number, out of a list that has pages by token.

OnCall's lists are read page by page, by number; the daemon's tokens say after which group the next page begins, which
is cheap however long the list is. The bridge: who reads page 1, 2, 3 makes a walk, and the walk remembers which token
leads on from where. So the next page costs one call. Only who jumps ahead is walked there, in large steps.

The rules:

* Page 1 begins a new walk: it counts the groups, and forgets what the walk before knew.
* Within a walk nothing is shown twice or left out when new groups open meanwhile, other than in OnCall. The count stays
  what it was at page 1.
* A walk is used for `WALK_SECONDS`. After that the numbers of the pages are counted anew, from the newest group then.
* Each caller and filter has a walk of its own. The least used are forgotten; that costs steps, never correctness.
* The daemon counts only so far. Where the last page by its count does not end the list, there is another one.
* The daemon may return fewer groups than asked for, even none, and have more.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from tocsin.v1 import alert_groups_pb2
from tocsin_gateway.oncall.caller import Caller
from tocsin_gateway.oncall.query import Page

WALK_SECONDS: Final = 120.0
WALKS: Final = 256

STEP: Final = 1000
"""Groups in one step ahead, the most that the daemon gives."""

Groups = list[alert_groups_pb2.AlertGroup]


@dataclass(slots=True)
class _Walk:
    """What is known of the list of one caller and filter."""

    began: float
    count: int
    tokens: dict[int, str]
    """By how many groups come before: the token that leads on. There is none where the list ends."""


class Walks:
    """The walks of all callers."""

    def __init__(self) -> None:
        self._walks: OrderedDict[tuple[bytes, str], _Walk] = OrderedDict()

    async def read(self, caller: Caller, wanted: str, page: Page) -> tuple[Page, int, Groups]:
        """One page of the groups that the filter `wanted` lets through, newest first: which page it is (the last one,
        if `page` is behind it), how many groups there are, and those of the page.

        Raises `grpc.aio.AioRpcError`.
        """
        key = (caller.key, wanted)
        walk = self._walks.get(key)
        first = None
        if page.number == 1 or walk is None or walk.began + WALK_SECONDS < time.monotonic():
            walk, first = await self._begin(caller, wanted, page.size)
            self._walks[key] = walk
        self._walks.move_to_end(key)
        while len(self._walks) > WALKS:
            self._walks.popitem(last=False)
        page = page.within(walk.count)
        groups = await self._take(caller, wanted, walk, page) if page.number > 1 or first is None else first
        end = page.start + len(groups)
        if groups and walk.count <= end:
            walk.count = end + len(await self._more(caller, wanted, walk, end, end + 1))
        return page, walk.count, groups

    async def _begin(self, caller: Caller, wanted: str, size: int) -> tuple[_Walk, Groups]:
        """A new walk, and its first page."""
        asked = alert_groups_pb2.ListAlertGroupsRequest(filter=wanted, page_size=size, include_total_size=True)
        answer = await caller.call(caller.groups.ListAlertGroups, asked)
        walk = _Walk(time.monotonic(), answer.total_size, {0: ""})
        groups = list(answer.alert_groups)
        if answer.next_page_token:
            walk.tokens[len(groups)] = answer.next_page_token
            groups += await self._more(caller, wanted, walk, len(groups), size)
        # The groups are read after they were counted.
        walk.count = max(walk.count, len(groups))
        return walk, groups

    async def _take(self, caller: Caller, wanted: str, walk: _Walk, page: Page) -> Groups:
        """The groups of a page of a walk."""
        at = max((known for known in walk.tokens if known <= page.start), default=None)
        if at is None:
            return []
        while at < page.start:
            ahead = await self._step(caller, wanted, walk, at, min(page.start - at, STEP))
            if at + len(ahead) not in walk.tokens:
                return []
            at += len(ahead)
        return await self._more(caller, wanted, walk, page.start, page.start + page.size)

    async def _more(self, caller: Caller, wanted: str, walk: _Walk, at: int, end: int) -> Groups:
        """The groups from place `at` to before `end`, or to the end of the list."""
        groups: Groups = []
        while at < end and at in walk.tokens:
            found = await self._step(caller, wanted, walk, at, end - at)
            groups += found
            at += len(found)
        return groups

    async def _step(self, caller: Caller, wanted: str, walk: _Walk, at: int, size: int) -> Groups:
        """At most `size` groups from place `at` on; the walk then knows what leads on from there."""
        token = walk.tokens[at]
        asked = alert_groups_pb2.ListAlertGroupsRequest(filter=wanted, page_size=size, page_token=token)
        answer = await caller.call(caller.groups.ListAlertGroups, asked)
        groups = list(answer.alert_groups)
        walk.tokens.pop(at + len(groups), None)
        if answer.next_page_token:
            walk.tokens[at + len(groups)] = answer.next_page_token
        return groups
