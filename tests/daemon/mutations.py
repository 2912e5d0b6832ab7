"""One request for every call that changes something, with what it needs to succeed."""

from collections.abc import Callable, Mapping
from typing import Any

from chain_making import Chain, make_chain, resolve, wait
from changing import make_route, make_token, write_note
from contact_samples import make_contact, webhook
from fake_clock import HOUR
from posting import add_given_up
from running_daemon import Integration, RunningDaemon, duration

from tocsin.v1 import (
    access_pb2,
    access_pb2_grpc,
    alert_groups_pb2,
    alert_groups_pb2_grpc,
    contact_points_pb2,
    contact_points_pb2_grpc,
    escalation_chains_pb2,
    escalation_chains_pb2_grpc,
    heartbeats_pb2,
    heartbeats_pb2_grpc,
    integrations_pb2,
    integrations_pb2_grpc,
    messages_pb2,
    messages_pb2_grpc,
    notes_pb2,
    notes_pb2_grpc,
    routes_pb2,
    routes_pb2_grpc,
)

Make = Callable[[RunningDaemon], Any]

_STUBS: Mapping[str, Any] = {
    "AccessService": access_pb2_grpc.AccessServiceStub,
    "AlertGroupService": alert_groups_pb2_grpc.AlertGroupServiceStub,
    "ContactPointService": contact_points_pb2_grpc.ContactPointServiceStub,
    "EscalationChainService": escalation_chains_pb2_grpc.EscalationChainServiceStub,
    "HeartbeatService": heartbeats_pb2_grpc.HeartbeatServiceStub,
    "IntegrationService": integrations_pb2_grpc.IntegrationServiceStub,
    "MessageService": messages_pb2_grpc.MessageServiceStub,
    "NoteService": notes_pb2_grpc.NoteServiceStub,
    "RouteService": routes_pb2_grpc.RouteServiceStub,
}


def _group(verb: str, *before: str, **fields: Any) -> Make:
    """An action on a new group, after these."""

    def make(daemon: RunningDaemon) -> Any:
        name = daemon.fire(daemon.integration())
        for earlier in before:
            daemon.act(earlier, name, actor="before")
        return getattr(alert_groups_pb2, f"{verb}AlertGroupRequest")(name=name, **fields)

    return make


def _batch(verb: str, **fields: Any) -> Make:
    """An action on two new groups."""

    def make(daemon: RunningDaemon) -> Any:
        integration = daemon.integration()
        names = [daemon.fire(integration, key=key) for key in "ab"]
        return getattr(alert_groups_pb2, f"Batch{verb}AlertGroupsRequest")(names=names, **fields)

    return make


def _note(make: Callable[[str], Any]) -> Make:
    """A request about a new note."""
    return lambda daemon: make(write_note(daemon, daemon.fire(daemon.integration()), "old", "before").name)


def _integration(make: Callable[[str], Any]) -> Make:
    """A request about a new integration."""
    return lambda daemon: make(daemon.integration().name)


def _route(make: Callable[[str], Any]) -> Make:
    """A request about the first of two routes."""

    def made(daemon: RunningDaemon) -> Any:
        parent = daemon.integration().name
        names = [make_route(daemon, parent, matchers=f"a={number}").name for number in range(2)]
        return make(names[0])

    return made


def _chain(make: Callable[[str], Any]) -> Make:
    """A request about a new escalation chain."""
    return lambda daemon: make(make_chain(daemon, "ops", wait(HOUR)).name)


def _heartbeat(verb: str, *before: str) -> Make:
    """A request about the heartbeat of a new integration, after these."""

    def make(daemon: RunningDaemon) -> Any:
        integration = daemon.integration()
        daemon.beat(integration)
        name = f"{integration.name}/heartbeat"
        for earlier in before:
            request = getattr(heartbeats_pb2, f"{earlier}HeartbeatRequest")(name=name)
            getattr(daemon.heartbeats, f"{earlier}Heartbeat")(request)
        if verb == "Update":
            heartbeat = heartbeats_pb2.Heartbeat(name=name, interval=duration(HOUR))
            return heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=heartbeat)
        return getattr(heartbeats_pb2, f"{verb}HeartbeatRequest")(name=name)

    return make


def _stop_maintenance(daemon: RunningDaemon) -> Any:
    name = daemon.integration().name
    wanted = integrations_pb2.StartMaintenanceRequest(name=name, mode="MAINTENANCE", duration=duration(HOUR))
    daemon.integrations.StartMaintenance(wanted)
    return integrations_pb2.StopMaintenanceRequest(name=name)


def _new_token(daemon: RunningDaemon) -> Any:
    token = access_pb2.ApiToken(display_name="robot", role="EDITOR")
    return access_pb2.CreateApiTokenRequest(api_token=token)


MUTATIONS: dict[str, Make] = {
    "AlertGroupService.AcknowledgeAlertGroup": _group("Acknowledge", note="on it"),
    "AlertGroupService.UnacknowledgeAlertGroup": _group("Unacknowledge", "Acknowledge"),
    "AlertGroupService.SilenceAlertGroup": _group("Silence", duration=duration(HOUR)),
    "AlertGroupService.UnsilenceAlertGroup": _group("Unsilence", "Silence"),
    "AlertGroupService.ResolveAlertGroup": _group("Resolve"),
    "AlertGroupService.UnresolveAlertGroup": _group("Unresolve", "Resolve"),
    "AlertGroupService.BatchAcknowledgeAlertGroups": _batch("Acknowledge", note="on it"),
    "AlertGroupService.BatchSilenceAlertGroups": _batch("Silence", duration=duration(HOUR)),
    "AlertGroupService.BatchResolveAlertGroups": _batch("Resolve"),
    "AlertGroupService.WipeAlertGroup": _group("Wipe", "Resolve"),
    "AlertGroupService.DeleteAlertGroup": _group("Delete", "Acknowledge"),
    "NoteService.CreateNote": lambda daemon: notes_pb2.CreateNoteRequest(
        parent=daemon.fire(daemon.integration()), note=notes_pb2.Note(text="well?")
    ),
    "NoteService.UpdateNote": _note(
        lambda name: notes_pb2.UpdateNoteRequest(note=notes_pb2.Note(name=name, text="new"))
    ),
    "NoteService.DeleteNote": _note(lambda name: notes_pb2.DeleteNoteRequest(name=name)),
    "MessageService.RetryMessage": lambda daemon: messages_pb2.RetryMessageRequest(
        name=add_given_up(daemon, daemon.fire(daemon.integration()))
    ),
    "IntegrationService.CreateIntegration": lambda daemon: integrations_pb2.CreateIntegrationRequest(
        integration=Integration(display_name="prod", type="alertmanager")
    ),
    "IntegrationService.UpdateIntegration": _integration(
        lambda name: integrations_pb2.UpdateIntegrationRequest(
            integration=Integration(name=name, description="new", stale_after=duration(HOUR))
        )
    ),
    "IntegrationService.RotateIntegrationToken": _integration(
        lambda name: integrations_pb2.RotateIntegrationTokenRequest(name=name)
    ),
    "IntegrationService.DeleteIntegration": _integration(
        lambda name: integrations_pb2.DeleteIntegrationRequest(name=name)
    ),
    "IntegrationService.SendDemoAlert": _integration(lambda name: integrations_pb2.SendDemoAlertRequest(name=name)),
    "IntegrationService.StartMaintenance": _integration(
        lambda name: integrations_pb2.StartMaintenanceRequest(name=name, mode="MAINTENANCE", duration=duration(HOUR))
    ),
    "IntegrationService.StopMaintenance": _stop_maintenance,
    "HeartbeatService.UpdateHeartbeat": _heartbeat("Update"),
    "HeartbeatService.PauseHeartbeat": _heartbeat("Pause"),
    "HeartbeatService.ResumeHeartbeat": _heartbeat("Resume", "Pause"),
    "HeartbeatService.ResetHeartbeat": _heartbeat("Reset"),
    "RouteService.CreateRoute": _integration(
        lambda name: routes_pb2.CreateRouteRequest(parent=name, route=routes_pb2.Route(matchers="a=b"))
    ),
    "RouteService.UpdateRoute": _route(
        lambda name: routes_pb2.UpdateRouteRequest(route=routes_pb2.Route(name=name, jinja="{{ 1 }}"))
    ),
    "RouteService.MoveRoute": _route(lambda name: routes_pb2.MoveRouteRequest(name=name, position=1)),
    "RouteService.DeleteRoute": _route(lambda name: routes_pb2.DeleteRouteRequest(name=name)),
    "EscalationChainService.CreateEscalationChain": lambda daemon: escalation_chains_pb2.CreateEscalationChainRequest(
        escalation_chain=Chain(display_name="new", steps=[wait(HOUR)])
    ),
    "EscalationChainService.UpdateEscalationChain": _chain(
        lambda name: escalation_chains_pb2.UpdateEscalationChainRequest(
            escalation_chain=Chain(name=name, display_name="dev", steps=[resolve()])
        )
    ),
    "EscalationChainService.DeleteEscalationChain": _chain(
        lambda name: escalation_chains_pb2.DeleteEscalationChainRequest(name=name)
    ),
    "ContactPointService.CreateContactPoint": lambda daemon: contact_points_pb2.CreateContactPointRequest(
        contact_point=contact_points_pb2.ContactPoint(display_name="a new hook", webhook=webhook())
    ),
    "ContactPointService.UpdateContactPoint": lambda daemon: contact_points_pb2.UpdateContactPointRequest(
        contact_point=contact_points_pb2.ContactPoint(
            name=make_contact(daemon).name, description="new", webhook={"method": "PUT"}
        )
    ),
    "ContactPointService.DeleteContactPoint": lambda daemon: contact_points_pb2.DeleteContactPointRequest(
        name=make_contact(daemon).name
    ),
    "AccessService.CreateApiToken": _new_token,
    "AccessService.DeleteApiToken": lambda daemon: access_pb2.DeleteApiTokenRequest(
        name=make_token(daemon, "robot").name
    ),
}
"""By method: what makes its request, which then succeeds and changes something."""


def call(daemon: RunningDaemon, method: str, request: Any, metadata: Any = ()) -> Any:
    """Makes the call."""
    service, name = method.split(".")
    return getattr(_STUBS[service](daemon.channel), name)(request, metadata=metadata)


def with_id(request: Any, request_id: str) -> Any:
    """The same request, with an id of its own."""
    copy = type(request)()
    copy.CopyFrom(request)
    copy.request_id = request_id
    return copy


def contents(daemon: RunningDaemon) -> dict[str, list[Any]]:
    """Everything in the file, but for clocks and for when tokens were used."""
    tables = [row[0] for row in daemon.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {table: daemon.sql(f"SELECT * FROM {table}") for table in tables if table != "daemon_state"}
    found["api_tokens"] = [row[:-1] for row in found["api_tokens"]]
    return found
