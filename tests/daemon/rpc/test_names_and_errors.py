"""Resource names, and what errors say to machines."""

import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_clock import FakeClock
from notices import notice
from running_daemon import Integration, RunningDaemon, details, duration, reason

from tocsin.v1 import alert_groups_pb2, heartbeats_pb2, integrations_pb2

Call = Callable[[RunningDaemon, str], Any]

CALLS: dict[str, Call] = {
    "GetAlertGroup": lambda d, name: d.group(name),
    "ListAlerts": lambda d, name: d.alerts(name),
    "ListEvents": lambda d, name: d.events(name),
    **{
        f"{verb}AlertGroup": lambda d, name, verb=verb: d.act(verb, name)
        for verb in ("Acknowledge", "Unacknowledge", "Silence", "Unsilence", "Resolve", "Unresolve", "Wipe", "Delete")
    },
    "GetPayload": lambda d, name: d.groups.GetPayload(alert_groups_pb2.GetPayloadRequest(name=name)),
    "GetIntegration": lambda d, n: d.integrations.GetIntegration(integrations_pb2.GetIntegrationRequest(name=n)),
    "UpdateIntegration": lambda d, name: d.integrations.UpdateIntegration(
        integrations_pb2.UpdateIntegrationRequest(integration=Integration(name=name, description="new"))
    ),
    "RotateIntegrationToken": lambda d, name: d.integrations.RotateIntegrationToken(
        integrations_pb2.RotateIntegrationTokenRequest(name=name)
    ),
    "DeleteIntegration": lambda d, name: d.integrations.DeleteIntegration(
        integrations_pb2.DeleteIntegrationRequest(name=name)
    ),
    "GetHeartbeat": lambda d, name: d.heartbeats.GetHeartbeat(heartbeats_pb2.GetHeartbeatRequest(name=name)),
    "UpdateHeartbeat": lambda d, name: d.heartbeats.UpdateHeartbeat(
        heartbeats_pb2.UpdateHeartbeatRequest(
            heartbeat=heartbeats_pb2.Heartbeat(name=name, interval=duration(60_000_000))
        )
    ),
    "PauseHeartbeat": lambda d, name: d.heartbeats.PauseHeartbeat(heartbeats_pb2.PauseHeartbeatRequest(name=name)),
    "ResumeHeartbeat": lambda d, name: d.heartbeats.ResumeHeartbeat(heartbeats_pb2.ResumeHeartbeatRequest(name=name)),
    "ResetHeartbeat": lambda d, name: d.heartbeats.ResetHeartbeat(heartbeats_pb2.ResetHeartbeatRequest(name=name)),
}
FORMS = {
    "Heartbeat": "integrations/{id}/heartbeat",
    "GetPayload": "alertGroups/{number}/payloads/first or .../latest",
    "Integration": "integrations/{id}",
    "Alert": "alertGroups/{number}",
    "Events": "alertGroups/{number}",
}
UNKNOWN = {
    "integrations/{id}/heartbeat": "integrations/nobody/heartbeat",
    "integrations/{id}": "integrations/nobody",
    "alertGroups/{number}": "alertGroups/999",
    "alertGroups/{number}/payloads/first or .../latest": "alertGroups/999/payloads/first",
}


def form_of(call: str) -> str:
    """What the name in a request looks like."""
    return next(form for part, form in FORMS.items() if part in call)


@pytest.fixture(scope="module")
def one_daemon() -> Any:
    """One daemon for all that is refused."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
    daemon = RunningDaemon(folder, FakeClock())
    yield daemon
    daemon.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_name_is_not_found(one_daemon: RunningDaemon, call: str) -> None:
    """A name of the right form that nothing bears is NOT_FOUND, and the message says which."""
    name = UNKNOWN[form_of(call)]

    with pytest.raises(grpc.RpcError) as refusal:
        CALLS[call](one_daemon, name)

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert refusal.value.details() == f"{name} does not exist"


WRONG = ["", "7", "alertGroups", "alertGroups/", "alertGroups/x", "alertGroups/0", "alertGroups/-1", "alertGroups/01"]
WRONG += ["alertGroups/1/", "alertGroups/1\n", "alertGroups/" + "9" * 40, "integrations/", "integrations/A", "x" * 500]
WRONG += ["integrations/a/heartbeats", "integrations/" + "a" * 33, "alertGroups/1/payloads/middle"]


@pytest.mark.parametrize("call", CALLS)
def test_a_name_of_another_form_is_refused_with_the_right_one(one_daemon: RunningDaemon, call: str) -> None:
    """INVALID_ARGUMENT, with the field and the form that it must have, for people and for machines."""
    for name in WRONG:
        with pytest.raises(grpc.RpcError) as refusal:
            CALLS[call](one_daemon, name)

        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT, name
        assert f"must be of the form {form_of(call)}, not" in refusal.value.details()
        assert len(refusal.value.details()) < 250
        info, request = details(refusal.value)
        assert (info.reason, info.domain) == ("INVALID_FIELD", "tocsin")
        (violation,) = request.field_violations
        assert violation.field in ("name", "parent", "integration.name", "heartbeat.name")


@pytest.mark.parametrize("actor", ["x" * 151, "two\nlines", "a\x00b"])
def test_an_actor_must_be_readable(one_daemon: RunningDaemon, actor: str) -> None:
    """A timeline holds names, not what could break it."""
    with pytest.raises(grpc.RpcError, match="tocsin-actor") as refusal:
        one_daemon.act("Resolve", "alertGroups/1", actor=actor)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_caller_without_a_name_is_local(daemon: RunningDaemon) -> None:
    """What nobody claims was done by somebody on this machine."""
    name = daemon.fire(daemon.integration())
    assert daemon.act("Acknowledge", name, actor="  ").state_actor == "local"
    request = alert_groups_pb2.UnacknowledgeAlertGroupRequest(name=name)
    assert daemon.groups.UnacknowledgeAlertGroup(request).state_actor == "local"


def test_a_note_has_a_limit(daemon: RunningDaemon) -> None:
    """Three thousand characters."""
    name = daemon.fire(daemon.integration())
    daemon.act("Acknowledge", name, note="ü" * 3_000)

    with pytest.raises(grpc.RpcError, match="note: must be at most 3000 characters"):
        daemon.act("Resolve", name, note="n" * 3_001)


# Integrations


def update(daemon: RunningDaemon, integration: Integration, *mask: str) -> Integration:
    """Changes an integration."""
    request = integrations_pb2.UpdateIntegrationRequest(integration=integration)
    request.update_mask.paths.extend(mask)
    return daemon.integrations.UpdateIntegration(request)


def test_an_integration_has_defaults_and_urls(daemon: RunningDaemon) -> None:
    """What is not said is as documented, and every URL is one that can be handed out."""
    created = daemon.integration("prod", description="the vault")

    assert (created.reopen_window.seconds, created.stale_after.seconds, created.retention.seconds) == (
        300,
        0,
        90 * 86_400,
    )
    prefix = "http://tocsin.example/integrations/v1/alertmanager/"
    assert created.url == f"{prefix}{created.token}/"
    assert created.heartbeat_url == f"{prefix}{created.token}/heartbeat/"
    assert created.bearer_url == f"{prefix}{created.name.removeprefix('integrations/')}/"
    assert created.create_time == created.update_time
    assert created.token not in created.name
    assert CALLS["GetIntegration"](daemon, created.name) == created
    assert CALLS["GetIntegration"](daemon.reopen(), created.name) == created


def test_a_mask_says_what_changes(daemon: RunningDaemon) -> None:
    """Only what it names; what it names and the message leaves out goes back to its default; none means all set."""
    created = daemon.integration("prod", description="old", retention=duration(3_600_000_000))
    changed = Integration(name=created.name, display_name="new", description="new", stale_after=duration(60_000_000))

    after = update(daemon, changed, "description")
    assert (after.display_name, after.description, after.stale_after.seconds) == ("prod", "new", 0)
    after = update(daemon, Integration(name=created.name), "description", "retention")
    assert (after.description, after.retention.seconds) == ("", 90 * 86_400)
    after = update(daemon, changed)
    assert (after.display_name, after.description, after.stale_after.seconds) == ("new", "new", 60)
    assert after.token == created.token
    assert CALLS["GetIntegration"](daemon, created.name) == after


@pytest.mark.parametrize("path", ["token", "type", "name", "nonsense", "*", "retention.seconds"])
def test_a_mask_names_nothing_else(daemon: RunningDaemon, path: str) -> None:
    """What cannot be changed is refused by its name, with what can be."""
    created = daemon.integration()

    with pytest.raises(grpc.RpcError, match="cannot be changed; what can: display_name, ") as refusal:
        update(daemon, created, "description", path)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(refusal.value)[1].field_violations[0].field == "update_mask"


@pytest.mark.parametrize("path", ["state", "name", "*"])
def test_of_a_heartbeat_only_the_interval_changes(daemon: RunningDaemon, path: str) -> None:
    """Its state follows from what happens."""
    heartbeat = heartbeats_pb2.Heartbeat(name=f"{daemon.integration().name}/heartbeat", interval=duration(60_000_000))
    request = heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=heartbeat)
    request.update_mask.paths.append(path)

    with pytest.raises(grpc.RpcError, match="cannot be changed; what can: interval"):
        daemon.heartbeats.UpdateHeartbeat(request)


def test_a_name_is_taken_once(daemon: RunningDaemon) -> None:
    """By creation or change, two integrations do not bear one name; one may keep its own."""
    first, second = daemon.integration("one"), daemon.integration("two")
    with pytest.raises(grpc.RpcError) as refusal:
        daemon.integration("one")
    assert refusal.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert (reason(refusal.value), first.name in refusal.value.details()) == ("NAME_TAKEN", True)

    with pytest.raises(grpc.RpcError, match="is already called 'one'"):
        update(daemon, Integration(name=second.name, display_name="one"))
    assert update(daemon, Integration(name=first.name, display_name="one")).display_name == "one"


@pytest.mark.parametrize("verb", ["UpdateIntegration", "RotateIntegrationToken", "DeleteIntegration"])
def test_the_built_in_integration_cannot_be_changed(daemon: RunningDaemon, verb: str) -> None:
    """It can be looked at, has no secret, and is not listed."""
    with pytest.raises(grpc.RpcError, match="is built in") as refusal:
        CALLS[verb](daemon, "integrations/tocsin")

    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    own = CALLS["GetIntegration"](daemon, "integrations/tocsin")
    assert (own.token, own.url, own.type) == ("", "", "tocsin")
    assert list(daemon.integrations.ListIntegrations(integrations_pb2.ListIntegrationsRequest()).integrations) == []


@pytest.mark.parametrize("seconds", [-1, 8 * 86_400, 10**13])
def test_a_duration_out_of_range_is_refused_by_its_field(daemon: RunningDaemon, seconds: int) -> None:
    """Negative, too long, or beyond what a duration can be."""
    with pytest.raises(grpc.RpcError, match=r"integration\.reopen_window") as refusal:
        daemon.integration(reopen_window={"seconds": seconds})

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_payload_comes_back_byte_for_byte(daemon: RunningDaemon) -> None:
    """The first and the latest; of a group that never changed the first is the latest."""
    integration = daemon.integration()
    first, second = notice("a"), notice("a b")
    name = daemon.send(integration, first).alert_group
    one = CALLS["GetPayload"](daemon, f"{name}/payloads/first")
    assert one.body == zlib.decompress(first.payload)
    assert CALLS["GetPayload"](daemon, f"{name}/payloads/latest").body == one.body

    daemon.send(integration, second)

    assert CALLS["GetPayload"](daemon, f"{name}/payloads/first").body == one.body
    assert CALLS["GetPayload"](daemon, f"{name}/payloads/latest").body == zlib.decompress(second.payload)
