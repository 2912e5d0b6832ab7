"""Contact points: made, listed, changed and deleted."""

from typing import Any

import grpc
import pytest
from changing import audit_log, by, make_token
from contact_samples import (
    KEY,
    URL,
    Contact,
    edit,
    get,
    listed,
    make_contact,
    remove,
    service,
    stand_in,
    stand_in_calendars,
    stored,
    webhook,
    wrong,
)
from fake_clock import MINUTE, SECOND
from google.protobuf.json_format import MessageToDict
from running_daemon import RunningDaemon, details, duration, reason

from tocsin.v1 import contact_points_pb2
from tocsind.domain import contact_point as rules
from tocsind.domain.escalation_chain import Notify, Resolve, Step, Wait
from tocsind.domain.message import Kind
from tocsind.engine import contact_points as jobs
from tocsind.engine.telling import outbox
from tocsind.sqlite import contact_points as rows
from tocsind.sqlite import escalation_chains

ICAL = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


def add_chain(daemon: RunningDaemon, display_name: str, *steps: Step) -> None:
    """A chain in the file."""

    def job(transaction: Any, memory: Any) -> None:
        connection, public_id = transaction.connection, display_name.lower()
        # An earlier version is there too: what it names does not count.
        escalation_chains.insert_version(connection, public_id, display_name, [Notify((1, 2, 3))])
        version = escalation_chains.insert_version(connection, public_id, display_name, steps)
        connection.execute(
            "INSERT INTO escalation_chains (public_id, display_name, description, version_id, is_default, created_at, "
            "updated_at) VALUES (?, ?, '', ?, 0, 0, 0)",
            (public_id, display_name, version),
        )

    daemon.engine.change(job)


def test_a_webhook_is_shown_without_its_secrets(daemon: RunningDaemon) -> None:
    """All else is as it was given; what was not is at its default."""
    made = make_contact(
        daemon,
        "deploys",
        description="tells the robot",
        aliases=["Robot"],
        webhook=webhook(method="PUT", headers={"X-Key": "k"}, signing_secret=KEY, timeout=duration(3 * SECOND)),
        body_template="{{ 1 }}",
    )

    assert MessageToDict(made, preserving_proto_field_name=True) == {
        "name": made.name,
        "display_name": "deploys",
        "description": "tells the robot",
        "aliases": ["Robot"],
        "webhook": {"method": "PUT", "headers": {"X-Key": "****"}, "is_signed": True, "timeout": "3s"},
        "body_template": "{{ 1 }}",
        "target": "https://hooks.example/****",
        "etag": made.etag,
        "create_time": made.create_time.ToJsonString(),
        "update_time": made.create_time.ToJsonString(),
    }
    assert made.create_time.ToMicroseconds() == daemon.clock.wall()
    assert get(daemon, made.name) == made
    plain = make_contact(daemon, "plain").webhook
    assert (plain.method, plain.timeout, plain.is_signed) == (plain.POST, duration(10 * SECOND), False)


def test_an_address_is_shown_as_apprise_masks_it(daemon: RunningDaemon) -> None:
    """With what the service is called; messages wait for others for two seconds, unless it is said otherwise."""
    courier = stand_in(daemon)

    made = make_contact(daemon, "Anna", apprise={"url": "mailto://tocsin:pass@mail.example"})

    assert (made.apprise.url, made.apprise.service, made.target) == ("", "E-Mail", "mailto://****@mail.example")
    assert made.bundle_window == duration(2 * SECOND)
    at_once = make_contact(daemon, apprise={"url": "mailto://m.example"}, bundle_window=duration(0))
    assert at_once.HasField("bundle_window")
    assert at_once.bundle_window == duration(0)
    assert [errand.url for errand in courier.errands] == ["mailto://tocsin:pass@mail.example", "mailto://m.example"]


def test_one_for_whoever_is_on_call_has_its_calendars_read(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is made; where they come from is shown with a mask, and when they were read."""
    asked = stand_in_calendars(monkeypatch)

    made = make_contact(
        daemon, on_call={"schedule": {"url": "https://calendars.example/pr1v/duty.ics"}, "overrides": {"ical": ICAL}}
    )

    assert [(field, source.url, text) for field, source, text in asked] == [
        ("contact_point.on_call.schedule", "https://calendars.example/pr1v/duty.ics", ""),
        ("contact_point.on_call.overrides", "", ICAL),
    ]
    assert made.target == "https://calendars.example/****, overrides: uploaded"
    schedule, overrides = made.on_call.schedule, made.on_call.overrides
    assert (schedule.WhichOneof("source"), schedule.target) == (None, "https://calendars.example/****")
    assert (overrides.WhichOneof("source"), overrides.target) == (None, "uploaded")
    assert schedule.read_time.ToMicroseconds() == daemon.clock.wall()
    assert get(daemon, made.name) == made == listed(daemon)[0]
    make_contact(daemon, "subscribed", on_call={"schedule": {"url": "webcal://calendars.example/pr1v/duty.ics"}})
    assert asked[-1] == asked[0]
    filed = make_contact(daemon, on_call={"schedule": {"file": "duty.ics"}}).on_call.schedule
    assert (filed.file, filed.target) == ("duty.ics", "calendars/duty.ics")


def test_contact_points_outlive_the_daemon(daemon: RunningDaemon) -> None:
    """They are in the file, secrets included."""
    made = make_contact(daemon, webhook=webhook(headers={"X-Key": "k"}, signing_secret=KEY))

    daemon = daemon.crash()

    assert get(daemon, made.name) == made
    assert all(secret in stored(daemon, made) for secret in (URL, KEY))


def test_they_are_listed_by_name_page_by_page(daemon: RunningDaemon) -> None:
    """Each once; without those that were deleted."""
    made = {name: make_contact(daemon, name) for name in ("c", "a", "d", "b", "gone")}
    remove(daemon, made["gone"].name)
    found: list[str] = []
    token = ""
    while True:
        request = contact_points_pb2.ListContactPointsRequest(page_size=3, page_token=token)
        page = service(daemon).ListContactPoints(request)
        found += [contact.display_name for contact in page.contact_points]
        token = page.next_page_token
        if not token:
            break

    assert found == ["a", "b", "c", "d"]
    assert get(daemon, made["a"].name) == listed(daemon)[0]


def test_two_cannot_have_one_name(daemon: RunningDaemon) -> None:
    """Neither made nor changed; the name of one that was deleted is free."""
    first, second = make_contact(daemon, "Anna"), make_contact(daemon, "Bob")
    for attempt in (lambda: make_contact(daemon, "Anna"), lambda: edit(daemon, second.name, display_name="Anna")):
        with pytest.raises(grpc.RpcError) as refusal:
            attempt()
        assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")

    remove(daemon, first.name)
    assert edit(daemon, second.name, display_name="Anna").display_name == "Anna"


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


def test_one_that_is_deleted_leaves_its_name_and_nothing_else(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not its settings, not its calendars and shifts; timelines can still say what it was called."""
    stand_in_calendars(monkeypatch)
    hook = make_contact(daemon, "hook", description="d", aliases=["a"], body_template="b")
    duty = make_contact(daemon, "duty", on_call={"schedule": {"ical": ICAL}, "overrides": {"file": "o.ics"}})
    assert daemon.sql("SELECT contact_id, role FROM shifts") == [(2, 1), (2, 2)]

    for made in (hook, duty):
        remove(daemon, made.name)

    for made in (hook, duty):
        with pytest.raises(grpc.RpcError) as refusal:
            get(daemon, made.name)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert daemon.sql("SELECT display_name, description, aliases, target, body_template FROM contact_points") == [
        ("hook", "", "[]", "", ""),
        ("duty", "", "[]", "", ""),
    ]
    assert daemon.sql("SELECT * FROM calendars") == daemon.sql("SELECT * FROM shifts") == []
    with daemon.engine.store.reading() as connection:
        gone = rows.by_id(connection, 1)
    assert gone is not None
    assert (gone.settings, gone.deleted) == (rules.Webhook(""), daemon.clock.wall())


def test_one_that_chains_tell_is_not_deleted_by_chance(daemon: RunningDaemon) -> None:
    """The refusal names three of the chains; with `force` it goes. What chains told in the past does not count."""
    first, second, third = make_contact(daemon), make_contact(daemon), make_contact(daemon)
    for number in range(5):
        add_chain(daemon, f"Chain{number}", Wait(SECOND), Notify((2, 1)))
    add_chain(daemon, "Other", Resolve(), Notify((2,)))

    with pytest.raises(grpc.RpcError) as refusal:
        remove(daemon, first.name)

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "IN_USE")
    assert refusal.value.details() == (
        f"{first.name} is told by the escalation chains 'Chain0' (escalationChains/chain0), 'Chain1' "
        "(escalationChains/chain1), 'Chain2' (escalationChains/chain2) and 2 more"
    )
    assert details(refusal.value)[0].metadata["resource"] == first.name
    remove(daemon, third.name)
    remove(daemon, first.name, force=True)
    assert [contact.name for contact in listed(daemon)] == [second.name]


def test_what_waits_for_one_that_is_deleted_is_taken_back(daemon: RunningDaemon) -> None:
    """It could not be sent any more; what waits for others does."""
    stand_in(daemon)
    made, other = (
        make_contact(daemon, apprise={"url": "mailto://m.example"}, bundle_window=duration(MINUTE)) for _ in range(2)
    )
    group = int(daemon.fire(daemon.integration()).partition("/")[2])
    waiting = [outbox.message(group, contact_id, Kind.FIRING) for contact_id in (1, 1, 2)]
    daemon.engine.change(outbox.put, waiting)

    remove(daemon, made.name)

    assert daemon.sql("SELECT contact_id, state FROM messages ORDER BY id") == [(1, 5), (1, 5), (2, 1)]
    assert get(daemon, other.name).name == other.name


def test_how_the_outbox_stands_is_shown_without_secrets(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits, and why the last attempt failed, though that may repeat the address."""
    made = make_contact(daemon)
    standing = {1: (7, f"POST {URL}: 404, no service wxyz")}
    monkeypatch.setattr(daemon.engine.memory.outbox, "standing", lambda ids: {each: standing[each] for each in ids})

    for shown in (get(daemon, made.name), listed(daemon)[0], edit(daemon, made.name, description="new")):
        assert shown.pending_message_count == 7
        assert shown.last_error == "POST ****: 404, no service ****"


def test_there_is_an_end_to_how_many_there_can_be(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says how many; those that were deleted do not count."""
    monkeypatch.setattr(jobs, "MOST_CONTACT_POINTS", 2)
    first = make_contact(daemon)
    make_contact(daemon)

    with pytest.raises(grpc.RpcError) as refusal:
        make_contact(daemon)

    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refusal.value) == "TOO_MANY_CONTACT_POINTS"
    assert details(refusal.value)[0].metadata["most"] == "2"
    remove(daemon, first.name)
    make_contact(daemon)


def test_a_repeat_is_answered_though_it_would_be_refused_now(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time it was good: whoever did not hear the answer must not be told that nothing was made."""
    courier = stand_in(daemon)
    made = make_contact(daemon, "Anna", request_id="id-1", apprise={"url": "mailto://m.example"})
    changed = edit(daemon, made.name, request_id="id-2", apprise={"url": "slack://a/b/c"})
    errands = len(courier.errands)
    monkeypatch.setattr(courier, "_look", lambda url: 1 / 0)

    assert make_contact(daemon, "Anna", request_id="id-1", apprise={"url": "mailto://m.example"}) == made
    assert edit(daemon, made.name, request_id="id-2", apprise={"url": "slack://a/b/c"}) == changed
    assert len(courier.errands) == errands


@pytest.mark.parametrize("role", ["VIEWER", "EDITOR"])
def test_only_admins_make_them_and_everybody_sees_them(daemon: RunningDaemon, role: str) -> None:
    """Without their secrets, for any role."""
    made = make_contact(daemon)
    metadata = by("ada", make_token(daemon, "key", role).secret)
    stub = service(daemon)

    assert stub.GetContactPoint(contact_points_pb2.GetContactPointRequest(name=made.name), metadata=metadata) == made
    with pytest.raises(grpc.RpcError) as refusal:
        stub.DeleteContactPoint(contact_points_pb2.DeleteContactPointRequest(name=made.name), metadata=metadata)
    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
