"""What watchers are told: filters, snapshots, one group, how far the stream is, what is gone."""

import grpc
import pytest
from fake_clock import HOUR, MINUTE
from notices import notice
from running_daemon import AlertGroup, Event, RunningDaemon, duration, reason
from watching import changes, delete, ending, take, watch, watch_events

from tocsind.rpc import watch as watching_module
from tocsind.rpc import watch_hub


def code(error: grpc.RpcError | None) -> str:
    """The name of the code of an error."""
    assert error is not None
    return str(error.code().name)


# Filters


def test_a_filter_looks_at_the_state_before_and_after(daemon: RunningDaemon) -> None:
    """Who watches what is open is told that something is resolved, live and when resuming, and no more of it then."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    live, _ = watch(daemon, filter="state != RESOLVED")
    acknowledged, _ = watch(daemon, filter="state = ACKNOWLEDGED")
    daemon.act("Acknowledge", name)
    daemon.act("Resolve", name, note="done")
    daemon.send(integration, notice("", "a"))
    daemon.act("Unresolve", name)

    assert daemon.kinds(name) == ["OPENED", "ACKNOWLEDGED", "RESOLVED", "SOURCE_RESOLVED", "UNRESOLVED"]
    seen = [kind for _, kind, _ in take(live, 3)]
    assert seen == ["ACKNOWLEDGED", "RESOLVED", "UNRESOLVED"]
    assert [kind for _, kind, _ in take(acknowledged, 2)] == ["ACKNOWLEDGED", "RESOLVED"]
    resumed, _ = watch(daemon, 1, filter="state != RESOLVED")
    assert [kind for _, kind, _ in take(resumed, 3)] == seen


def test_a_filter_by_integration_lets_only_its_groups_through(daemon: RunningDaemon) -> None:
    """Watchers with different filters are each told what they asked for."""
    one, other = daemon.integration("one"), daemon.integration("other")
    first, _ = watch(daemon, filter=f'integration = "{one.name}"')
    second, _ = watch(daemon, filter=f'integration = "{other.name}"')
    for n in range(3):
        daemon.fire(one, key=f"{n}")
        daemon.fire(other, key=f"{n}")

    assert [number for number, _, _ in take(first, 3)] == [1, 3, 5]
    assert [number for number, _, _ in take(second, 3)] == [2, 4, 6]


def test_what_was_written_before_states_were_kept_is_not_held_back(daemon: RunningDaemon) -> None:
    """Of an old event the state before is not known: a filter by state lets it through, but not one of another kind."""
    name = daemon.fire(daemon.integration())
    daemon.act("Resolve", name)
    daemon.engine.change(
        lambda transaction, _: transaction.connection.execute("UPDATE events SET previous = 0") and None
    )

    everything, _ = watch(daemon, 0, filter="state != RESOLVED")
    silenced, _ = watch(daemon, 0, filter="state = SILENCED")

    assert [kind for _, kind, _ in take(everything, 2)] == ["OPENED", "RESOLVED"]
    assert [kind for _, kind, _ in take(silenced, 1)] == ["RESOLVED"]


@pytest.mark.parametrize(
    ("filter", "expected"), [("nonsense", "INVALID_ARGUMENT"), ('integration = "integrations/none"', "NOT_FOUND")]
)
def test_a_filter_that_cannot_be_is_refused(daemon: RunningDaemon, filter: str, expected: str) -> None:
    """As in a list."""
    with pytest.raises(grpc.RpcError) as refusal:
        watch(daemon, filter=filter)

    assert code(refusal.value) == expected


def test_who_sees_little_is_told_how_far_the_stream_is(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a filter lets nothing through, the revision still comes from time to time, so that resuming is cheap."""
    monkeypatch.setattr(watch_hub, "PROGRESS", 0.05)
    integration = daemon.integration()
    call, _ = watch(daemon, filter="state = SILENCED")
    lines, _ = watch_events(daemon, daemon.fire(integration, key="quiet"))
    for n in range(4):
        daemon.fire(integration, key=str(n))

    for stream in (call, lines):
        told = 0
        while told < 5:
            message = next(stream)
            assert not message.HasField("event")
            assert message.revision > told
            told = message.revision


# Snapshots


def snapshot(call: object) -> tuple[list[int], int]:
    """The numbers of the groups of a snapshot, and the revision that ends it."""
    numbers = []
    for message in call:  # type: ignore[attr-defined]
        if message.snapshot_complete:
            return numbers, message.revision
        assert (message.revision, message.HasField("event")) == (0, False)
        numbers.append(message.alert_group.number)
    raise AssertionError("the snapshot has no end")


def test_a_snapshot_comes_before_the_changes(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """All groups that match now, newest first, over several pages; its end with a revision; then what happens."""
    monkeypatch.setattr(watching_module, "SNAPSHOT_PAGE", 3)
    integration = daemon.integration()
    names = [daemon.fire(integration, key=f"{n}") for n in range(8)]
    daemon.act("Resolve", names[4])

    call, begin = watch(daemon, initial_snapshot=True, filter="state != RESOLVED")
    found = snapshot(call)
    daemon.act("Acknowledge", names[0])

    assert begin == 9
    assert found == ([8, 7, 6, 4, 3, 2, 1], 9)
    assert take(call, 1) == [(10, "ACKNOWLEDGED", names[0])]


def test_a_snapshot_of_nothing_ends_too(daemon: RunningDaemon) -> None:
    """An empty list is a list."""
    call, _ = watch(daemon, initial_snapshot=True)

    assert snapshot(call) == ([], 0)


def test_what_happens_during_a_snapshot_comes_after_it(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pages one group that was sent ceases to match, one that was not sent does, and one is new: with
    snapshot and events together a watcher knows what a list says."""
    monkeypatch.setattr(watching_module, "SNAPSHOT_PAGE", 1)
    integration = daemon.integration()
    # So large that no more than a few of them are on the way before the watcher takes them.
    names = [daemon.fire(integration, key=f"{n}" + "x" * 1_000_000) for n in range(30)]
    call, begin = watch(daemon, initial_snapshot=True, filter="state != RESOLVED")
    known = {next(call).alert_group.name}
    daemon.act("Resolve", names[29])
    daemon.act("Resolve", names[0])
    new = daemon.fire(integration, key="new")

    for message in call:
        if message.snapshot_complete:
            assert message.revision == begin
            continue
        change = message.alert_group
        (known.discard if change.state == AlertGroup.RESOLVED else known.add)(change.name)
        if message.revision == 33:
            break

    assert known == {*names[1:29], new}
    assert known == {
        f"alertGroups/{number}" for (number,) in daemon.sql("SELECT id FROM alert_groups WHERE state != 4")
    }


def test_a_snapshot_has_no_revision_to_begin_after(daemon: RunningDaemon) -> None:
    """Both together make no sense, and are refused."""
    with pytest.raises(grpc.RpcError, match="must not be set together with revision") as refusal:
        watch(daemon, 0, initial_snapshot=True)

    assert code(refusal.value) == "INVALID_ARGUMENT"


# One group


def test_one_group_is_watched_from_its_beginning(daemon: RunningDaemon) -> None:
    """Its whole timeline first, then what happens to it, nothing of others, also after it was resolved."""
    integration = daemon.integration()
    name = daemon.fire(integration, key="a")
    daemon.fire(integration, key="b")
    daemon.act("Acknowledge", name)
    call, begin = watch_events(daemon, name, 0)
    assert begin == 0
    assert take(call, 2) == [(1, "OPENED", name), (3, "ACKNOWLEDGED", name)]

    daemon.fire(integration, key="c")
    daemon.act("Resolve", name)
    daemon.act("Unresolve", name)

    assert take(call, 2) == [(5, "RESOLVED", name), (6, "UNRESOLVED", name)]


def test_one_group_is_watched_from_now_on(daemon: RunningDaemon) -> None:
    """Without a revision, what was before is not sent."""
    name = daemon.fire(daemon.integration())
    call, begin = watch_events(daemon, name)
    daemon.act("Acknowledge", name, note="mine")

    change = next(changes(call))

    assert begin == 1
    assert (change.event.revision, change.event.note, change.event.previous_state) == (2, "mine", AlertGroup.FIRING)


def test_the_stream_of_a_group_ends_after_its_end(daemon: RunningDaemon) -> None:
    """A group that somebody deletes: its watchers get the last event and the end of the stream, also who resumes."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    live, _ = watch_events(daemon, name)
    delete(daemon, name)
    daemon.fire(integration, key="other")

    resumed, _ = watch_events(daemon, name, 1)

    for call in (live, resumed):
        messages, error = ending(call)
        assert [(message.revision, message.event.kind) for message in messages] == [(2, Event.DELETED)]
        assert error is None


@pytest.mark.parametrize("revision", [None, 0])
def test_a_group_that_does_not_exist_cannot_be_watched(daemon: RunningDaemon, revision: int | None) -> None:
    """It is not found; nobody waits for it."""
    daemon.fire(daemon.integration())

    with pytest.raises(grpc.RpcError) as refusal:
        watch_events(daemon, "alertGroups/2", revision)

    assert code(refusal.value) == "NOT_FOUND"


def test_a_deleted_group_is_told_to_all(daemon: RunningDaemon) -> None:
    """Its last event goes through every filter, with the name and the number of the group and nothing else."""
    name = daemon.fire(daemon.integration())
    live, _ = watch(daemon, filter="state = SILENCED")
    delete(daemon, name)
    resumed, _ = watch(daemon, 1, filter="state = SILENCED")

    for call in (live, resumed):
        change = next(changes(call))
        assert (change.revision, change.event.kind, change.event.actor) == (2, Event.DELETED, "ada")
        assert change.alert_group == AlertGroup(name=name, number=1)


# What is gone


def test_a_revision_from_before_what_was_removed_is_too_old(daemon: RunningDaemon) -> None:
    """After retention removed a group, resuming from before its last event would have a gap; from it on it has none.
    The same after a restart, and for 0. Who watches one group that is there is not concerned."""
    integration = daemon.integration(retention=duration(HOUR))
    kept = daemon.fire(integration, key="kept")
    removed = daemon.fire(integration, key="removed")
    daemon.act("Resolve", removed)
    daemon.act("Acknowledge", kept)
    daemon.clock.advance(HOUR + 2 * MINUTE)
    daemon.settle()
    assert [group.name for group in daemon.list_groups()] == [kept]

    for _ in range(2):
        for revision in (0, 1, 2):
            with pytest.raises(grpc.RpcError, match="the oldest to resume from is 3") as refusal:
                watch(daemon, revision)
            assert (code(refusal.value), reason(refusal.value)) == ("OUT_OF_RANGE", "REVISION_TOO_OLD")
        assert take(watch(daemon, 3)[0], 1) == [(4, "ACKNOWLEDGED", kept)]
        assert take(watch_events(daemon, kept, 0)[0], 2) == [(1, "OPENED", kept), (4, "ACKNOWLEDGED", kept)]
        daemon = daemon.reopen()


def test_who_reads_too_slowly_is_overtaken_by_retention(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that still reads old pages when something of them is removed ends, instead of leaving it out."""
    monkeypatch.setattr(watching_module.events, "since", one_by_one(watching_module.events.since))
    monkeypatch.setattr("tocsind.rpc.watch_topics.PAGE", 1)
    integration = daemon.integration(retention=duration(HOUR))
    for n in range(60):
        daemon.fire(integration, key=f"{n}" + "x" * 500_000)
    gone = daemon.fire(integration, key="gone")
    daemon.act("Resolve", gone)
    call, _ = watch(daemon, 0)
    next(call)
    daemon.clock.advance(HOUR + 2 * MINUTE)
    daemon.settle()
    assert daemon.sql("SELECT forgotten FROM daemon_state") == [(62,)]

    messages, error = ending(call)

    assert code(error) == "OUT_OF_RANGE"
    # On a fast disk even the second message is overtaken.
    assert len(messages) < 60


def one_by_one(query: object) -> object:
    """The query, with pages of one."""
    return lambda connection, after, limit: query(connection, after, 1)  # type: ignore[operator]


def test_watchers_learn_that_the_daemon_stops(daemon: RunningDaemon) -> None:
    """They are told UNAVAILABLE, which means to try again."""
    call, _ = watch(daemon)
    lines, _ = watch_events(daemon, daemon.fire(daemon.integration()))
    daemon.main.close()

    assert [code(ending(stream)[1]) for stream in (call, lines)] == ["UNAVAILABLE"] * 2
    daemon.closed = True
    daemon.channel.close()
