"""Reading the audit log: filters, pages, and how long it is kept."""

import json

import grpc
import pytest
from fake_clock import DAY, SECOND
from running_daemon import RunningDaemon

from tocsin.v1 import audit_pb2
from tocsind.engine.audit import KEPT
from tocsind.sqlite import audit


def entries(daemon: RunningDaemon, filter: str = "", size: int = 1_000) -> list[audit_pb2.AuditEntry]:
    """All entries that match, page by page."""
    found: list[audit_pb2.AuditEntry] = []
    token = ""
    while True:
        request = audit_pb2.ListAuditEntriesRequest(filter=filter, page_size=size, page_token=token)
        page = daemon.audit.ListAuditEntries(request)
        found.extend(page.audit_entries)
        token = page.next_page_token
        if not token:
            return found


def fill(daemon: RunningDaemon, count: int, actor: str = "ada", resource: str = "alertGroups/1") -> None:
    """Writes entries as if made long ago and fast: one a microsecond, from the clock's time on."""
    now = daemon.clock.wall()
    rows = [
        audit.AuditRow(0, now + n, actor, "", "X.Y", resource, "{}", json.dumps({"n": n}), "") for n in range(count)
    ]
    daemon.engine.change(lambda transaction, memory: audit.insert(transaction.connection, rows))
    daemon.clock.advance(count)


@pytest.mark.parametrize("size", [1, 3, 7, 1_000])
def test_every_entry_comes_once_newest_first(daemon: RunningDaemon, size: int) -> None:
    """Whatever the size of the pages."""
    fill(daemon, 20)

    assert [entry.after["n"] for entry in entries(daemon, size=size)] == list(range(19, -1, -1))


def test_filters_narrow(daemon: RunningDaemon) -> None:
    """By resource, by actor, by time, and by all of them together."""
    fill(daemon, 3, "ada", "alertGroups/1")
    daemon.clock.advance(SECOND)
    moment = daemon.clock.wall()
    fill(daemon, 4, "bob", "alertGroups/1")
    fill(daemon, 5, "bob", "alertGroups/2")
    after = f'create_time >= "{audit_time(moment)}"'

    assert len(entries(daemon, 'actor = "bob"')) == 9
    assert len(entries(daemon, 'resource = "alertGroups/1"')) == 7
    assert len(entries(daemon, after)) == 9
    assert len(entries(daemon, f'actor = "bob" AND resource = "alertGroups/1" AND {after}')) == 4
    assert entries(daemon, f'actor = "ada" AND {after}') == []
    assert entries(daemon, 'actor = "ada" AND actor = "bob"') == []


def audit_time(microseconds: int) -> str:
    """A time as filters take it."""
    entry = audit_pb2.AuditEntry()
    entry.create_time.FromMicroseconds(microseconds)
    return entry.create_time.ToJsonString()


def test_what_is_far_back_is_found_page_by_page(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer looks at so many entries only: it may be empty, and says where to go on."""
    monkeypatch.setattr(audit, "MOST_LOOKED_AT", 10)
    fill(daemon, 2, "ada")
    fill(daemon, 35, "bob", "alertGroups/2")
    request = audit_pb2.ListAuditEntriesRequest(
        filter=f'create_time < "{audit_time(daemon.clock.wall() - 35)}"', page_size=5
    )

    page = daemon.audit.ListAuditEntries(request)

    assert (len(page.audit_entries), bool(page.next_page_token)) == (0, True)
    assert [entry.actor for entry in entries(daemon, request.filter, 5)] == ["ada", "ada"]


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ('who = "ada"', "at character 1, 'who': is not a field; resource, actor and create_time are"),
        ('actor != "ada"', "at character 7, '!=': cannot compare so"),
        ('create_time = "2026-01-01T00:00:00Z"', "cannot compare so"),
        ('create_time > "yesterday"', "must be a time such as"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(daemon: RunningDaemon, filter: str, message: str) -> None:
    """With the place where it stands."""
    with pytest.raises(grpc.RpcError, match=message) as error:
        entries(daemon, filter)

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_old_entries_are_removed(daemon: RunningDaemon) -> None:
    """After 400 days, in small steps; younger ones stay."""
    fill(daemon, 1_200)
    daemon.pass_time(SECOND)
    daemon.clock.advance(10 * DAY)
    fill(daemon, 3, "bob")
    daemon.clock.advance(KEPT - 5 * DAY)

    for _ in range(200):
        daemon.pass_time(SECOND)

    assert {entry.actor for entry in entries(daemon)} == {"bob"}
