"""The audit log of a running daemon: every change that a caller makes is in it, and nothing else."""

import zlib
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from chain_making import remove_chain
from changing import audit_log, batch, by, delete, everything_in, make_token, rewrite_note, wipe, write_note
from contact_samples import URL
from fake_clock import HOUR, START
from google.protobuf.json_format import MessageToDict
from mutations import MUTATIONS, call, contents, with_id
from running_daemon import AlertGroup, Integration, RunningDaemon

from tocsin.v1 import access_pb2, alert_groups_pb2, heartbeats_pb2, integrations_pb2

NONE: dict[str, Any] = {}
FIRES = {"state": "FIRING"}
TAKEN = {"state": "ACKNOWLEDGED", "state_actor": "before"}
QUIET = {"state": "SILENCED", "state_actor": "before"}
CLOSED = {"state": "RESOLVED", "state_actor": "before", "resolve_reason": "USER"}
SINCE = datetime.fromtimestamp(START / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
UNTIL = {"silence_until": datetime.fromtimestamp((START + HOUR) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

# What is written of each: the resource, with {} for what the database chose, and the fields before and after.
WRITTEN: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "AcknowledgeAlertGroup": ("alertGroups/1", FIRES, {"state": "ACKNOWLEDGED", "state_actor": "ada"}),
    "UnacknowledgeAlertGroup": ("alertGroups/1", TAKEN, {"state": "FIRING", "state_actor": "ada"}),
    "SilenceAlertGroup": ("alertGroups/1", FIRES, {"state": "SILENCED", "state_actor": "ada", **UNTIL}),
    "UnsilenceAlertGroup": ("alertGroups/1", QUIET, {"state": "FIRING", "state_actor": "ada"}),
    "ResolveAlertGroup": (
        "alertGroups/1",
        FIRES,
        {"state": "RESOLVED", "state_actor": "ada", "resolve_reason": "USER"},
    ),
    "UnresolveAlertGroup": ("alertGroups/1", CLOSED, {"state": "FIRING", "state_actor": "ada"}),
    "WipeAlertGroup": ("alertGroups/1", {"resolve_reason": "USER"}, {"resolve_reason": "WIPED"}),
    "DeleteAlertGroup": ("alertGroups/1", TAKEN, NONE),
    "CreateNote": ("alertGroups/1/notes/1", NONE, {"text_length": 5}),
    "UpdateNote": ("alertGroups/1/notes/1", NONE, {"text_changed": True}),
    "DeleteNote": ("alertGroups/1/notes/1", {"text_length": 3}, NONE),
    "RetryMessage": (
        "alertGroups/1/messages/1",
        {"state": "DEAD", "attempt_count": 12},
        {"state": "PENDING", "attempt_count": 0, "next_attempt": SINCE},
    ),
    "UpdateIntegration": (
        "integrations/",
        {"description": "", "stale_after": 0},
        {"description": "new", "stale_after": 3600},
    ),
    "SendDemoAlert": ("alertGroups/1", NONE, {"state": "FIRING"}),
    "UpdateHeartbeat": ("integrations/", {"interval": 600}, {"interval": 3600}),
    "PauseHeartbeat": ("integrations/", {"state": "UP"}, {"state": "PAUSED"}),
    "ResumeHeartbeat": ("integrations/", {"state": "PAUSED"}, {"state": "UP"}),
    "ResetHeartbeat": ("integrations/", {"state": "UP"}, {"state": "WAITING"}),
    "CreateEscalationChain": (
        "escalationChains/",
        NONE,
        {"display_name": "new", "description": "", "steps": [{"wait": 3600}], "is_default": False},
    ),
    "UpdateEscalationChain": (
        "escalationChains/",
        {"display_name": "ops", "steps": [{"wait": 3600}]},
        {"display_name": "dev", "steps": [{"resolve": True}]},
    ),
    "DeleteEscalationChain": (
        "escalationChains/",
        {"display_name": "ops", "description": "", "steps": [{"wait": 3600}], "is_default": False},
        NONE,
    ),
    "UpdateContactPoint": (
        "contactPoints/",
        {"webhook.method": "POST"},
        {"description": "new", "webhook.method": "PUT"},
    ),
    "CreateApiToken": ("apiTokens/", NONE, {"display_name": "robot", "role": "EDITOR"}),
    "DeleteApiToken": ("apiTokens/", {"display_name": "robot", "role": "EDITOR"}, NONE),
}


def last(daemon: RunningDaemon, many: int) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What the last entries say."""
    entries = audit_log(daemon)[-many:]
    return [(entry.resource, MessageToDict(entry.before), MessageToDict(entry.after)) for entry in entries]


@pytest.mark.parametrize("method", MUTATIONS)
def test_a_change_is_written_with_who_did_it(daemon: RunningDaemon, method: str) -> None:
    """One entry for each resource: time, actor, token, call and what logs call it."""
    request = MUTATIONS[method](daemon)
    token = make_token(daemon, "key", "ADMIN")
    daemon.clock.advance(HOUR)
    before = audit_log(daemon)

    call(daemon, method, request, [*by("ada", token.secret), ("x-request-id", "trace-1")])

    entries = audit_log(daemon)[len(before) :]
    assert len(entries) == (2 if ".Batch" in method else 1)
    for entry in entries:
        assert entry.create_time.ToMicroseconds() == daemon.clock.wall()
        assert (entry.actor, entry.api_token) == ("ada via key", token.name)
        assert (entry.method, entry.trace_id) == (method, "trace-1")
    assert len({entry.name for entry in audit_log(daemon)}) == len(before) + len(entries)


@pytest.mark.parametrize("method", [m for m in MUTATIONS if m.split(".")[1] in WRITTEN])
def test_a_change_is_written_with_what_differs(daemon: RunningDaemon, method: str) -> None:
    """The fields that it changed, before and after, and no others."""
    request = MUTATIONS[method](daemon)

    call(daemon, method, request, by("ada"))

    ((resource, before, after),) = last(daemon, 1)
    asked, *expectation = WRITTEN[method.split(".")[1]]
    assert resource.startswith(asked)
    assert [before, after] == expectation
    if method.startswith("HeartbeatService"):
        assert resource.endswith("/heartbeat")


@pytest.mark.parametrize("verb", ["Acknowledge", "Silence", "Resolve"])
def test_a_batch_writes_of_each_group_what_a_single_call_does(daemon: RunningDaemon, verb: str) -> None:
    """Of those that it changed."""
    names = [daemon.fire(daemon.integration(f"i{n}")) for n in range(4)]
    daemon.act(verb, names[0], duration={"seconds": 60}) if verb == "Silence" else daemon.act(verb, names[0])
    ((_, *written),) = last(daemon, 1)
    fields = {"duration": {"seconds": 60}} if verb == "Silence" else {}

    batch(daemon, verb, [*names, "alertGroups/99"], **fields)

    assert last(daemon, 4) == [(name, *written) for name in names]
    assert audit_log(daemon)[-4].method == f"AlertGroupService.{verb}AlertGroup"


def test_a_new_integration_is_written_with_its_settings_and_one_that_is_gone_too(daemon: RunningDaemon) -> None:
    """Of its token there is a fingerprint, which tells that it was replaced."""
    created = daemon.integration(description="the big one")
    ((resource, before, settings),) = last(daemon, 1)
    fingerprint = settings.pop("token_fingerprint")
    assert (resource, before) == (created.name, {})
    assert settings == {
        "display_name": "prod",
        "description": "the big one",
        "type": "alertmanager",
        "reopen_window": 300,
        "stale_after": 0,
        "retention": 90 * 86_400,
    }

    daemon.integrations.RotateIntegrationToken(integrations_pb2.RotateIntegrationTokenRequest(name=created.name))
    ((_, before, after),) = last(daemon, 1)
    assert (before, set(after)) == ({"token_fingerprint": fingerprint}, {"token_fingerprint"})
    assert after["token_fingerprint"] != fingerprint

    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=created.name))
    assert last(daemon, 1) == [(created.name, {**settings, **after}, {})]


def test_what_takes_something_over_is_a_change(daemon: RunningDaemon) -> None:
    """A silence for ever that another makes their own, a note of the same length, wiping what is resolved."""
    name = daemon.fire(daemon.integration())
    daemon.act("Silence", name, actor="ada")
    daemon.act("Silence", name, actor="bob")
    assert last(daemon, 1) == [(name, {"state_actor": "ada"}, {"state_actor": "bob"})]
    note = write_note(daemon, name, "yes")
    rewrite_note(daemon, note.name, "no!")
    assert last(daemon, 1) == [(note.name, {}, {"text_changed": True})]


def test_what_changes_nothing_is_not_written(daemon: RunningDaemon) -> None:
    """Repeats of what holds, and what is set to what it was."""
    integration = daemon.integration()
    daemon.beat(integration)
    taken, closed, wiped = (daemon.fire(integration, key=key) for key in "abc")
    daemon.act("Acknowledge", taken)
    daemon.act("Resolve", closed)
    wipe(daemon, wiped)
    note = write_note(daemon, taken, "seen")
    heartbeat = f"{integration.name}/heartbeat"
    daemon.heartbeats.PauseHeartbeat(heartbeats_pb2.PauseHeartbeatRequest(name=heartbeat))
    before = contents(daemon)

    daemon.act("Acknowledge", taken)
    daemon.act("Resolve", closed)
    batch(daemon, "Acknowledge", [taken])
    wipe(daemon, wiped)
    rewrite_note(daemon, note.name, "seen")
    daemon.heartbeats.PauseHeartbeat(heartbeats_pb2.PauseHeartbeatRequest(name=heartbeat))
    same = Integration(name=integration.name, display_name="prod", reopen_window=integration.reopen_window)
    daemon.integrations.UpdateIntegration(integrations_pb2.UpdateIntegrationRequest(integration=same))

    assert contents(daemon) == before


def test_what_is_refused_is_not_written(daemon: RunningDaemon) -> None:
    """Whatever the reason: the state, the fields, the name, the role."""
    name = daemon.fire(daemon.integration())
    viewer = make_token(daemon, "screen", "VIEWER")
    unwanted = alert_groups_pb2.DeleteAlertGroupRequest(name=name)
    before = contents(daemon)
    for attempt in (
        lambda: daemon.act("Unacknowledge", name),
        lambda: daemon.act("Resolve", name, note="n" * 3_001),
        lambda: daemon.act("Resolve", "alertGroups/99"),
        lambda: wipe(daemon, "alertGroups/99"),
        lambda: delete(daemon, "alertGroups/99"),
        lambda: write_note(daemon, name, ""),
        lambda: daemon.integration("prod"),
        lambda: make_token(daemon, "screen"),
        lambda: call(daemon, "AlertGroupService.DeleteAlertGroup", unwanted, by("ada", viewer.secret)),
    ):
        with pytest.raises(grpc.RpcError):
            attempt()
    results = batch(daemon, "Acknowledge", ["alertGroups/98", "alertGroups/99"])
    assert all(result.HasField("error") for result in results)

    assert contents(daemon) == before


def test_what_sources_and_timers_do_is_not_written(daemon: RunningDaemon) -> None:
    """It is in the timelines; the audit log is about callers."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.act("Silence", name, duration={"seconds": 60})
    before = audit_log(daemon)
    daemon.pass_time(HOUR)
    daemon.settle()
    daemon.fire(integration, "a b")
    daemon.beat(integration)

    assert daemon.group(name).state == AlertGroup.FIRING
    assert audit_log(daemon) == before


@pytest.mark.parametrize("method", MUTATIONS)
def test_there_is_no_change_without_its_entry(daemon: RunningDaemon, method: str) -> None:
    """Where the entry cannot be written, the change is undone, and the caller is told; it can be made later."""
    request = with_id(MUTATIONS[method](daemon), "id-1")
    before = contents(daemon)
    writer = daemon.engine.store.writer
    writer.execute(
        "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.audit_entries BEGIN SELECT raise(ABORT, 'no'); END"
    )

    with pytest.raises(grpc.RpcError) as refusal:
        call(daemon, method, request, by("ada"))

    assert refusal.value.code() is grpc.StatusCode.INTERNAL
    assert contents(daemon) == before
    writer.execute("DROP TRIGGER refuse")
    call(daemon, method, request, by("ada"))
    assert audit_log(daemon)[-1].method == method
    assert contents(daemon) != before


def test_neither_the_log_nor_kept_answers_hold_secrets(daemon: RunningDaemon) -> None:
    """Not the tokens of integrations, old and new, not those of the API, not the addresses of contact points; and the
    log not what people wrote."""
    secrets = set()
    for number, method in enumerate(MUTATIONS):
        request = MUTATIONS[method](daemon)
        secrets |= {row[0] for row in daemon.sql("SELECT token FROM integrations WHERE deleted_at IS NULL")}
        answer = call(daemon, method, with_id(request, f"id-{number}"), by("ada"))
        secrets |= {getattr(answer, "token", ""), getattr(answer, "secret", "").split("_", 2)[-1]} - {""}
        _clear(daemon)
    assert len(secrets) > 30
    secrets |= {URL, URL.rpartition("/")[2]}
    kept = b"".join(zlib.decompress(response) for (response,) in daemon.sql("SELECT response FROM requests"))
    log = everything_in(daemon, "audit_entries")
    assert daemon.sql("SELECT count(*) FROM requests") == [(len(MUTATIONS),)]

    assert [secret for secret in secrets if secret.encode() in kept] == []
    assert [secret for secret in (*secrets, "on it", "well?") if secret.encode() in log] == []


def _clear(daemon: RunningDaemon) -> None:
    """Has everything deleted that bears a name of its own."""
    for integration in daemon.integrations.ListIntegrations(integrations_pb2.ListIntegrationsRequest()).integrations:
        if integration.token:
            daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    for (public_id,) in daemon.sql("SELECT public_id FROM escalation_chains"):
        remove_chain(daemon, f"escalationChains/{public_id}")
    for (public_id,) in daemon.sql("SELECT public_id FROM api_tokens"):
        request = access_pb2.DeleteApiTokenRequest(name=f"apiTokens/{public_id}")
        call(daemon, "AccessService.DeleteApiToken", request)
