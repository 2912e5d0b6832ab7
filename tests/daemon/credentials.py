"""API tokens of a running daemon, and who callers are to it."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from running_daemon import RunningDaemon, reason

from tocsin.v1 import (
    access_pb2,
)
from tocsind.domain.access import Role

Metadata = list[tuple[str, str]]


def bearer(secret: str) -> Metadata:
    """The metadata of a call with a token."""
    return [("authorization", f"Bearer {secret}")]


def create(daemon: RunningDaemon, role: Role, name: str = "robot", **fields: Any) -> access_pb2.ApiToken:
    """A new token."""
    wanted = access_pb2.ApiToken(display_name=name, role=int(role), **fields)  # type: ignore[arg-type]
    made = daemon.access.CreateApiToken(access_pb2.CreateApiTokenRequest(api_token=wanted))
    assert isinstance(made, access_pb2.ApiToken)
    return made


def revoke(daemon: RunningDaemon, token: access_pb2.ApiToken) -> None:
    """Revokes a token."""
    daemon.access.DeleteApiToken(access_pb2.DeleteApiTokenRequest(name=token.name))


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """How a call is refused: its code and the reason for machines."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), reason(error.value)


def who(daemon: RunningDaemon, metadata: Metadata | None = None) -> access_pb2.Caller:
    """As whom a caller is seen."""
    seen = daemon.access.GetCaller(access_pb2.GetCallerRequest(), metadata=metadata)
    assert isinstance(seen, access_pb2.Caller)
    return seen
