"""The part of the fake daemon that keeps tokens, the audit log, notes and metrics; and what all its services share."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from tocsin.v1 import access_pb2 as access_api
from tocsin.v1 import audit_pb2 as audit_api
from tocsin.v1 import notes_pb2 as notes_api
from tocsin.v1.access_pb2_grpc import AccessServiceServicer, add_AccessServiceServicer_to_server
from tocsin.v1.audit_pb2_grpc import AuditServiceServicer, add_AuditServiceServicer_to_server
from tocsin.v1.monitoring_pb2_grpc import MonitoringServiceServicer, add_MonitoringServiceServicer_to_server
from tocsin.v1.notes_pb2_grpc import NoteServiceServicer, add_NoteServiceServicer_to_server

Item = TypeVar("Item", bound=Message)


def now() -> datetime:
    """The time of day: asked for when something happens, as the suite may have begun long before."""
    return datetime.now(UTC)


class Call(NamedTuple):
    """One request that came."""

    method: str
    request: Any
    metadata: dict[str, str | bytes]


class FakeRecords(AccessServiceServicer, AuditServiceServicer, NoteServiceServicer, MonitoringServiceServicer):
    """Four services; what was called, and what is to fail."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failures: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.mute = threading.Event()
        self.called = threading.Semaphore(0)
        self.api_tokens: dict[str, access_api.ApiToken] = {}
        self.caller = access_api.Caller(actor="ann", role=access_api.ApiToken.Role.ADMIN)
        self.answers_repeats = False
        self.audit_entries: list[audit_api.AuditEntry] = []
        self.notes: dict[str, notes_api.Note] = {}
        self.metrics = b""

    def add_records_to(self, server: grpc.Server) -> None:
        add_AccessServiceServicer_to_server(self, server)
        add_AuditServiceServicer_to_server(self, server)
        add_NoteServiceServicer_to_server(self, server)
        add_MonitoringServiceServicer_to_server(self, server)

    # -- for tests

    def requests(self, method: str) -> list[Any]:
        return [call.request for call in self.calls if call.method == method]

    def add_token(self, id_: str, **values: Any) -> access_api.ApiToken:
        values = {"display_name": id_.title(), "role": access_api.ApiToken.Role.VIEWER} | values
        token = access_api.ApiToken(name=f"apiTokens/{id_}", **values)
        token.create_time.FromDatetime(now())
        self.api_tokens[token.name] = token
        return token

    def add_note(self, group: int, number: int, **values: Any) -> notes_api.Note:
        note = notes_api.Note(name=f"alertGroups/{group}/notes/{number}", **({"author": "ann"} | values))
        note.create_time.FromDatetime(now())
        note.update_time.CopyFrom(note.create_time)
        self.notes[note.name] = note
        return note

    def add_entry(self, number: int, **values: Any) -> audit_api.AuditEntry:
        entry = audit_api.AuditEntry(name=f"auditEntries/{number}")
        entry.before.update(values.pop("before", {}))
        entry.after.update(values.pop("after", {}))
        entry.create_time.FromDatetime(now())
        entry.MergeFrom(audit_api.AuditEntry(**values))
        self.audit_entries.append(entry)
        return entry

    # -- access

    def CreateApiToken(self, request: Any, context: grpc.ServicerContext) -> access_api.ApiToken:
        self._called("CreateApiToken", request, context)
        token = self.add_token(f"t{len(self.api_tokens)}")
        token.MergeFrom(request.api_token)
        created = access_api.ApiToken()
        created.CopyFrom(token)
        if not self.answers_repeats:
            created.secret = "s3cret"
        return created

    def GetApiToken(self, request: Any, context: grpc.ServicerContext) -> access_api.ApiToken:
        self._called("GetApiToken", request, context)
        return self._find(self.api_tokens, request.name, context)

    def ListApiTokens(self, request: Any, context: grpc.ServicerContext) -> access_api.ListApiTokensResponse:
        self._called("ListApiTokens", request, context)
        page, token = page_of(list(self.api_tokens.values()), request)
        return access_api.ListApiTokensResponse(api_tokens=page, next_page_token=token)

    def DeleteApiToken(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteApiToken", request, context)
        self._find(self.api_tokens, request.name, context)
        del self.api_tokens[request.name]
        return Empty()

    def GetCaller(self, request: Any, context: grpc.ServicerContext) -> access_api.Caller:
        self._called("GetCaller", request, context)
        return self.caller

    # -- the audit log

    def ListAuditEntries(self, request: Any, context: grpc.ServicerContext) -> audit_api.ListAuditEntriesResponse:
        self._called("ListAuditEntries", request, context)
        page, token = page_of(self.audit_entries, request)
        return audit_api.ListAuditEntriesResponse(audit_entries=page, next_page_token=token)

    # -- notes

    def CreateNote(self, request: Any, context: grpc.ServicerContext) -> notes_api.Note:
        self._called("CreateNote", request, context)
        group = int(request.parent.removeprefix("alertGroups/"))
        return self.add_note(group, len(self.notes) + 1, text=request.note.text)

    def ListNotes(self, request: Any, context: grpc.ServicerContext) -> notes_api.ListNotesResponse:
        self._called("ListNotes", request, context)
        about = [note for note in self.notes.values() if note.name.startswith(f"{request.parent}/")]
        page, token = page_of(about, request)
        return notes_api.ListNotesResponse(notes=page, next_page_token=token)

    def UpdateNote(self, request: Any, context: grpc.ServicerContext) -> notes_api.Note:
        self._called("UpdateNote", request, context)
        note = self._find(self.notes, request.note.name, context)
        request.update_mask.MergeMessage(request.note, note)
        note.update_time.FromDatetime(datetime.now(UTC))
        return note

    def DeleteNote(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteNote", request, context)
        self._find(self.notes, request.name, context)
        del self.notes[request.name]
        return Empty()

    # -- monitoring

    def GetMetrics(self, request: Any, context: grpc.ServicerContext) -> HttpBody:
        self._called("GetMetrics", request, context)
        return HttpBody(content_type="text/plain; version=0.0.4", data=self.metrics)

    # -- shared

    def _called(self, method: str, request: Message, context: grpc.ServicerContext) -> None:
        metadata = {str(key): value for key, value in context.invocation_metadata()}
        self.calls.append(Call(method, request, metadata))
        self.called.release()
        if self.mute.is_set():
            gone = threading.Event()
            context.add_callback(gone.set)
            gone.wait()
        if method in self.failures:
            context.abort(*self.failures[method])

    def _find(self, things: dict[str, Item], name: str, context: grpc.ServicerContext) -> Item:
        if name not in things:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{name} does not exist")
        return things[name]


def page_of(items: Sequence[Item], request: Any) -> tuple[Sequence[Item], str]:
    """Return the items of the requested page, and the token of the next."""
    start, size = int(request.page_token or 0), request.page_size or 50
    end = start + size
    return items[start:end], str(end) if end < len(items) else ""
