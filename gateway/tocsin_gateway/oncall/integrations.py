"""`/api/v1/integrations/`: reading integrations, and their maintenance.

The daemon's list knows no filter and no count; there are at most some thousand integrations, so that all are read.
The escalation chain of a default route is the route's: the daemon is asked for that of each integration that is shown.
"""

import asyncio
from typing import Any, Final

import grpc
import grpc.aio

from tocsin.v1 import integrations_pb2, routes_pb2
from tocsin_gateway.oncall import fields, ids, replies
from tocsin_gateway.oncall.caller import Caller
from tocsin_gateway.oncall.query import Query
from tocsin_gateway.oncall.replies import Refusal, Reply
from tocsin_gateway.oncall.resource import Request, Resource, Response, said

PAGE_SIZE: Final = 50

LONGEST_MAINTENANCE: Final = 30 * 86_400
"""Seconds; the daemon's limit."""

_STEP: Final = 1000
"""Integrations in one call, the most that the daemon gives."""

_Integration = integrations_pb2.Integration


class Integrations(Resource):
    """`/api/v1/integrations/`."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """A page of the integrations, oldest first."""

        async def work(caller: Caller, _: bytes) -> Reply:
            query = Query(req)
            found = await every(caller)
            query.check_team()
            if name := query.last("name"):
                found = [integration for integration in found if integration.display_name == name]
            page = query.page(PAGE_SIZE).within(len(found))
            wanted = found[page.start : page.start + page.size]
            results = await asyncio.gather(*(_shown(caller, integration) for integration in wanted))
            return replies.of(200, query.answer(page, len(found), results))

        await self._serve(req, resp, work)

    on_head = on_get


class Integration(Resource):
    """`/api/v1/integrations/{id}/`."""

    async def on_get(self, req: Request, resp: Response, integration_id: str) -> None:
        """One integration."""

        async def work(caller: Caller, _: bytes) -> Reply:
            return replies.of(200, await _shown(caller, await _get(caller, integration_id)))

        await self._serve(req, resp, work)

    on_head = on_get


class StartMaintenance(Resource):
    """`/api/v1/integrations/{id}/maintenance_start/`."""

    async def on_post(self, req: Request, resp: Response, integration_id: str) -> None:
        """Starts a maintenance, and shows the integration. One that runs is left as it is, as in OnCall."""

        async def work(caller: Caller, content: bytes) -> Reply:
            found = await _get(caller, integration_id)
            body = said(req, content)
            mode, seconds = _mode(body), _seconds(body)
            if fields.in_maintenance(found):
                return replies.detail(400, "Already on maintenance")
            request = integrations_pb2.StartMaintenanceRequest(name=found.name, mode=mode)
            request.duration.seconds = seconds
            started = await caller.call(caller.integrations.StartMaintenance, request)
            return replies.of(200, await _shown(caller, started))

        await self._serve(req, resp, work, takes_body=True)


class StopMaintenance(Resource):
    """`/api/v1/integrations/{id}/maintenance_stop/`."""

    async def on_post(self, req: Request, resp: Response, integration_id: str) -> None:
        """Ends the maintenance if one runs, and shows the integration."""

        async def work(caller: Caller, _: bytes) -> Reply:
            found = await _get(caller, integration_id)
            if fields.in_maintenance(found):
                request = integrations_pb2.StopMaintenanceRequest(name=found.name)
                found = await caller.call(caller.integrations.StopMaintenance, request)
            return replies.of(200, await _shown(caller, found))

        await self._serve(req, resp, work)


def _mode(body: Any) -> integrations_pb2.Maintenance.Mode.ValueType:
    """Which mode is wanted, in any case. Raises `Refusal`."""
    name = str(body.get("mode")).lower() if isinstance(body, dict) else ""
    for mode, known in fields.MODES.items():
        if name == known:
            return mode
    raise Refusal(replies.of(400, {"mode": ["Unknown mode"]}))


def _seconds(body: Any) -> int:
    """How long it is to last; whether it may is for the daemon to say. Raises `Refusal`."""
    try:
        seconds = int(body.get("duration"))
    except (ValueError, TypeError, OverflowError):
        seconds = 0
    if not 0 < seconds <= LONGEST_MAINTENANCE:
        raise Refusal(replies.of(400, {"duration": ["Invalid duration"]}))
    return seconds


async def _get(caller: Caller, id_: str) -> _Integration:
    """The integration with an id. Raises `Refusal` and `grpc.aio.AioRpcError` where there is none."""
    if not ids.is_integration(id_):
        await caller.check()
        raise Refusal(replies.NOT_FOUND)
    request = integrations_pb2.GetIntegrationRequest(name=ids.integration_name(id_))
    return await caller.call(caller.integrations.GetIntegration, request)


async def _shown(caller: Caller, found: _Integration) -> dict[str, Any]:
    """An integration as it is shown. Raises `grpc.aio.AioRpcError`."""
    request = routes_pb2.GetRouteRequest(name=f"{found.name}/routes/default")
    try:
        default_route = await caller.call(caller.routes.GetRoute, request)
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        # It was deleted meanwhile.
        default_route = routes_pb2.Route()
    return fields.integration(found, default_route)


async def every(caller: Caller) -> list[_Integration]:
    """All integrations but the built-in one, oldest first. Raises `grpc.aio.AioRpcError`."""
    found: list[_Integration] = []
    request = integrations_pb2.ListIntegrationsRequest(page_size=_STEP)
    while True:
        response = await caller.call(caller.integrations.ListIntegrations, request)
        found += response.integrations
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token
