"""Who may call what, by which credential, and for how long."""

from collections.abc import Callable, Iterator
from typing import Any

import contract_methods
import grpc
import pytest
from fake_clock import DAY, MINUTE, SECOND
from google.protobuf import message_factory
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from running_daemon import RunningDaemon, Start, reason

from tocsin.v1 import (
    access_pb2,
    alert_groups_pb2,
    audit_pb2,
    heartbeats_pb2,
    integrations_pb2,
)
from tocsind.domain.access import ALLOWS, ApiToken, Role, new_token, parts_of
from tocsind.rpc.access import NEEDED
from tocsind.rpc.server import Listener

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


def test_a_token_is_shown_once_and_kept_as_a_hash(daemon: RunningDaemon) -> None:
    """Neither another answer nor the file holds it."""
    made = create(daemon, Role.VIEWER)
    secret = made.secret.rpartition("_")[2]
    made.secret = ""

    assert daemon.access.GetApiToken(access_pb2.GetApiTokenRequest(name=made.name)) == made
    listed = daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest())
    assert list(listed.api_tokens) == [made]
    daemon.close()
    for path in daemon.folder.glob("tocsin.db*"):
        assert secret.encode() not in path.read_bytes()


def test_a_token_works_after_a_restart(daemon: RunningDaemon) -> None:
    """What is known in memory comes from the file."""
    made = create(daemon, Role.EDITOR, "robot")

    daemon = daemon.crash()

    assert who(daemon, bearer(made.secret)) == access_pb2.Caller(
        actor="robot", role=access_pb2.ApiToken.EDITOR, api_token=made.name
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: "",
        lambda secret: secret[:-1],
        lambda secret: secret + "x",
        lambda secret: secret.upper(),
        lambda secret: secret.replace("tocsin_", "other_"),
        lambda secret: secret.rpartition("_")[0],
        lambda secret: "tocsin_" + "0" * 12 + "_" + secret.rpartition("_")[2],
    ],
)
def test_a_token_that_is_wrong_is_refused_even_where_none_is_needed(
    daemon: RunningDaemon, change: Callable[[str], str]
) -> None:
    """Whoever means to be somebody is not quietly taken for somebody else."""
    made = create(daemon, Role.ADMIN)

    refused = refusal(lambda: who(daemon, bearer(change(made.secret))))

    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "tocsin_a_b", ""])
def test_another_scheme_is_refused(daemon: RunningDaemon, value: str) -> None:
    """It must be `Bearer` and the token."""
    refused = refusal(lambda: who(daemon, [("authorization", value)]))

    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def test_who_acts_for_somebody_says_so(daemon: RunningDaemon) -> None:
    """The timeline shows both: who was named, and the token that vouches."""
    made = create(daemon, Role.EDITOR, "chat-bot")
    name = daemon.fire(daemon.integration())
    request = alert_groups_pb2.AcknowledgeAlertGroupRequest(name=name)

    acted = daemon.groups.AcknowledgeAlertGroup(request, metadata=[*bearer(made.secret), ("tocsin-actor", "ada")])

    assert acted.state_actor == "ada via chat-bot"
    assert who(daemon, bearer(made.secret)).actor == "chat-bot"


@pytest.mark.parametrize("actor", ["a" * 200, "a%0Ab"])
def test_an_unfit_name_is_refused(daemon: RunningDaemon, actor: str) -> None:
    """It would stand in timelines."""
    refused = refusal(lambda: who(daemon, [("tocsin-actor", actor)]))

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


def test_a_token_expires(daemon: RunningDaemon) -> None:
    """From that moment on it is refused, with a reason of its own; it stays listed."""
    end = Timestamp()
    end.FromMicroseconds(daemon.clock.wall() + DAY)
    made = create(daemon, Role.VIEWER, expire_time=end)
    daemon.clock.advance(DAY - 1)
    assert who(daemon, bearer(made.secret)).api_token == made.name

    daemon.clock.advance(1)

    refused = refusal(lambda: who(daemon, bearer(made.secret)))
    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
    assert len(daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest()).api_tokens) == 1


def test_a_revoked_token_is_refused_at_once(daemon: RunningDaemon) -> None:
    """The answer to the revocation comes after the last call that it could make."""
    made = create(daemon, Role.ADMIN)
    assert who(daemon, bearer(made.secret)).api_token == made.name

    revoke(daemon, made)

    refused = refusal(lambda: who(daemon, bearer(made.secret)))
    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert refusal(lambda: revoke(daemon, made))[0] == grpc.StatusCode.NOT_FOUND


def test_revoking_ends_the_streams_of_a_token(daemon: RunningDaemon) -> None:
    """Its watcher learns why; one without it watches on."""
    made = create(daemon, Role.VIEWER)
    request = alert_groups_pb2.WatchAlertGroupsRequest()
    watching = daemon.groups.WatchAlertGroups(request, metadata=bearer(made.secret), timeout=30)
    other = daemon.groups.WatchAlertGroups(request, timeout=30)
    next(watching), next(other)

    revoke(daemon, made)

    assert refusal(lambda: next(watching)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
    name = daemon.fire(daemon.integration())
    assert next(other).alert_group.name == name
    other.cancel()


def test_expiring_ends_the_streams_of_a_token(daemon: RunningDaemon) -> None:
    """Within a second."""
    end = Timestamp()
    end.FromMicroseconds(daemon.clock.wall() + MINUTE)
    made = create(daemon, Role.VIEWER, expire_time=end)
    request = alert_groups_pb2.WatchAlertGroupsRequest()
    watching = daemon.groups.WatchAlertGroups(request, metadata=bearer(made.secret), timeout=30)
    next(watching)

    daemon.pass_time(MINUTE + 2 * SECOND)

    assert refusal(lambda: next(watching)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


def test_the_last_use_is_noted(daemon: RunningDaemon) -> None:
    """At once for those who ask, within a minute on disk, and at the end of the daemon."""
    made = create(daemon, Role.VIEWER)
    assert not made.HasField("last_use_time")
    who(daemon, bearer(made.secret))
    first = daemon.clock.wall()
    shown = daemon.access.GetApiToken(access_pb2.GetApiTokenRequest(name=made.name))
    assert shown.last_use_time.ToMicroseconds() == first
    daemon.pass_time(2 * MINUTE)
    assert daemon.sql("SELECT last_used FROM api_tokens") == [(first,)]

    who(daemon, bearer(made.secret))
    last = daemon.clock.wall()
    daemon = daemon.reopen()

    assert daemon.sql("SELECT last_used FROM api_tokens") == [(last,)]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"display_name": ""}, "api_token.display_name"),
        ({"display_name": " a"}, "api_token.display_name"),
        ({"display_name": "a\n"}, "api_token.display_name"),
        ({"display_name": "a" * 101}, "api_token.display_name"),
        ({"role": 0}, "api_token.role"),
        ({"role": 9}, "api_token.role"),
        ({"expire_time": Timestamp(seconds=1)}, "api_token.expire_time"),
        ({"expire_time": Timestamp(seconds=2**62)}, "api_token.expire_time"),
        ({"expire_time": Timestamp(nanos=-1)}, "api_token.expire_time"),
    ],
)
def test_a_token_that_cannot_be_is_refused(daemon: RunningDaemon, fields: dict[str, Any], field: str) -> None:
    """With the path of the field, and nothing is made."""
    wanted = access_pb2.ApiToken(**({"display_name": "a", "role": 1} | fields))

    with pytest.raises(grpc.RpcError, match=field) as error:
        daemon.access.CreateApiToken(access_pb2.CreateApiTokenRequest(api_token=wanted))

    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert daemon.sql("SELECT count(*) FROM api_tokens") == [(0,)]


def test_two_tokens_cannot_have_one_name(daemon: RunningDaemon) -> None:
    """Timelines would not tell them apart; once one is revoked its name is free."""
    made = create(daemon, Role.VIEWER, "robot")
    assert refusal(lambda: create(daemon, Role.ADMIN, "robot")) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")

    revoke(daemon, made)

    assert create(daemon, Role.ADMIN, "robot").name != made.name


def test_tokens_are_listed_in_pages(daemon: RunningDaemon) -> None:
    """Oldest first, each once."""
    names = [create(daemon, Role.VIEWER, f"t{n}").name for n in range(5)]
    first = daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest(page_size=3))
    rest = daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest(page_size=3, page_token=first.next_page_token))

    assert [token.name for token in [*first.api_tokens, *rest.api_tokens]] == names
    assert rest.next_page_token == ""


def test_a_repeat_of_a_creation_makes_no_second_token_and_tells_no_secret(daemon: RunningDaemon) -> None:
    """Who lost the first answer revokes the token and makes another."""
    request = access_pb2.CreateApiTokenRequest(
        api_token=access_pb2.ApiToken(display_name="robot", role=access_pb2.ApiToken.VIEWER), request_id="once-1"
    )
    made = daemon.access.CreateApiToken(request)
    again = daemon.access.CreateApiToken(request)

    assert made.secret
    made.secret = ""
    assert again == made
    assert daemon.sql("SELECT count(*) FROM api_tokens") == [(1,)]


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


def test_a_token_names_itself_and_fits_its_secret_only() -> None:
    """Its text holds its id and its secret, and no two are alike."""
    pairs = [new_token("a", Role.VIEWER, None, "ada", 0) for _ in range(20)]

    assert len({text for _, text in pairs}) == 20
    for token, text in pairs:
        parts = parts_of(text)
        assert parts is not None
        assert parts[0] == token.public_id
        assert [other.fits(parts[1]) for other, _ in pairs].count(True) == 1
        assert isinstance(token, ApiToken)
        assert len(parts[1]) == 43


@pytest.mark.parametrize("text", ["", "tocsin", "tocsin_", "tocsin__x", "tocsin_a_", "Tocsin_a_b", "x_a_b"])
def test_what_is_no_token_is_seen(text: str) -> None:
    """Without a look at any file."""
    assert parts_of(text) is None
