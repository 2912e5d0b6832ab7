"""Wiping and deleting groups of a running daemon: what is gone, what is left, and what comes after."""

from collections.abc import Callable

import grpc
import pytest
from beats import INTERVAL, alarms, expected
from changing import delete, exists, holds, notes_of, rewrite_note, wipe, write_note
from fake_clock import DAY, HOUR, MINUTE, SECOND
from notices import notice
from posting import add_contact
from running_daemon import AlertGroup, Integration, Receipt, RunningDaemon, duration, reason
from templated import said, template

from tocsin.v1 import alert_groups_pb2, intake_pb2, integrations_pb2
from tocsind.domain.alert_group import EventKind
from tocsind.domain.message import Kind, MessageState
from tocsind.engine.memory import Memory
from tocsind.engine.telling import outbox
from tocsind.sqlite import messages, removal
from tocsind.sqlite.writer import Transaction

SECRET = "hunter2"
REMOVALS = {"wipe": wipe, "delete": delete}
Remove = Callable[..., object]


def telling(daemon: RunningDaemon, integration: Integration) -> str:
    """A group that says something secret wherever it can, and is acknowledged."""
    story = notice(f"a-{SECRET}", key=f"key-{SECRET}", external_url=f"http://{SECRET}")
    story.title = f"title {SECRET}"
    story.labels = {SECRET: SECRET}
    story.receiver = SECRET
    story.payload = b"not even compressed: hunter2"
    for alert in story.alerts:
        alert.labels = {"password": SECRET}
    name = str(daemon.send(integration, story).alert_group)
    template(daemon, integration, message=f"message {SECRET}", source_link=f"http://{SECRET}/link")
    story = said(f"a-{SECRET} b-{SECRET}", key=f"key-{SECRET}")
    story.title = f"title {SECRET}"
    daemon.send(integration, story)
    template(daemon, integration)
    answer(daemon, name)
    daemon.act("Acknowledge", name, note=f"the password is {SECRET}")
    note = write_note(daemon, name, f"really: {SECRET}")
    rewrite_note(daemon, note.name, f"not {SECRET}2")
    return name


def answer(daemon: RunningDaemon, name: str) -> None:
    """Writes what a receiver said to a message about a group."""
    contact, number = add_contact(daemon, f"ops {name}"), daemon.group(name).number

    def job(transaction: Transaction, memory: Memory) -> None:
        told = outbox.message(number, contact, Kind.FIRING)
        told.state, told.answer, told.ended = MessageState.DEAD, f"HTTP 500: {SECRET}", transaction.now
        messages.insert(transaction.connection, [told])
        outbox.tell(
            transaction, outbox.timeline(transaction, [(told, EventKind.DELIVERY_GIVEN_UP, f"{told.answer}; given up")])
        )

    daemon.engine.change(job)


@pytest.fixture(params=["", "Resolve", "Silence"])
def told(daemon: RunningDaemon, request: pytest.FixtureRequest) -> str:
    """Such a group in several states, beside another one that says as much."""
    integration = daemon.integration(stale_after=duration(HOUR))
    name = telling(daemon, integration)
    if request.param == "Silence":
        daemon.act("Unacknowledge", name)
        daemon.act("Silence", name, duration=duration(MINUTE), note=SECRET)
    elif request.param:
        daemon.act(request.param, name, note=SECRET)
    assert {"messages", "events", "alert_groups"} < set(holds(daemon, SECRET))
    assert SECRET in daemon.group(name).message
    assert SECRET in daemon.group(name).source_link
    return name


def test_a_wiped_group_is_an_empty_shell(daemon: RunningDaemon, told: str) -> None:
    """Nothing of what it said is in the file; who did what and when stays, and it is resolved."""
    before = daemon.group(told)
    times = [(event.create_time, event.actor, event.state) for event in daemon.events(told)]
    daemon.clock.advance(SECOND)

    shell = wipe(daemon, told, actor="bob")

    assert holds(daemon, SECRET) == []
    assert shell == daemon.group(told)
    assert (shell.title, shell.grouping_key, shell.receiver, shell.external_url) == ("Wiped", "", "", "")
    assert (shell.message, shell.source_link) == ("", "")
    assert (dict(shell.labels), shell.firing_alert_count, shell.source_firing) == ({}, 0, False)
    assert (shell.state, shell.resolve_reason) == (AlertGroup.RESOLVED, AlertGroup.WIPED)
    assert (shell.number, shell.integration, shell.create_time) == (
        before.number,
        before.integration,
        before.create_time,
    )
    assert shell.acknowledge_actor == before.acknowledge_actor
    assert not shell.HasField("silence_end_time")
    was_open = before.state != AlertGroup.RESOLVED
    assert (shell.state_actor == "bob") == was_open
    assert (shell.resolve_time == before.resolve_time) != was_open
    *earlier, last = daemon.events(told)
    assert [(event.create_time, event.actor, event.state) for event in earlier] == times
    assert not any(event.reason or event.note or event.fingerprints for event in earlier)
    assert (last.kind, last.actor, last.state) == (last.WIPED, "bob", AlertGroup.RESOLVED)
    assert last.previous_state == before.state
    assert (daemon.alerts(told), notes_of(daemon, told)) == ([], [])
    with pytest.raises(grpc.RpcError, match="does not exist"):
        daemon.groups.GetPayload(alert_groups_pb2.GetPayloadRequest(name=f"{told}/payloads/latest"))
    assert daemon.crash().group(told) == shell


def test_a_deleted_group_leaves_one_event(daemon: RunningDaemon, told: str) -> None:
    """Nothing else in the file is about it, and whoever asks for it is told that it does not exist."""
    before = daemon.group(told)
    revision = daemon.events(told)[-1].revision

    delete(daemon, told, actor="bob")

    assert holds(daemon, SECRET) == []
    for table in ("alert_groups", "alerts", "payloads", "notes"):
        assert daemon.sql(f"SELECT * FROM {table}") == []
    (tombstone,) = daemon.sql("SELECT id, group_id, kind, previous, state, actor, reason, note FROM events")
    assert tombstone == (revision + 1, before.number, EventKind.DELETED, before.state, before.state, "bob", "", "")
    lists = (daemon.group, daemon.events, daemon.alerts, lambda name: notes_of(daemon, name))
    verbs = ("Acknowledge", "Resolve", "Unresolve", "Wipe", "Delete")
    for call in (*lists, *(lambda name, verb=verb: daemon.act(verb, name) for verb in verbs)):
        with pytest.raises(grpc.RpcError, match=f"{told} does not exist") as refusal:
            call(told)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("how", REMOVALS)
def test_no_timer_of_a_removed_group_does_anything(daemon: RunningDaemon, told: str, how: str) -> None:
    """Neither the end of its silence nor its going stale."""
    REMOVALS[how](daemon, told)
    assert not daemon.engine.memory.silences
    assert not daemon.engine.memory.stale
    events = daemon.sql("SELECT * FROM events")

    daemon.pass_time(2 * HOUR)
    daemon.settle()

    assert daemon.sql("SELECT * FROM events") == events


@pytest.mark.parametrize("how", REMOVALS)
def test_watchers_are_told_of_a_removal(daemon: RunningDaemon, how: str) -> None:
    """As of every event, and by the last of its revisions also who was away."""
    name = daemon.fire(daemon.integration())
    request = alert_groups_pb2.WatchAlertGroupsRequest(revision=daemon.events(name)[-1].revision)
    stream = daemon.groups.WatchAlertGroups(request)
    assert not next(stream).HasField("event")

    REMOVALS[how](daemon, name)

    told = next(stream)
    assert told.event.name.startswith(f"{name}/events/")
    assert told.event.kind == (told.event.WIPED if how == "wipe" else told.event.DELETED)
    stream.cancel()


def test_wiping_again_is_no_event(daemon: RunningDaemon) -> None:
    """It succeeds, whoever does it, and changes nothing."""
    name = daemon.fire(daemon.integration())
    shell = wipe(daemon, name, actor="ada")
    daemon.clock.advance(SECOND)

    assert wipe(daemon, name, actor="bob") == shell
    assert daemon.kinds(name) == ["OPENED", "WIPED"]


@pytest.mark.parametrize("deleted", [False, True], ids=["", "its integration is deleted"])
def test_a_wiped_group_cannot_be_opened_again(daemon: RunningDaemon, deleted: bool) -> None:
    """What it was about is gone for good: refused, with a reason for programs."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    shell = wipe(daemon, name)
    if deleted:
        daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))

    with pytest.raises(grpc.RpcError, match=f"{name} was wiped") as refusal:
        daemon.act("Unresolve", name)

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "WIPED")
    assert daemon.group(name) == shell


# What comes after


@pytest.mark.parametrize("how", REMOVALS)
@pytest.mark.parametrize("verb", ["", "Resolve"])
def test_what_fires_on_opens_a_new_group(daemon: RunningDaemon, how: str, verb: str) -> None:
    """The very next notification, also one that says what the last one said; the number is not used again."""
    integration = daemon.integration()
    name = daemon.fire(integration, "a b")
    if verb:
        daemon.act(verb, name)
    REMOVALS[how](daemon, name)
    daemon = daemon.crash()

    new = daemon.fire(integration, "a b")

    assert new == "alertGroups/2"
    assert daemon.kinds(new) == ["OPENED"]
    assert len(daemon.alerts(new)) == 2
    assert daemon.fire(integration, "a b") == new
    daemon.send(integration, notice("", "a b"))
    assert daemon.group(new).state == AlertGroup.RESOLVED


@pytest.mark.parametrize("how", REMOVALS)
def test_what_is_resolved_later_changes_nothing(daemon: RunningDaemon, how: str) -> None:
    """The source's resolution of what was removed is known to nobody; and no reopening within the reopen window."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    REMOVALS[how](daemon, name)
    left = daemon.group(name) if how == "wipe" else None
    events = daemon.sql("SELECT * FROM events")

    assert daemon.send(integration, notice("", "a")).outcome == Receipt.NOTHING_KNOWN

    assert daemon.sql("SELECT * FROM events") == events
    assert left is None or daemon.group(name) == left


@pytest.mark.parametrize("how", REMOVALS)
def test_a_group_resolved_by_its_source_and_removed_is_not_reopened(daemon: RunningDaemon, how: str) -> None:
    """Within the reopen window, a new group is opened."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.send(integration, notice("", "a"))
    REMOVALS[how](daemon, name)

    assert daemon.fire(integration) != name
    assert exists(daemon, name) == (how == "wipe")
    assert how == "delete" or daemon.group(name).resolve_reason == AlertGroup.WIPED


def test_an_older_group_can_be_opened_again_once_the_newer_is_gone(daemon: RunningDaemon) -> None:
    """What was removed stands in nobody's way."""
    integration = daemon.integration()
    older = daemon.fire(integration)
    daemon.act("Resolve", older)
    newer = daemon.fire(integration, "a b")
    delete(daemon, newer)

    assert daemon.act("Unresolve", older).state == AlertGroup.FIRING
    assert daemon.fire(integration, "a b") == older


def test_numbers_and_revisions_are_not_used_again(daemon: RunningDaemon) -> None:
    """Not even those of the last group, after a restart."""
    integration = daemon.integration()
    last = daemon.fire(integration)
    delete(daemon, last)
    ((revision,),) = daemon.sql("SELECT max(id) FROM events")
    daemon = daemon.reopen()

    new = daemon.fire(integration)

    assert new != last
    assert daemon.events(new)[0].revision == revision + 1


@pytest.mark.parametrize("how", REMOVALS)
@pytest.mark.parametrize("end", ["", "crash"])
def test_a_missing_heartbeat_is_raised_again_after_its_group_was_removed(
    daemon: RunningDaemon, how: str, end: str
) -> None:
    """After another interval and not before, as after a person resolved it; a beat ends that."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    (alarm,) = alarms(daemon)
    REMOVALS[how](daemon, alarm.name)
    if end:
        daemon = daemon.crash()
    daemon.pass_time(INTERVAL - 1)
    assert alarms(daemon, "state != RESOLVED") == []

    if end:
        daemon.pass_time(SECOND)  # What a crash may cost.
    daemon.settle()

    (again,) = alarms(daemon, "state != RESOLVED")
    assert again.number != alarm.number
    daemon.beat(integration)
    assert daemon.group(again.name).resolve_reason == AlertGroup.SOURCE
    assert alarms(daemon, "state != RESOLVED") == []


@pytest.mark.parametrize("how", REMOVALS)
def test_a_beat_ends_what_was_removed(daemon: RunningDaemon, how: str) -> None:
    """A heartbeat that is back before that is not raised again, and its removed group is not touched."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    (alarm,) = alarms(daemon)
    REMOVALS[how](daemon, alarm.name)
    events = daemon.sql("SELECT * FROM events")
    daemon.beat(integration)
    daemon.pass_time(INTERVAL - 1)

    assert daemon.sql("SELECT * FROM events") == events


@pytest.mark.parametrize("how", REMOVALS)
def test_removing_an_old_group_of_a_heartbeat_dismisses_nothing(daemon: RunningDaemon, how: str) -> None:
    """The open one goes on as it was: nobody said anything about it."""
    integration = expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    (old,) = alarms(daemon)
    daemon.beat(integration)
    daemon.pass_time(DAY)
    daemon.settle()
    current = alarms(daemon, "state != RESOLVED")
    assert [group.number for group in current] != [old.number]

    REMOVALS[how](daemon, old.name)
    daemon.pass_time(3 * INTERVAL)
    daemon.settle()

    assert alarms(daemon, "state != RESOLVED") == current


@pytest.mark.parametrize("how", REMOVALS)
def test_what_tocsin_says_of_itself_comes_again(daemon: RunningDaemon, how: str) -> None:
    """While no gateway is connected, and it ends when one is."""
    daemon.integration()
    daemon.leave()
    daemon.pass_time(2 * MINUTE)
    daemon.settle()
    (told,) = daemon.list_groups("state != RESOLVED")
    assert told.source == AlertGroup.SELF
    REMOVALS[how](daemon, told.name)
    daemon.pass_time(2 * SECOND)
    daemon.settle()

    (again,) = daemon.list_groups("state != RESOLVED")
    assert (again.source, again.title) == (AlertGroup.SELF, told.title)
    assert again.number != told.number
    daemon.attend()
    daemon.pass_time(2 * SECOND)
    daemon.settle()
    assert daemon.group(again.name).resolve_reason == AlertGroup.SOURCE


def test_a_group_heard_of_in_the_same_transaction_is_removed_all_the_same(daemon: RunningDaemon) -> None:
    """A notification and a deletion that are committed together: whatever their order, no timer is left."""
    integration = daemon.integration(stale_after=duration(HOUR))
    name = daemon.fire(integration)
    number = daemon.group(name).number
    with daemon.engine._writer._pen:  # What is queued now waits, and is taken together.
        delivery = daemon.delivery(integration, notice("a b"))
        sent = daemon.intake.Deliver.future(intake_pb2.DeliverRequest(deliveries=[delivery]))
        gone = daemon.groups.DeleteAlertGroup.future(alert_groups_pb2.DeleteAlertGroupRequest(name=name))
        while daemon.engine._writer._queue.qsize() < 2:
            daemon.clock.steady()
    (receipt,) = sent.result().receipts
    gone.result()

    assert not exists(daemon, name)
    assert number not in daemon.engine.memory.stale
    assert receipt.alert_group == name or exists(daemon, receipt.alert_group)


# Tombstones


def test_old_tombstones_are_found_oldest_first(daemon: RunningDaemon) -> None:
    """A few at a time, and no group that is still there."""
    integration = daemon.integration()
    daemon.fire(integration, key="kept")
    wipe(daemon, daemon.fire(integration, key="wiped"))
    deleted = []
    for n in range(4):
        name = daemon.fire(integration, key=f"k{n}")
        deleted.append(daemon.group(name).number)
        delete(daemon, name)
        daemon.clock.advance(DAY)

    with daemon.engine.store.reading() as connection:
        assert removal.old_tombstones(connection, daemon.clock.wall(), 2) == deleted[:2]
        assert removal.old_tombstones(connection, daemon.clock.wall() - DAY, 9) == deleted[:3]
