"""A daemon in memory, as far as the command line can tell: it keeps what it is given, pages, and refuses on request.

It has no rules of its own (any action is allowed in any state): what the real daemon makes of a call is tested with
the real daemon. Tests look at `calls` for what was asked, and put things into `alert_groups` and the like themselves.
Tokens, the audit log, notes and metrics are in fake_records.py, routes and previews in fake_routing.py, contact points,
chains and messages in fake_telling.py.
"""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from typing import Any

import grpc
from fake_records import now, page_of
from fake_routing import refuse_fields
from fake_telling import FakeTelling
from google.protobuf.empty_pb2 import Empty

from tocsin.v1 import alert_groups_pb2 as groups_api
from tocsin.v1 import heartbeats_pb2 as heartbeats_api
from tocsin.v1 import integrations_pb2 as integrations_api
from tocsin.v1.alert_groups_pb2_grpc import AlertGroupServiceServicer, add_AlertGroupServiceServicer_to_server
from tocsin.v1.heartbeats_pb2_grpc import HeartbeatServiceServicer, add_HeartbeatServiceServicer_to_server
from tocsin.v1.integrations_pb2_grpc import IntegrationServiceServicer, add_IntegrationServiceServicer_to_server

State = groups_api.AlertGroup.State


class FakeDaemon(FakeTelling, AlertGroupServiceServicer, HeartbeatServiceServicer, IntegrationServiceServicer):
    """All services on one socket."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target
        self.keeps_secrets = False
        self.total = 0
        self.looked_at_per_page: int | None = None
        self.integrations: dict[str, integrations_api.Integration] = {}
        self.heartbeats: dict[str, heartbeats_api.Heartbeat] = {}
        self.alert_groups: dict[str, groups_api.AlertGroup] = {}
        self.refused_templates: dict[str, str] = {}
        self.refusals: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.alerts: dict[str, list[groups_api.Alert]] = {}
        self.events: dict[str, list[groups_api.Event]] = {}
        self.payloads: dict[str, bytes] = {}
        self.history: list[groups_api.WatchAlertGroupsResponse] = []
        self.watches: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._server: grpc.Server | None = None
        self._epoch = 0

    # -- for tests

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(16))
        self.add_records_to(self._server)
        self.add_routing_to(self._server)
        self.add_telling_to(self._server)
        add_AlertGroupServiceServicer_to_server(self, self._server)
        add_HeartbeatServiceServicer_to_server(self, self._server)
        add_IntegrationServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(self.target)
        if self.target.endswith(":0"):
            self.target = f"{self.target.removesuffix(':0')}:{port}"
        self._server.start()

    def stop(self) -> None:
        assert self._server is not None
        stopped = self._server.stop(grace=None)
        with self._changed:
            self._epoch += 1
            self._changed.notify_all()
        stopped.wait()

    def add_group(self, number: int, state: "State.ValueType" = State.FIRING, **values: Any) -> groups_api.AlertGroup:
        defaults: dict[str, Any] = {
            "title": f"Title {number}",
            "integration": "integrations/one",
            "firing_alert_count": 1,
        }
        group = groups_api.AlertGroup(name=f"alertGroups/{number}", number=number, state=state, **(defaults | values))
        group.create_time.FromDatetime(now() - timedelta(minutes=number))
        self.alert_groups[group.name] = group
        return group

    def add_integration(self, id_: str, **values: Any) -> integrations_api.Integration:
        values = {"type": "alertmanager", "display_name": id_.title()} | values
        integration = integrations_api.Integration(name=f"integrations/{id_}", **values)
        self._fill(integration, f"token-of-{id_}")
        self.integrations[integration.name] = integration
        name = f"{integration.name}/heartbeat"
        self.heartbeats[name] = heartbeats_api.Heartbeat(name=name, state=heartbeats_api.Heartbeat.State.WAITING)
        self.heartbeats[name].interval.FromTimedelta(timedelta(minutes=10))
        return integration

    def happen(self, revision: int, group: groups_api.AlertGroup, **values: Any) -> None:
        """Let an event reach the watchers."""
        event = groups_api.Event(name=f"{group.name}/events/{revision}", revision=revision, **values)
        event.create_time.FromDatetime(now())
        with self._changed:
            self.history.append(groups_api.WatchAlertGroupsResponse(revision=revision, event=event, alert_group=group))
            self._changed.notify_all()

    # -- alert groups

    def GetAlertGroup(self, request: Any, context: grpc.ServicerContext) -> groups_api.AlertGroup:
        self._called("GetAlertGroup", request, context)
        return self._find(self.alert_groups, request.name, context)

    def ListAlertGroups(self, request: Any, context: grpc.ServicerContext) -> groups_api.ListAlertGroupsResponse:
        self._called("ListAlertGroups", request, context)
        groups = list(self.alert_groups.values())
        looked_at = groups_api.ListAlertGroupsRequest(
            page_size=self.looked_at_per_page or request.page_size, page_token=request.page_token
        )
        page, token = page_of(groups, looked_at)
        if self.looked_at_per_page:  # as the daemon does that looks at so many, and finds them not to match
            page = [group for group in page if group.title != "another"]
        total = (self.total or len(groups)) if request.include_total_size else 0
        return groups_api.ListAlertGroupsResponse(alert_groups=page, next_page_token=token, total_size=total)

    def ListAlerts(self, request: Any, context: grpc.ServicerContext) -> groups_api.ListAlertsResponse:
        self._called("ListAlerts", request, context)
        page, token = page_of(self.alerts.get(request.parent, []), request)
        return groups_api.ListAlertsResponse(alerts=page, next_page_token=token)

    def ListEvents(self, request: Any, context: grpc.ServicerContext) -> groups_api.ListEventsResponse:
        self._called("ListEvents", request, context)
        page, token = page_of(self.events.get(request.parent, []), request)
        return groups_api.ListEventsResponse(events=page, next_page_token=token)

    def GetPayload(self, request: Any, context: grpc.ServicerContext) -> groups_api.Payload:
        self._called("GetPayload", request, context)
        return groups_api.Payload(name=request.name, body=self.payloads[request.name])

    def UnacknowledgeAlertGroup(self, request: Any, context: grpc.ServicerContext) -> groups_api.AlertGroup:
        return self._act("UnacknowledgeAlertGroup", request, context, State.FIRING)

    def UnsilenceAlertGroup(self, request: Any, context: grpc.ServicerContext) -> groups_api.AlertGroup:
        return self._act("UnsilenceAlertGroup", request, context, State.FIRING)

    def UnresolveAlertGroup(self, request: Any, context: grpc.ServicerContext) -> groups_api.AlertGroup:
        return self._act("UnresolveAlertGroup", request, context, State.FIRING)

    def BatchAcknowledgeAlertGroups(
        self, request: Any, context: grpc.ServicerContext
    ) -> groups_api.BatchAcknowledgeAlertGroupsResponse:
        results = self._act_on_many("BatchAcknowledgeAlertGroups", request, context, State.ACKNOWLEDGED)
        return groups_api.BatchAcknowledgeAlertGroupsResponse(results=results)

    def BatchSilenceAlertGroups(
        self, request: Any, context: grpc.ServicerContext
    ) -> groups_api.BatchSilenceAlertGroupsResponse:
        results = self._act_on_many("BatchSilenceAlertGroups", request, context, State.SILENCED)
        for result in results:
            if result.HasField("alert_group") and request.HasField("duration"):
                result.alert_group.silence_end_time.FromDatetime(now() + request.duration.ToTimedelta())
        return groups_api.BatchSilenceAlertGroupsResponse(results=results)

    def BatchResolveAlertGroups(
        self, request: Any, context: grpc.ServicerContext
    ) -> groups_api.BatchResolveAlertGroupsResponse:
        results = self._act_on_many("BatchResolveAlertGroups", request, context, State.RESOLVED)
        return groups_api.BatchResolveAlertGroupsResponse(results=results)

    def WipeAlertGroup(self, request: Any, context: grpc.ServicerContext) -> groups_api.AlertGroup:
        group = self._act("WipeAlertGroup", request, context, State.RESOLVED)
        group.title = ""
        return group

    def DeleteAlertGroup(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteAlertGroup", request, context)
        self._find(self.alert_groups, request.name, context)
        del self.alert_groups[request.name]
        return Empty()

    def WatchAlertGroups(
        self, request: Any, context: grpc.ServicerContext
    ) -> Iterator[groups_api.WatchAlertGroupsResponse]:
        self._called("WatchAlertGroups", request, context)
        last = self.history[-1].revision if self.history else 0
        revision = request.revision if request.HasField("revision") else last
        self.watches.put(request.revision if request.HasField("revision") else None)
        yield groups_api.WatchAlertGroupsResponse(revision=revision)
        if request.initial_snapshot:
            for group in self.alert_groups.values():
                yield groups_api.WatchAlertGroupsResponse(alert_group=group)
            yield groups_api.WatchAlertGroupsResponse(revision=revision, snapshot_complete=True)
        epoch = self._epoch
        while True:
            with self._changed:
                while self._epoch == epoch and not self._after(revision):
                    self._changed.wait()
                news = self._after(revision)
            if self._epoch != epoch:
                return
            for message in news:
                revision = message.revision
                yield message

    def _after(self, revision: int) -> list[groups_api.WatchAlertGroupsResponse]:
        return [message for message in self.history if message.revision > revision]

    # -- heartbeats

    def GetHeartbeat(self, request: Any, context: grpc.ServicerContext) -> heartbeats_api.Heartbeat:
        self._called("GetHeartbeat", request, context)
        return self._find(self.heartbeats, request.name, context)

    def ListHeartbeats(self, request: Any, context: grpc.ServicerContext) -> heartbeats_api.ListHeartbeatsResponse:
        self._called("ListHeartbeats", request, context)
        page, token = page_of(list(self.heartbeats.values()), request)
        return heartbeats_api.ListHeartbeatsResponse(heartbeats=page, next_page_token=token)

    def UpdateHeartbeat(self, request: Any, context: grpc.ServicerContext) -> heartbeats_api.Heartbeat:
        self._called("UpdateHeartbeat", request, context)
        heartbeat = self._find(self.heartbeats, request.heartbeat.name, context)
        request.update_mask.MergeMessage(request.heartbeat, heartbeat)
        return heartbeat

    def PauseHeartbeat(self, request: Any, context: grpc.ServicerContext) -> heartbeats_api.Heartbeat:
        return self._put_heartbeat("PauseHeartbeat", request, context, heartbeats_api.Heartbeat.State.PAUSED)

    def ResumeHeartbeat(self, request: Any, context: grpc.ServicerContext) -> heartbeats_api.Heartbeat:
        return self._put_heartbeat("ResumeHeartbeat", request, context, heartbeats_api.Heartbeat.State.UP)

    def ResetHeartbeat(self, request: Any, context: grpc.ServicerContext) -> heartbeats_api.Heartbeat:
        return self._put_heartbeat("ResetHeartbeat", request, context, heartbeats_api.Heartbeat.State.WAITING)

    # -- integrations

    def CreateIntegration(self, request: Any, context: grpc.ServicerContext) -> integrations_api.Integration:
        self._called("CreateIntegration", request, context)
        refuse_fields(context, "integration.templates", request.integration.templates, self.refused_templates)
        if any(each.display_name == request.integration.display_name for each in self.integrations.values()):
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "there is one of that name")
        integration = self.add_integration(f"i{len(self.integrations)}")
        integration.MergeFrom(request.integration)
        if request.token:
            self._fill(integration, request.token)
        return integration

    def GetIntegration(self, request: Any, context: grpc.ServicerContext) -> integrations_api.Integration:
        self._called("GetIntegration", request, context)
        return self._find(self.integrations, request.name, context)

    def ListIntegrations(
        self, request: Any, context: grpc.ServicerContext
    ) -> integrations_api.ListIntegrationsResponse:
        self._called("ListIntegrations", request, context)
        page, token = page_of(list(self.integrations.values()), request)
        return integrations_api.ListIntegrationsResponse(integrations=page, next_page_token=token)

    def UpdateIntegration(self, request: Any, context: grpc.ServicerContext) -> integrations_api.Integration:
        self._called("UpdateIntegration", request, context)
        integration = self._find(self.integrations, request.integration.name, context)
        request.update_mask.MergeMessage(request.integration, integration)
        return integration

    def RotateIntegrationToken(self, request: Any, context: grpc.ServicerContext) -> integrations_api.Integration:
        self._called("RotateIntegrationToken", request, context)
        integration = self._find(self.integrations, request.name, context)
        for secret in ("token", "url", "heartbeat_url"):
            integration.ClearField(secret)
        self._fill(integration, "a-new-token")
        return integration

    def DeleteIntegration(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteIntegration", request, context)
        self._find(self.integrations, request.name, context)
        del self.integrations[request.name]
        return Empty()

    def StartMaintenance(self, request: Any, context: grpc.ServicerContext) -> integrations_api.Integration:
        self._called("StartMaintenance", request, context)
        integration = self._find(self.integrations, request.name, context)
        start = request.start_time.ToDatetime(UTC) if request.HasField("start_time") else now()
        integration.maintenance.mode = request.mode
        integration.maintenance.actor = "ann"
        integration.maintenance.start_time.FromDatetime(start)
        integration.maintenance.end_time.FromDatetime(start + request.duration.ToTimedelta())
        return integration

    def StopMaintenance(self, request: Any, context: grpc.ServicerContext) -> integrations_api.Integration:
        self._called("StopMaintenance", request, context)
        integration = self._find(self.integrations, request.name, context)
        if not integration.HasField("maintenance"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "there is no maintenance")
        integration.ClearField("maintenance")
        return integration

    def SendDemoAlert(self, request: Any, context: grpc.ServicerContext) -> integrations_api.SendDemoAlertResponse:
        self._called("SendDemoAlert", request, context)
        self._find(self.integrations, request.name, context)
        group = self.add_group(len(self.alert_groups) + 1, source=groups_api.AlertGroup.Source.DEMO)
        return integrations_api.SendDemoAlertResponse(alert_group=group.name)

    # -- inside

    def _act(
        self, method: str, request: Any, context: grpc.ServicerContext, state: "State.ValueType"
    ) -> groups_api.AlertGroup:
        self._called(method, request, context)
        group = self._find(self.alert_groups, request.name, context)
        group.state = state
        return group

    def _act_on_many(
        self, method: str, request: Any, context: grpc.ServicerContext, state: "State.ValueType"
    ) -> list[groups_api.BatchResult]:
        """Act on each group that exists and is not in `refusals`, which has the status for those that are."""
        self._called(method, request, context)
        if len(request.names) > 1000 or len(set(request.names)) < len(request.names):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "names: 1 to 1,000, each once")
        results = []
        for name in request.names:
            result = groups_api.BatchResult(name=name)
            code, message = self.refusals.get(name, (grpc.StatusCode.NOT_FOUND, f"{name} does not exist"))
            if name in self.refusals or name not in self.alert_groups:
                result.error.code, result.error.message = code.value[0], message
            else:
                self.alert_groups[name].state = state
                result.alert_group.CopyFrom(self.alert_groups[name])
            results.append(result)
        return results

    def _put_heartbeat(
        self,
        method: str,
        request: Any,
        context: grpc.ServicerContext,
        state: "heartbeats_api.Heartbeat.State.ValueType",
    ) -> heartbeats_api.Heartbeat:
        self._called(method, request, context)
        heartbeat = self._find(self.heartbeats, request.name, context)
        heartbeat.state = state
        return heartbeat

    def _fill(self, integration: integrations_api.Integration, token: str) -> None:
        prefix = "http://tocsin.example:8080/integrations/v1/alertmanager"
        integration.bearer_url = f"{prefix}/{integration.name.removeprefix('integrations/')}/"
        integration.create_time.FromDatetime(now())
        if not self.keeps_secrets:
            integration.token = token
            integration.url = f"{prefix}/{token}/"
            integration.heartbeat_url = f"{integration.url}heartbeat/"
