"""What the settings of a contact point may be."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from fake_clock import SECOND

from tocsind.domain.contact_point import (
    MAX_PEM,
    Apprise,
    CalendarSource,
    ContactPoint,
    Method,
    OnCall,
    Settings,
    Webhook,
    calendar_url,
    changed,
    violations,
)

HOOK = Webhook("https://hooks.example/x")
MAIL = Apprise("mailto://tocsin:pass@mail.example")
DUTY = OnCall(CalendarSource(file="duty.ics"))


def contact(settings: Settings = MAIL, **fields: Any) -> ContactPoint:
    """A contact point that is good but for these."""
    return replace(ContactPoint(1, "a", "Anna", "", (), settings), **fields)


def signing(size: int) -> str:
    """A signing secret of so many bytes."""
    return "whsec_" + base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize(
    "good",
    [
        contact(),
        contact(display_name="Ä" * 150, description="d" * 2_000, aliases=tuple(f"a{n}" for n in range(20))),
        contact(title_template="t", body_template="b" * 50_000, bundle_window=60 * SECOND),
        contact(HOOK, body_template="b"),
        contact(replace(HOOK, method=Method.GET)),
        contact(replace(HOOK, headers={"X-Key": "k", "Authorization": "Bearer b", "Content-Type": "a/b; c=d"})),
        contact(replace(HOOK, headers={f"X-{n}": "" for n in range(20)})),
        contact(replace(HOOK, signing_secret=signing(16), timeout=SECOND)),
        contact(replace(HOOK, signing_secret=signing(64), timeout=60 * SECOND)),
        contact(replace(HOOK, client_certificate="c", client_key="k")),
        contact(replace(HOOK, url="https://user:pass@hooks.example/", headers={"X-Key": "x"})),
        contact(replace(HOOK, url="http://[fd00::1]:8080/?a=%20#b")),
        contact(DUTY),
        contact(OnCall(CalendarSource(file="ä ~$(b).ics"))),
        contact(OnCall(CalendarSource(file="x" * 200))),
        contact(OnCall(CalendarSource("https://user:pass@calendars.example/duty.ics"), CalendarSource())),
    ],
)
def test_what_is_good_is_taken(good: ContactPoint) -> None:
    """The limits included."""
    assert list(violations(good)) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (contact(display_name=""), "display_name"),
        (contact(display_name="n" * 151), "display_name"),
        (contact(display_name=" Anna"), "display_name"),
        (contact(display_name="An\nna"), "display_name"),
        (contact(description="d" * 2_001), "description"),
        (contact(aliases=tuple(f"a{n}" for n in range(21))), "aliases"),
        (contact(aliases=("",)), "aliases"),
        (contact(aliases=("a" * 151,)), "aliases"),
        (contact(aliases=("Anna", "ANNA")), "aliases"),
        (contact(aliases=("Straße", "STRASSE")), "aliases"),
        (contact(title_template="t" * 50_001), "title_template"),
        (contact(body_template="t" * 50_001), "body_template"),
        (contact(bundle_window=60 * SECOND + 1), "bundle_window"),
        (contact(HOOK, title_template="t"), "title_template"),
        (contact(HOOK, bundle_window=1), "bundle_window"),
        (contact(DUTY, title_template="t"), "title_template"),
        (contact(DUTY, body_template="b"), "body_template"),
        (contact(DUTY, bundle_window=1), "bundle_window"),
        (contact(replace(HOOK, method=Method.GET), body_template="b"), "body_template"),
        (contact(replace(HOOK, method=Method.DELETE), body_template="b"), "body_template"),
        (contact(replace(HOOK, url="")), "webhook.url"),
        (contact(replace(HOOK, url="ftp://hooks.example/")), "webhook.url"),
        (contact(replace(HOOK, url="https://hooks.example/" + "x" * 4_000)), "webhook.url"),
        (
            contact(replace(HOOK, url="https://user:pass@hooks.example/", headers={"authorization": "x"})),
            "webhook.headers",
        ),
        (contact(replace(HOOK, url="https://hooks.example/****")), "webhook.url"),
        (contact(replace(HOOK, headers={f"X-{n}": "" for n in range(21)})), "webhook.headers"),
        (contact(replace(HOOK, headers={"": "x"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X Y": "x"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X:": "x"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X-Ä": "x"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"x-a": "x", "X-A": "x"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X": "a\r\nB: c"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X": "a\x00"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X": "ü"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X": " x"})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X": "x" * 4_097})), "webhook.headers"),
        (contact(replace(HOOK, headers={"X": "****"})), "webhook.headers"),
        *[
            (contact(replace(HOOK, headers={name: "x"})), "webhook.headers")
            for name in ("Host", "content-length", "Transfer-Encoding", "Webhook-Id", "webhook-x", "Idempotency-Key")
        ],
        (contact(replace(HOOK, signing_secret=signing(15))), "webhook.signing_secret"),
        (contact(replace(HOOK, signing_secret=signing(65))), "webhook.signing_secret"),
        (contact(replace(HOOK, signing_secret=signing(16)[6:])), "webhook.signing_secret"),
        (contact(replace(HOOK, signing_secret="whsec_not base64, not at all")), "webhook.signing_secret"),
        (contact(replace(HOOK, signing_secret="whsec_ü")), "webhook.signing_secret"),
        (contact(replace(HOOK, timeout=SECOND - 1)), "webhook.timeout"),
        (contact(replace(HOOK, timeout=60 * SECOND + 1)), "webhook.timeout"),
        (contact(replace(HOOK, client_certificate="c")), "webhook.client_key"),
        (contact(replace(HOOK, client_key="k")), "webhook.client_certificate"),
        (contact(replace(HOOK, ca_certificates="c" * (MAX_PEM + 1))), "webhook.ca_certificates"),
        (contact(Apprise("")), "apprise.url"),
        (contact(Apprise("mailto://a\nb")), "apprise.url"),
        (contact(Apprise("mailto://" + "a" * 4_000)), "apprise.url"),
        (contact(Apprise("mailto://tocsin:****@mail.example")), "apprise.url"),
        *[
            (contact(OnCall(CalendarSource(url))), "on_call.schedule.url")
            for url in ("file:///etc/passwd", "ftp://a/b", "http://", "//a", "https:// a", "webcal://a/b")
        ],
        (contact(OnCall(CalendarSource("https://calendars.example/****"))), "on_call.schedule.url"),
        *[
            (contact(OnCall(CalendarSource(file=name))), "on_call.schedule.file")
            for name in ("../tocsin.db", "/a", "a\\b", "..", ".", ".hidden", "a\nb", "a\0b", "\xa0a", "x" * 201)
        ],
        (contact(OnCall(CalendarSource(), CalendarSource(file="a/b"))), "on_call.overrides.file"),
    ],
)
def test_what_is_not_is_refused_where_it_stands(wrong: ContactPoint, field: str) -> None:
    """By its field, which somebody can find."""
    assert {path for path, _ in violations(wrong)} == {f"contact_point.{field}"}


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("webcal://ann:pw@c.example:8443/a.ics?webcal://", "https://ann:pw@c.example:8443/a.ics?webcal://"),
        ("WebCals://c.example/a.ics", "https://c.example/a.ics"),
        ("http://c.example/webcal://", "http://c.example/webcal://"),
        (" webcal://c.example/", " webcal://c.example/"),
        ("", ""),
    ],
)
def test_a_link_to_subscribe_to_a_calendar_is_an_address(link: str, address: str) -> None:
    """As programs hand them out; nothing else is changed."""
    assert calendar_url(link) == address


def test_no_refusal_tells_a_secret() -> None:
    """Whatever is wrong beside it, or with it."""
    hook = Webhook(
        "https://s3cret@hooks.example/****/s3cret",
        headers={"X": "s3cret", "Y": "s3cret\n", "host": "s3cret"},
        signing_secret="s3cret",
        client_key="s3cret",
        timeout=0,
    )
    texts = [str(list(violations(contact(settings)))) for settings in (hook, Apprise("x://s3cret\n"))]
    texts.append(str(list(violations(contact(OnCall(CalendarSource("x://s3cret")))))))

    assert [text for text in texts if "s3cret" in text or text == "[]"] == []


def test_each_change_has_an_etag_of_its_own() -> None:
    """Also where the clock stands, or goes back: whoever has read one state never overwrites another. It holds nothing
    that a password could be tried against."""
    first = contact(updated=1_000)
    etags = [first.etag]
    for now in (1_000, 1_000, 500):
        first = changed(first, first, now)
        etags.append(first.etag)

    assert len(set(etags)) == 4
    assert contact(replace(HOOK, url="https://a.example/"), updated=5).etag == contact(HOOK, updated=5).etag
