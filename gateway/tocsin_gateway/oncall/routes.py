"""`/api/v1/routes/`: reading the routes of integrations.

The daemon lists the routes of one integration at a time. Where those of all are wanted, it is asked for each, for so
many at once as there are places for calls.
"""

import asyncio
from typing import Final

import grpc
import grpc.aio

from tocsin.v1 import routes_pb2
from tocsin_gateway.oncall import fields, ids, integrations, replies
from tocsin_gateway.oncall.caller import CALLS, Caller
from tocsin_gateway.oncall.query import Query
from tocsin_gateway.oncall.replies import Refusal, Reply
from tocsin_gateway.oncall.resource import Request, Resource, Response

PAGE_SIZE: Final = 25

_MOST: Final = 1000
"""Routes in one call; an integration has no more than 201."""


class Routes(Resource):
    """`/api/v1/routes/`."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """A page of the routes, in the order of their integrations and in their own."""

        async def work(caller: Caller, _: bytes) -> Reply:
            query = Query(req)
            found = await self._find(caller, query)
            page = query.page(PAGE_SIZE).within(len(found))
            results = [fields.route(route) for route in found[page.start : page.start + page.size]]
            return replies.of(200, query.answer(page, len(found), results))

        await self._serve(req, resp, work)

    on_head = on_get

    async def _find(self, caller: Caller, query: Query) -> list[routes_pb2.Route]:
        """The routes that the query wants."""
        owner = query.last("integration_id")
        if not owner:
            names = [integration.name for integration in await integrations.every(caller)]
        elif ids.is_integration(owner):
            names = [ids.integration_name(owner)]
        else:
            await caller.check()
            names = []
        found: list[routes_pb2.Route] = []
        for start in range(0, len(names), CALLS):
            some = await asyncio.gather(*(_of(caller, name) for name in names[start : start + CALLS]))
            found += [route for routes in some for route in routes]
        if condition := query.last("routing_regex"):
            found = [route for route in found if route.jinja == condition]
        return found


class Route(Resource):
    """`/api/v1/routes/{id}/`."""

    async def on_get(self, req: Request, resp: Response, route_id: str) -> None:
        """One route."""

        async def work(caller: Caller, _: bytes) -> Reply:
            name = ids.route_name(route_id)
            if name is None:
                await caller.check()
                raise Refusal(replies.NOT_FOUND)
            route = await caller.call(caller.routes.GetRoute, routes_pb2.GetRouteRequest(name=name))
            return replies.of(200, fields.route(route))

        await self._serve(req, resp, work)

    on_head = on_get


async def _of(caller: Caller, integration: str) -> list[routes_pb2.Route]:
    """The routes of an integration in their order; none where it is not there, or not any more."""
    request = routes_pb2.ListRoutesRequest(parent=integration, page_size=_MOST)
    try:
        return list((await caller.call(caller.routes.ListRoutes, request)).routes)
    except grpc.aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            return []
        raise
