"""Who may call what, at which door."""

from collections.abc import Iterator
from typing import Any

import contract_methods
import grpc
import pytest
from credentials import Metadata, bearer, create, refusal, who
from google.protobuf import message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from running_daemon import RunningDaemon, Start

from tocsin.v1 import (
    access_pb2,
    audit_pb2,
    heartbeats_pb2,
    integrations_pb2,
)
from tocsind.domain.access import ALLOWS, Role
from tocsind.rpc.access import NEEDED
from tocsind.rpc.server import Listener

# The table


def test_the_table_names_every_method_and_nothing_else() -> None:
    """A method that somebody adds to the contract must be thought about here first."""
    assert set(NEEDED) == set(contract_methods.METHODS)


def call_raw(daemon: RunningDaemon, method: str, metadata: Metadata) -> grpc.StatusCode:
    """Calls a method with an empty request; the status that it ends with, for a stream that of its first answer."""
    described = contract_methods.METHODS[method]
    request = message_factory.GetMessageClass(described.input_type)()
    encode, decode = (lambda message: message.SerializeToString()), (lambda data: data)
    requests: Any = iter([request]) if described.client_streaming else request
    kinds = {
        (False, False): daemon.channel.unary_unary,
        (False, True): daemon.channel.unary_stream,
        (True, True): daemon.channel.stream_stream,
    }
    kind: Any = kinds[described.client_streaming, described.server_streaming]
    try:
        answer = kind(method, encode, decode)(requests, timeout=20, metadata=metadata)
        if described.server_streaming:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        return error.code()
    except StopIteration:
        pass
    return grpc.StatusCode.OK


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.name.lower())
def test_each_role_may_call_what_the_table_says(daemon: RunningDaemon, role: Role) -> None:
    """Every method with a token of every role: it is let in or refused with PERMISSION_DENIED, as the table says."""
    made = create(daemon, role)
    metadata = bearer(made.secret)

    let_in = {method for method in NEEDED if call_raw(daemon, method, metadata) != grpc.StatusCode.PERMISSION_DENIED}

    assert let_in == {method for method, roles in NEEDED.items() if role in roles}


def test_a_viewer_reads_an_editor_acts_an_admin_does_all_and_a_gateway_hands_in() -> None:
    """The table itself says what the rules say, for one method of each kind."""
    kinds = {
        "/tocsin.v1.AlertGroupService/ListAlertGroups": {Role.VIEWER, Role.EDITOR, Role.ADMIN},
        "/tocsin.v1.AlertGroupService/ResolveAlertGroup": {Role.EDITOR, Role.ADMIN},
        "/tocsin.v1.IntegrationService/CreateIntegration": {Role.ADMIN},
        "/tocsin.v1.AuditService/ListAuditEntries": {Role.ADMIN},
        "/tocsin.v1.IntakeService/DeliverStream": {Role.GATEWAY, Role.ADMIN},
        "/tocsin.v1.MonitoringService/GetMetrics": set(Role),
    }

    assert {method: set(NEEDED[method]) for method in kinds} == kinds
    assert set(ALLOWS) == set(Role)


def test_anybody_may_ask_for_health_and_for_the_contract(start: Start) -> None:
    """Also where every call needs a token."""
    daemon = start()
    socket = f"unix:{daemon.folder}/closed.sock"
    daemon = daemon_with(start, socket, None)
    with grpc.insecure_channel(f"unix:{daemon.folder}/closed.sock") as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        (answer,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert answer.list_services_response.service


# The listeners


def daemon_with(start: Start, address: str, role: Role | None) -> RunningDaemon:
    """A daemon that listens on one more address."""
    daemon = start()
    daemon.close()
    return RunningDaemon(daemon.folder, daemon.clock, listen=[Listener(relative(daemon, address), role)])


def relative(daemon: RunningDaemon, address: str) -> str:
    """The address `unix:.../NAME` in the folder of this daemon."""
    return f"unix:{daemon.folder}/{address.rpartition('/')[2]}"


@pytest.fixture
def other_door(start: Start, request: pytest.FixtureRequest) -> Iterator[tuple[RunningDaemon, grpc.Channel]]:
    """A daemon with a second socket, whose callers without a token have the role that is asked for; and its channel."""
    daemon = daemon_with(start, "unix:/other.sock", request.param)
    with grpc.insecure_channel(f"unix:{daemon.folder}/other.sock") as channel:
        yield daemon, channel


def caller_at(channel: grpc.Channel, metadata: Metadata | None = None) -> access_pb2.Caller:
    """As whom a caller of this channel is seen."""
    method = channel.unary_unary(
        "/tocsin.v1.AccessService/GetCaller",
        access_pb2.GetCallerRequest.SerializeToString,
        access_pb2.Caller.FromString,
    )
    seen = method(access_pb2.GetCallerRequest(), timeout=20, metadata=metadata)
    assert isinstance(seen, access_pb2.Caller)
    return seen


def test_behind_the_file_mode_callers_are_admins_and_name_themselves(daemon: RunningDaemon) -> None:
    """That is the default of the unix socket."""
    assert who(daemon) == access_pb2.Caller(actor="local", role=access_pb2.ApiToken.ADMIN)
    named = who(daemon, [("tocsin-actor", "Ada%20L.")])
    assert named == access_pb2.Caller(actor="Ada L.", role=access_pb2.ApiToken.ADMIN)


@pytest.mark.parametrize("other_door", [Role.VIEWER, Role.EDITOR, Role.GATEWAY], indirect=True)
def test_each_socket_has_its_own_role(
    other_door: tuple[RunningDaemon, grpc.Channel], request: pytest.FixtureRequest
) -> None:
    """Who comes in by one door is not what those are who come in by the other."""
    daemon, channel = other_door

    assert caller_at(channel).role == request.node.callspec.params["other_door"]
    assert who(daemon).role == access_pb2.ApiToken.ADMIN


@pytest.mark.parametrize("other_door", [None], indirect=True)
def test_a_socket_can_demand_tokens(other_door: tuple[RunningDaemon, grpc.Channel]) -> None:
    """Then the file mode is the first gate, and the token the second."""
    daemon, channel = other_door
    made = create(daemon, Role.EDITOR)

    assert refusal(lambda: caller_at(channel)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
    assert caller_at(channel, bearer(made.secret)).api_token == made.name


# Tokens


# Secrets


def test_only_admins_see_the_secrets_of_integrations(daemon: RunningDaemon) -> None:
    """Everybody else gets the integration without them, by Get and by List."""
    made = daemon.integration()
    assert made.token in made.url
    hidden = integrations_pb2.Integration()
    hidden.CopyFrom(made)
    for field in ("token", "url", "heartbeat_url"):
        hidden.ClearField(field)
    get = integrations_pb2.GetIntegrationRequest(name=made.name)

    for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN):
        metadata = bearer(create(daemon, role, role.name).secret)
        expected = made if role is Role.ADMIN else hidden
        assert daemon.integrations.GetIntegration(get, metadata=metadata) == expected
        listed = daemon.integrations.ListIntegrations(integrations_pb2.ListIntegrationsRequest(), metadata=metadata)
        assert list(listed.integrations) == [expected]


def test_the_audit_log_says_who_did_what(daemon: RunningDaemon) -> None:
    """With which token, by which call, under which id of the logs, and what changed."""
    made = create(daemon, Role.ADMIN, "robot")
    integration = daemon.integration("prod")
    request = heartbeats_pb2.PauseHeartbeatRequest(name=f"{integration.name}/heartbeat")
    daemon.heartbeats.PauseHeartbeat(request, metadata=[*bearer(made.secret), ("x-request-id", "trace-7")])

    newest, second, first = daemon.audit.ListAuditEntries(audit_pb2.ListAuditEntriesRequest()).audit_entries

    assert (newest.actor, newest.api_token, newest.method, newest.resource, newest.trace_id) == (
        "robot",
        made.name,
        "HeartbeatService.PauseHeartbeat",
        f"{integration.name}/heartbeat",
        "trace-7",
    )
    assert (dict(newest.before), dict(newest.after)) == ({"state": "WAITING"}, {"state": "PAUSED"})
    assert newest.create_time.ToMicroseconds() == daemon.clock.wall()
    assert (second.method, second.resource, second.actor) == (
        "IntegrationService.CreateIntegration",
        integration.name,
        "local",
    )
    assert second.after["display_name"] == "prod"
    assert (first.resource, first.after["role"]) == (made.name, "ADMIN")


# The domain
