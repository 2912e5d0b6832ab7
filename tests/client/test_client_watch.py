"""Watches: what they hand out, how they go on after a break, and when they do not. Both clients are held to it."""

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from scripted_daemon import Event, Hold, Refusal, ScriptedDaemon, at, happened, stands
from ways import Connect, Way

import tocsin
from tocsin import watching
from tocsin.errors import Error, of_status
from tocsin.v1.alert_groups_pb2 import WatchAlertGroupsRequest, WatchEventsRequest, WatchEventsResponse

FROM_NOW = WatchAlertGroupsRequest(filter="state = FIRING")
SNAPSHOT = WatchAlertGroupsRequest(initial_snapshot=True)
ONE_GROUP = WatchEventsRequest(parent="alertGroups/1")


def starts(daemon: ScriptedDaemon, method: str = "WatchAlertGroups") -> list[int | None]:
    """After which revisions was asked for."""
    return [asked.revision if asked.HasField("revision") else None for asked in daemon.requests(method)]


def test_messages_come_as_they_are(way: Way, daemon: ScriptedDaemon) -> None:
    """The first bears only a revision; the request goes to the daemon as it was given."""
    daemon.script["WatchAlertGroups"].append([at(7), happened(8), Hold()])
    assert way.watch(FROM_NOW, 2) == [at(7), happened(8)]
    assert daemon.requests("WatchAlertGroups") == [FROM_NOW]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        Refusal("UNAVAILABLE", "bye"),
        Refusal("RESOURCE_EXHAUSTED", "too slow", "SLOW_WATCHER"),
        Refusal("INTERNAL"),
        Refusal("CANCELLED"),
        Refusal("UNKNOWN"),
    ],
    ids=lambda refusal: "end" if refusal is None else grpc.StatusCode(_code(refusal)).name,
)
def test_a_stream_that_breaks_off_is_resumed(way: Way, daemon: ScriptedDaemon, broken: Refusal | None) -> None:
    """Whatever passes leads to a new stream after the last revision that was handed out, with the same filter."""
    first = [at(7), happened(8), *([broken] if broken else [])]
    daemon.script["WatchAlertGroups"].extend([first, [at(8), happened(9), Hold()]])
    breaks: list[Error] = []
    assert way.watch(FROM_NOW, 4, on_break=breaks.append) == [at(7), happened(8), at(8), happened(9)]
    assert starts(daemon) == [None, 8]
    assert [asked.filter for asked in daemon.requests("WatchAlertGroups")] == ["state = FIRING"] * 2
    assert len(breaks) == 1


def _code(refusal: Refusal) -> Any:
    return next(code for code in grpc.StatusCode if code.value[0] == refusal.status.code)


def test_how_far_the_stream_is_counts(way: Way, daemon: ScriptedDaemon) -> None:
    """Messages that bear only a revision move the place to resume, even from 0."""
    daemon.script["WatchAlertGroups"].extend([[at(0)], [at(0), at(500)], [at(500), Hold()]])
    assert way.watch(FROM_NOW, 4) == [at(0), at(0), at(500), at(500)]
    assert starts(daemon) == [None, 0, 500]


def test_a_watch_survives_a_restart(connect: Connect, daemon: ScriptedDaemon) -> None:
    """A daemon that goes away for a while and comes back is found again."""
    daemon.script["WatchAlertGroups"].extend([[at(7), happened(8), Hold()], [at(8), happened(9), Hold()]])

    away, seen = threading.Event(), threading.Event()

    def restart() -> None:
        seen.wait(timeout=10)
        daemon.stop()
        away.wait(timeout=10)
        daemon.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    messages = connect(daemon.target).watch(
        FROM_NOW,
        4,
        then=lambda message: seen.set() if message == happened(8) else None,
        on_break=lambda error: away.set(),
    )
    restarting.join()
    assert messages == [at(7), happened(8), at(8), happened(9)]
    assert starts(daemon) == [None, 8]


def test_a_snapshot_is_handed_out_and_then_left_behind(way: Way, daemon: ScriptedDaemon) -> None:
    """After a whole snapshot, a break is resumed like any other, without another snapshot."""
    whole = [at(7), stands(2), stands(1), at(9, snapshot_complete=True), happened(10)]
    daemon.script["WatchAlertGroups"].extend([whole, [at(10), Hold()]])
    assert way.watch(SNAPSHOT, 6) == [*whole, at(10)]
    assert starts(daemon) == [None, 10]
    assert [asked.initial_snapshot for asked in daemon.requests("WatchAlertGroups")] == [True, False]


def test_a_snapshot_that_broke_off_is_begun_anew(way: Way, daemon: ScriptedDaemon) -> None:
    """Groups may come twice, but none is missing; the revision before the snapshot is no place to resume."""
    torn = [at(7), stands(2)]
    whole = [at(8), stands(2), stands(1), at(8, snapshot_complete=True), Hold()]
    daemon.script["WatchAlertGroups"].extend([torn, whole])
    assert way.watch(SNAPSHOT, 6) == [*torn, *whole[:-1]]
    assert starts(daemon) == [None, None]
    assert all(asked.initial_snapshot for asked in daemon.requests("WatchAlertGroups"))


def test_what_was_missed_is_raised(way: Way, daemon: ScriptedDaemon) -> None:
    """When the daemon has not kept what came meanwhile, the watch says so instead of going on with a gap."""
    too_old = Refusal("OUT_OF_RANGE", "too old", "REVISION_TOO_OLD")
    daemon.script["WatchAlertGroups"].extend([[at(7)], [too_old]])
    with pytest.raises(tocsin.RevisionTooOld) as raised:
        way.watch(FROM_NOW, 2)
    assert raised.value.code is grpc.StatusCode.OUT_OF_RANGE


def test_a_snapshot_makes_up_for_what_was_missed(way: Way, daemon: ScriptedDaemon) -> None:
    """Who asked for a snapshot gets another one when the revision became too old."""
    too_old = Refusal("OUT_OF_RANGE", "too old", "REVISION_TOO_OLD")
    done = at(7, snapshot_complete=True)
    anew = [at(90), stands(1), at(90, snapshot_complete=True), Hold()]
    daemon.script["WatchAlertGroups"].extend([[at(7), done], [too_old], anew])
    assert way.watch(SNAPSHOT, 5) == [at(7), done, *anew[:-1]]
    assert starts(daemon) == [None, 7, None]
    assert [asked.initial_snapshot for asked in daemon.requests("WatchAlertGroups")] == [True, False, True]


@pytest.mark.parametrize(
    "code",
    ["INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "UNIMPLEMENTED", "FAILED_PRECONDITION"],
)
@pytest.mark.parametrize("greeted", [False, True])
def test_what_would_fail_again_is_raised(way: Way, daemon: ScriptedDaemon, code: str, greeted: bool) -> None:
    """A refusal that would only be repeated ends the watch, at the start and later."""
    daemon.script["WatchAlertGroups"].append([*([at(1)] if greeted else []), Refusal(code, "no", "WHY")])
    with pytest.raises(tocsin.Error, match="no") as raised:
        way.watch(FROM_NOW, 2)
    assert (raised.value.code.name, raised.value.reason) == (code, "WHY")
    assert len(daemon.calls) == 1


def test_a_daemon_never_reached_is_an_error(connect: Connect, folder: Any) -> None:
    """A watch that cannot begin within the deadline is an error that says why."""
    with pytest.raises(tocsin.Error, match=r"no answer within 0.2 s: .*No such file"):
        connect(f"unix:{folder}/nobody.sock", timeout=0.2).watch(FROM_NOW, 1)


def test_without_patience_it_is_one_at_once(connect: Connect, folder: Any) -> None:
    """Who does not want to wait for a daemon gets the reason as soon as it is known."""
    with pytest.raises(tocsin.Error, match="UNAVAILABLE: failed to connect"):
        connect(f"unix:{folder}/nobody.sock").watch(FROM_NOW, 1, wait_for_ready=False)


def test_a_stream_that_never_begins_is_an_error(way: Way, daemon: ScriptedDaemon) -> None:
    """The first message comes at once where a daemon is; without it there is none."""
    daemon.script["WatchAlertGroups"].append([Hold()])
    with pytest.raises(tocsin.Error, match=r"no answer within 0.2 s$"):
        way.watch(FROM_NOW, 1, timeout=0.2)


def test_a_later_stream_that_never_begins_is_opened_again(way: Way, daemon: ScriptedDaemon) -> None:
    """A daemon that hangs after a restart is given up after the deadline, and asked again."""
    daemon.script["WatchAlertGroups"].extend([[at(7)], [Hold()], [at(7), happened(8), Hold()]])
    breaks: list[Error] = []
    assert way.watch(FROM_NOW, 3, timeout=0.3, on_break=breaks.append) == [at(7), at(7), happened(8)]
    assert [error.code.name for error in breaks] == ["UNAVAILABLE", "DEADLINE_EXCEEDED"]
    assert [daemon.gone.get(timeout=10) for _ in range(2)] == ["WatchAlertGroups"] * 2, "the silent one is left open"


def test_silence_after_the_first_message_is_peace(way: Way, daemon: ScriptedDaemon) -> None:
    """No deadline ends a stream on which nothing happens."""
    later = threading.Event()

    def slowly() -> Any:
        yield at(7)
        later.wait(1.5)  # longer than the deadline
        yield happened(8)

    daemon.script["WatchAlertGroups"].append(slowly())
    assert way.watch(FROM_NOW, 2, timeout=1) == [at(7), happened(8)]
    assert len(daemon.calls) == 1


def test_one_group_is_watched_to_its_end(way: Way, daemon: ScriptedDaemon) -> None:
    """A watch of a group resumes like any other, and ends by itself after the group was deleted."""
    greeting = WatchEventsResponse(revision=7)
    added = WatchEventsResponse(revision=8, event=Event(revision=8, kind=Event.Kind.NOTE_ADDED))
    deleted = WatchEventsResponse(revision=9, event=Event(revision=9, kind=Event.Kind.DELETED))
    daemon.script["WatchEvents"].extend([[greeting, added, Refusal("UNAVAILABLE")], [added, deleted]])
    assert way.watch(ONE_GROUP, 99) == [greeting, added, added, deleted]
    assert starts(daemon, "WatchEvents") == [None, 8]
    assert {asked.parent for asked in daemon.requests("WatchEvents")} == {"alertGroups/1"}


def test_a_watch_bears_the_token(connect: Connect, daemon: ScriptedDaemon) -> None:
    """Streams are authenticated like calls."""
    daemon.script["WatchAlertGroups"].append([at(7), Hold()])
    connect(daemon.target, token="s3cret").watch(FROM_NOW, 1)
    assert daemon.calls[0].metadata["authorization"] == "Bearer s3cret"


def test_leaving_the_loop_ends_the_stream(daemon: ScriptedDaemon) -> None:
    """After a `break` the daemon is rid of the stream, without a word of thanks to the watch."""
    daemon.script["WatchAlertGroups"].append([at(7), Hold()])
    with tocsin.connect(daemon.target) as client:
        for _ in client.watch(FROM_NOW):
            break
        assert daemon.gone.get(timeout=10) == "WatchAlertGroups"


def test_leaving_the_async_loop_ends_the_stream(daemon: ScriptedDaemon) -> None:
    """The same for asyncio."""
    daemon.script["WatchAlertGroups"].append([at(7), Hold()])

    async def leave() -> str:
        async with tocsin.aio.connect(daemon.target) as client:
            async for _ in client.watch(FROM_NOW):
                break
            gc.collect()
            return await asyncio.to_thread(daemon.gone.get, timeout=10)

    assert asyncio.run(leave()) == "WatchAlertGroups"


@pytest.mark.parametrize("end", [lambda client, watch: watch.close(), lambda client, watch: client.close()])
@pytest.mark.parametrize("silent", [False, True], ids=["waiting", "pausing"])
def test_another_thread_can_end_a_watch(daemon: ScriptedDaemon, end: Callable[..., None], silent: bool) -> None:
    """Closing the watch, or its client, ends the loop, be it waiting for a message or for another try."""
    daemon.script["WatchAlertGroups"].append([at(7), Refusal("UNAVAILABLE", retry=60) if silent else Hold()])
    broken = threading.Event()
    with tocsin.connect(daemon.target) as client:
        watch = client.watch(FROM_NOW, on_break=lambda error: broken.set())
        assert next(watch) == at(7)
        messages: list[Any] = []
        reader = threading.Thread(target=lambda: messages.extend(watch), daemon=True)
        reader.start()
        if silent:
            assert broken.wait(10)
        end(client, watch)
        reader.join(10)
        assert not reader.is_alive()
    assert messages == []


@pytest.mark.parametrize("close_client", [False, True])
def test_another_task_can_end_a_watch(daemon: ScriptedDaemon, close_client: bool) -> None:
    """The same for asyncio: the task that reads is not cancelled, its loop ends."""
    daemon.script["WatchAlertGroups"].append([at(7), Hold()])

    async def run() -> list[Any]:
        async with tocsin.aio.connect(daemon.target) as client:
            watch = client.watch(FROM_NOW)
            assert await anext(watch) == at(7)

            async def read() -> list[Any]:
                return [message async for message in watch]

            reader = asyncio.create_task(read())
            await asyncio.sleep(0)
            if close_client:
                await client.close()
            else:
                watch.close()
            return await asyncio.wait_for(reader, 10)

    assert asyncio.run(run()) == []


def test_a_cancelled_wait_misses_nothing(daemon: ScriptedDaemon) -> None:
    """A task that stops waiting is cancelled as any, and a later wait goes on after what was handed out."""
    daemon.script["WatchAlertGroups"].extend([[at(7), Hold()], [at(7), happened(8), Hold()]])

    async def run() -> list[Any]:
        async with tocsin.aio.connect(daemon.target) as client, client.watch(FROM_NOW) as watch:
            first = await anext(watch)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(watch), 0.2)
            return [first, await anext(watch), await anext(watch)]

    assert asyncio.run(run()) == [at(7), at(7), happened(8)]
    assert starts(daemon) == [None, 7]


def test_the_revision_to_keep(daemon: ScriptedDaemon) -> None:
    """A watch tells after which revision another one would go on; not from within a snapshot."""
    daemon.script["WatchAlertGroups"].append([at(7), stands(1), at(7, snapshot_complete=True), happened(8), Hold()])
    with tocsin.connect(daemon.target) as client:
        watch = client.watch(SNAPSHOT)
        assert [(next(watch) and None, watch.revision)[1] for _ in range(4)] == [None, None, 7, 8]


def test_pauses_grow_and_shrink() -> None:
    """Failures in a row are tried less and less often, at least every five seconds; a message makes it quick again."""
    course = watching.Course(FROM_NOW)
    course.took(at(7))
    error = Error(grpc.StatusCode.UNAVAILABLE, "away")
    pauses = [course.broke(error, 0) for _ in range(9)]
    assert all(
        limit / 2 <= pause <= limit
        for pause, limit in zip(pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5], strict=True)
    )
    course.took(happened(8))
    assert course.broke(error, 0) <= 0.1
    course.broke(error, 0)
    assert course.broke(error, 3600) <= 0.1


def test_a_greeting_alone_keeps_pauses_long() -> None:
    """A daemon that greets and then fails at once is not asked ten times a second."""
    course = watching.Course(FROM_NOW)
    for _ in range(9):
        course.took(at(7))
        pause = course.broke(Error(grpc.StatusCode.INTERNAL, "broken"), 0)
    assert pause >= 2.5


def test_the_daemon_can_ask_for_a_longer_pause() -> None:
    """RetryInfo is heeded."""
    course = watching.Course(FROM_NOW)
    course.took(at(7))
    error = of_status(Refusal("RESOURCE_EXHAUSTED", "full", "TOO_MANY_WATCHERS", retry=30).status)
    assert course.broke(error, 0) == 30
