"""`tocsin notes`: what people write about alert groups.

A note may have several lines. They are printed as such, below a line with its name, time and author; each line of the
text is indented, so that no text can pass for the head of another note.
"""

import sys
from collections.abc import Iterable, Sequence

import click
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.notes_pb2 import (
    CreateNoteRequest,
    DeleteNoteRequest,
    ListNotesRequest,
    Note,
    UpdateNoteRequest,
)

from . import names, output
from .commands import Group, Settings, pass_settings

_text = click.argument("words", metavar="TEXT...|-", nargs=-1, required=True)


@click.group(cls=Group)
def notes() -> None:
    """Notes: what people write about alert groups.

    GROUP is alertGroups/42, 42 or '#42'; NAME is alertGroups/42/notes/7 or 42/7.
    """


@notes.command()
@click.argument("group", type=names.ALERT_GROUP)
@_text
@pass_settings
def add(settings: Settings, group: str, words: Sequence[str]) -> None:
    """Write a note about a group. With - the text is read from stdin."""
    request = CreateNoteRequest(parent=group, note=Note(text=_read(words)))
    with settings.connect() as daemon:
        note = daemon.call(daemon.notes.CreateNote, request)
    _print(settings, note)


@notes.command("list")
@click.argument("group", type=names.ALERT_GROUP)
@pass_settings
def list_(settings: Settings, group: str) -> None:
    """List the notes about a group, oldest first."""
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.notes.ListNotes, ListNotesRequest(parent=group, page_size=1000))
    if settings.json:
        output.print_json(response, "notes")
    elif response.notes:
        print_notes(response.notes)
    else:
        click.echo("Nothing there.", err=True)


@notes.command()
@click.argument("name", type=names.NOTE)
@_text
@pass_settings
def edit(settings: Settings, name: str, words: Sequence[str]) -> None:
    """Replace the text of a note. With - the text is read from stdin."""
    request = UpdateNoteRequest(note=Note(name=name, text=_read(words)), update_mask=FieldMask(paths=["text"]))
    with settings.connect() as daemon:
        note = daemon.call(daemon.notes.UpdateNote, request)
    _print(settings, note)


@notes.command()
@click.argument("name", type=names.NOTE)
@pass_settings
def delete(settings: Settings, name: str) -> None:
    """Remove a note. Its text goes from the timeline, too."""
    with settings.connect() as daemon:
        response = daemon.call(daemon.notes.DeleteNote, DeleteNoteRequest(name=name))
    output.print_deleted(name, response, settings.json)


def print_notes(several: Iterable[Note]) -> None:
    """Print notes for people: a head for each, and its text below."""
    for note in several:
        edited = note.HasField("update_time") and note.update_time != note.create_time
        head = [
            output.styled(note.name, "bold"),
            output.time_and_age(note, "create_time"),
            f"by {output.visible(note.author)}" if note.author else "",
            f"edited {output.time_and_age(note, 'update_time')}" if edited else "",
        ]
        click.echo("  ".join(part for part in head if part))
        for line in note.text.splitlines():
            click.echo(f"    {output.visible(line)}".rstrip())


def _read(words: Sequence[str]) -> str:
    """Return the text that the arguments are, or that stdin has if they are `-`; an empty one is wrong usage."""
    text = " ".join(words)
    if text == "-":
        try:
            text = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError as error:
            raise click.UsageError(f"what stdin has is no text: {error}", click.get_current_context()) from error
    if not text.strip():
        raise click.UsageError("a note without text says nothing", click.get_current_context())
    return text.strip("\r\n")


def _print(settings: Settings, note: Note) -> None:
    if settings.json:
        output.print_json(note)
    else:
        print_notes([note])
