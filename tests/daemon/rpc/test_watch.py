"""Watching alert groups: nothing missed, nothing twice."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from notices import notice
from running_daemon import AlertGroup, Event, RunningDaemon, reason

from tocsin.v1 import alert_groups_pb2
from tocsind.rpc.watch import MOST_WATCHERS


def watch(daemon: RunningDaemon, revision: int | None = None) -> Any:
    """A watcher that has been let in, and where it begins."""
    call = daemon.groups.WatchAlertGroups(alert_groups_pb2.WatchAlertGroupsRequest(revision=revision), timeout=30)
    return call, next(call).revision


def take(call: Iterator[Any], count: int) -> list[tuple[int, str, str]]:
    """The next changes: revision, kind and group."""
    return [
        (change.revision, Event.Kind.Name(change.event.kind), change.alert_group.name)
        for _, change in zip(range(count), call, strict=False)
    ]


def test_a_watcher_is_told_what_happens_from_now_on(daemon: RunningDaemon) -> None:
    """Without a revision it begins at the present, and gets each event with its group as it is on disk."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    call, revision = watch(daemon)
    assert revision == 1

    daemon.act("Acknowledge", name)
    change = next(call)

    assert (change.revision, change.event.revision, change.event.actor) == (2, 2, "ada")
    assert change.alert_group.state == AlertGroup.ACKNOWLEDGED
    assert change.event.name == f"{name}/events/2"


def test_a_watcher_can_have_all_that_the_file_holds(daemon: RunningDaemon) -> None:
    """From revision 0, in order, more than one page of them."""
    integration = daemon.integration()
    daemon.deliver([daemon.delivery(integration, notice("a", key=f"k{n}")) for n in range(500)])

    call, revision = watch(daemon, 0)

    assert revision == 0
    assert [number for number, _, _ in take(call, 500)] == list(range(1, 501))


def test_a_watcher_goes_on_where_it_broke_off(daemon: RunningDaemon) -> None:
    """Over a crash, with changes before, between and after, each revision comes exactly once."""
    integration = daemon.integration()
    for n in range(5):
        daemon.fire(integration, key=f"before {n}")
    call, _ = watch(daemon, 0)
    seen = take(call, 3)
    call.cancel()
    daemon.fire(integration, key="while nobody watched")
    daemon = daemon.crash()
    call, revision = watch(daemon, seen[-1][0])
    assert revision == 3
    daemon.fire(integration, key="after")

    seen += take(call, 4)

    assert [number for number, _, _ in seen] == [1, 2, 3, 4, 5, 6, 7]


def test_watchers_see_the_same_while_others_write(daemon: RunningDaemon) -> None:
    """Several of them, beside busy writers: each gets every revision once, in order."""
    integration = daemon.integration()
    watchers = [watch(daemon, 0)[0] for _ in range(4)]
    seen: list[list[int]] = [[] for _ in watchers]

    def read(index: int) -> None:
        seen[index] = [number for number, _, _ in take(watchers[index], 60)]

    def write(index: int) -> None:
        for n in range(20):
            daemon.fire(integration, key=f"{index}/{n}")

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert seen == [list(range(1, 61))] * 4


@pytest.mark.parametrize(
    ("revision", "code", "why", "message"),
    [
        (-1, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "must not be negative"),
        (7, grpc.StatusCode.OUT_OF_RANGE, "REVISION_IN_FUTURE", "nothing has happened after 1 yet"),
    ],
)
def test_a_revision_that_cannot_be_is_refused(
    daemon: RunningDaemon, revision: int, code: grpc.StatusCode, why: str, message: str
) -> None:
    """A watcher with a revision of another file learns that, instead of waiting for ever."""
    daemon.fire(daemon.integration())

    with pytest.raises(grpc.RpcError, match=message) as refusal:
        watch(daemon, revision)

    assert (refusal.value.code(), reason(refusal.value)) == (code, why)


def test_too_many_watchers_are_refused_and_a_place_is_free_again(daemon: RunningDaemon) -> None:
    """One more than there are places is told so; other calls are answered, and a place that is left can be taken."""
    watchers = [watch(daemon)[0] for _ in range(MOST_WATCHERS)]
    with pytest.raises(grpc.RpcError, match="watchers already") as refusal:
        watch(daemon)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(refusal.value) == "TOO_MANY_WATCHERS"
    integration = daemon.integration()

    watchers[0].cancel()
    left = None
    while left is None:
        daemon.fire(integration, key="wakes the one that left")
        with contextlib.suppress(grpc.RpcError):
            left, _ = watch(daemon)
    daemon.fire(integration, key="for the new one")

    assert len(take(left, 1)) == 1
