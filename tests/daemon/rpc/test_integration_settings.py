"""What of an integration can be set, and how: templates, limits, a given token, etags."""

from typing import Any

import grpc
import pytest
from beats import heartbeat_of, turn
from changing import audit_log, by, make_token
from fake_clock import HOUR
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict
from notices import notice
from running_daemon import Integration, Receipt, RunningDaemon, details, duration, reason

from tocsin.v1 import heartbeats_pb2, integrations_pb2
from tocsin.v1.templates_pb2 import Templates

TOKEN = "an-OnCall_token-0123456789"
LONG = "x" * 50_001


def create(daemon: RunningDaemon, token: str = "", display_name: str = "prod", **settings: Any) -> Integration:
    """A new integration."""
    wanted = Integration(display_name=display_name, type="alertmanager", **settings)
    request = integrations_pb2.CreateIntegrationRequest(integration=wanted, token=token)
    return daemon.integrations.CreateIntegration(request, metadata=by())


def update(daemon: RunningDaemon, name: str, paths: str = "", **changes: Any) -> Integration:
    """A changed one; `paths` are words."""
    mask = FieldMask(paths=paths.split())
    request = integrations_pb2.UpdateIntegrationRequest(integration=Integration(name=name, **changes), update_mask=mask)
    return daemon.integrations.UpdateIntegration(request, metadata=by())


def read(daemon: RunningDaemon, name: str) -> Integration:
    """One integration."""
    return daemon.integrations.GetIntegration(integrations_pb2.GetIntegrationRequest(name=name))


def delete(daemon: RunningDaemon, name: str, etag: str = "") -> None:
    """No integration."""
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=name, etag=etag))


def set_interval(daemon: RunningDaemon, integration: Integration, etag: str = "") -> None:
    """Another interval of its heartbeat."""
    heartbeat = heartbeats_pb2.Heartbeat(name=f"{integration.name}/heartbeat", interval=duration(HOUR), etag=etag)
    daemon.heartbeats.UpdateHeartbeat(heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=heartbeat))


def field_of(error: grpc.RpcError) -> str:
    """The field that is to blame."""
    return str(details(error)[1].field_violations[0].field)


def test_templates_and_limit_are_kept(daemon: RunningDaemon) -> None:
    """As they were given, also by the next daemon; an empty template is the default."""
    templates = Templates(title="{{ labels.alertname }}", message="{{ payload }}", source_link="")
    created = create(daemon, templates=templates, rate_limit=0)
    daemon = daemon.reopen()
    found = read(daemon, created.name)

    assert (found.templates, found.HasField("rate_limit"), found.rate_limit) == (templates, True, 0)
    assert not read(daemon, create(daemon, display_name="plain").name).HasField("rate_limit")


def test_all_templates_are_replaced_at_once(daemon: RunningDaemon) -> None:
    """With the mask `templates`, those that the message leaves out get their defaults back."""
    name = create(daemon, templates=Templates(title="t", message="m")).name

    assert update(daemon, name, "templates", templates=Templates(title="u")).templates == Templates(title="u")
    assert update(daemon, name, "templates").templates == Templates()


def test_one_template_is_changed_alone(daemon: RunningDaemon) -> None:
    """With the mask `templates.title`, whatever else the message says."""
    name = create(daemon, templates=Templates(title="t", message="m")).name
    changed = update(daemon, name, "templates.title", templates=Templates(title="u", message="n", source_link="s"))

    assert changed.templates == Templates(title="u", message="m")
    assert update(daemon, name, "templates.title").templates == Templates(message="m")


def test_without_a_mask_what_is_set_is_changed(daemon: RunningDaemon) -> None:
    """Each template that is given, and a limit of 0."""
    name = create(daemon, templates=Templates(title="t"), rate_limit=7, description="old").name
    changed = update(daemon, name, templates=Templates(message="m"), rate_limit=0)

    assert changed.templates == Templates(title="t", message="m")
    assert (changed.rate_limit, changed.HasField("rate_limit"), changed.description) == (0, True, "old")
    assert update(daemon, name, description="new").HasField("rate_limit")


def test_a_mask_without_a_value_means_the_default(daemon: RunningDaemon) -> None:
    """Also for the limit: that of the daemon."""
    name = create(daemon, rate_limit=7, reopen_window=duration(HOUR)).name
    changed = update(daemon, name, "rate_limit reopen_window")

    assert not changed.HasField("rate_limit")
    assert changed.reopen_window == duration(HOUR // 12)


@pytest.mark.parametrize(
    ("paths", "changes", "field"),
    [
        ("rate_limit", {"rate_limit": -1}, "integration.rate_limit"),
        ("", {"rate_limit": 1_000_001}, "integration.rate_limit"),
        ("", {"templates": Templates(title=LONG)}, "integration.templates.title"),
        ("templates", {"templates": Templates(grouping_id=LONG)}, "integration.templates.grouping_id"),
        ("templates.message", {"templates": Templates(message=LONG)}, "integration.templates.message"),
        ("templates.colour", {}, "update_mask"),
        ("templates.", {}, "update_mask"),
        ("templates.title.x", {}, "update_mask"),
        ("token", {}, "update_mask"),
        ("etag", {}, "update_mask"),
        ("maintenance", {}, "update_mask"),
        ("description templates.TITLE", {"description": "new"}, "update_mask"),
    ],
)
def test_what_may_not_be_is_named_and_nothing_is_done(
    daemon: RunningDaemon, paths: str, changes: dict[str, Any], field: str
) -> None:
    """INVALID_ARGUMENT, with the path of the field."""
    before = create(daemon)

    with pytest.raises(grpc.RpcError) as refusal:
        update(daemon, before.name, paths, **changes)

    assert (refusal.value.code(), field_of(refusal.value)) == (grpc.StatusCode.INVALID_ARGUMENT, field)
    assert read(daemon, before.name) == before
    if field != "update_mask":
        with pytest.raises(grpc.RpcError) as refusal:
            create(daemon, display_name="other", **changes)
        assert (refusal.value.code(), field_of(refusal.value)) == (grpc.StatusCode.INVALID_ARGUMENT, field)
        assert daemon.sql("SELECT count(*) FROM integrations WHERE type = 'alertmanager'") == [(1,)]


def test_everything_that_is_wrong_is_told_at_once(daemon: RunningDaemon) -> None:
    """Each value with its field and what it must be, templates among them; and nothing is created."""
    with pytest.raises(grpc.RpcError) as refusal:
        create(
            daemon,
            token="short",
            display_name="",
            rate_limit=-1,
            retention=duration(0),
            templates=Templates(title="{{", message="x" * 50_001),
        )
    found = {violation.field: violation.description for violation in details(refusal.value)[1].field_violations}

    assert set(found) == {
        "token",
        "integration.display_name",
        "integration.rate_limit",
        "integration.retention",
        "integration.templates.message",
        "integration.templates.title",
    }
    assert found["integration.retention"] == "must be 1 hour to 3,650 days"
    assert all(description in refusal.value.details() for description in found.values())
    assert "short" not in refusal.value.details()
    assert daemon.sql("SELECT count(*) FROM integrations WHERE type <> 'tocsin'") == [(0,)]


def test_the_longest_templates_can_be_saved(daemon: RunningDaemon) -> None:
    """All six of them, each of any characters."""
    longest = Templates(**{field.name: "ü" * 50_000 for field in Templates.DESCRIPTOR.fields})

    assert create(daemon, templates=longest).templates == longest


def test_the_audit_log_shows_which_templates_changed(daemon: RunningDaemon) -> None:
    """As they are; and the limit."""
    name = create(daemon, templates=Templates(title="t", message="m")).name
    update(daemon, name, "templates.title rate_limit", templates=Templates(title="u"), rate_limit=5)
    update(daemon, name, "templates rate_limit", templates=Templates(message="m"))
    *_, changed, reset = audit_log(daemon)

    assert MessageToDict(changed.before) == {"templates.title": "t"}
    assert MessageToDict(changed.after) == {"templates.title": "u", "rate_limit": 5}
    assert (MessageToDict(reset.before), MessageToDict(reset.after)) == (MessageToDict(changed.after), {})


# A token that is given


def test_senders_find_the_integration_by_the_token_that_it_was_given(daemon: RunningDaemon) -> None:
    """What Alertmanager has in its configuration goes on to work."""
    created = create(daemon, TOKEN)

    assert (created.token, created.url) == (TOKEN, f"http://tocsin.example/integrations/v1/alertmanager/{TOKEN}/")
    assert daemon.send(created, notice("a")).outcome == Receipt.APPLIED
    assert daemon.send(Integration(token=TOKEN), notice("a b")).outcome == Receipt.APPLIED


@pytest.mark.parametrize(
    "token", ["x" * 19, "x" * 129, "x" * 20 + "/", "x" * 20 + "\n", " " * 20, "ü" * 20, "x" * 20 + "%"]
)
def test_a_token_is_of_characters_that_need_no_escaping(daemon: RunningDaemon, token: str) -> None:
    """20 to 128 of them; what was given is not repeated in the answer."""
    with pytest.raises(grpc.RpcError) as refusal:
        create(daemon, token)

    assert (refusal.value.code(), field_of(refusal.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "token")
    assert token not in str(refusal.value.details())
    assert daemon.sql("SELECT count(*) FROM integrations WHERE type = 'alertmanager'") == [(0,)]


@pytest.mark.parametrize("token", ["x" * 20, "Y" * 128, "-_" * 10])
def test_the_shortest_and_the_longest_token_can_be_given(daemon: RunningDaemon, token: str) -> None:
    """Both ends of what may be."""
    assert create(daemon, token).token == token


def test_a_token_that_another_has_is_taken(daemon: RunningDaemon) -> None:
    """The answer names the other, as admins can read its token; but not the token."""
    other = create(daemon, TOKEN)
    with pytest.raises(grpc.RpcError) as refusal:
        create(daemon, TOKEN, "second")

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.ALREADY_EXISTS, "TOKEN_TAKEN")
    assert details(refusal.value)[1].resource_name == other.name
    assert TOKEN not in str(refusal.value.details())


def test_a_token_that_a_deleted_one_had_is_taken(daemon: RunningDaemon) -> None:
    """Its senders would be heard under the wrong name. Which it was is not said: nobody could read that."""
    other = create(daemon, TOKEN)
    delete(daemon, other.name)
    with pytest.raises(grpc.RpcError) as refusal:
        create(daemon, TOKEN, "second")

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.ALREADY_EXISTS, "TOKEN_TAKEN")
    assert other.name.encode() not in b"".join(each.SerializeToString() for each in details(refusal.value))
    assert create(daemon, "", "second").token


def test_a_given_token_is_not_kept_where_it_could_be_read(daemon: RunningDaemon) -> None:
    """Not in the audit log, and not in the answer that is kept for a repeat."""
    wanted = Integration(display_name="prod", type="alertmanager")
    request = integrations_pb2.CreateIntegrationRequest(integration=wanted, token=TOKEN, request_id="once")
    first = daemon.integrations.CreateIntegration(request, metadata=by())

    assert daemon.integrations.CreateIntegration(request, metadata=by()) == first
    for table in ("audit_entries", "requests"):
        assert TOKEN not in str(daemon.sql(f"SELECT * FROM {table}"))


def test_only_admins_give_tokens(daemon: RunningDaemon) -> None:
    """As with all of creating."""
    editor = make_token(daemon, "robot", "EDITOR")
    request = integrations_pb2.CreateIntegrationRequest(token=TOKEN)
    with pytest.raises(grpc.RpcError) as refusal:
        daemon.integrations.CreateIntegration(request, metadata=by("eve", editor.secret))

    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED


# Etags


def test_an_etag_changes_with_every_setting(daemon: RunningDaemon) -> None:
    """And with nothing else."""
    name = create(daemon).name
    seen = [read(daemon, name).etag]
    for changes in (
        {"display_name": "new"},
        {"description": "new"},
        {"reopen_window": duration(HOUR)},
        {"stale_after": duration(HOUR)},
        {"retention": duration(HOUR)},
        {"rate_limit": 0},
        {"templates": Templates(title="t")},
        {"templates": Templates(message="t")},
    ):
        seen.append(update(daemon, name, **changes).etag)
    assert len(set(seen)) == len(seen)
    daemon.clock.advance(HOUR)
    daemon.fire(read(daemon, name))
    daemon.integrations.RotateIntegrationToken(integrations_pb2.RotateIntegrationTokenRequest(name=name))
    same = update(daemon, name, description="new")

    assert same.etag == read(daemon.reopen(), name).etag == seen[-1]


def test_who_has_read_something_older_changes_nothing(daemon: RunningDaemon) -> None:
    """ABORTED, and the one that was faster keeps what it did."""
    old = create(daemon)
    fresh = update(daemon, old.name, description="ada's", etag=old.etag)
    for change in (
        lambda: update(daemon, old.name, description="bob's", etag=old.etag),
        lambda: delete(daemon, old.name, old.etag),
    ):
        with pytest.raises(grpc.RpcError, match="was changed since it was read") as refusal:
            change()
        assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")

    assert read(daemon, old.name) == fresh
    delete(daemon, old.name, fresh.etag)
    with pytest.raises(grpc.RpcError) as refusal:
        delete(daemon, old.name, fresh.etag)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_of_two_at_once_one_wins(daemon: RunningDaemon) -> None:
    """Whoever comes second is refused, not overwritten."""
    old = create(daemon)
    requests = [
        integrations_pb2.UpdateIntegrationRequest(
            integration=Integration(name=old.name, description=f"{n}", etag=old.etag)
        )
        for n in range(20)
    ]
    calls = [daemon.integrations.UpdateIntegration.future(request) for request in requests]
    codes = [call.code() for call in calls]

    assert sorted(codes, key=str).count(grpc.StatusCode.OK) == 1
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.ABORTED}
    assert read(daemon, old.name).description == str(codes.index(grpc.StatusCode.OK))


def test_the_etag_of_a_heartbeat_is_of_what_is_set(daemon: RunningDaemon) -> None:
    """The interval and the pause change it, beats do not."""
    integration = create(daemon)
    first = heartbeat_of(daemon, integration).etag
    daemon.beat(integration)
    turn(daemon, "Reset", integration)
    assert heartbeat_of(daemon, integration).etag == first
    set_interval(daemon, integration, first)
    second = heartbeat_of(daemon, integration).etag
    third = turn(daemon, "Pause", integration).etag

    assert len({first, second, third}) == 3
    assert turn(daemon, "Resume", integration).etag == second
    with pytest.raises(grpc.RpcError) as refusal:
        set_interval(daemon, integration, first)
    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    set_interval(daemon, integration, second)
