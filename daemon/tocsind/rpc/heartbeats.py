"""HeartbeatService."""

from functools import partial

import grpc

from tocsin.v1 import heartbeats_pb2, heartbeats_pb2_grpc
from tocsind.domain.errors import invalid, not_found
from tocsind.domain.heartbeat import Heartbeat
from tocsind.engine import heartbeats as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import decode, encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
from tocsind.sqlite import heartbeats as rows
from tocsind.sqlite import integrations

_SCOPE = "heartbeats"


class HeartbeatServicer(heartbeats_pb2_grpc.HeartbeatServiceServicer):
    """One heartbeat for each integration."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def GetHeartbeat(
        self, request: heartbeats_pb2.GetHeartbeatRequest, context: grpc.ServicerContext
    ) -> heartbeats_pb2.Heartbeat:
        """Returns one heartbeat."""
        public_id = names.heartbeat_id(request.name)
        with self._engine.store.reading() as connection:
            integration = integrations.by_public_id(connection, public_id)
            found = rows.load(connection, [integration.id]).get(integration.id) if integration else None
        if found is None:
            raise not_found(request.name)
        return self._encode(public_id, found)

    def ListHeartbeats(
        self, request: heartbeats_pb2.ListHeartbeatsRequest, context: grpc.ServicerContext
    ) -> heartbeats_pb2.ListHeartbeatsResponse:
        """Lists heartbeats."""
        size = paging.size(request.page_size)
        after = paging.number_after(_SCOPE, request.page_token, 0)
        with self._engine.store.reading() as connection:
            found = rows.page(connection, after, size + 1)
        page, next_token = paging.cut(_SCOPE, found, size, lambda row: row[1].integration_id)
        return heartbeats_pb2.ListHeartbeatsResponse(
            heartbeats=[self._encode(public_id, heartbeat) for public_id, heartbeat in page],
            next_page_token=next_token,
        )

    def UpdateHeartbeat(
        self, request: heartbeats_pb2.UpdateHeartbeatRequest, context: grpc.ServicerContext
    ) -> heartbeats_pb2.Heartbeat:
        """Sets the interval."""
        public_id = names.heartbeat_id(request.heartbeat.name, "heartbeat.name")
        for path in request.update_mask.paths:
            if path != "interval":
                raise invalid("update_mask", f"{path!r} cannot be changed; what can: interval")
        if not request.heartbeat.HasField("interval"):
            raise invalid("heartbeat.interval", "must be set")
        interval = decode.microseconds(request.heartbeat.interval, "heartbeat.interval")
        respond, etag = partial(self._encode, public_id), request.heartbeat.etag
        return change(self._engine, request, respond, jobs.set_interval, public_id, interval, etag, by=caller())

    def PauseHeartbeat(
        self, request: heartbeats_pb2.PauseHeartbeatRequest, context: grpc.ServicerContext
    ) -> heartbeats_pb2.Heartbeat:
        """Expects nothing any more."""
        public_id = names.heartbeat_id(request.name)
        return change(self._engine, request, partial(self._encode, public_id), jobs.pause, public_id, by=caller())

    def ResumeHeartbeat(
        self, request: heartbeats_pb2.ResumeHeartbeatRequest, context: grpc.ServicerContext
    ) -> heartbeats_pb2.Heartbeat:
        """Expects beats again."""
        public_id = names.heartbeat_id(request.name)
        return change(self._engine, request, partial(self._encode, public_id), jobs.resume, public_id, by=caller())

    def ResetHeartbeat(
        self, request: heartbeats_pb2.ResetHeartbeatRequest, context: grpc.ServicerContext
    ) -> heartbeats_pb2.Heartbeat:
        """Forgets the beats."""
        public_id = names.heartbeat_id(request.name)
        return change(self._engine, request, partial(self._encode, public_id), jobs.reset, public_id, by=caller())

    def _encode(self, public_id: str, found: Heartbeat) -> heartbeats_pb2.Heartbeat:
        clock = self._engine.clock
        return encode.heartbeat(public_id, found, clock.wall(), self._engine.memory.presence.read(clock.steady()))
