"""Who calls the REST API, and the calls to the daemon that are made in his name.

The rules:

* The daemon decides about tokens, each time; the gateway remembers nothing about them. It passes the caller's on.
* Without a token the daemon is never called: on its unix socket a call without one is an admin's.
* The calls have a channel of their own, and no more than `CALLS` are under way: the daemon's threads serve the intake
  of alerts too, which must find one free.
* All calls for one request share its deadline.
"""

import asyncio
import re
import time
from hashlib import blake2b
from typing import Final, TypeVar

import falcon.asgi
import grpc
import grpc.aio

from tocsin.v1 import alert_groups_pb2, alert_groups_pb2_grpc, integrations_pb2_grpc, routes_pb2_grpc
from tocsin_gateway.oncall import replies
from tocsin_gateway.oncall.replies import Refusal

CALLS: Final = 16
"""Calls to the daemon under way at once; the daemon has 48 threads for everything but watches."""

MESSAGE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of the largest answer that is taken from the daemon."""

CHANNEL_OPTIONS: Final = {
    # A connection of its own: what is read here must not queue in front of what is delivered.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": MESSAGE_LIMIT,
}
"""How the channel for these calls differs from that of the intake."""

# What gRPC can carry as the value of a header. A token of ours has no more than a hundred characters.
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,1024}")

Request = TypeVar("Request")
Response = TypeVar("Response")


class Daemon:
    """What the requests of all callers share."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.groups: alert_groups_pb2_grpc.AlertGroupServiceAsyncStub = alert_groups_pb2_grpc.AlertGroupServiceStub(
            channel
        )
        self.integrations: integrations_pb2_grpc.IntegrationServiceAsyncStub = (
            integrations_pb2_grpc.IntegrationServiceStub(channel)
        )
        self.routes: routes_pb2_grpc.RouteServiceAsyncStub = routes_pb2_grpc.RouteServiceStub(channel)
        self.places = asyncio.Semaphore(CALLS)


class Caller:
    """One request's way to the daemon."""

    def __init__(self, daemon: Daemon, token: str, request_id: str, deadline: float) -> None:
        """`deadline` is a reading of the monotonic clock."""
        self._daemon = daemon
        self._deadline = deadline
        self._metadata = (("authorization", f"Bearer {token}"), ("x-request-id", request_id))
        self.key = blake2b(token.encode(), digest_size=16).digest()
        """Tells callers apart, where something is kept for each."""

    @property
    def groups(self) -> "alert_groups_pb2_grpc.AlertGroupServiceAsyncStub":
        """For `call`."""
        return self._daemon.groups

    @property
    def integrations(self) -> "integrations_pb2_grpc.IntegrationServiceAsyncStub":
        """For `call`."""
        return self._daemon.integrations

    @property
    def routes(self) -> "routes_pb2_grpc.RouteServiceAsyncStub":
        """For `call`."""
        return self._daemon.routes

    async def call(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Calls a method of a stub. Raises `grpc.aio.AioRpcError`."""
        async with self._daemon.places:
            left = max(self._deadline - time.monotonic(), 0.001)
            return await method(request, timeout=left, metadata=self._metadata)

    async def check(self) -> None:
        """Has the daemon check the token, where it need not be asked for anything else: that nothing is found is for
        those only who may look."""
        await self.call(self.groups.ListAlertGroups, alert_groups_pb2.ListAlertGroupsRequest(page_size=1))


def token_of(req: falcon.asgi.Request) -> str:
    """The token in the Authorization header: as it is, as OnCall has it, or after the word Bearer.

    Raises `Refusal` where there is nothing that could be one.
    """
    header = (req.get_header("Authorization") or "").strip()
    scheme, _, rest = header.partition(" ")
    token = rest.strip() if rest and scheme.lower() == "bearer" else header
    if not _TOKEN.fullmatch(token):
        raise Refusal(replies.INVALID_TOKEN)
    return token
