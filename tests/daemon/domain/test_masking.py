"""What is shown of addresses, and what is taken out of what others say of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.contact_point import Apprise, CalendarSource, OnCall, Webhook, secrets, target
from tocsind.domain.masking import MASK, masked, scrub, secrets_of, web_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/services/T1/B2/k3", "https://hooks.example/****"),
        ("https://hooks.example", "https://hooks.example"),
        ("https://hooks.example/", "https://hooks.example"),
        ("HTTPS://hooks.example:8443/?key=1", "https://hooks.example:8443/****"),
        ("http://hooks.example?key=1", "http://hooks.example/****"),
        ("http://hooks.example#key", "http://hooks.example/****"),
        ("https://user:pass@hooks.example/", "https://hooks.example"),
        ("https://a@b@hooks.example/x", "https://hooks.example/****"),
        ("http://[::1]:9000/x", "http://[::1]:9000/****"),
        ("no address at all", "****"),
        ("", "****"),
    ],
)
def test_of_an_address_the_host_is_shown(url: str, shown: str) -> None:
    """Nothing before it and nothing after it."""
    assert masked(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "https://",
        "https:///x",
        "//hooks.example/",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example:x/",
        "https://hooks example/",
        "https://hooks.example/a b",
        "https://hooks.example/\n",
        "https://hooks.example/ü",
        "https://[::1/",
        "https://hooks.example\\@evil.example/",
    ],
)
def test_what_is_no_address_is_none(url: str) -> None:
    """It could mean one thing to who checks it and another to who calls it."""
    assert web_address(url) is None


@pytest.mark.parametrize(
    ("url", "hidden", "left"),
    [
        ("https://hooks.example/services/T0001/B0002/wxyz", ["T0001", "B0002", "wxyz"], ["hooks.example"]),
        ("https://u5er:p4ss@hooks.example:80/a?token=k3y5", ["u5er", "p4ss", "k3y5"], ["hooks.example"]),
        ("https://hooks.example/a?k=p%40ss%2Fword", ["p%40ss%2Fword", "p@ss/word"], ["hooks.example"]),
        ("https://hooks.example:9443/k3y5", ["k3y5"], ["https://hooks.example:9443"]),
        ("mailto://anna:p4ss@mail.example?to=bob@there.example", ["anna", "p4ss"], ["mail.example", "there.example"]),
        ("mailto://mail.example:2525?pass=p4@ss.word&from=a@b.example", ["ss.word"], ["mail.example:2525"]),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", ["T1JJ3T3L2", "A1BRTD4JD"], []),
        ("sendgrid://SG.abC.deF:bob@mail.example/x", ["SG.abC.deF"], ["mail.example"]),
        ("ntfys://a-secret-topic", ["a-secret-topic"], []),
    ],
)
def test_what_others_say_loses_each_secret_part(url: str, hidden: list[str], left: list[str]) -> None:
    """An answer may repeat the address, or a piece of it; the host stays, so that it can be understood."""
    parts = list(secrets_of(url))
    for part in hidden:
        assert scrub(f"no such thing as {part}, sorry", parts) == f"no such thing as {MASK}, sorry"
    for part in left:
        assert scrub(f"{part} does not answer", parts) == f"{part} does not answer"
    assert scrub(f"GET {url} failed", parts) == f"GET {MASK} failed"


@given(st.text("abc"), st.lists(st.text("abc", max_size=6)))
def test_nothing_is_left_of_a_secret_that_can_be_hidden(text: str, hidden: list[str]) -> None:
    """Whatever they have in common."""
    cleaned = scrub(text, hidden)

    assert [secret for secret in hidden if len(secret) >= 4 and secret in cleaned] == []


def test_the_secrets_of_each_kind() -> None:
    """Addresses, keys and the values of headers, by themselves and after the word that says what they are."""
    hook = Webhook(
        "https://h.example/k3y5", headers={"A": "Bearer t0k3n"}, signing_secret="whsec_s1gn", client_key="PEM"
    )
    calendar = OnCall(CalendarSource("https://c.example/pr1v"), CalendarSource(file="o.ics"))

    assert {"https://h.example/k3y5", "k3y5", "Bearer t0k3n", "t0k3n", "whsec_s1gn", "s1gn", "PEM"} <= set(
        secrets(hook)
    )
    assert {"slack://t0k3n", "t0k3n"} <= set(secrets(Apprise("slack://t0k3n")))
    assert {"https://c.example/pr1v", "pr1v"} <= set(secrets(calendar))
    assert "" not in secrets(hook)
    assert "o.ics" not in secrets(calendar)
    assert target(calendar) == "https://c.example/****, overrides: calendars/o.ics"


def test_settings_do_not_tell_secrets_when_they_are_printed() -> None:
    """As in a traceback."""
    hook = Webhook("https://h.example/k3y5", headers={"A": "k3y5"}, signing_secret="k3y5", client_key="k3y5")
    calendar = OnCall(CalendarSource("https://c.example/k3y5"))

    assert "k3y5" not in f"{hook!r} {Apprise('slack://k3y5')!r} {calendar!r}"
