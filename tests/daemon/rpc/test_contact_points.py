"""Contact points: made, shown and listed."""

import grpc
import pytest
from changing import by, make_token
from contact_samples import (
    ICAL,
    KEY,
    URL,
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
)
from fake_clock import SECOND
from google.protobuf.json_format import MessageToDict
from running_daemon import RunningDaemon, details, duration, reason

from tocsin.v1 import contact_points_pb2
from tocsind.engine import contact_points as jobs


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
