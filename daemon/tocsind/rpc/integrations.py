"""IntegrationService."""

import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import integrations_pb2, integrations_pb2_grpc
from tocsind.domain import integration as rules
from tocsind.domain.access import Role
from tocsind.domain.alert_group import AlertGroup
from tocsind.domain.errors import Violation, not_found, refuse
from tocsind.domain.integration import Integration
from tocsind.domain.template import Slot, too_long
from tocsind.engine import demo, maintenance
from tocsind.engine import integrations as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import decode, encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
from tocsind.rpc.templates import jinja_violations
from tocsind.sqlite import integrations as rows

_SCOPE = "integrations"
_DURATIONS = ("reopen_window", "stale_after", "retention")


class IntegrationServicer(integrations_pb2_grpc.IntegrationServiceServicer):
    """`base_url` is where senders find the gateway."""

    def __init__(self, engine: Engine, base_url: str) -> None:
        self._engine = engine
        self._base_url = base_url

    def CreateIntegration(
        self, request: integrations_pb2.CreateIntegrationRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.Integration:
        """Creates an integration."""
        asked = request.integration
        templates = _templates(asked)
        wanted = Integration(
            0,
            "",
            asked.type,
            asked.display_name,
            asked.description,
            request.token,
            **_durations(asked),
            templates=templates,
            rate_limit=_rate_limit(asked),
        )
        refuse([*rules.violations(wanted), *self._uncompilable(templates)])
        return self._whole(change(self._engine, request, self._encode, jobs.create, wanted, by=caller()))

    def GetIntegration(
        self, request: integrations_pb2.GetIntegrationRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.Integration:
        """Returns one integration."""
        public_id = names.integration_id(request.name)
        with self._engine.store.reading() as connection:
            found = rows.by_public_id(connection, public_id)
        if found is None:
            raise not_found(request.name)
        return self._encode(found)

    def ListIntegrations(
        self, request: integrations_pb2.ListIntegrationsRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.ListIntegrationsResponse:
        """Lists integrations."""
        size = paging.size(request.page_size)
        after = paging.number_after(_SCOPE, request.page_token, 0)
        with self._engine.store.reading() as connection:
            found = rows.page(connection, after, size + 1)
        page, next_token = paging.cut(_SCOPE, found, size, lambda integration: integration.id)
        return integrations_pb2.ListIntegrationsResponse(
            integrations=[self._encode(integration) for integration in page], next_page_token=next_token
        )

    def UpdateIntegration(
        self, request: integrations_pb2.UpdateIntegrationRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.Integration:
        """Changes settings."""
        public_id = names.integration_id(request.integration.name, "integration.name")
        changes = _changes(request.integration, request.update_mask.paths)
        one_by_one = {slot: changes[path] for path, slot in jobs.ONE_TEMPLATE.items() if path in changes}
        refuse(list(self._uncompilable(changes.get("templates", {}) | one_by_one)))
        etag = request.integration.etag
        return self._whole(
            change(self._engine, request, self._encode, jobs.update, public_id, changes, etag, by=caller())
        )

    def RotateIntegrationToken(
        self, request: integrations_pb2.RotateIntegrationTokenRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.Integration:
        """Replaces the token."""
        public_id = names.integration_id(request.name)
        return self._whole(change(self._engine, request, self._encode, jobs.rotate_token, public_id, by=caller()))

    def DeleteIntegration(
        self, request: integrations_pb2.DeleteIntegrationRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Deletes an integration."""
        public_id = names.integration_id(request.name)
        return change(self._engine, request, encode.nothing, jobs.delete, public_id, request.etag, by=caller())

    def SendDemoAlert(
        self, request: integrations_pb2.SendDemoAlertRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.SendDemoAlertResponse:
        """Sends a demo alert."""
        public_id = names.integration_id(request.name)
        contact = names.contact_id(request.contact_point, "contact_point") if request.contact_point else ""
        rulebook = self._engine.change(demo.rulebook, public_id)
        alert = demo.alert(self._engine.clock.wall())
        rendered = None
        if rulebook is not None:
            rendered = self._engine.renderer.render_blocking(rulebook, zlib.decompress(alert.payload))
        return change(self._engine, request, _demo, demo.send, public_id, alert, rendered, contact, by=caller())

    def StartMaintenance(
        self, request: integrations_pb2.StartMaintenanceRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.Integration:
        """Starts or plans a maintenance."""
        asked = decode.maintenance(request)
        public_id = names.integration_id(request.name)
        return self._whole(
            change(self._engine, request, self._encode, maintenance.start, public_id, *asked, by=caller())
        )

    def StopMaintenance(
        self, request: integrations_pb2.StopMaintenanceRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.Integration:
        """Ends a maintenance, or cancels it."""
        public_id = names.integration_id(request.name)
        return self._whole(change(self._engine, request, self._encode, maintenance.stop, public_id, by=caller()))

    def _whole(self, answer: integrations_pb2.Integration) -> integrations_pb2.Integration:
        """Returns an answer to an admin with its secrets: in that to a repeat they are missing, and what they were then
        may be dead by now."""
        if not answer.token:
            with self._engine.store.reading() as connection:
                found = rows.by_public_id(connection, names.integration_id(answer.name))
            if found is not None:
                now = self._encode(found)
                answer.token, answer.url, answer.heartbeat_url = now.token, now.url, now.heartbeat_url
        return answer

    def _uncompilable(self, templates: Mapping[Slot, str]) -> Iterator[Violation]:
        """Yields the templates that are none, before the writer is bothered with them: compiling takes its time."""
        # Those that are too long are refused for that.
        sources = {slot.path: source for slot, source in templates.items() if not too_long(source)}
        return jinja_violations(self._engine, sources)

    def _encode(self, found: Integration) -> integrations_pb2.Integration:
        return encode.integration(found, self._base_url, secrets=caller().role is Role.ADMIN)


def _demo(opened: AlertGroup) -> integrations_pb2.SendDemoAlertResponse:
    return integrations_pb2.SendDemoAlertResponse(alert_group=f"alertGroups/{opened.id}")


def _changes(message: integrations_pb2.Integration, paths: Collection[str]) -> dict[str, Any]:
    """Returns what is to be changed: what `paths` name, at its default where the message leaves it out; without paths,
    all that the message sets, and of the templates each one that it sets."""
    templates = _templates(message)
    every: dict[str, Any] = {"display_name": message.display_name, "description": message.description}
    every |= {"rate_limit": _rate_limit(message), "templates": templates}
    every |= {path: templates.get(slot, "") for path, slot in jobs.ONE_TEMPLATE.items()}
    every |= _durations(message)
    if not paths:
        del every["templates"]
        return {field: value for field, value in every.items() if value not in ("", None)}
    fresh = Integration(0, "", "", "", "", "")
    return {path: every[path] if path in every else getattr(fresh, path, None) for path in paths}


def _durations(message: integrations_pb2.Integration) -> dict[str, Any]:
    """Returns the durations that a message sets."""
    return {
        field: decode.microseconds(getattr(message, field), f"integration.{field}")
        for field in _DURATIONS
        if message.HasField(field)  # type: ignore[arg-type]
    }


def _rate_limit(message: integrations_pb2.Integration) -> int | None:
    return message.rate_limit if message.HasField("rate_limit") else None


def _templates(message: integrations_pb2.Integration) -> dict[Slot, str]:
    """Returns the templates that a message sets; an empty one is the default."""
    return {slot: source for slot in Slot if (source := getattr(message.templates, slot.value))}
