"""What errors say to programs, over gRPC where they can be provoked."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from contract_methods import SERVICES
from fake_clock import SECOND
from google.api import resource_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from running_daemon import Integration, RunningDaemon, details

from tocsin.v1 import (
    access_pb2,
    access_pb2_grpc,
    alert_groups_pb2,
    heartbeats_pb2,
    integrations_pb2,
)
from tocsind.domain.errors import Code, Reason, TocsinError, invalid, not_found
from tocsind.rpc import watch_hub
from tocsind.rpc.error_details import CODES, internal, refusal, resource_type

Provoke = Callable[[RunningDaemon], Any]


def refused(call: Callable[[], object]) -> tuple[str, error_details_pb2.ErrorInfo, list[Any]]:
    """The code, the ErrorInfo and the further details with which a call is refused."""
    with pytest.raises(grpc.RpcError) as failure:
        call()
    info, *further = details(failure.value)
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.domain == "tocsin"
    return failure.value.code().name, info, further


# Over a running daemon


def test_a_wrong_field_is_named(daemon: RunningDaemon) -> None:
    """By its path in the request, with what it must be, which is not the name of the field once more."""
    code, info, (request,) = refused(lambda: daemon.integration(retention={"seconds": 1}))

    assert (code, info.reason, dict(info.metadata)) == ("INVALID_ARGUMENT", "INVALID_FIELD", {})
    (violation,) = request.field_violations
    assert (violation.field, violation.reason) == ("integration.retention", "INVALID_FIELD")
    assert violation.description == "must be 1 hour to 3,650 days"


def test_too_many_items_are_a_reason_of_their_own(daemon: RunningDaemon) -> None:
    """A program that learns how many there may be can split the batch."""
    deliveries = [daemon.delivery(Integration(token="nobody"), None)] * 1_001

    code, info, (request,) = refused(lambda: daemon.deliver(deliveries))

    assert (code, info.reason, dict(info.metadata)) == ("INVALID_ARGUMENT", "TOO_MANY", {"most": "1000"})
    assert request.field_violations[0].field == "deliveries"


MISSING: dict[str, tuple[str, Provoke]] = {
    "integrations/nobody": (
        "tocsin/Integration",
        lambda d: d.integrations.GetIntegration(
            integrations_pb2.GetIntegrationRequest(name="integrations/nobody"),
        ),
    ),
    "integrations/nobody/heartbeat": (
        "tocsin/Heartbeat",
        lambda d: d.heartbeats.GetHeartbeat(
            heartbeats_pb2.GetHeartbeatRequest(name="integrations/nobody/heartbeat"),
        ),
    ),
    "alertGroups/999": ("tocsin/AlertGroup", lambda d: d.group("alertGroups/999")),
    "alertGroups/999/payloads/first": (
        "tocsin/Payload",
        lambda d: d.groups.GetPayload(alert_groups_pb2.GetPayloadRequest(name="alertGroups/999/payloads/first")),
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_does_not_exist_is_named_with_its_type(daemon: RunningDaemon, name: str) -> None:
    """The resource that is missing, not the one that was to be found by it."""
    kind, call = MISSING[name]

    code, info, (resource,) = refused(lambda: call(daemon))

    assert (code, info.reason, dict(info.metadata)) == ("NOT_FOUND", "NOT_FOUND", {"resource": name})
    assert (resource.resource_type, resource.resource_name) == (kind, name)
    assert resource.description == f"{name} does not exist"


def test_what_exists_already_is_named(daemon: RunningDaemon) -> None:
    """Whoever wanted to create it can take that instead."""
    first = daemon.integration("one")

    code, info, (resource,) = refused(lambda: daemon.integration("one"))

    assert (code, info.reason) == ("ALREADY_EXISTS", "NAME_TAKEN")
    assert dict(info.metadata) == {"resource": first.name, "field": "integration.display_name"}
    assert (resource.resource_type, resource.resource_name) == ("tocsin/Integration", first.name)


def wrong_state(daemon: RunningDaemon) -> tuple[str, dict[str, str], Callable[[], object]]:
    """An action that a state does not allow."""
    name = daemon.fire(daemon.integration())
    daemon.act("Resolve", name)
    return name, {"state": "RESOLVED"}, lambda: daemon.act("Acknowledge", name)


def another_is_open(daemon: RunningDaemon) -> tuple[str, dict[str, str], Callable[[], object]]:
    """A second open group of one source."""
    integration = daemon.integration()
    first = daemon.fire(integration)
    daemon.act("Resolve", first)
    second = daemon.fire(integration, "a b")
    assert first != second
    return first, {"other": second}, lambda: daemon.act("Unresolve", first)


def integration_deleted(daemon: RunningDaemon) -> tuple[str, dict[str, str], Callable[[], object]]:
    """A group that nothing can reach."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.act("Resolve", name)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    return name, {}, lambda: daemon.act("Unresolve", name)


def built_in(daemon: RunningDaemon) -> tuple[str, dict[str, str], Callable[[], object]]:
    """The daemon's own integration."""
    name = "integrations/tocsin"
    request = integrations_pb2.DeleteIntegrationRequest(name=name)
    return name, {}, lambda: daemon.integrations.DeleteIntegration(request)


@pytest.mark.parametrize("provoke", [wrong_state, another_is_open, integration_deleted, built_in])
def test_what_a_state_forbids_names_the_thing(
    daemon: RunningDaemon, provoke: Callable[[RunningDaemon], tuple[str, dict[str, str], Callable[[], object]]]
) -> None:
    """Whose state it is, and what a program needs to go on; and that waiting is no use."""
    name, metadata, call = provoke(daemon)

    code, info, (precondition,) = refused(call)

    assert (code, info.reason) == ("FAILED_PRECONDITION", provoke.__name__.upper())
    assert dict(info.metadata) == {"resource": name, **metadata}
    (violation,) = precondition.violations
    assert (violation.type, violation.subject) == (info.reason, name)
    assert violation.description


def test_a_full_house_says_when_to_come_back(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that all callers share may be free later."""
    monkeypatch.setattr(watch_hub, "MOST_WATCHERS", 16)
    watchers = [daemon.groups.WatchAlertGroups(alert_groups_pb2.WatchAlertGroupsRequest()) for _ in range(16)]
    with contextlib.ExitStack() as stack:
        for watcher in watchers:
            stack.callback(watcher.cancel)
            next(watcher)

        late = alert_groups_pb2.WatchAlertGroupsRequest()
        code, info, (quota, retry) = refused(lambda: next(daemon.groups.WatchAlertGroups(late)))

    assert (code, info.reason, dict(info.metadata)) == ("RESOURCE_EXHAUSTED", "TOO_MANY_WATCHERS", {"most": "16"})
    assert quota.violations[0].description == "there are 16 watchers already"
    assert retry.retry_delay.seconds > 0


def test_a_revision_of_another_file_says_where_this_one_is(daemon: RunningDaemon) -> None:
    """So that a watcher can tell a daemon that was set back from a mistake of its own."""
    request = alert_groups_pb2.WatchAlertGroupsRequest(revision=7)

    code, info, (bad,) = refused(lambda: next(daemon.groups.WatchAlertGroups(request)))

    assert (code, info.reason, dict(info.metadata)) == ("OUT_OF_RANGE", "REVISION_IN_FUTURE", {"last_revision": "0"})
    assert bad.field_violations[0].field == "revision"


def token(daemon: RunningDaemon, role: str, **settings: Any) -> tuple[str, list[tuple[str, str]]]:
    """A new token's name, and the metadata with which it is sent."""
    asked = access_pb2.ApiToken(display_name=f"a {role.lower()}", role=access_pb2.ApiToken.Role.Value(role), **settings)
    created = access_pb2_grpc.AccessServiceStub(daemon.channel).CreateApiToken(
        access_pb2.CreateApiTokenRequest(api_token=asked)
    )
    return created.name, [("authorization", f"Bearer {created.secret}")]


def test_a_role_that_does_not_allow_a_call_is_named(daemon: RunningDaemon) -> None:
    """The caller's own, and which call it was."""
    _, metadata = token(daemon, "VIEWER")
    request = alert_groups_pb2.ResolveAlertGroupRequest(name="alertGroups/1")

    code, info, further = refused(lambda: daemon.groups.ResolveAlertGroup(request, metadata=metadata))

    assert (code, info.reason, further) == ("PERMISSION_DENIED", "ROLE_TOO_SMALL", [])
    assert dict(info.metadata) == {"role": "VIEWER", "method": "AlertGroupService.ResolveAlertGroup"}


def test_a_token_that_is_no_good_says_why(daemon: RunningDaemon) -> None:
    """One that nobody knows, and one that was good; neither learns more than its own name."""
    end = Timestamp(seconds=daemon.clock.wall() // SECOND + 60)
    name, metadata = token(daemon, "VIEWER", expire_time=end)
    list_groups, request = daemon.groups.ListAlertGroups, alert_groups_pb2.ListAlertGroupsRequest()
    list_groups(request, metadata=metadata)

    daemon.pass_time(61 * SECOND)

    code, info, further = refused(lambda: list_groups(request, metadata=metadata))
    assert (code, info.reason, further) == ("UNAUTHENTICATED", "TOKEN_EXPIRED", [])
    assert dict(info.metadata) == {"resource": name}
    code, info, further = refused(lambda: list_groups(request, metadata=[("authorization", "Bearer x")]))
    assert (code, info.reason, further, dict(info.metadata)) == ("UNAUTHENTICATED", "TOKEN_INVALID", [], {})


def test_an_id_that_was_used_for_something_else_is_refused_as_a_field(daemon: RunningDaemon) -> None:
    """It is the id that is wrong, not what is asked for."""

    def create(display_name: str) -> None:
        wanted = Integration(display_name=display_name, type="alertmanager")
        request = integrations_pb2.CreateIntegrationRequest(integration=wanted, request_id="one")
        daemon.integrations.CreateIntegration(request)

    create("first")

    code, info, (bad,) = refused(lambda: create("second"))

    assert (code, info.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert bad.field_violations[0].field == "request_id"


def test_what_nobody_foresaw_has_a_reason_too(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says no more than that it happened."""

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(daemon.engine, "change", broken)

    code, info, further = refused(lambda: daemon.act("Resolve", "alertGroups/1"))

    assert (code, info.reason, dict(info.metadata), further) == ("INTERNAL", "INTERNAL", {}, [])


@pytest.mark.parametrize(
    ("method", "request_bytes"),
    [("/tocsin.v1.AlertGroupService/Nonsense", b""), ("/tocsin.v1.AlertGroupService/GetAlertGroup", b"\xff")],
)
def test_what_grpc_refuses_itself_has_no_details(daemon: RunningDaemon, method: str, request_bytes: bytes) -> None:
    """docs/errors.md says so: an unknown method, and a request that is none."""
    with pytest.raises(grpc.RpcError) as failure:
        daemon.channel.unary_unary(method)(request_bytes)

    assert rpc_status.from_call(failure.value) is None


# What is made of each refusal

BESIDE = {
    Code.INVALID: {"BadRequest"},
    Code.NOT_FOUND: {"ResourceInfo"},
    Code.EXISTS: {"ResourceInfo"},
    Code.FORBIDDEN_NOW: {"PreconditionFailure"},
    Code.OUT_OF_RANGE: {"BadRequest"},
    Code.EXHAUSTED: {"RetryInfo"},
    Code.UNAVAILABLE: {"RetryInfo"},
}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_bears_what_its_code_promises(reason: Reason) -> None:
    """An ErrorInfo always, what its code has beside it, and no advice to wait where waiting is no use."""
    told = dict.fromkeys(reason.value.metadata, "x")

    status = refusal(TocsinError(reason, "name: what is wrong", field="name", resource="alertGroups/7", **told))

    kinds = [packed.type_url.rpartition(".")[2] for packed in status.details]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason.name, "tocsin")
    assert set(told) | {"resource"} <= set(info.metadata)
    assert set(kinds[1:]) - {"QuotaFailure"} == BESIDE.get(reason.code, set())
    assert ("QuotaFailure" in kinds) == (reason is Reason.TOO_MANY_WATCHERS)


def test_each_code_has_its_own_of_grpc() -> None:
    """None is forgotten, and none stands for two."""
    assert set(CODES) == set(Code)
    assert len(set(CODES.values())) == len(CODES)


def test_names_of_reasons_are_as_they_must_be() -> None:
    """https://google.aip.dev/193 wants upper snake case, at most 63 characters, and keys of metadata in lower case."""
    for reason in Reason:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", reason.name)
        assert all(re.fullmatch(r"[a-z][a-zA-Z0-9-_]{1,63}", key) for key in reason.value.metadata)


def test_what_nobody_foresaw_says_nothing_of_itself() -> None:
    """A reason like any other, and no word of what happened."""
    status = internal()

    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason, info.domain) == (grpc.StatusCode.INTERNAL.value[0], "INTERNAL", "tocsin")
    assert (len(status.details), status.message) == (1, "internal error; the daemon's log says more")


def test_an_item_of_a_batch_fails_as_its_call_would(daemon: RunningDaemon) -> None:
    """The status that a call ends with is the one that stands in the answer to a batch."""
    with pytest.raises(grpc.RpcError) as failure:
        daemon.group("alertGroups/9")

    item = alert_groups_pb2.BatchResult(name="alertGroups/9", error=refusal(not_found("alertGroups/9")))

    received = alert_groups_pb2.BatchResult.FromString(item.SerializeToString())
    assert isinstance(received.error, status_pb2.Status)
    assert received.error == rpc_status.from_call(failure.value)


def test_a_field_may_be_about_metadata() -> None:
    """What a caller sends beside the request is named like a field of it."""
    bad = error_details_pb2.BadRequest()

    assert refusal(invalid("tocsin-actor", "must be shorter")).details[1].Unpack(bad)
    assert (bad.field_violations[0].field, bad.field_violations[0].description) == ("tocsin-actor", "must be shorter")


def resources() -> Iterator[tuple[str, str]]:
    """Each type of resource in the contract, and a name that one may bear."""
    for file in {service.file.name: service.file for service in SERVICES.values()}.values():
        for message in file.message_types_by_name.values():
            described = message.GetOptions().Extensions[resource_pb2.resource]
            for pattern in described.pattern:
                yield described.type, re.sub(r"\{\w+\}", "7", pattern)


@pytest.mark.parametrize(("kind", "name"), list(resources()))
def test_a_name_tells_its_type(kind: str, name: str) -> None:
    """Of every resource of the contract; what is no name has none."""
    assert resource_type(name) == kind
    assert resource_type(f"{name}/more/of/it") == ""
