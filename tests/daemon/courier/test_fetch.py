"""Calendars are fetched whole or not at all, and from nowhere forbidden."""

import pytest
from receivers import LOOPBACK, Does, Opens, Receiver, answers, drips, hangs, says, whole

from tocsind.courier import fetch
from tocsind.courier.wire import Fetch, Outcome

CALENDAR = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


def fetched(url: str, most: int = 1000, timeout: float = 5.0, networks: list[str] = LOOPBACK) -> Outcome:
    """What comes of fetching it."""
    return fetch.fetch(Fetch(url, most, timeout, networks))


@pytest.mark.parametrize(
    "does",
    [
        answers(body=CALENDAR),
        says(b"HTTP/1.0 200 OK\r\n\r\n" + CALENDAR),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + CALENDAR + b"\r\n0\r\n\r\n"),
        drips(whole(body=CALENDAR), 0.001),
    ],
)
def test_a_file_is_fetched(opens: Opens, does: Does) -> None:
    """However its length is told."""
    outcome = fetched(opens(does).url("/a.ics"))

    assert (outcome.done, outcome.body) == (True, CALENDAR)


def test_just_as_long_as_it_may_be(opens: Opens) -> None:
    """A byte more is too long."""
    receiver = opens(answers(body=b"x" * 1000))

    assert fetched(receiver.url(), most=1000).body == b"x" * 1000
    outcome = fetched(receiver.url(), most=999)
    assert (outcome.done, outcome.answer, outcome.body) == (False, "it is over 999 bytes long", b"")


@pytest.mark.parametrize(
    ("does", "answer"),
    [
        (answers("404 Not Found", b"no such calendar"), "HTTP 404: no such calendar"),
        (answers("204 No Content"), "HTTP 204"),
        (answers("304 Not Modified"), "HTTP 304"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"), "its answer broke off"),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), "its answer broke off"),
        (hangs(), "no answer within 1 s"),
        (hangs(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"), "no complete answer within 1 s"),
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b"x" * 999, 0.005), "no complete answer within 1 s"),
        (drips(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 99, 0.02), "no answer within 1 s"),
    ],
)
def test_what_is_not_whole_is_a_failure(opens: Opens, does: Does, answer: str) -> None:
    """It is said why, and nothing of it is used."""
    outcome = fetched(opens(does).url(), timeout=1)

    assert (outcome.done, outcome.body) == (False, b"")
    assert outcome.answer == answer


def test_redirects_are_followed_each_within_the_rules(opens: Opens) -> None:
    """Calendars are moved; relative or not."""
    last = opens(answers(body=CALENDAR))
    second = opens(answers("302 Found", headers=[f"Location: {last.url('/c')}"]))
    first = opens(answers("301 Moved", headers=[f"Location: //127.0.0.1:{second.port}/b"]))

    assert fetched(first.url("/a")).body == CALENDAR
    assert (second.received.get().target, last.received.get().target) == ("/b", "/c")


def test_a_redirect_to_a_forbidden_address_is_refused(opens: Opens) -> None:
    """The second address is checked as the first."""
    inside = opens(answers(body=CALENDAR), host="127.0.0.2")
    first = opens(answers("302 Found", headers=[f"Location: {inside.url()}"]))

    outcome = fetched(first.url(), networks=["127.0.0.1/32"])

    assert "not public" in outcome.answer
    assert inside.connections.empty()


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://x/", "gopher://x", "http://[", ""])
def test_redirects_lead_nowhere_else(opens: Opens, where: str) -> None:
    """Only to HTTP."""
    outcome = fetched(opens(answers("302 Found", headers=[f"Location: {where}"])).url())

    assert (outcome.done, outcome.body) == (False, b"")
    assert outcome.answer


def test_redirects_end(opens: Opens) -> None:
    """One that leads to itself is given up."""

    def around(receiver: Receiver, connection: object) -> None:
        receiver.read(connection)  # type: ignore[arg-type]
        connection.sendall(whole("307 Again", headers=[f"Location: {receiver.url('/again')}"]))  # type: ignore[attr-defined]

    receiver = opens(around)

    assert fetched(receiver.url()).answer == "it redirects more than 5 times"
    assert receiver.received.qsize() == 6


def test_a_login_does_not_go_elsewhere(opens: Opens) -> None:
    """It is for the host that it was given for."""
    other = opens(answers(body=CALENDAR))
    first = opens(answers("302 Found", headers=[f"Location: {other.url()}"]))

    assert fetched(first.url().replace("://", "://ann:pw@")).done
    assert first.received.get().headers["authorization"] == "Basic YW5uOnB3"
    assert "authorization" not in other.received.get().headers


def test_no_failure_tells_a_secret(opens: Opens) -> None:
    """Addresses of calendars are secrets; also those that a redirect led to."""

    def echoes(receiver: Receiver, connection: object) -> None:
        received = receiver.read(connection)  # type: ignore[arg-type]
        connection.sendall(whole("403 No", received.line.encode()))  # type: ignore[attr-defined]

    second = opens(echoes)
    first = opens(answers("302 Found", headers=[f"Location: {second.url('/s3condSecret/x?t=th1rdSecret')}"]))

    assert fetched(first.url("/private-f1rst/basic.ics")).answer == "HTTP 403: GET /**** HTTP/1.1"
    assert fetched(second.url("/private-f1rst/basic.ics")).answer == "HTTP 403: GET /**** HTTP/1.1"
