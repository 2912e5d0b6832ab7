"""What a webhook sends, and what is made of whatever its receiver does."""

import re
import socket
import time
from email.utils import formatdate

import pytest
from receivers import LOOPBACK, SECRETS, Opens, Receiver, answers, deaf, drips, hangs, request, says, secretive, whole

from tocsind.courier import webhook


def test_a_request_is_what_was_ordered(opens: Opens) -> None:
    """Method, path, query, headers and body arrive as they were given; what is usual is added."""
    receiver = opens(answers("202 Accepted", b"thanks\nand bye"))

    outcome = webhook.send(request(receiver.url("/a b/ü?x=y z&é"), method="PUT", headers={"X-Team": "öps"}, body=b"{}"))

    assert (outcome.done, outcome.answer, outcome.retry_after) == (True, "HTTP 202: thanks", 0)
    received = receiver.received.get()
    assert received.line == "PUT /a%20b/%C3%BC?x=y%20z&%C3%A9 HTTP/1.1"
    assert received.body == b"{}"
    assert received.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": "2",
        "idempotency-key": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "user-agent": received.headers["user-agent"],
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "x-team": "öps",
    }
    assert re.fullmatch(r"Tocsin/\d+\.\d+\.\d+.*", received.headers["user-agent"])


def test_it_is_signed_as_standard_webhooks_has_it(opens: Opens) -> None:
    """The signature is that of the example in the specification's own libraries."""
    receiver = opens(answers())

    assert webhook.send(request(receiver.url(), secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).done

    signature = receiver.received.get().headers["webhook-signature"]
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_some_methods_have_no_body(opens: Opens, method: str) -> None:
    """Nor is what would describe it sent, and the signature is that of none."""
    receiver = opens(answers("204 No Content"))

    bare = request(receiver.url("/x"), method=method, body=None, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    outcome = webhook.send(bare)

    received = receiver.received.get()
    assert (outcome.done, outcome.answer) == (True, "HTTP 204")
    assert received.method == method
    assert received.body == b""
    assert not {"content-type", "content-length", "transfer-encoding"} & set(received.headers)
    assert received.headers["webhook-signature"] == webhook.signature(
        request("", body=b"", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    )


def test_given_headers_come_before_the_usual_ones_but_not_before_ours(opens: Opens) -> None:
    """User-Agent can be set; what tells a repeat, and what signs, cannot."""
    receiver = opens(answers())
    headers = {"Content-Type": "text/plain", "User-agent": "me", "Webhook-Id": "forged", "authorization": "Bearer x"}

    assert webhook.send(request(receiver.url().replace("://", "://u:p@"), headers=headers)).done

    received = receiver.received.get().headers
    assert (received["content-type"], received["user-agent"]) == ("text/plain", "me")
    assert received["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert received["authorization"] == "Bearer x"


def test_a_login_in_the_address_is_basic_authentication(opens: Opens) -> None:
    """It goes as a header, decoded, and is not in the request line."""
    receiver = opens(answers())

    assert webhook.send(request(receiver.url("/x").replace("://", "://ann:p%40ss@"))).done

    received = receiver.received.get()
    assert received.headers["authorization"] == "Basic YW5uOnBAc3M="
    assert received.target == "/x"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 410, 413, 429, 500, 502, 503, 504, 599])
def test_every_other_status_is_a_failure(opens: Opens, status: int) -> None:
    """The status and the first line that says something are shown, cut and printable."""
    body = b"\n\x1b[31m  no\tthanks \xff " + b"x" * 500 + b"\nnext"
    outcome = webhook.send(request(opens(answers(f"{status} Whatever", body)).url()))

    assert not outcome.done
    assert outcome.answer.startswith(f"HTTP {status}: [31m no thanks \ufffd xxx")
    assert len(outcome.answer) == len("HTTP 503: ") + 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(opens: Opens, status: int) -> None:
    """They fail, and it is said where to, without the query."""
    other = opens(answers())
    where = f"Location: {other.url('/new?token=abc')}"
    receiver = opens(answers(f"{status} Moved", headers=[where]))

    outcome = webhook.send(request(receiver.url()))

    assert not outcome.done
    assert outcome.answer == f"HTTP {status}: it redirects to {other.url('/new')}?****, which is not followed"
    assert other.received.empty()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("0", 0), ("-5", 0), ("soon", 0), ("99999999999", 86400), ("1.5", 0), ("Fri, 31 Dec 1999", 0)],
)
def test_who_asks_to_wait_is_heard(opens: Opens, said: str, seconds: float) -> None:
    """Retry-After in seconds, at most a day; what is none counts as none."""
    receiver = opens(answers("429 Slow", headers=[f"Retry-After: {said}"]))

    assert webhook.send(request(receiver.url())).retry_after == seconds


def test_who_asks_to_wait_until_then_is_heard(opens: Opens) -> None:
    """Retry-After as a date."""
    until = formatdate(time.time() + 300, usegmt=True)
    receiver = opens(answers("503 Busy", headers=[f"Retry-After: {until}"]))

    assert 200 < webhook.send(request(receiver.url())).retry_after <= 300


HEAD = b"HTTP/1.1 500 No\r\nContent-Length: 5000\r\n\r\n"


@pytest.mark.parametrize(
    "does",
    [deaf, hangs(), hangs(b"HTTP/1.1 2"), hangs(b"HTTP/1.1 200 OK\r\nX-A: "), drips(b"HTTP/1.1 200 OK\r\nX-A: " * 99)],
)
def test_who_does_not_answer_in_time_has_failed(opens: Opens, does: object) -> None:
    """Hanging before or in the midst of the headers, or dripping them, gains nothing."""
    outcome = webhook.send(request(opens(does).url(), timeout=0.4))

    assert (outcome.done, outcome.answer) == (False, "no answer within 0.4 s")


@pytest.mark.parametrize("does", [hangs(HEAD + b"so far\n"), drips(HEAD + b"so far\n" + b"x" * 500, 0.001)])
def test_what_comes_after_the_status_is_only_waited_for_in_passing(
    opens: Opens, does: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status decides; of a body that does not end, what came is shown."""
    monkeypatch.setattr(webhook, "PATIENCE", 0.3)

    outcome = webhook.send(request(opens(does).url(), timeout=600))

    assert (outcome.done, outcome.answer) == (False, "HTTP 500: so far")


def test_a_body_that_hangs_does_not_undo_a_delivery(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who said 200 has taken it: sending it again would wake somebody twice."""
    monkeypatch.setattr(webhook, "PATIENCE", 0.2)
    receiver = opens(hangs(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"))

    outcome = webhook.send(request(receiver.url(), timeout=600))

    assert (outcome.done, outcome.answer) == (True, "HTTP 200")


@pytest.mark.parametrize(
    ("does", "answer"),
    [
        (says(), "it closed the connection without an answer"),
        (says(reset=True), "connection reset by peer"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "its answer is not HTTP"),
        (says(b"HTTP/1.1 abc\r\n\r\n"), "its answer is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n"), "its answer is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"), "its answer is not HTTP"),
        (says(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nhalf"), "HTTP 500: half"),
        (says(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), "HTTP 500"),
        (says(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"), "HTTP 500: half"),
    ],
)
def test_who_breaks_off_or_talks_nonsense_has_failed(opens: Opens, does: object, answer: str) -> None:
    """It is said in words what was wrong."""
    outcome = webhook.send(request(opens(does).url()))

    assert not outcome.done
    assert outcome.answer.startswith(answer)


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 7\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "done", "answer"),
    [
        ([PROCESSING, whole(body=b"taken")], True, "HTTP 200: taken"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + PROCESSING * 3 + EARLY + whole("503 Busy", b"no")], False, "HTTP 503: no"),
        ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n", whole(body=b"taken")], False, "HTTP 101"),
        ([PROCESSING], False, "it closed the connection without an answer"),
    ],
)
def test_what_comes_before_the_answer_is_read_over(opens: Opens, parts: list[bytes], done: bool, answer: str) -> None:
    """A receiver, or a proxy, that says it is at work has neither taken the message nor refused it."""
    outcome = webhook.send(request(opens(says(*parts)).url()))

    assert (outcome.done, outcome.answer) == (done, answer)


def test_who_is_at_work_without_end_ends_with_the_deadline(opens: Opens) -> None:
    """Nothing that comes before the answer is more time for it."""
    outcome = webhook.send(request(opens(drips(PROCESSING * 99, 0.001)).url(), timeout=0.4))

    assert (outcome.done, outcome.answer) == (False, "no answer within 0.4 s")


def test_many_headers_do_not_undo_a_delivery(opens: Opens) -> None:
    """Hundreds of lines, as proxies in a row may add them, are an answer."""
    receiver = opens(says(whole(body=b"taken", headers=[f"X-{number}: y" for number in range(400)])))

    outcome = webhook.send(request(receiver.url()))

    assert (outcome.done, outcome.answer) == (True, "HTTP 200: taken")


def test_a_huge_answer_is_not_read(opens: Opens) -> None:
    """Of 10 MB only the beginning is."""
    outcome = webhook.send(request(opens(says(whole("500 No", b"y" * 10_000_000))).url()))

    assert outcome.answer == "HTTP 500: " + "y" * 198 + ".."


def test_a_receiver_that_reads_nothing_ends_with_the_deadline(opens: Opens) -> None:
    """A body that is not taken does not hang."""
    outcome = webhook.send(request(opens(deaf).url(), timeout=0.4, body=b"x" * 30_000_000))

    assert outcome.answer == "no answer within 0.4 s"


@pytest.mark.timeout(15)
def test_a_receiver_that_reads_slowly_ends_with_the_deadline(opens: Opens) -> None:
    """Each bit that it takes is no new time."""

    def sips(receiver: Receiver, connection: socket.socket) -> None:
        while connection.recv(300_000) and not receiver.closing.wait(0.1):
            pass

    outcome = webhook.send(request(opens(sips).url(), timeout=0.5, body=b"x" * 60_000_000))

    assert outcome.answer == "no answer within 0.5 s"


def test_ipv6(opens: Opens) -> None:
    """Addresses of IPv6 work, in brackets."""
    receiver = opens(answers(), host="::1")

    assert webhook.send(request(receiver.url("/x"))).done
    assert receiver.received.get().headers["host"] == f"[::1]:{receiver.port}"


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("ftp://127.0.0.1/x", "the address must begin with https:// or http:// and a host"),
        ("http://", "the address must begin with https:// or http:// and a host"),
        ("http://127.0.0.1:99999/", "the address is malformed"),
        ("http://[::1/", "the address is malformed"),
        ("http://a..b/", "its name cannot be resolved: "),
        ("http://" + "a" * 64 + "/", "its name cannot be resolved: "),
        ("http://nothing.invalid/", "its name cannot be resolved: "),
        ("http://127.0.0.1:1/", "connection refused"),
    ],
)
def test_bad_addresses_fail_in_words(url: str, answer: str) -> None:
    """Nothing raises."""
    outcome = webhook.send(request(url))

    assert not outcome.done
    assert outcome.answer.startswith(answer)


@pytest.mark.parametrize("header", [{"X-A": "b\r\nX-C: d"}, {"X A": "b"}, {"": "b"}, {"Content-Length": "3"}])
def test_headers_that_would_change_the_request_are_refused(opens: Opens, header: dict[str, str]) -> None:
    """Nothing is sent."""
    receiver = opens(answers())

    assert not webhook.send(request(receiver.url(), headers=header)).done
    assert receiver.received.empty()


@pytest.mark.parametrize(
    "kind", ["echo", "redirect", "refused", "hangs", "nonsense", "tls", "header", "secret", "name"]
)
def test_no_failure_tells_a_secret(opens: Opens, kind: str) -> None:
    """Receivers that repeat what they were sent, and every way to fail: nothing of login, path, query, headers or keys
    is in the answer."""

    def echoes(receiver: object, connection: object) -> None:
        received = receiver.read(connection)  # type: ignore[attr-defined]
        said = f"{received.line} {received.headers} {SECRETS}".replace("\n", " ").encode()
        connection.sendall(whole("500 No", said[at[0] : at[0] + 4000]))  # type: ignore[attr-defined]

    at = [0]
    does = {"redirect": answers("302 Found", headers=[f"Location: /{SECRETS[0]}/x?{SECRETS[3]}"]), "hangs": deaf}
    does["nonsense"] = says(f"{SECRETS}\r\n".encode())
    receiver = opens(does.get(kind, echoes))
    asked = secretive(receiver, timeout=0.4 if kind == "hangs" else 5.0)
    if kind == "refused":
        asked.networks = ["10.0.0.0/8"]
    elif kind == "tls":
        asked.url = asked.url.replace("http:", "https:")
    elif kind == "header":
        asked.headers["X-Bad"] = f"{SECRETS[6]}\r\nx: y"
    elif kind == "secret":
        asked.secret = "whsec_no base64 at all!"
    elif kind == "name":
        asked.url = f"http://tocsin:pa55%2Fw0rd%2B@{SECRETS[0]}.invalid/{SECRETS[0]}"
    # The whole of a long answer is looked through, wherever it would be cut.
    for at[0] in range(0, 900, 60) if kind == "echo" else [0]:
        outcome = webhook.send(asked)

        assert not outcome.done
        assert outcome.answer
        assert [secret for secret in SECRETS if secret.lower() in outcome.answer.lower()] == []
        assert "dG9jc2lu" not in outcome.answer


def test_without_permission_only_public_addresses_are_reached(opens: Opens) -> None:
    """Loopback is refused unless its network was allowed."""
    receiver = opens(answers())

    outcome = webhook.send(request(receiver.url(), networks=[]))

    assert not outcome.done
    assert "--webhook-network" in outcome.answer
    assert receiver.connections.empty()
    assert webhook.send(request(receiver.url(), networks=LOOPBACK[:1])).done
