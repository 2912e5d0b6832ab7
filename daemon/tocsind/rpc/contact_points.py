"""ContactPointService."""

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import contact_points_pb2, contact_points_pb2_grpc
from tocsind.engine.engine import Engine
from tocsind.rpc.shifts import list_shifts


class ContactPointServicer(contact_points_pb2_grpc.ContactPointServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateContactPoint(
        self, request: contact_points_pb2.CreateContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ContactPoint:
        """CreateContactPoint."""
        raise NotImplementedError

    def GetContactPoint(
        self, request: contact_points_pb2.GetContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ContactPoint:
        """GetContactPoint."""
        raise NotImplementedError

    def ListContactPoints(
        self, request: contact_points_pb2.ListContactPointsRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ListContactPointsResponse:
        """ListContactPoints."""
        raise NotImplementedError

    def UpdateContactPoint(
        self, request: contact_points_pb2.UpdateContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ContactPoint:
        """UpdateContactPoint."""
        raise NotImplementedError

    def DeleteContactPoint(
        self, request: contact_points_pb2.DeleteContactPointRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """DeleteContactPoint."""
        raise NotImplementedError

    def TestContactPoint(
        self, request: contact_points_pb2.TestContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.TestContactPointResponse:
        """TestContactPoint."""
        raise NotImplementedError

    def ListShifts(
        self, request: contact_points_pb2.ListShiftsRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ListShiftsResponse:
        """Lists who is on call when."""
        return list_shifts(self._engine, request)
