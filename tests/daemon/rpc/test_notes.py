"""Notes: what people write about groups, and what the timeline says of it."""

from collections.abc import Callable

import grpc
import pytest
from changing import (
    Note,
    delete,
    holds,
    note_service,
    notes_of,
    remove_note,
    rewrite_note,
    wipe,
    write_note,
)
from fake_clock import SECOND
from running_daemon import RunningDaemon, details, reason

from tocsin.v1 import alert_groups_pb2, notes_pb2
from tocsind.domain.access import Caller, Role
from tocsind.engine import notes as jobs
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction


@pytest.fixture
def group(daemon: RunningDaemon) -> str:
    """A group to write about."""
    return daemon.fire(daemon.integration())


def read(daemon: RunningDaemon, name: str) -> Note:
    """One note."""
    return note_service(daemon).GetNote(notes_pb2.GetNoteRequest(name=name))


def test_a_note_is_written_read_changed_and_removed(daemon: RunningDaemon, group: str) -> None:
    """The author stays who wrote it first; every change is told in the timeline, by whom, and the state stays."""
    written = write_note(daemon, group, "is it the disk?", actor="ada")
    assert (written.name, written.text, written.author) == (f"{group}/notes/1", "is it the disk?", "ada")
    assert written.create_time.ToMicroseconds() == written.update_time.ToMicroseconds() == daemon.clock.wall()
    assert read(daemon, written.name) == written
    daemon.clock.advance(SECOND)

    changed = rewrite_note(daemon, written.name, "it was the disk", actor="bob")
    assert (changed.text, changed.author, changed.create_time) == ("it was the disk", "ada", written.create_time)
    assert changed.update_time.ToMicroseconds() == daemon.clock.wall()
    assert notes_of(daemon.crash(), group) == [changed]


def test_the_timeline_tells_of_notes(daemon: RunningDaemon, group: str) -> None:
    """Who wrote, changed and removed what; the texts are gone from it with their note, and those of others stay."""
    daemon.act("Acknowledge", group)
    state = daemon.group(group)
    other = write_note(daemon, group, "first!")
    note = write_note(daemon, group, "is it the disk?", actor="ada")
    rewrite_note(daemon, note.name, "it was the disk", actor="bob")

    def told() -> list[tuple[str, str, str, str]]:
        events = daemon.events(group)[2:]
        assert {(e.state, e.previous_state) for e in events} == {(state.state, state.state)}
        return [(e.Kind.Name(e.kind), e.actor, e.reason, e.note) for e in events]

    first = ("NOTE_ADDED", "ada", other.name, "first!")
    assert told() == [
        first,
        ("NOTE_ADDED", "ada", note.name, "is it the disk?"),
        ("NOTE_CHANGED", "bob", note.name, "it was the disk"),
    ]
    remove_note(daemon, note.name, actor="eve")

    assert told() == [
        first,
        ("NOTE_ADDED", "ada", note.name, ""),
        ("NOTE_CHANGED", "bob", note.name, ""),
        ("NOTE_DELETED", "eve", note.name, ""),
    ]
    assert notes_of(daemon, group) == [other]
    assert daemon.group(group) == state
    assert holds(daemon, "the disk") == []


def test_watchers_are_told_of_notes(daemon: RunningDaemon, group: str) -> None:
    """As of every event."""
    stream = daemon.groups.WatchAlertGroups(alert_groups_pb2.WatchAlertGroupsRequest(revision=1))
    next(stream)
    note = write_note(daemon, group, "look")

    told = next(stream).event
    assert (told.kind, told.reason, told.note) == (told.NOTE_ADDED, note.name, "look")
    stream.cancel()


def test_each_change_of_a_note_is_announced(daemon: RunningDaemon, group: str) -> None:
    """Watchers need not wait until they look by themselves."""
    by = Caller("ada", Role.EDITOR)
    number = daemon.group(group).number

    def announced(transaction: Transaction, memory: Memory, job: Callable[..., object], *args: object) -> bool:
        assert not transaction.events_written
        job(transaction, memory, number, *args, by=by)
        return transaction.events_written

    for job, *args in ((jobs.create, "text"), (jobs.update, 1, "other text"), (jobs.delete, 1)):
        assert daemon.engine.change(announced, job, *args)


@pytest.mark.parametrize("verb", ["", "Acknowledge", "Silence", "Resolve"])
def test_any_group_takes_notes(daemon: RunningDaemon, group: str, verb: str) -> None:
    """Whatever its state, also once it is resolved."""
    if verb:
        daemon.act(verb, group)
    note = write_note(daemon, group, "seen")

    assert rewrite_note(daemon, note.name, "understood").text == "understood"
    remove_note(daemon, note.name)
    assert notes_of(daemon, group) == []


def test_a_note_that_says_the_same_is_no_change(daemon: RunningDaemon, group: str) -> None:
    """No event, no new time."""
    note = write_note(daemon, group, "seen")
    daemon.clock.advance(SECOND)

    assert rewrite_note(daemon, note.name, "seen", actor="bob") == note
    assert daemon.kinds(group) == ["OPENED", "NOTE_ADDED"]


def test_notes_are_listed_in_pages_oldest_first(daemon: RunningDaemon, group: str) -> None:
    """Each once, those of other groups not at all; and a removed one's number is not used again."""
    other = daemon.fire(daemon.integration("other"))
    written = []
    for n in range(7):
        written.append(write_note(daemon, group, f"note {n}"))
        write_note(daemon, other, "elsewhere")
    last = written.pop()
    remove_note(daemon, last.name)
    assert write_note(daemon, other, "the next").name > last.name

    listed, token, sizes = [], "", []
    while True:
        request = notes_pb2.ListNotesRequest(parent=group, page_size=4, page_token=token)
        page = note_service(daemon).ListNotes(request)
        listed.extend(page.notes)
        sizes.append(len(page.notes))
        token = page.next_page_token
        if not token:
            break

    assert listed == written
    assert sizes == [4, 2]
    with pytest.raises(grpc.RpcError, match="page_token"):
        note_service(daemon).ListNotes(
            notes_pb2.ListNotesRequest(parent=other, page_token=page_token_of(daemon, group))
        )


def page_token_of(daemon: RunningDaemon, group: str) -> str:
    """The token of a second page."""
    page = note_service(daemon).ListNotes(notes_pb2.ListNotesRequest(parent=group, page_size=1))
    return str(page.next_page_token)


@pytest.mark.parametrize("text", ["", "n" * 3_001])
def test_a_text_has_bounds(daemon: RunningDaemon, group: str, text: str) -> None:
    """One to three thousand characters; what is refused changes nothing."""
    note = write_note(daemon, group, "ü" * 3_000)

    for call in (lambda: write_note(daemon, group, text), lambda: rewrite_note(daemon, note.name, text)):
        with pytest.raises(grpc.RpcError, match=r"note\.text: must be 1 to 3000 characters") as refusal:
            call()
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert details(refusal.value)[1].field_violations[0].field == "note.text"
    assert notes_of(daemon, group) == [note]


def test_only_the_text_can_be_changed(daemon: RunningDaemon, group: str) -> None:
    """A mask that names it does what no mask does; one that names something else is refused."""
    note = write_note(daemon, group, "seen")

    assert rewrite_note(daemon, note.name, "read", update_mask={"paths": ["text"]}).text == "read"
    for path in ("author", "name", "*", ""):
        with pytest.raises(grpc.RpcError, match=r"update_mask: .* cannot be changed; what can: text"):
            rewrite_note(daemon, note.name, "again", update_mask={"paths": [path]})
    assert read(daemon, note.name).text == "read"


CALLS: dict[str, Callable[[RunningDaemon, str], object]] = {
    "GetNote": read,
    "UpdateNote": lambda daemon, name: rewrite_note(daemon, name, "new"),
    "DeleteNote": lambda daemon, name: remove_note(daemon, name),
    "CreateNote": lambda daemon, name: write_note(daemon, name, "new"),
    "ListNotes": lambda daemon, name: notes_of(daemon, name),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_note_or_group_is_not_found(daemon: RunningDaemon, group: str, call: str) -> None:
    """Also one that another group has, and one of a group that was deleted."""
    other = daemon.fire(daemon.integration("other"))
    gone = daemon.fire(daemon.integration("third"))
    note = write_note(daemon, other, "elsewhere")
    of_gone = write_note(daemon, gone, "was here")
    delete(daemon, gone)
    of_group = ("alertGroups/99", gone)
    of_note = (f"{group}/notes/1", f"{group}/notes/99", f"alertGroups/99/notes/{note.name[-1]}", of_gone.name)

    for name in of_group if call in ("CreateNote", "ListNotes") else of_note:
        with pytest.raises(grpc.RpcError) as refusal:
            CALLS[call](daemon, name)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND, name
    assert notes_of(daemon, other) == [note]


@pytest.mark.parametrize("call", CALLS)
def test_a_name_of_another_form_is_refused(daemon: RunningDaemon, call: str) -> None:
    """With the form that it must have."""
    form = "alertGroups/{number}" if call in ("CreateNote", "ListNotes") else "alertGroups/{number}/notes/{number}"
    for name in (
        "",
        "alertGroups",
        "alertGroups/1/notes/",
        "alertGroups/1/notes/0",
        "alertGroups/1/notes/x",
        "notes/1",
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            CALLS[call](daemon, name)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"must be of the form {form}, not" in refusal.value.details()


def test_a_wiped_group_takes_no_notes(daemon: RunningDaemon, group: str) -> None:
    """Refused with a reason for programs; those that it had are gone."""
    note = write_note(daemon, group, "seen")
    wipe(daemon, group)

    for call in (lambda: write_note(daemon, group, "new"), lambda: rewrite_note(daemon, note.name, "new")):
        with pytest.raises(grpc.RpcError, match=f"{group} was wiped") as refusal:
            call()
        assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "WIPED")
    for gone in (lambda: read(daemon, note.name), lambda: remove_note(daemon, note.name)):
        with pytest.raises(grpc.RpcError, match="does not exist"):
            gone()
    assert notes_of(daemon, group) == []
