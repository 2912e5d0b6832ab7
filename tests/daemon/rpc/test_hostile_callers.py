"""What callers try who mean harm: without a token, with a small role, with what a program would never send."""

import base64
import hashlib
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from changing import by, make_token, wipe
from notices import notice
from running_daemon import RunningDaemon, Start, reason
from watching import take, watch

from tocsin.v1 import alert_groups_pb2
from tocsind.rpc import encode
from tocsind.rpc.server import THREADS, Listener
from tocsind.rpc.slow_lists import MOST
from tocsind.sqlite import group_list


def fire(daemon: RunningDaemon, key: str, **fields: Any) -> str:
    """Sends a notification of which these fields are as given; returns the name of the group that it reached."""
    sent = daemon.send(daemon.integration(key), replace(notice("a", key=key), **fields))
    return sent.alert_group


@pytest.mark.parametrize("method", ["AlertGroupService/GetAlertGroup", "IntakeService/Deliver"])
def test_who_is_refused_is_refused_before_it_has_sent_anything(start: Start, folder: Path, method: str) -> None:
    """A message may have 256 MiB: strangers must not be able to have the daemon hold one after the other."""
    start(listen=[Listener(f"unix:{folder}/t.sock", None)])
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait()
        yield from ()

    with grpc.insecure_channel(f"unix:{folder}/t.sock") as channel:
        try:
            with pytest.raises(grpc.RpcError) as refusal:
                channel.stream_unary(f"/tocsin.v1.{method}")(nothing(), timeout=10)
        finally:
            never.set()

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


@pytest.mark.parametrize("payload", [b"no zlib", zlib.compress(b"x" * 100)[:-9], zlib.compress(b"x" * 1_001)])
def test_a_payload_that_cannot_be_unpacked_is_none(
    daemon: RunningDaemon, payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may only hand in alerts could otherwise break the calls of who reads them, or fill the daemon's memory: a
    thousandth of what they unpack to is enough to send."""
    monkeypatch.setattr(encode, "MOST_PAYLOAD", 1_000)
    bad = fire(daemon, "bad", payload=payload)
    good = fire(daemon, "good", payload=zlib.compress(b"x" * 1_000))

    with pytest.raises(grpc.RpcError) as refusal:
        daemon.groups.GetPayload(alert_groups_pb2.GetPayloadRequest(name=f"{bad}/payloads/latest"))
    many = alert_groups_pb2.BatchGetPayloadsRequest(names=[f"{name}/payloads/latest" for name in (bad, good)])

    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert [found.body for found in daemon.groups.BatchGetPayloads(many).payloads] == [b"x" * 1_000]


def test_a_name_that_looks_like_a_token_does_not_get_its_answers(daemon: RunningDaemon) -> None:
    """Behind a socket callers name themselves, and may choose the resource name of somebody's token."""
    token = make_token(daemon, "robot")
    name = daemon.fire(daemon.integration())
    acknowledge = alert_groups_pb2.AcknowledgeAlertGroupRequest(name=name, request_id="id-1")
    daemon.groups.AcknowledgeAlertGroup(acknowledge, metadata=by("ada", token.secret))
    resolve = alert_groups_pb2.ResolveAlertGroupRequest(name=name, request_id="id-1")

    assert daemon.groups.ResolveAlertGroup(resolve, metadata=by(token.name)).state_actor == token.name


@pytest.mark.parametrize("filter", ['labels.severity = "critical"', 'title : "a"'])
@pytest.mark.parametrize("resuming", [False, True])
def test_who_watches_by_labels_is_told_of_a_wipe(daemon: RunningDaemon, filter: str, resuming: bool) -> None:
    """The labels are gone by then; a dashboard would show the group as firing for ever."""
    call, _ = watch(daemon, filter=filter)
    name = fire(daemon, "wanted", labels={"severity": "critical"}, title="a")
    other = fire(daemon, "other", labels={}, title="b")
    opened = take(call, 1)[0][0]
    wipe(daemon, name)
    wipe(daemon, other)
    fire(daemon, "last", labels={"severity": "critical"}, title="a")
    if resuming:
        call, _ = watch(daemon, opened, filter=filter)

    assert [kind for _, kind, group in take(call, 3) if group != other] == ["WIPED", "OPENED"]


@pytest.mark.parametrize("key", [rb'"\ud800"', rb'"\u0000"', b"1e400", b"[1,2,3]", b"null", b'"' + b"x" * 9_000 + b'"'])
def test_a_page_token_that_somebody_made_up_is_no_defect(daemon: RunningDaemon, key: bytes) -> None:
    """Whatever it holds, the list answers or refuses it."""
    name = daemon.fire(daemon.integration())
    digest = hashlib.sha256(f"{name}/alerts".encode()).hexdigest()[:8].encode()
    token = base64.urlsafe_b64encode(b'["' + digest + b'",' + key + b"]").decode().rstrip("=")
    request = alert_groups_pb2.ListAlertsRequest(parent=name, page_token=token)

    code = daemon.groups.ListAlerts.future(request).code()

    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)


def test_lists_that_take_long_leave_threads_for_others(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many somebody asks for at once: some wait for one another, the rest are told to come again; and who
    acknowledges, or lists what an index knows, is served meanwhile."""
    name = daemon.fire(daemon.integration())
    go_on = threading.Event()
    page = group_list.GroupList.page

    def slow(self: group_list.GroupList, *args: Any) -> Any:
        if self.wanted.labels:
            go_on.wait(10)
        return page(self, *args)

    monkeypatch.setattr(group_list.GroupList, "page", slow)
    asked = alert_groups_pb2.ListAlertGroupsRequest(filter="labels:alertname")
    calls = [daemon.groups.ListAlertGroups.future(asked, timeout=20) for _ in range(THREADS + 10)]
    while sum(call.done() for call in calls) < len(calls) - MOST:
        threading.Event().wait(0.01)

    daemon.act("Acknowledge", name)
    assert len(daemon.list_groups("state = ACKNOWLEDGED")) == 1
    go_on.set()

    refused = [error for call in calls if (error := call.exception()) is not None]
    assert {reason(error) for error in refused} == {"TOO_MANY_LISTS"}
    assert len(calls) - len(refused) == MOST
    assert len(daemon.list_groups("labels:alertname")) == 1
