"""What callers change in a running daemon, as tests ask for it; and what the audit log says of it."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import grpc
from running_daemon import AlertGroup, RunningDaemon

from tocsin.v1 import (
    access_pb2,
    access_pb2_grpc,
    alert_groups_pb2,
    audit_pb2,
    audit_pb2_grpc,
    notes_pb2,
    notes_pb2_grpc,
    routes_pb2,
    routes_pb2_grpc,
)

Note = notes_pb2.Note
Route = routes_pb2.Route
BatchResult = alert_groups_pb2.BatchResult


def by(actor: str = "ada", token: str = "") -> list[tuple[str, str]]:
    """The metadata of a caller."""
    return [("tocsin-actor", quote(actor))] + ([("authorization", f"Bearer {token}")] if token else [])


def batch(daemon: RunningDaemon, verb: str, names: Sequence[str], actor: str = "ada", **fields: Any) -> Any:
    """Has many groups acknowledged, silenced or resolved; returns the results."""
    request = getattr(alert_groups_pb2, f"Batch{verb}AlertGroupsRequest")(names=names, **fields)
    return getattr(daemon.groups, f"Batch{verb}AlertGroups")(request, metadata=by(actor)).results


def wipe(daemon: RunningDaemon, name: str, actor: str = "ada", **fields: Any) -> AlertGroup:
    """Has a group wiped."""
    request = alert_groups_pb2.WipeAlertGroupRequest(name=name, **fields)
    return daemon.groups.WipeAlertGroup(request, metadata=by(actor))


def delete(daemon: RunningDaemon, name: str, actor: str = "ada", **fields: Any) -> None:
    """Has a group deleted."""
    request = alert_groups_pb2.DeleteAlertGroupRequest(name=name, **fields)
    daemon.groups.DeleteAlertGroup(request, metadata=by(actor))


def exists(daemon: RunningDaemon, name: str) -> bool:
    """Whether there is such a group."""
    try:
        daemon.group(name)
    except grpc.RpcError as error:
        return error.code() is not grpc.StatusCode.NOT_FOUND
    return True


def note_service(daemon: RunningDaemon) -> notes_pb2_grpc.NoteServiceStub:
    """Its notes."""
    return notes_pb2_grpc.NoteServiceStub(daemon.channel)


def write_note(daemon: RunningDaemon, group: str, text: str, actor: str = "ada", **fields: Any) -> Note:
    """A new note."""
    request = notes_pb2.CreateNoteRequest(parent=group, note=Note(text=text), **fields)
    return note_service(daemon).CreateNote(request, metadata=by(actor))


def rewrite_note(daemon: RunningDaemon, name: str, text: str, actor: str = "ada", **fields: Any) -> Note:
    """A note with another text."""
    request = notes_pb2.UpdateNoteRequest(note=Note(name=name, text=text), **fields)
    return note_service(daemon).UpdateNote(request, metadata=by(actor))


def remove_note(daemon: RunningDaemon, name: str, actor: str = "ada", **fields: Any) -> None:
    """No note."""
    note_service(daemon).DeleteNote(notes_pb2.DeleteNoteRequest(name=name, **fields), metadata=by(actor))


def notes_of(daemon: RunningDaemon, group: str) -> list[Note]:
    """The notes about a group."""
    return list(note_service(daemon).ListNotes(notes_pb2.ListNotesRequest(parent=group)).notes)


def route_service(daemon: RunningDaemon) -> routes_pb2_grpc.RouteServiceStub:
    """Its routes."""
    return routes_pb2_grpc.RouteServiceStub(daemon.channel)


def make_route(daemon: RunningDaemon, parent: str, position: int | None = None, **fields: Any) -> Route:
    """A new route of the integration `parent`."""
    request = routes_pb2.CreateRouteRequest(parent=parent, route=Route(**fields), position=position)
    return route_service(daemon).CreateRoute(request, metadata=by())


def routes_of(daemon: RunningDaemon, parent: str) -> list[Route]:
    """The routes of an integration, the default one last."""
    return list(route_service(daemon).ListRoutes(routes_pb2.ListRoutesRequest(parent=parent, page_size=1000)).routes)


def make_token(daemon: RunningDaemon, display_name: str, role: str = "EDITOR", **fields: Any) -> access_pb2.ApiToken:
    """A new token."""
    token = access_pb2.ApiToken(display_name=display_name, role=role)
    stub = access_pb2_grpc.AccessServiceStub(daemon.channel)
    return stub.CreateApiToken(access_pb2.CreateApiTokenRequest(api_token=token, **fields), metadata=by())


def audit_log(daemon: RunningDaemon) -> list[audit_pb2.AuditEntry]:
    """The audit log, oldest entry first."""
    stub = audit_pb2_grpc.AuditServiceStub(daemon.channel)
    return list(stub.ListAuditEntries(audit_pb2.ListAuditEntriesRequest(page_size=1000)).audit_entries)[::-1]


def everything_in(daemon: RunningDaemon, table: str) -> bytes:
    """All that is in a table, as bytes to search in."""
    rows = daemon.sql(f"SELECT * FROM {table}")
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)


def holds(daemon: RunningDaemon, text: str) -> list[str]:
    """The tables that hold a text anywhere, but for answers that are kept for repeats."""
    tables = [row[0] for row in daemon.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [t for t in tables if t != "requests" and re.search(re.escape(text.encode()), everything_in(daemon, t))]
