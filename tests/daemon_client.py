"""A client of a daemon that is a process of its own, and may be killed."""

import uuid
from typing import Any

import grpc
from processes import PATIENCE

from tocsin import channel
from tocsin.v1 import (
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
    routes_pb2,
    routes_pb2_grpc,
)


class Client:
    """A client of the daemon that waits while the daemon is away, and asks again where it was killed meanwhile."""

    def __init__(self, target: str) -> None:
        options = dict(channel.options(target)) | {"grpc.max_reconnect_backoff_ms": 200}
        self._channel = grpc.insecure_channel(target, options=tuple(options.items()))
        self.integrations = integrations_pb2_grpc.IntegrationServiceStub(self._channel)
        self.alert_groups = alert_groups_pb2_grpc.AlertGroupServiceStub(self._channel)
        self.heartbeats = heartbeats_pb2_grpc.HeartbeatServiceStub(self._channel)
        self.routes = routes_pb2_grpc.RouteServiceStub(self._channel)
        self.contacts = contact_points_pb2_grpc.ContactPointServiceStub(self._channel)
        self.chains = escalation_chains_pb2_grpc.EscalationChainServiceStub(self._channel)
        self.messages = messages_pb2_grpc.MessageServiceStub(self._channel)

    def call(self, method: Any, request: Any, actor: str = "tester") -> Any:
        """Makes a call; a change bears an id, so that it is done once however often it is asked for."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        return method(request, timeout=PATIENCE, wait_for_ready=True, metadata=(("tocsin-actor", actor),))

    def create(self, display_name: str, **fields: Any) -> integrations_pb2.Integration:
        """Creates an integration for an Alertmanager."""
        integration = integrations_pb2.Integration(display_name=display_name, type="alertmanager", **fields)
        request = integrations_pb2.CreateIntegrationRequest(integration=integration)
        return self.call(self.integrations.CreateIntegration, request)

    def groups(self, integration: integrations_pb2.Integration | None = None) -> list[alert_groups_pb2.AlertGroup]:
        """All groups, newest first."""
        wanted = f'integration = "{integration.name}"' if integration is not None else ""
        request = alert_groups_pb2.ListAlertGroupsRequest(filter=wanted, page_size=1000)
        found: list[alert_groups_pb2.AlertGroup] = []
        while True:
            page = self.call(self.alert_groups.ListAlertGroups, request)
            found.extend(page.alert_groups)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def alerts(self, group: alert_groups_pb2.AlertGroup) -> list[alert_groups_pb2.Alert]:
        """The alerts of a group."""
        request = alert_groups_pb2.ListAlertsRequest(parent=group.name, page_size=1000)
        return list(self.call(self.alert_groups.ListAlerts, request).alerts)

    def timeline(self, group: alert_groups_pb2.AlertGroup) -> list[str]:
        """The kinds of the events of a group, oldest first."""
        request = alert_groups_pb2.ListEventsRequest(parent=group.name, page_size=1000)
        events = self.call(self.alert_groups.ListEvents, request).events
        return [alert_groups_pb2.Event.Kind.Name(event.kind) for event in events]

    def heartbeat(self, integration: integrations_pb2.Integration) -> heartbeats_pb2.Heartbeat:
        """The heartbeat of an integration."""
        request = heartbeats_pb2.GetHeartbeatRequest(name=f"{integration.name}/heartbeat")
        return self.call(self.heartbeats.GetHeartbeat, request)

    def expect_beats(self, integration: integrations_pb2.Integration, seconds: int) -> None:
        """Sets the interval of a heartbeat."""
        heartbeat = heartbeats_pb2.Heartbeat(name=f"{integration.name}/heartbeat", interval={"seconds": seconds})
        self.call(self.heartbeats.UpdateHeartbeat, heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=heartbeat))

    def contact(self, display_name: str, **fields: Any) -> contact_points_pb2.ContactPoint:
        """Creates a contact point."""
        contact = contact_points_pb2.ContactPoint(display_name=display_name, **fields)
        request = contact_points_pb2.CreateContactPointRequest(contact_point=contact)
        return self.call(self.contacts.CreateContactPoint, request)

    def chain(
        self, display_name: str, *steps: dict[str, Any], is_default: bool = True
    ) -> escalation_chains_pb2.EscalationChain:
        """Creates an escalation chain, the default one unless told otherwise."""
        chain = escalation_chains_pb2.EscalationChain(
            display_name=display_name,
            steps=[escalation_chains_pb2.EscalationStep(**step) for step in steps],
            is_default=is_default,
        )
        request = escalation_chains_pb2.CreateEscalationChainRequest(escalation_chain=chain)
        return self.call(self.chains.CreateEscalationChain, request)

    def tell_of_resolution(self, integration: integrations_pb2.Integration) -> None:
        """Has the default route tell people when its groups are resolved."""
        route = routes_pb2.Route(name=f"{integration.name}/routes/default", notify_on_resolve=True)
        self.call(self.routes.UpdateRoute, routes_pb2.UpdateRouteRequest(route=route))

    def sent(self, group: str = "alertGroups/-") -> list[messages_pb2.Message]:
        """The messages of a group, or all, oldest first."""
        request = messages_pb2.ListMessagesRequest(parent=group, page_size=1000)
        return list(reversed(self.call(self.messages.ListMessages, request).messages))

    def close(self) -> None:
        """Hangs up."""
        self._channel.close()
