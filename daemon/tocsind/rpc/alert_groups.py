"""AlertGroupService; watching and batches have files of their own."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Protocol

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import alert_groups_pb2, alert_groups_pb2_grpc
from tocsind.domain.alert_group import Action
from tocsind.domain.errors import not_found
from tocsind.engine import groups as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import decode, encode, group_batches, group_filter, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import Repeatable, change
from tocsind.rpc.slow_lists import SlowLists
from tocsind.rpc.watch import Watch
from tocsind.sqlite import alert_groups as rows
from tocsind.sqlite import alerts, events


class _Acting(Repeatable, Protocol):
    """What the requests of all actions have in common."""

    name: str
    note: str


class AlertGroupServicer(alert_groups_pb2_grpc.AlertGroupServiceServicer):
    """Reads alert groups and acts on them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watch = Watch(engine)
        self._slow_lists = SlowLists(engine.clock)

    def GetAlertGroup(
        self, request: alert_groups_pb2.GetAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Returns one group."""
        number = names.group_number(request.name)
        with self._engine.store.reading() as connection:
            found = rows.one(connection, number)
        if found is None:
            raise not_found(request.name)
        return encode.alert_group(found)

    def ListAlertGroups(
        self, request: alert_groups_pb2.ListAlertGroupsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.ListAlertGroupsResponse:
        """Lists groups, newest or oldest first."""
        size = paging.size(request.page_size)
        wanted = group_filter.parse(request.filter)
        newest_first = paging.newest_first(request.order_by)
        scope = f"alertGroups {wanted} {newest_first}"
        after = paging.pair_after(scope, request.page_token)
        with self._engine.store.reading() as connection:
            listed = group_filter.listed(connection, wanted, newest_first=newest_first)
        with ExitStack() as stack:
            if listed.is_slow:
                stack.enter_context(self._slow_lists.place())
            connection = stack.enter_context(self._engine.store.reading())
            page = listed.page(connection, after, size)
            total = listed.count(connection) if request.include_total_size else 0
        return alert_groups_pb2.ListAlertGroupsResponse(
            alert_groups=[encode.alert_group(row) for row in page.groups],
            next_page_token=paging.token(scope, page.next) if page.next else "",
            total_size=total,
        )

    def ListAlerts(
        self, request: alert_groups_pb2.ListAlertsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.ListAlertsResponse:
        """Lists the alerts of a group."""
        number = names.group_number(request.parent, "parent")
        size = paging.size(request.page_size)
        scope = f"{request.parent}/alerts"
        after = paging.text_after(scope, request.page_token)
        with self._engine.store.reading() as connection:
            if rows.one(connection, number) is None:
                raise not_found(request.parent)
            found = alerts.page(connection, number, after, size + 1)
        page, next_token = paging.cut(scope, found, size, lambda row: row.alert.fingerprint)
        return alert_groups_pb2.ListAlertsResponse(
            alerts=[encode.alert(row) for row in page], next_page_token=next_token
        )

    def ListEvents(
        self, request: alert_groups_pb2.ListEventsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.ListEventsResponse:
        """Lists the timeline of a group."""
        number = names.group_number(request.parent, "parent")
        size = paging.size(request.page_size)
        scope = f"{request.parent}/events"
        after = paging.number_after(scope, request.page_token, 0)
        with self._engine.store.reading() as connection:
            if rows.one(connection, number) is None:
                raise not_found(request.parent)
            found = events.page(connection, number, after, size + 1)
        page, next_token = paging.cut(scope, found, size, lambda row: row.revision)
        return alert_groups_pb2.ListEventsResponse(
            events=[encode.event(row) for row in page], next_page_token=next_token
        )

    def GetPayload(
        self, request: alert_groups_pb2.GetPayloadRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.Payload:
        """Returns a payload as it came."""
        number, latest = names.payload_of(request.name)
        with self._engine.store.reading() as connection:
            found = alerts.payload(connection, number, latest)
        payload = encode.payload(request.name, *found) if found is not None else None
        if payload is None:
            raise not_found(request.name)
        return payload

    def BatchGetPayloads(
        self, request: alert_groups_pb2.BatchGetPayloadsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.BatchGetPayloadsResponse:
        """Returns several payloads."""
        return group_batches.payloads(self._engine, request.names)

    def AcknowledgeAlertGroup(
        self, request: alert_groups_pb2.AcknowledgeAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Says that somebody is on it."""
        return self._act(request, Action.ACKNOWLEDGE)

    def UnacknowledgeAlertGroup(
        self, request: alert_groups_pb2.UnacknowledgeAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Takes that back."""
        return self._act(request, Action.UNACKNOWLEDGE)

    def SilenceAlertGroup(
        self, request: alert_groups_pb2.SilenceAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Keeps it quiet."""
        return self._act(request, Action.SILENCE, _span(request))

    def UnsilenceAlertGroup(
        self, request: alert_groups_pb2.UnsilenceAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Ends its silence."""
        return self._act(request, Action.UNSILENCE)

    def ResolveAlertGroup(
        self, request: alert_groups_pb2.ResolveAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Closes it."""
        return self._act(request, Action.RESOLVE)

    def UnresolveAlertGroup(
        self, request: alert_groups_pb2.UnresolveAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Opens it again."""
        return self._act(request, Action.UNRESOLVE)

    def BatchAcknowledgeAlertGroups(
        self, request: alert_groups_pb2.BatchAcknowledgeAlertGroupsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.BatchAcknowledgeAlertGroupsResponse:
        """Says that somebody is on them."""
        response = alert_groups_pb2.BatchAcknowledgeAlertGroupsResponse
        return group_batches.act(self._engine, request, response, Action.ACKNOWLEDGE)

    def BatchSilenceAlertGroups(
        self, request: alert_groups_pb2.BatchSilenceAlertGroupsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.BatchSilenceAlertGroupsResponse:
        """Keeps them quiet."""
        response = alert_groups_pb2.BatchSilenceAlertGroupsResponse
        return group_batches.act(self._engine, request, response, Action.SILENCE, _span(request))

    def BatchResolveAlertGroups(
        self, request: alert_groups_pb2.BatchResolveAlertGroupsRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.BatchResolveAlertGroupsResponse:
        """Closes them."""
        response = alert_groups_pb2.BatchResolveAlertGroupsResponse
        return group_batches.act(self._engine, request, response, Action.RESOLVE)

    def WipeAlertGroup(
        self, request: alert_groups_pb2.WipeAlertGroupRequest, context: grpc.ServicerContext
    ) -> alert_groups_pb2.AlertGroup:
        """Removes what it says."""
        number = names.group_number(request.name)
        return change(self._engine, request, encode.alert_group, jobs.wipe, number, by=caller())

    def DeleteAlertGroup(
        self, request: alert_groups_pb2.DeleteAlertGroupRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Removes it."""
        number = names.group_number(request.name)
        return change(self._engine, request, encode.nothing, jobs.delete, number, by=caller())

    def WatchAlertGroups(
        self, request: alert_groups_pb2.WatchAlertGroupsRequest, context: grpc.ServicerContext
    ) -> AsyncIterator[alert_groups_pb2.WatchAlertGroupsResponse]:
        """Streams what happens."""
        return self._watch.groups(request)

    def WatchEvents(
        self, request: alert_groups_pb2.WatchEventsRequest, context: grpc.ServicerContext
    ) -> AsyncIterator[alert_groups_pb2.WatchEventsResponse]:
        """Streams what happens to one group."""
        return self._watch.events(request)

    def close(self) -> None:
        """Ends what watching needs; there are no streams any more."""
        self._watch.close()

    def _act(self, request: _Acting, action: Action, silence_for: int | None = None) -> alert_groups_pb2.AlertGroup:
        return change(
            self._engine,
            request,
            encode.alert_group,
            jobs.act,
            names.group_number(request.name),
            action,
            by=caller(),
            note=request.note,
            silence_for=silence_for,
        )


def _span(
    request: alert_groups_pb2.SilenceAlertGroupRequest | alert_groups_pb2.BatchSilenceAlertGroupsRequest,
) -> int | None:
    return decode.microseconds(request.duration, "duration") if request.HasField("duration") else None
