"""NoteService."""

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import notes_pb2, notes_pb2_grpc
from tocsind.domain.errors import invalid, not_found
from tocsind.engine import notes as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
from tocsind.sqlite import alert_groups
from tocsind.sqlite import notes as rows


class NoteServicer(notes_pb2_grpc.NoteServiceServicer):
    """Reads and writes notes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateNote(self, request: notes_pb2.CreateNoteRequest, context: grpc.ServicerContext) -> notes_pb2.Note:
        """Writes a note."""
        number = names.group_number(request.parent, "parent")
        return change(self._engine, request, encode.note, jobs.create, number, request.note.text, by=caller())

    def GetNote(self, request: notes_pb2.GetNoteRequest, context: grpc.ServicerContext) -> notes_pb2.Note:
        """Returns one note."""
        number, note = names.note_of(request.name)
        with self._engine.store.reading() as connection:
            found = rows.one(connection, number, note)
        if found is None:
            raise not_found(request.name)
        return encode.note(found)

    def ListNotes(
        self, request: notes_pb2.ListNotesRequest, context: grpc.ServicerContext
    ) -> notes_pb2.ListNotesResponse:
        """Lists the notes about a group."""
        number = names.group_number(request.parent, "parent")
        size = paging.size(request.page_size)
        scope = f"{request.parent}/notes"
        after = paging.number_after(scope, request.page_token, 0)
        with self._engine.store.reading() as connection:
            if alert_groups.by_id(connection, number) is None:
                raise not_found(request.parent)
            found = rows.page(connection, number, after, size + 1)
        page, next_token = paging.cut(scope, found, size, lambda note: note.id)
        return notes_pb2.ListNotesResponse(notes=[encode.note(note) for note in page], next_page_token=next_token)

    def UpdateNote(self, request: notes_pb2.UpdateNoteRequest, context: grpc.ServicerContext) -> notes_pb2.Note:
        """Changes the text of a note."""
        number, note = names.note_of(request.note.name, "note.name")
        for path in request.update_mask.paths:
            if path != "text":
                raise invalid("update_mask", f"{path!r} cannot be changed; what can: text")
        return change(self._engine, request, encode.note, jobs.update, number, note, request.note.text, by=caller())

    def DeleteNote(self, request: notes_pb2.DeleteNoteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Removes a note."""
        number, note = names.note_of(request.name)
        return change(self._engine, request, encode.nothing, jobs.delete, number, note, by=caller())
