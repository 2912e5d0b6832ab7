"""Secrets are taken out of texts, however they are written."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsind.courier import scrub

ALPHABET = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"])


@given(st.text(ALPHABET, min_size=4, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_never_remains(secret: str, before: str, after: str) -> None:
    """Whatever it is, whatever is around it, and however it is encoded."""
    scrubber = scrub.Scrubber([secret])
    core = secret.strip("/")
    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], secret.upper()):
        if len(core) >= 4 and form.strip("/").lower() not in (before + after).lower() and form.casefold().isascii():
            assert form.strip("/").lower() not in scrubber.scrub(f"{before} {form} {after}").lower()


@pytest.mark.parametrize(
    "said",
    [
        r'{"key": "abc\/def+gh==i&j<k\"l"}',
        r'{"key": "abc/def+gh==i\u0026j\u003ck\u0022l"}',
        r'{"key": "abc/def\u002Bgh\u003D\u003Di\u0026j\u003Ck\"l"}',
        "{'key': 'abc/def+gh==i&j<k\"l'}",
        "{&quot;key&quot;: &quot;abc/def+gh==i&amp;j&lt;k&quot;l&quot;}",
        "{&#34;key&#34;: &#34;abc/def&#43;gh==i&amp;j&lt;k&#34;l&#34;}",
        "{'key': 'abc&#x2F;def+gh&#x3D;&#x3D;i&amp;j&lt;k&quot;l'}",
        "{'key': 'abc%2fdef+gh==i%26j%3ck%22l'}",
    ],
)
def test_what_receivers_echo_holds_no_secret(said: str) -> None:
    """PHP, Go, .NET and Python write JSON and HTML each in a way of their own."""
    scrubbed = scrub.Scrubber(scrub.of_headers([("Authorization", 'Bearer abc/def+gh==i&j<k"l')])).scrub(said)

    assert not {"abc", "def", "gh"} & set(re.split(r"\W+", scrubbed)), scrubbed


def test_short_ones_are_taken_out_as_words() -> None:
    """They would tear every word apart otherwise."""
    assert scrub.Scrubber(["ab", "x"]).scrub("table ab, (AB) abx x") == "table ****, (****) abx x"


def test_the_longest_is_taken_out_whole() -> None:
    """A secret within another leaves nothing of the other."""
    assert scrub.Scrubber(["abcd", "abcdefgh"]).scrub("1abcdefgh2") == "1****2"


@pytest.mark.parametrize("text", ["", "api", "v2", "hooks", "Webhooks", "alerts", "8080", "true"])
def test_what_everybody_has_in_an_address_remains(text: str) -> None:
    """An answer should still be understood."""
    assert scrub.is_harmless(text)
    assert scrub.Scrubber(scrub.of_url(f"https://hooks.example/{text}/")).scrub(f"no {text}") == f"no {text}"


@pytest.mark.parametrize("text", ["hunter", "T0k3n", "123456", "api-key", "secret"])
def test_what_may_be_a_secret_does_not(text: str) -> None:
    """In a path and in a query."""
    assert not scrub.is_harmless(text)
    for url in (f"https://h.example/api/{text}", f"https://h.example/?k={text}", f"https://h.example/?{text}"):
        assert scrub.Scrubber(scrub.of_url(url)).scrub(f"no ({text}) here") == "no (****) here"


def test_the_host_remains() -> None:
    """It says who failed."""
    url = "https://ann:pw99@hooks.example:8443/t0ken?k=v4lue#fr4g"
    said = scrub.Scrubber(scrub.of_url(url)).scrub("hooks.example:8443 t0ken v4lue fr4g pw99 ann YW5uOnB3OTk=")

    assert said == "hooks.example:8443 **** **** **** **** **** ****"


def test_headers_are_secret_but_for_what_says_nothing() -> None:
    """Their values whole and in words, and the login in basic authentication."""
    login = base64.b64encode(b"ann:pw99").decode()
    headers = [("Authorization", f"Basic {login}"), ("X-Keys", 'one1, "two2"'), ("Content-Type", "text/plain")]
    said = scrub.Scrubber(scrub.of_headers(headers)).scrub(f"Basic {login} pw99 one1 two2 text/plain")

    assert said == "**** **** **** **** text/plain"


def test_a_line_is_one_printable_line() -> None:
    """The first that says something, cut."""
    line = scrub.Scrubber(["s3cret"]).line

    assert line("\r\n \x00\n <b>it\tis s3cret\x1b</b> \nmore") == "<b>it is **** </b>"
    assert line("x" * 300, 10) == "xxxxxxxx.."
    assert line(" \n\x00") == ""
