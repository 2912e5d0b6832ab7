"""What the gateway answers: every row of the table, by a real process and a real gRPC server."""

import base64
import contextlib
import json
import select
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from gateway_harness import HEARTBEAT, NOTIFY, SECRET, FakeDaemon, Gateway, Receipt, capture, parse_answer

from tocsin.v1 import intake_pb2

BODY = capture("firing_partly_resolved_one_of_three")
RESOLVED = capture("resolved_full_b_absent")
LIMIT = 32 * 1024 * 1024


@pytest.mark.parametrize("path", [NOTIFY, NOTIFY.rstrip("/"), NOTIFY + "?x=1&y=%20z"])
def test_a_notification_is_delivered(gateway: Gateway, daemon: FakeDaemon, path: str) -> None:
    """A notification is answered 200 once the daemon has applied it, with or without the last slash."""
    answer = gateway.ask("POST", path, BODY)
    assert (answer.status, answer.text) == (200, "ok\n")
    assert answer.headers["content-type"].startswith("text/plain")
    (delivery,) = daemon.deliveries
    assert (delivery.integration_type, delivery.credential, delivery.bearer_token) == ("alertmanager", SECRET, "")
    assert len(delivery.notification.alerts) == 3
    assert 0 <= delivery.age_micros < 5_000_000
    assert 0 < delivery.time_left_micros <= 5_000_000


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Receipt.APPLIED, 200),
        (Receipt.UNCHANGED, 200),
        (Receipt.LATE, 200),
        (Receipt.NOTHING_KNOWN, 200),
        (Receipt.CREDENTIAL_UNKNOWN, 404),
        (Receipt.CREDENTIAL_REFUSED, 401),
        (Receipt.WRONG_TYPE, 400),
        (Receipt.EXPIRED, 503),
        (Receipt.FAILED, 503),
        (Receipt.RATE_LIMITED, 503),
        (Receipt.CREDENTIAL_ACCEPTED, 503),
        (Receipt.OUTCOME_UNSPECIFIED, 503),
        (99, 503),
    ],
)
def test_each_receipt_has_its_answer(gateway: Gateway, daemon: FakeDaemon, outcome: int, status: int) -> None:
    """Every outcome that the daemon can report, even an unknown one, has its status; and 503 says when to come back."""
    daemon.judge = lambda _: intake_pb2.Receipt(outcome=outcome, integration_type="webhook")  # type: ignore[arg-type]
    answer = gateway.ask("POST", NOTIFY, BODY)
    assert answer.status == status
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert answer.text.count("\n") == 1
    assert SECRET not in answer.text


@pytest.mark.parametrize(("method", "path"), [("POST", NOTIFY), ("GET", HEARTBEAT)])
def test_too_much_is_answered_503_and_says_which_limit(
    gateway: Gateway, daemon: FakeDaemon, method: str, path: str
) -> None:
    """And when to come again, as the daemon says it: never a 429, after which Alertmanager gives up."""
    daemon.judge = lambda _: Receipt(outcome=Receipt.RATE_LIMITED, retry_after_seconds=217)
    answer = gateway.ask(method, path, BODY if method == "POST" else None)
    assert (answer.status, answer.headers["retry-after"]) == (503, "217")
    assert ("rate limit of notifications" in answer.text) == (method == "POST")
    assert ("rate limit of this integration's heartbeats" in answer.text) == (method == "GET")


def test_an_unknown_token_is_not_remembered(gateway: Gateway, daemon: FakeDaemon) -> None:
    """A token that the daemon has just called unknown is asked about again: it may exist by now."""
    path = NOTIFY.replace(SECRET, "new")
    assert gateway.ask("POST", path, BODY).status == 404
    daemon.judge = lambda _: Receipt(outcome=Receipt.APPLIED)
    assert gateway.ask("POST", path, BODY).status == 200
    daemon.judge = daemon.know_the_secret
    assert gateway.ask("POST", path, BODY).status == 404


def test_a_token_of_another_type_names_both(gateway: Gateway, daemon: FakeDaemon) -> None:
    """A URL of the wrong type is refused by naming both types; its body is not looked at."""
    answer = gateway.ask("POST", NOTIFY.replace("alertmanager", "webhook"), b"not JSON")
    assert answer.status == 400
    assert "alertmanager" in answer.text
    assert "webhook" in answer.text
    assert daemon.deliveries[0].WhichOneof("content") is None
    unknown = gateway.ask("POST", "/integrations/v1/webhook/nobody/", b"not JSON")
    assert unknown.status == 404


def test_a_type_that_only_the_daemon_knows_is_no_success(gateway: Gateway, daemon: FakeDaemon) -> None:
    """If the daemon accepts a type that this gateway cannot read, the sender hears that nothing was taken."""
    daemon.judge = lambda _: Receipt(outcome=Receipt.CREDENTIAL_ACCEPTED)
    assert gateway.ask("POST", NOTIFY.replace("alertmanager", "newer"), BODY).status == 400


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_bearer_token_is_passed_on(gateway: Gateway, daemon: FakeDaemon, scheme: str) -> None:
    """The path's credential and the Bearer token reach the daemon side by side, for notifications and beats."""
    headers = {"Authorization": f"{scheme} {SECRET}"}
    gateway.ask("POST", "/integrations/v1/alertmanager/42/", BODY, headers)
    gateway.ask("GET", "/integrations/v1/alertmanager/42/heartbeat/", headers=headers)
    assert [(d.credential, d.bearer_token) for d in daemon.deliveries] == [("42", SECRET)] * 2


def test_basic_credentials_are_no_bearer_token(gateway: Gateway, daemon: FakeDaemon) -> None:
    """Other kinds of credentials are not taken for a Bearer token."""
    basic = base64.b64encode(b"user:password").decode()
    gateway.ask("POST", NOTIFY, BODY, {"Authorization": f"Basic {basic}"})
    assert daemon.deliveries[0].bearer_token == ""


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", [NOTIFY, NOTIFY.rstrip("/")])
def test_a_notification_is_sent_by_post(gateway: Gateway, daemon: FakeDaemon, method: str, path: str) -> None:
    """Any other method on the notification URL gets 405 with a word about its use, and the daemon is not asked."""
    answer = gateway.ask(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert method == "HEAD" or "Alertmanager" in answer.text
    assert daemon.calls == []


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_beat_is_sent_by_get_or_post(gateway: Gateway, daemon: FakeDaemon, method: str) -> None:
    """Any other method on the heartbeat URL, HEAD above all, gets 405 and is no beat."""
    answer = gateway.ask(method, HEARTBEAT)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    assert daemon.calls == []


@pytest.mark.parametrize("path", [HEARTBEAT, HEARTBEAT.rstrip("/")])
@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("GET", None),
        ("GET", RESOLVED),
        ("POST", None),
        ("POST", b""),
        ("POST", b"garbage \xff"),
        ("POST", b'{"status":"ok"}'),
        ("POST", b"[" * 100_000),
        ("POST", capture("prometheus_real_heartbeat_vector1_first")),
    ],
)
def test_beats(gateway: Gateway, daemon: FakeDaemon, path: str, method: str, body: bytes | None) -> None:
    """A GET, and a POST with whatever body, counts as one beat."""
    assert gateway.ask(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"}).status == 200
    assert [delivery.WhichOneof("content") for delivery in daemon.deliveries] == ["beat"]


def test_resolved_is_no_beat(gateway: Gateway, daemon: FakeDaemon) -> None:
    """A resolved notification on the heartbeat URL is answered 200 but is no beat; an unknown token still gets 404."""
    assert gateway.ask("POST", HEARTBEAT, RESOLVED).status == 200
    assert gateway.ask("POST", HEARTBEAT.replace(SECRET, "nobody"), RESOLVED).status == 404
    assert [delivery.WhichOneof("content") for delivery in daemon.deliveries] == [None, None]


def test_a_beat_is_as_old_as_its_first_bytes(gateway: Gateway, daemon: FakeDaemon) -> None:
    """The age of a beat counts from its first bytes, not from the end of its body."""
    with gateway.connect() as connection:
        connection.sendall(f"POST {HEARTBEAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na".encode())
        # It answers what was sent later, so it has seen the head.
        assert gateway.ask("GET", "/-/healthy").status == 200
        seen_at = time.monotonic()
        for _ in range(20):
            gateway.ask("GET", "/-/healthy")
        waited = time.monotonic() - seen_at
        connection.sendall(b"b")
        assert parse_answer(connection.recv(4096)).status == 200
    assert daemon.deliveries[0].age_micros >= waited * 1e6 - 1


@pytest.mark.parametrize(
    ("body", "word"),
    [(b"", "JSON"), (b"{}", "status"), (b"[]", "object"), (b'{"x":' + b"[" * 300_000, "nested"), (b"\xff", "JSON")],
)
def test_a_bad_body_is_refused_without_the_daemon(gateway: Gateway, daemon: FakeDaemon, body: bytes, word: str) -> None:
    """A body that is no notification gets 400 with the reason, and the daemon is not asked."""
    answer = gateway.ask("POST", NOTIFY, body)
    assert answer.status == 400
    assert word in answer.text
    assert daemon.calls == []


@pytest.mark.parametrize("path", ["/", "/x", "/integrations/v1/", NOTIFY + "heartbeat/more", "//", "/-/", "/%00"])
def test_elsewhere_is_nothing(gateway: Gateway, daemon: FakeDaemon, path: str) -> None:
    """Any other URL gets 404 in one line, by any method."""
    for method in ("GET", "POST"):
        answer = gateway.ask(method, path, b"")
        assert answer.status == 404
        assert answer.text.count("\n") == 1


def test_never_a_redirect(gateway: Gateway, daemon: FakeDaemon) -> None:
    """No spelling of a URL is answered by a redirect, which Alertmanager would follow with a GET."""
    for path in (NOTIFY, NOTIFY.rstrip("/"), NOTIFY + "/", "/" + NOTIFY, HEARTBEAT.rstrip("/"), HEARTBEAT + "/"):
        for method in ("GET", "POST", "HEAD"):
            assert not 300 <= gateway.ask(method, path, b"").status < 400


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", [NOTIFY, HEARTBEAT])
def test_a_large_body_gets_its_answer(gateway: Gateway, daemon: FakeDaemon, chunked: bool, path: str) -> None:
    """A sender of 40 MiB that reads only after sending all of it sees the 413, not a reset connection."""
    body = b" " * (40 * 1024 * 1024)
    with gateway.connect() as connection:
        if chunked:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for start in range(0, len(body), 1 << 20):
                connection.sendall(b"100000\r\n" + body[start : start + (1 << 20)] + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            connection.sendall(body)
        answer = parse_answer(connection.recv(65536))
    assert answer.status == 413
    assert str(LIMIT) in answer.text
    assert daemon.calls == []


def test_a_declared_large_body_is_refused_before_it_is_sent(gateway: Gateway, daemon: FakeDaemon) -> None:
    """A Content-Length over the limit is enough for a 413: not one byte of the body is waited for."""
    with gateway.connect() as connection:
        connection.sendall(f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode())
        assert parse_answer(connection.recv(65536)).status == 413


def test_a_body_at_the_limit_is_taken(gateway: Gateway, daemon: FakeDaemon) -> None:
    """A body of exactly the limit is taken, in chunks or not, and reaches the daemon in one message."""
    body = BODY.rstrip() + b" " * (LIMIT - len(BODY.rstrip()))
    assert gateway.ask("POST", NOTIFY, body).status == 200
    with gateway.connect() as connection:
        connection.sendall(f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(f"{LIMIT:x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        assert parse_answer(connection.recv(65536)).status == 200
    assert [len(delivery.notification.alerts) for delivery in daemon.deliveries] == [3, 3]


def test_four_thousand_alerts(gateway: Gateway, daemon: FakeDaemon) -> None:
    """A group of 4,000 alerts, beyond gRPC's default limit of 4 MiB, arrives whole."""
    sent = json.loads(BODY)
    first = sent["alerts"][0]
    first["annotations"]["long"] = "x" * 1200
    sent["alerts"] = [first | {"labels": {"i": str(i)}, "fingerprint": f"{i:016x}"} for i in range(4000)]
    body = json.dumps(sent).encode()
    assert len(body) > 5_000_000
    assert gateway.ask("POST", NOTIFY, body).status == 200
    assert len(daemon.deliveries[0].notification.alerts) == 4000


def test_slow_senders_hold_up_nobody(gateway: Gateway, daemon: FakeDaemon) -> None:
    """While others have sent but half of their head or body, a whole request is answered; and then so are they."""
    head = f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    slow = [gateway.connect() for _ in range(50)]
    for i, connection in enumerate(slow):
        connection.sendall(head[:20] if i % 2 else head + BODY[:100])
    assert gateway.ask("POST", NOTIFY, BODY).status == 200
    for i, connection in enumerate(slow):
        connection.sendall(head[20:] + BODY if i % 2 else BODY[100:])
        assert parse_answer(connection.recv(4096)).status == 200
        connection.close()
    assert len(daemon.deliveries) == 51


def test_large_bodies_share_the_memory(own_daemon: FakeDaemon, own_gateway: Gateway) -> None:
    """It takes no token to send much: what is over the bound of all is told to come again. Small notifications go on
    meanwhile, large ones that were taken are answered, and none takes room any more after that."""
    own_daemon.start()
    path = NOTIFY.replace(SECRET, "made-up")
    for _ in range(10):
        assert own_gateway.ask("POST", path, b"x" * LIMIT).status == 400
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT}\r\n\r\n".encode()
    with contextlib.ExitStack() as opened:
        senders = [opened.enter_context(own_gateway.connect()) for _ in range(10)]
        for sender in senders:
            sender.sendall(head + b"x" * (LIMIT - 1))
        refused, _, _ = select.select(senders, [], [], 15)

        assert own_gateway.ask("POST", NOTIFY, BODY).status == 200

        for sender in senders:
            if sender not in refused:
                sender.sendall(b"x")
        answers = [parse_answer(sender.recv(65536)) for sender in senders]
        assert {(answer.status, answer.headers.get("retry-after")) for answer in answers} == {(400, None), (503, "1")}
        assert {answer.text for answer in answers if answer.status == 503} == {
            "too much is arriving at once: try again\n"
        }


def test_a_sender_that_goes_away_harms_nobody(gateway: Gateway, daemon: FakeDaemon) -> None:
    """Senders that break off, in mid-body or while they wait, leave the others of the same batch alone."""
    daemon.go_on.clear()
    head = f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(gateway.ask, "POST", NOTIFY, BODY)
        daemon.wait_for(lambda: len(daemon.calls) == 1)
        gone = [gateway.connect() for _ in range(8)]
        for i, connection in enumerate(gone):
            connection.sendall(head + (BODY if i % 2 else BODY[:50]))
        others = [pool.submit(gateway.ask, "POST", NOTIFY, BODY) for _ in range(8)]
        for connection in gone:
            connection.close()
        daemon.go_on.set()
        assert [other.result().status for other in [first, *others]] == [200] * 9


def test_a_connection_is_used_again(gateway: Gateway, daemon: FakeDaemon) -> None:
    """Many requests, good and bad, can be made on one connection."""
    with gateway.connect() as connection:
        for body, status in ((BODY, 200), (b"{}", 400), (BODY, 200)):
            head = f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert parse_answer(connection.recv(4096)).status == status


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 1),
        (grpc.StatusCode.INTERNAL, 1),
        (grpc.StatusCode.PERMISSION_DENIED, 1),
        (grpc.StatusCode.UNIMPLEMENTED, 1),
    ],
)
def test_a_failed_call_is_503(gateway: Gateway, daemon: FakeDaemon, code: grpc.StatusCode, calls: int) -> None:
    """Whatever error the daemon answers with, the sender is told to try again."""
    daemon.failures = [code]
    answer = gateway.ask("POST", NOTIFY, BODY)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert len(daemon.calls) == calls


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED])
def test_what_may_pass_is_tried_again(gateway: Gateway, daemon: FakeDaemon, code: grpc.StatusCode) -> None:
    """UNAVAILABLE and its like are repeated within the sender's deadline, with ages that go on counting."""
    daemon.failures = [code] * 3
    assert gateway.ask("POST", NOTIFY, BODY).status == 200
    ages = [delivery.age_micros for delivery in daemon.deliveries]
    assert len(ages) == 4
    assert ages == sorted(set(ages))


def test_what_arrives_together_travels_together(gateway: Gateway, daemon: FakeDaemon) -> None:
    """While one call is in flight, what arrives is gathered for the next, oldest first; each gets its own answer."""
    daemon.go_on.clear()
    before = gateway.metric("tocsin_gateway_batch_size_count")
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(gateway.ask, "POST", NOTIFY, BODY)
        daemon.wait_for(lambda: len(daemon.calls) == 1)
        paths = [NOTIFY if i % 2 else NOTIFY.replace(SECRET, f"nobody{i}") for i in range(20)]
        rest = [pool.submit(gateway.ask, "POST", path, BODY) for path in paths]
        while gateway.metric("tocsin_gateway_pending") < 21:
            pass
        daemon.go_on.set()
        assert first.result().status == 200
        assert [answer.result().status for answer in rest] == [200 if i % 2 else 404 for i in range(20)]
    assert len(daemon.deliveries) == 21
    assert len(daemon.calls) < 21
    ages = [delivery.age_micros for delivery in daemon.calls[-1]]
    assert ages == sorted(ages, reverse=True)
    assert gateway.metric("tocsin_gateway_batch_size_count") - before == len(daemon.calls)
    assert gateway.metric("tocsin_gateway_pending") == 0


@pytest.mark.parametrize(
    "request_text",
    [
        f"GET {NOTIFY} HTTP/9.9\r\n\r\n",
        f"NONSENSE {NOTIFY}\r\n\r\n",
        f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"GET {NOTIFY}{'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET {NOTIFY} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
    ],
)
def test_broken_http_is_refused(gateway: Gateway, daemon: FakeDaemon, request_text: str) -> None:
    """What is not proper HTTP is answered with a 4xx or a 501 and never logged with its URL."""
    with gateway.connect() as connection:
        connection.sendall(request_text.encode())
        assert 400 <= parse_answer(connection.recv(65536)).status < 502
    assert gateway.ask("GET", "/-/healthy").status == 200
