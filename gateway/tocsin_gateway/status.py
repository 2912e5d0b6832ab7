"""The requests about the gateway itself: is it alive, can it work, and metrics: its own and the daemon's."""

from typing import Final

import falcon
import falcon.asgi
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CONTENT_TYPE_LATEST

from tocsin.v1 import monitoring_pb2, monitoring_pb2_grpc
from tocsin_gateway import answers
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.edge import TRACE_ID
from tocsin_gateway.metrics import Metrics

SERVICE: Final = "tocsin.v1.IntakeService"
"""What the daemon's health service is asked about."""

METRICS_TIMEOUT: Final = 5.0
"""Seconds that the daemon has for its metrics; Prometheus itself waits for 10 by default."""

HEALTH_TIMEOUT: Final = 1.0
"""Seconds that the daemon has for saying how it is."""

_Request = falcon.asgi.Request
_Response = falcon.asgi.Response


class Healthy:
    """`/-/healthy`: the process is alive. Says nothing about the daemon."""

    async def on_get(self, req: _Request, resp: _Response) -> None:
        """Always 200."""
        answers.give(resp, answers.OK)

    on_head = on_get


class Ready:
    """`/-/ready`: the daemon can be reached and is able to write."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        # The types of the library leave the methods of its stub out.
        self._check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]

    async def on_get(self, req: _Request, resp: _Response) -> None:
        """200, or 503 with the reason."""
        question = health_pb2.HealthCheckRequest(service=SERVICE)
        try:
            response = await self._check(question, timeout=HEALTH_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            answers.give(resp, answers.unavailable(f"the daemon cannot be asked: {error.code().name}"))
            return
        if response.status == health_pb2.HealthCheckResponse.SERVING:
            answers.give(resp, answers.OK)
            return
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        answers.give(resp, answers.unavailable(f"the daemon says {name}"))

    on_head = on_get


class Exposition:
    """`/metrics`, for Prometheus: the gateway's own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def on_get(self, req: _Request, resp: _Response) -> None:
        """The metrics as text."""
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = self._metrics.exposition()


class DaemonExposition:
    """`/metrics/daemon`, for Prometheus: the daemon's, which itself speaks gRPC only."""

    def __init__(self, channel: grpc.aio.Channel, daemon: DaemonLink) -> None:
        self._daemon = daemon
        stub: monitoring_pb2_grpc.MonitoringServiceAsyncStub = monitoring_pb2_grpc.MonitoringServiceStub(channel)
        self._get = stub.GetMetrics

    async def on_get(self, req: _Request, resp: _Response) -> None:
        """The metrics as the daemon gives them, or 503 with the reason."""
        metadata = (("x-request-id", req.scope[TRACE_ID]), *self._daemon.metadata())
        try:
            body = await self._get(monitoring_pb2.GetMetricsRequest(), timeout=METRICS_TIMEOUT, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            answers.give(resp, answers.unavailable(f"the daemon cannot be asked: {error.code().name}"))
            return
        resp.content_type = body.content_type
        resp.data = body.data
