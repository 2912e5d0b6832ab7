"""Contact points that could tell nobody are refused when they are saved, with the field named."""

from pathlib import Path
from typing import Any

import certificates
import grpc
import pytest
from contact_samples import Contact, edit, get, listed, make_contact, service, stand_in, webhook, wrong
from running_daemon import RunningDaemon, reason

from tocsin.v1 import contact_points_pb2
from tocsind.courier.wire import Outcome
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.errors import Reason, TocsinError
from tocsind.engine.telling import bulletins, calendars


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Certificates and keys: of an authority, of two that it signed; and a key with a password."""
    folder = tmp_path_factory.mktemp("pems")
    authority = certificates.authority(folder)
    first, second = (certificates.signed(authority, folder, name) for name in ("first", "second"))
    locked = folder / "locked.key"
    certificates._openssl("ec", "-in", str(first.key), "-aes128", "-passout", "pass:x", "-out", str(locked))
    files: dict[str, Path] = {
        "ca": authority.certificate,
        "first": first.certificate,
        "first key": first.key,
        "second key": second.key,
        "locked key": locked,
    }
    return {name: path.read_text() for name, path in files.items()}


def test_certificates_that_can_be_used_are_taken(daemon: RunningDaemon, pems: dict[str, str]) -> None:
    """They are shown again, as they are no secrets; the key is not."""
    made = make_contact(
        daemon,
        webhook=webhook(ca_certificates=pems["ca"], client_certificate=pems["first"], client_key=pems["first key"]),
    )

    assert made.webhook.ca_certificates == pems["ca"]
    assert made.webhook.client_certificate == pems["first"]
    assert made.webhook.client_key == ""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ca_certificates": "no PEM"}, "ca_certificates"),
        ({"ca_certificates": "first key"}, "ca_certificates"),
        ({"ca_certificates": "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"}, "ca_certificates"),
        ({"ca_certificates": "ü"}, "ca_certificates"),
        ({"client_certificate": "no PEM", "client_key": "first key"}, "client_certificate"),
        ({"client_certificate": "first", "client_key": "no PEM"}, "client_key"),
        ({"client_certificate": "first", "client_key": "second key"}, "client_key"),
        ({"client_certificate": "first", "client_key": "locked key"}, "client_key"),
        ({"client_certificate": "first"}, "client_key"),
    ],
)
def test_certificates_that_cannot_be_used_are_refused(
    daemon: RunningDaemon, pems: dict[str, str], fields: dict[str, str], field: str
) -> None:
    """No PEM, a key in the place of a certificate, another's key, one with a password; no text repeats them."""
    wanted = {name: pems.get(value, value) for name, value in fields.items()}

    refused = wrong(lambda: make_contact(daemon, webhook=webhook(**wanted)))

    assert set(refused) == {f"contact_point.webhook.{field}"}
    assert not any(value.strip() in str(refused) for value in wanted.values())
    assert listed(daemon) == []


def test_half_of_a_pair_is_looked_at_with_the_other(daemon: RunningDaemon, pems: dict[str, str]) -> None:
    """A change of the certificate alone leaves a key that is not its own."""
    made = make_contact(daemon, webhook=webhook(client_certificate=pems["first"], client_key=pems["first key"]))

    refused = wrong(lambda: edit(daemon, made.name, webhook={"client_key": pems["second key"]}))

    assert set(refused) == {"contact_point.webhook.client_key"}


def test_an_address_that_apprise_does_not_know_is_refused(daemon: RunningDaemon) -> None:
    """As the courier says, but without anything that could be a secret, whatever it says."""
    courier = stand_in(daemon)
    made = make_contact(daemon, apprise={"url": "mailto://m.example"})

    for attempt in (
        lambda: make_contact(daemon, "other", apprise={"url": "gopher://s3cret@host"}),
        lambda: edit(daemon, made.name, apprise={"url": "gopher://s3cret@host"}),
    ):
        assert wrong(attempt) == {"contact_point.apprise.url": "unsupported: ****"}

    assert listed(daemon) == [made]
    assert len(courier.errands) == 3


def test_where_nobody_knows_what_apprise_knows_nothing_is_saved(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be tried again later."""
    courier = stand_in(daemon)
    monkeypatch.setattr("tocsind.rpc.contact_points.LOOK_PATIENCE", 0.01)
    monkeypatch.setattr(courier, "_look", lambda url: None)

    with pytest.raises(grpc.RpcError) as refusal:
        make_contact(daemon, apprise={"url": "mailto://m.example"})

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.UNAVAILABLE, "NOT_IN_TIME")


def test_other_settings_are_changed_without_asking_apprise(daemon: RunningDaemon) -> None:
    """Its process may be down: a name can be mended all the same."""
    courier = stand_in(daemon)
    made = make_contact(daemon, apprise={"url": "mailto://m.example"})
    errands = len(courier.errands)

    renamed = edit(daemon, made.name, display_name="Anna", title_template="{{ 1 }}")

    assert (renamed.target, renamed.apprise.service) == (made.target, "E-Mail")
    assert len(courier.errands) == errands


@pytest.mark.parametrize("field", ["title_template", "body_template"])
def test_a_template_that_is_none_is_refused(daemon: RunningDaemon, field: str) -> None:
    """With its line, whether it is new or changed."""
    stand_in(daemon)
    made = make_contact(daemon, apprise={"url": "mailto://m.example"})

    for attempt in (
        lambda: make_contact(daemon, apprise={"url": "mailto://m.example"}, **{field: "a\n{% if %}"}),
        lambda: edit(daemon, made.name, **{field: "a\n{% if %}"}),
    ):
        refused = wrong(attempt)
        assert set(refused) == {f"contact_point.{field}"}
        assert refused[f"contact_point.{field}"].startswith("is not a template: line 2: ")


def test_a_template_that_fails_when_it_is_tried_is_refused(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling tells half of it. What is not changed is not tried again."""
    tried: list[ContactPoint] = []

    def fail(renderer: object, contact: ContactPoint) -> list[tuple[str, str]]:
        tried.append(contact)
        return [("contact_point.body_template", "line 1: no zero")] if "0" in contact.body_template else []

    monkeypatch.setattr(bulletins, "try_templates", fail)

    assert wrong(lambda: make_contact(daemon, webhook=webhook(), body_template="{{ 1 / 0 }}")) == {
        "contact_point.body_template": "line 1: no zero"
    }
    made = make_contact(daemon, webhook=webhook(), body_template="{{ 1 }}")
    edit(daemon, made.name, description="new")
    assert [contact.body_template for contact in tried] == ["{{ 1 / 0 }}", "{{ 1 }}"]


def test_a_calendar_that_cannot_be_read_is_refused(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made of it."""

    def admit(engine: object, field: str, source: object, text: str) -> None:
        raise TocsinError(Reason.CALENDAR_UNREADABLE, f"{field}: is none", field=field)

    monkeypatch.setattr(calendars, "admit", admit)

    with pytest.raises(grpc.RpcError) as refusal:
        make_contact(daemon, on_call={"schedule": {"ical": "x"}})

    assert reason(refusal.value) == "CALENDAR_UNREADABLE"
    assert listed(daemon) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "contact_point"),
        ({"webhook": {}}, "contact_point.webhook.url"),
        ({"webhook": {"url": "https://h.example", "method": 12}}, "contact_point.webhook.method"),
        ({"webhook": {"url": "https://h.example", "timeout": {"seconds": -1}}}, "contact_point.webhook.timeout"),
        ({"apprise": {}}, "contact_point.apprise.url"),
        ({"apprise": {"url": "mailto://a"}, "bundle_window": {"seconds": 61}}, "contact_point.bundle_window"),
        ({"apprise": {"url": "mailto://a"}, "bundle_window": {"nanos": -1}}, "contact_point.bundle_window"),
        ({"on_call": {}}, "contact_point.on_call.schedule"),
        ({"on_call": {"schedule": {}}}, "contact_point.on_call.schedule"),
        ({"on_call": {"schedule": {"ical": ""}}}, "contact_point.on_call.schedule"),
        ({"on_call": {"schedule": {"ical": "x"}, "overrides": {}}}, "contact_point.on_call.overrides"),
    ],
)
def test_what_says_too_little_or_too_much_is_refused(daemon: RunningDaemon, fields: dict[str, Any], field: str) -> None:
    """By the field that somebody has to fill in."""
    request = contact_points_pb2.CreateContactPointRequest(contact_point=Contact(display_name="x", **fields))

    assert set(wrong(lambda: service(daemon).CreateContactPoint(request))) == {field}
    assert listed(daemon) == []


def test_the_mask_is_not_saved_as_a_secret(daemon: RunningDaemon) -> None:
    """Who reads headers and writes them back without a mask is told, instead of losing their values."""
    made = make_contact(daemon, webhook=webhook(headers={"X-Key": "k3y"}))
    request = contact_points_pb2.UpdateContactPointRequest(contact_point=made)

    refused = wrong(lambda: service(daemon).UpdateContactPoint(request))

    assert refused == {
        "contact_point.webhook.headers": (
            "no value may be ****: that stands for one that cannot be read again; give all of them anew"
        )
    }
    assert get(daemon, made.name) == made


def test_the_courier_says_when_it_is_the_one_that_fails(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody looks for a mistake in the address."""
    courier = stand_in(daemon)
    monkeypatch.setattr(courier, "_look", lambda url: Outcome(False, "the courier cannot be started"))

    refused = wrong(lambda: make_contact(daemon, apprise={"url": "mailto://m.example"}))

    assert refused == {"contact_point.apprise.url": "the courier cannot be started"}
