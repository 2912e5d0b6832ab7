"""Watchers that do not take what they are sent: nobody waits for them, they cost little, and they can resume."""

import contextlib
import threading
from typing import Any

import grpc
import pytest
from notices import notice
from running_daemon import Event, RunningDaemon, reason
from watching import changes, ending, take, watch, watch_events

from tocsind.rpc import watch_hub

GROUPS = 16
# A few of them fill what gRPC keeps on the way to a reader that does not read.
LARGE = "x" * 2_000_000
NEVER = 1_000.0


def open_large_groups(daemon: RunningDaemon) -> None:
    """Things happen of which each takes a message of 2 MB to tell."""
    integration = daemon.integration()
    for n in range(GROUPS):
        daemon.fire(integration, key=f"{n}{LARGE}")


def wait_for_a_place(daemon: RunningDaemon) -> None:
    """Returns when the daemon lets another watcher in: when it has ended one."""
    left = None
    while left is None:
        with contextlib.suppress(grpc.RpcError):
            left, _ = watch(daemon)
    left.cancel()


@pytest.mark.parametrize("left_behind", [False, True], ids=["queued", "left behind"])
def test_who_takes_nothing_is_cut_off_and_can_resume(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch, left_behind: bool
) -> None:
    """Others are told everything meanwhile. The one that reads nothing finds, once it reads on, what was on the way and
    then the error, which says from where to resume; from there nothing is missing and nothing comes twice."""
    monkeypatch.setattr(watch_hub, "MOST_WATCHERS", 2)
    monkeypatch.setattr(watch_hub, "MOST_WAITING_BYTES", len(LARGE) * (2 if left_behind else GROUPS + 1))
    monkeypatch.setattr(watch_hub, "PATIENCE_BEHIND" if left_behind else "PATIENCE", 1.0)
    monkeypatch.setattr(watch_hub, "PATIENCE" if left_behind else "PATIENCE_BEHIND", NEVER)
    slow, _ = watch(daemon)
    busy, _ = watch(daemon)
    taken: list[int] = []
    reader = threading.Thread(target=lambda: taken.extend(number for number, _, _ in take(busy, GROUPS)))
    reader.start()
    open_large_groups(daemon)
    reader.join(30)
    assert taken == list(range(1, GROUPS + 1))
    wait_for_a_place(daemon)

    messages, error = ending(slow)

    assert error is not None
    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_WATCHER")
    last = len(messages)
    assert [message.revision for message in messages] == list(range(1, last + 1))
    assert 0 < last < GROUPS
    # Whether the message that was on the way at the end arrives is not known here.
    assert any(f"resume from revision {revision} " in str(error.details()) for revision in (last - 1, last))
    again, _ = watch(daemon, last)
    assert [number for number, _, _ in take(again, GROUPS - last)] == list(range(last + 1, GROUPS + 1))


@pytest.mark.parametrize(
    ("asked", "advice"),
    [({"revision": 0}, "resume from revision"), ({"initial_snapshot": True}, "to be begun anew")],
    ids=["resuming", "snapshot"],
)
def test_who_stops_on_the_way_to_the_present_is_cut_off(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], advice: str
) -> None:
    """Old events and snapshots are kept for nobody either; a snapshot has no revision to resume from."""
    monkeypatch.setattr(watch_hub, "MOST_WATCHERS", 1)
    monkeypatch.setattr(watch_hub, "PATIENCE", 0.5)
    open_large_groups(daemon)
    call, _ = watch(daemon, **asked)
    wait_for_a_place(daemon)

    messages, error = ending(call)

    assert error is not None
    assert reason(error) == "SLOW_WATCHER"
    assert advice in str(error.details())
    assert 0 < len(messages) < GROUPS


def test_a_burst_that_no_queue_holds_reaches_who_reads(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is left behind goes on from the file and becomes live again: every change once, in order, whatever the
    filter."""
    monkeypatch.setattr(watch_hub, "MOST_WAITING", 2)
    integration = daemon.integration()
    name = daemon.fire(integration, key="one")
    groups = [watch(daemon)[0] for _ in range(3)]
    silenced, _ = watch(daemon, filter="state = SILENCED")
    lines, _ = watch_events(daemon, name)
    for burst in range(3):
        daemon.deliver([daemon.delivery(integration, notice("a", key=f"{burst}/{n}")) for n in range(300)])
        daemon.act("Silence", name)
        daemon.act("Unsilence", name)

    for call in groups:
        assert [number for number, _, _ in take(call, 906)] == list(range(2, 908))
    for call in (silenced, lines):
        assert [change.event.kind for _, change in zip(range(6), changes(call), strict=False)] == [
            Event.SILENCED,
            Event.UNSILENCED,
        ] * 3
    daemon.act("Acknowledge", name)
    for call in (*groups, lines):
        assert take(call, 1) == [(908, "ACKNOWLEDGED", name)]


def test_a_failure_to_read_is_made_up_for(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the hub cannot read, its watchers are told later, of everything."""
    monkeypatch.setattr(watch_hub, "_AFTER_FAILURE", 0.01)
    integration = daemon.integration()
    call, _ = watch(daemon)
    failures = []
    read = watch_hub.events.since

    def fail_once(*args: Any) -> Any:
        if not failures and threading.current_thread().name.startswith("watch-hub"):
            failures.append(1)
            raise OSError("the disk is away")
        return read(*args)

    monkeypatch.setattr(watch_hub.events, "since", fail_once)
    for n in range(5):
        daemon.fire(integration, key=f"{n}")

    assert [number for number, _, _ in take(call, 5)] == [1, 2, 3, 4, 5]
    assert failures
