"""Contact points: changed, and what the audit log says of it."""

from typing import Any

import grpc
import pytest
from changing import audit_log
from contact_samples import (
    ICAL,
    KEY,
    URL,
    Contact,
    edit,
    get,
    make_contact,
    remove,
    service,
    stand_in,
    stand_in_calendars,
    stored,
    webhook,
    wrong,
)
from fake_clock import MINUTE
from google.protobuf.json_format import MessageToDict
from running_daemon import RunningDaemon, reason

from tocsin.v1 import contact_points_pb2
from tocsind.engine import contact_points as jobs


def test_without_a_mask_what_is_set_is_changed(daemon: RunningDaemon) -> None:
    """And all else stays, the secrets too."""
    made = make_contact(daemon, "hook", description="old", webhook=webhook(headers={"A": "k3y"}, signing_secret=KEY))
    daemon.clock.advance(MINUTE)

    changed = edit(daemon, made.name, description="new", webhook={"method": "PATCH", "timeout": {"seconds": 5}})

    expected = Contact()
    expected.CopyFrom(made)
    expected.description, expected.webhook.method, expected.webhook.timeout.seconds = "new", 3, 5
    expected.etag, expected.update_time.seconds = changed.etag, made.create_time.seconds + 60
    assert changed == expected == get(daemon, made.name)
    assert changed.etag != made.etag
    assert all(secret in stored(daemon, made) for secret in (URL, KEY, "k3y"))


def test_a_mask_names_what_is_changed_and_nothing_else(daemon: RunningDaemon) -> None:
    """What it names and the message leaves out is at its default again."""
    made = make_contact(daemon, "hook", description="old", webhook=webhook(headers={"A": "k3y"}, signing_secret=KEY))

    changed = edit(
        daemon,
        made.name,
        "webhook.signing_secret",
        "webhook.url",
        "description",
        display_name="not this",
        webhook=webhook("http://other.example:81/x", method="PUT"),
    )

    assert (changed.display_name, changed.description, changed.target) == ("hook", "", "http://other.example:81/****")
    assert (changed.webhook.is_signed, changed.webhook.method) == (False, changed.webhook.POST)
    assert dict(changed.webhook.headers) == {"A": "****"}
    assert "k3y" in stored(daemon, made)
    assert KEY not in stored(daemon, made)


def test_a_mask_that_names_the_kind_replaces_all_of_it(daemon: RunningDaemon) -> None:
    """Also what the message does not name."""
    made = make_contact(daemon, webhook=webhook(headers={"A": "k3y"}, signing_secret=KEY, method="PUT"))

    changed = edit(daemon, made.name, "webhook", webhook=webhook("https://other.example"))

    assert MessageToDict(changed.webhook) == {"method": "POST", "timeout": "10s"}
    assert changed.target == "https://other.example"
    assert set(wrong(lambda: edit(daemon, made.name, "webhook"))) == {"contact_point.webhook.url"}


def test_overrides_come_and_go(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their copy and their shifts; the other calendar is left alone."""
    asked = stand_in_calendars(monkeypatch)
    made = make_contact(daemon, on_call={"schedule": {"ical": ICAL}})
    edit(daemon, made.name, on_call={"overrides": {"file": "o.ics"}})
    assert daemon.sql("SELECT role FROM shifts") == [(1,), (2,)]

    without = edit(daemon, made.name, "on_call.overrides")

    assert not without.on_call.HasField("overrides")
    assert daemon.sql("SELECT role FROM calendars") == daemon.sql("SELECT role FROM shifts") == [(1,)]
    assert [field for field, _, _ in asked] == ["contact_point.on_call.schedule", "contact_point.on_call.overrides"]


def test_what_was_read_can_be_handed_back(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads, changes the name and writes it back changes the name only, though no secret came with it."""
    stand_in(daemon)
    asked = stand_in_calendars(monkeypatch)
    kinds: list[dict[str, Any]] = [
        {"webhook": webhook(signing_secret=KEY)},
        {"apprise": {"url": "mailto://m.example"}},
        {"on_call": {"schedule": {"url": "https://calendars.example/pr1v"}}},
    ]
    for number, kind in enumerate(kinds):
        made = make_contact(daemon, **kind)
        before = stored(daemon, made)
        made.display_name = f"renamed {number}"
        renamed = service(daemon).UpdateContactPoint(contact_points_pb2.UpdateContactPointRequest(contact_point=made))
        assert renamed.display_name == made.display_name
        assert stored(daemon, made) == before
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("paths", "fields", "field"),
    [
        ([], {"apprise": {"url": "mailto://m.example"}}, "contact_point.apprise"),
        (["apprise.url"], {"apprise": {"url": "mailto://m.example"}}, "contact_point.apprise"),
        (["on_call"], {}, "contact_point.on_call"),
        (["webhook.url"], {"apprise": {"url": "mailto://m.example"}}, "contact_point.apprise"),
        (["target"], {}, "update_mask"),
        (["webhook.is_signed"], {}, "update_mask"),
        (["webhook.headers.A"], {}, "update_mask"),
        (["kind"], {}, "update_mask"),
        ([""], {}, "update_mask"),
    ],
)
def test_what_cannot_be_changed_is_refused(
    daemon: RunningDaemon, paths: list[str], fields: dict[str, Any], field: str
) -> None:
    """The kind, and what is only told."""
    made = make_contact(daemon)

    assert set(wrong(lambda: edit(daemon, made.name, *paths, **fields))) == {field}
    assert get(daemon, made.name) == made


def test_nobody_overwrites_what_somebody_else_changed(daemon: RunningDaemon) -> None:
    """An etag of before is refused, for changing and for deleting; also where only a secret differs."""
    made = make_contact(daemon)
    changed = edit(daemon, made.name, "webhook.signing_secret", webhook={"signing_secret": KEY})

    for attempt in (
        lambda: edit(daemon, made.name, description="x", etag=made.etag),
        lambda: remove(daemon, made.name, etag=made.etag),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            attempt()
        assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")

    assert get(daemon, made.name) == changed
    edit(daemon, made.name, description="x", etag=changed.etag)


def test_a_change_while_another_is_looked_at_is_not_lost(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking takes its time: what was changed meanwhile stays, and who came later is told."""
    asked = stand_in_calendars(monkeypatch)
    made = make_contact(daemon, on_call={"schedule": {"ical": ICAL}})
    admit = jobs.calendars.admit

    def meanwhile(*args: Any) -> Any:
        edit(daemon, made.name, description="meanwhile")
        return admit(*args)

    monkeypatch.setattr(jobs.calendars, "admit", meanwhile)

    with pytest.raises(grpc.RpcError, match="was changed since it was read"):
        edit(daemon, made.name, on_call={"schedule": {"ical": ICAL + " "}})

    assert get(daemon, made.name).description == "meanwhile"
    assert len(asked) == 2


def test_a_change_that_changes_nothing_is_none(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings again, secrets and calendars included: neither the etag nor the audit log shows it."""
    stand_in_calendars(monkeypatch)
    hook = make_contact(daemon, webhook=webhook(headers={"A": "k"}))
    duty = make_contact(daemon, on_call={"schedule": {"ical": ICAL}})
    log = audit_log(daemon)
    daemon.clock.advance(MINUTE)

    same = edit(daemon, hook.name, display_name=hook.display_name, webhook=webhook(headers={"A": "k"}))
    assert same == hook
    again = edit(daemon, duty.name, on_call={"schedule": {"ical": ICAL}})
    assert again.etag == duty.etag
    assert audit_log(daemon) == log
    assert edit(daemon, duty.name, on_call={"schedule": {"ical": ICAL + " "}}).etag != duty.etag


def test_the_audit_log_says_what_differs_but_no_secret(daemon: RunningDaemon) -> None:
    """Of what may be a password not even a fingerprint: only that it is another one."""
    made = make_contact(daemon, "hook")
    assert MessageToDict(audit_log(daemon)[-1].after) == {
        "display_name": "hook",
        "kind": "WEBHOOK",
        "target": "https://hooks.example/****",
        "bundle_window": 0,
        "webhook.method": "POST",
        "webhook.timeout": 10,
        "webhook.is_signed": False,
        "webhook.has_ca_certificates": False,
        "webhook.has_client_certificate": False,
        "webhook.insecure_skip_verify": False,
    }

    new = webhook("https://hooks.example/other", headers={"A": "k3y"}, signing_secret=KEY)
    edit(daemon, made.name, description="new", webhook=new)

    entry = audit_log(daemon)[-1]
    assert MessageToDict(entry.before) == {"webhook.is_signed": False}
    assert MessageToDict(entry.after) == {
        "description": "new",
        "webhook.is_signed": True,
        "webhook.headers": ["A"],
        "webhook.url_changed": True,
        "webhook.headers_changed": True,
        "webhook.signing_secret_changed": True,
    }
    edit(daemon, made.name, webhook={"headers": {"A": "another"}})
    assert MessageToDict(audit_log(daemon)[-1].after) == {"webhook.headers_changed": True}
    remove(daemon, made.name)
    assert (audit_log(daemon)[-1].resource, MessageToDict(audit_log(daemon)[-1].after)) == (made.name, {})
