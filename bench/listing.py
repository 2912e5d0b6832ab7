"""How long it takes to list open groups when the file is large: gRPC at the daemon, from another process."""

import time
from collections.abc import Callable

from bench import dataset
from bench.processes import Daemon, running
from bench.report import Row, heading, progress, table
from bench.run import Run
from tocsin.v1 import alert_groups_pb2, alert_groups_pb2_grpc

_CALLS = 500
_PAGES = range(2, 21)
_SIZE = 50
_OPEN = "state != RESOLVED"
_COLUMNS = {"what": "what", "calls": "calls", "p50": "p50 ms", "p99": "p99 ms", "worst": "worst ms"}


def measure(run: Run) -> None:
    """The section `listing`."""
    file = dataset.big(run)
    progress("listing")
    with running(Daemon(file.folder)) as daemon, daemon.channel() as channel:
        stub = alert_groups_pb2_grpc.AlertGroupServiceStub(channel)

        def page(token: str = "", filter: str = _OPEN) -> alert_groups_pb2.ListAlertGroupsResponse:
            answer: alert_groups_pb2.ListAlertGroupsResponse = stub.ListAlertGroups(
                alert_groups_pb2.ListAlertGroupsRequest(page_size=_SIZE, page_token=token, filter=filter)
            )
            assert len(answer.alert_groups) == _SIZE
            return answer

        for _ in range(20):
            page()
        rows = [_timed(f"newest {_SIZE} open", [page] * _CALLS)]
        tokens = []
        answer = page()
        for _ in _PAGES:
            tokens.append(answer.next_page_token)
            answer = page(answer.next_page_token)
        calls: list[Callable[[], object]] = [lambda token=token: page(token) for token in tokens]  # type: ignore[misc]
        rows.append(_timed(f"pages {_PAGES[0]} to {_PAGES[-1]}", calls * (_CALLS // len(calls) + 1)))
        rows.append(_timed(f"newest {_SIZE} of all", [lambda: page(filter="")] * _CALLS))
    heading(f"Listing, {run.many:,} groups in the file, one of {dataset.OPEN_SHARE} open")
    table(rows, _COLUMNS)
    run.found["listing"] = rows


def _timed(what: str, calls: list[Callable[[], object]]) -> Row:
    spent = []
    for call in calls:
        begin = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begin) * 1e3)
    spent.sort()
    p50, p99 = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
    return {"what": what, "calls": len(calls), "p50": round(p50, 3), "p99": round(p99, 3), "worst": round(spent[-1], 3)}
