"""Walks through a list: how long one is used, and how many are kept."""

import asyncio
from typing import Any, cast

import pytest
from oncall_daemon import AlertGroup

from tocsin.v1 import alert_groups_pb2
from tocsin_gateway.oncall import walks
from tocsin_gateway.oncall.caller import Caller
from tocsin_gateway.oncall.query import Page
from tocsin_gateway.oncall.walks import Walks


class ListCaller:
    """A caller whose list has the groups 1 to `newest`; `sizes` has the sizes of the pages that were asked for."""

    class groups:
        """What is called."""

        ListAlertGroups = None

    def __init__(self, newest: int, key: bytes = b"") -> None:
        self.newest = newest
        self.key = key
        self.sizes: list[int] = []

    async def call(self, method: None, request: Any) -> alert_groups_pb2.ListAlertGroupsResponse:
        self.sizes.append(request.page_size)
        start = int(request.page_token or self.newest)
        end = max(start - request.page_size, 0)
        return alert_groups_pb2.ListAlertGroupsResponse(
            alert_groups=[AlertGroup(number=number) for number in range(start, end, -1)],
            next_page_token=str(end) if end else "",
            total_size=self.newest if request.include_total_size else 0,
        )

    def read(self, walks: Walks, page: int, wanted: str = "") -> list[int]:
        """The first and the last number of a page."""
        _, _, groups = asyncio.run(walks.read(cast(Caller, self), wanted, Page(page, 50)))
        return [groups[0].number, groups[-1].number]


def test_who_jumps_ahead_is_walked_there_in_large_steps() -> None:
    """Skipping takes a call for each thousand groups, and what comes next takes one."""
    known, caller = Walks(), ListCaller(5000)

    assert caller.read(known, 51) == [2500, 2451]
    assert caller.sizes == [50, 1000, 1000, 450, 50]

    assert caller.read(known, 52) == [2450, 2401]
    assert caller.read(known, 50) == [2550, 2501]
    assert caller.sizes[5:] == [50, 400, 50]


def test_a_walk_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time the pages are counted from the newest group again."""
    known, caller = Walks(), ListCaller(200)
    assert caller.read(known, 1) == [200, 151]
    caller.newest = 300
    assert caller.read(known, 2) == [150, 101]

    monkeypatch.setattr(walks, "WALK_SECONDS", -1)

    assert caller.read(known, 2) == [250, 201]


def test_only_so_many_walks_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least used is forgotten, and its next page is found all the same."""
    monkeypatch.setattr(walks, "WALKS", 2)
    known, first, second, third = Walks(), ListCaller(200, b"1"), ListCaller(200, b"2"), ListCaller(200, b"3")
    for caller in (first, second):
        caller.read(known, 1)
    first.read(known, 2)
    third.read(known, 1)

    for caller in (first, second):
        caller.sizes.clear()
        assert caller.read(known, 3) == [100, 51]

    assert (first.sizes, second.sizes) == ([50], [50, 50, 50])
