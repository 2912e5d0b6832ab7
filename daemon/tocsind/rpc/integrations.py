"""IntegrationService."""

from typing import Any

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import integrations_pb2, integrations_pb2_grpc
from tocsind.domain.access import Role
from tocsind.domain.errors import not_found
from tocsind.domain.integration import Integration
from tocsind.engine import integrations as jobs
from tocsind.engine import maintenance
from tocsind.engine.engine import Engine
from tocsind.rpc import decode, encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
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
        settings = {field: value for field, value in _given(asked).items() if field in _DURATIONS}
        wanted = Integration(0, "", asked.type, asked.display_name, asked.description, "", **settings)
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
        given = _given(request.integration)
        if request.update_mask.paths:
            values = {**_every(request.integration), **given}
            changes = {path: values.get(path) for path in request.update_mask.paths}
        else:
            changes = given
        return self._whole(change(self._engine, request, self._encode, jobs.update, public_id, changes, by=caller()))

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
        return change(self._engine, request, encode.nothing, jobs.delete, public_id, by=caller())

    def SendDemoAlert(
        self, request: integrations_pb2.SendDemoAlertRequest, context: grpc.ServicerContext
    ) -> integrations_pb2.SendDemoAlertResponse:
        """Sends a demo alert."""
        raise NotImplementedError

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

    def _encode(self, found: Integration) -> integrations_pb2.Integration:
        return encode.integration(found, self._base_url, secrets=caller().role is Role.ADMIN)


def _given(message: integrations_pb2.Integration) -> dict[str, Any]:
    """Returns the changeable settings that a message sets."""
    given: dict[str, Any] = {field: getattr(message, field) for field in ("display_name", "description")}
    given = {field: value for field, value in given.items() if value}
    for field in _DURATIONS:
        if message.HasField(field):  # type: ignore[arg-type]
            given[field] = decode.microseconds(getattr(message, field), f"integration.{field}")
    return given


def _every(message: integrations_pb2.Integration) -> dict[str, Any]:
    """Returns every changeable setting, for a mask that names one which the message leaves at its default."""
    fresh = Integration(0, "", message.type, message.display_name, message.description, "")
    return {field: getattr(fresh, field) for field in jobs.CHANGEABLE}
