"""RouteService."""

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import routes_pb2, routes_pb2_grpc
from tocsind.engine.engine import Engine


class RouteServicer(routes_pb2_grpc.RouteServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateRoute(self, request: routes_pb2.CreateRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Creates a route."""
        raise NotImplementedError

    def GetRoute(self, request: routes_pb2.GetRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Returns one route."""
        raise NotImplementedError

    def ListRoutes(
        self, request: routes_pb2.ListRoutesRequest, context: grpc.ServicerContext
    ) -> routes_pb2.ListRoutesResponse:
        """Lists routes."""
        raise NotImplementedError

    def UpdateRoute(self, request: routes_pb2.UpdateRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Changes a route."""
        raise NotImplementedError

    def MoveRoute(self, request: routes_pb2.MoveRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Moves a route."""
        raise NotImplementedError

    def DeleteRoute(self, request: routes_pb2.DeleteRouteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Deletes a route."""
        raise NotImplementedError

    def TestRoutes(
        self, request: routes_pb2.TestRoutesRequest, context: grpc.ServicerContext
    ) -> routes_pb2.TestRoutesResponse:
        """Tells which route a payload would take."""
        raise NotImplementedError
