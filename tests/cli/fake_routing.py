"""The part of the fake daemon that keeps routes, and answers previews and tests with what it was told to say."""

from collections.abc import Mapping
from typing import Any

import grpc
from fake_records import FakeRecords, now, page_of
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tocsin.v1 import routes_pb2 as routes_api
from tocsin.v1 import templates_pb2 as templates_api
from tocsin.v1.routes_pb2_grpc import RouteServiceServicer, add_RouteServiceServicer_to_server
from tocsin.v1.templates_pb2_grpc import TemplateServiceServicer, add_TemplateServiceServicer_to_server


class FakeRouting(FakeRecords, RouteServiceServicer, TemplateServiceServicer):
    """Two services more. `routes` and `default_routes` by the integration's name."""

    def __init__(self) -> None:
        super().__init__()
        self.routes: dict[str, list[routes_api.Route]] = {}
        self.default_routes: dict[str, routes_api.Route] = {}
        self.refused_conditions: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.test_result = routes_api.TestRoutesResponse()
        self.preview = templates_api.PreviewTemplateResponse()
        self._route_count = 0

    def add_routing_to(self, server: grpc.Server) -> None:
        add_RouteServiceServicer_to_server(self, server)
        add_TemplateServiceServicer_to_server(self, server)

    # -- for tests

    def add_route(self, parent: str, position: int | None = None, **values: Any) -> routes_api.Route:
        route = routes_api.Route(name=f"{parent}/routes/r{self._route_count}", **values)
        self._route_count += 1
        route.create_time.FromDatetime(now())
        siblings = self.routes.setdefault(parent, [])
        siblings.insert(len(siblings) if position is None else position, route)
        self._number(parent)
        return route

    # -- routes

    def CreateRoute(self, request: Any, context: grpc.ServicerContext) -> routes_api.Route:
        self._called("CreateRoute", request, context)
        condition = request.route.jinja or request.route.matchers
        if condition in self.refused_conditions:
            context.abort(*self.refused_conditions[condition])
        position = request.position if request.HasField("position") else None
        route = self.add_route(request.parent, position)
        route.MergeFrom(request.route)
        return route

    def GetRoute(self, request: Any, context: grpc.ServicerContext) -> routes_api.Route:
        self._called("GetRoute", request, context)
        return self._route(request.name, context)

    def ListRoutes(self, request: Any, context: grpc.ServicerContext) -> routes_api.ListRoutesResponse:
        self._called("ListRoutes", request, context)
        routes = self.routes.get(request.parent, [])
        default = self._default_route(request.parent)
        page, token = page_of([*routes, default], request)
        return routes_api.ListRoutesResponse(routes=page, next_page_token=token)

    def UpdateRoute(self, request: Any, context: grpc.ServicerContext) -> routes_api.Route:
        self._called("UpdateRoute", request, context)
        route = self._route(request.route.name, context)
        request.update_mask.MergeMessage(request.route, route)
        return route

    def MoveRoute(self, request: Any, context: grpc.ServicerContext) -> routes_api.Route:
        self._called("MoveRoute", request, context)
        route = self._route(request.name, context)
        parent = request.name.partition("/routes/")[0]
        self.routes[parent].remove(route)
        self.routes[parent].insert(request.position, route)
        self._number(parent)
        return route

    def DeleteRoute(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteRoute", request, context)
        route = self._route(request.name, context)
        self.routes[request.name.partition("/routes/")[0]].remove(route)
        return Empty()

    def TestRoutes(self, request: Any, context: grpc.ServicerContext) -> routes_api.TestRoutesResponse:
        self._called("TestRoutes", request, context)
        return self.test_result

    # -- templates

    def PreviewTemplate(self, request: Any, context: grpc.ServicerContext) -> templates_api.PreviewTemplateResponse:
        self._called("PreviewTemplate", request, context)
        return self.preview

    # -- inside

    def _default_route(self, parent: str) -> routes_api.Route:
        route = self.default_routes.setdefault(parent, routes_api.Route(name=f"{parent}/routes/default"))
        route.position = len(self.routes.get(parent, []))
        return route

    def _route(self, name: str, context: grpc.ServicerContext) -> routes_api.Route:
        parent = name.partition("/routes/")[0]
        siblings = [*self.routes.get(parent, []), self._default_route(parent)]
        return self._find({route.name: route for route in siblings}, name, context)

    def _number(self, parent: str) -> None:
        for position, route in enumerate(self.routes[parent]):
            route.position = position


def refuse_fields(context: grpc.ServicerContext, path: str, message: Message, refusals: Mapping[str, str]) -> None:
    """Refuse a request as the daemon does, with field violations, if a field of `message` has a value refused."""
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=f"{path}.{descriptor.name}", description=refusals[value])
        for descriptor, value in message.ListFields()
        if value in refusals
    ]
    if violations:
        detail = Packed()
        detail.Pack(error_details_pb2.BadRequest(field_violations=violations))
        code: int = grpc.StatusCode.INVALID_ARGUMENT.value[0]
        status = status_pb2.Status(code=code, message=violations[0].description, details=[detail])
        context.abort_with_status(rpc_status.to_status(status))
