"""Hostile and broken senders, and one that behaves beside them, which must not notice."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from processes import until
from senders import notification
from stacks import Stack, running_stack

from tocsin.v1.integrations_pb2 import Integration

MIB = 1024 * 1024
MOST_MEMORY = 600 * MIB
"""What the gateway may have used at its worst: some of the largest bodies at once, each a few times over."""

FINE = json.loads(notification("fine"))
ALERT = FINE["alerts"][0]


@pytest.fixture(scope="module")
def target() -> Iterator[Stack]:
    """The stack that has to bear it all."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def integration(target: Stack) -> Integration:
    """Where the hostile send to."""
    return target.client.create("hostile")


@pytest.fixture(autouse=True)
def _neighbour(target: Stack, request: pytest.FixtureRequest) -> Iterator[None]:
    """A sender that behaves, all through the test: each of its notifications is answered 200 and stored."""
    integration = target.client.create(f"neighbour of {request.node.name}"[:150])
    over = threading.Event()
    statuses: list[int] = []

    def send() -> None:
        sender = target.sender()
        while True:
            statuses.append(sender.post(integration.url, notification(f"key {len(statuses)}")))
            if over.wait(0.01):
                break
        sender.close()

    logs_before = len(target.gateway.log), len(target.daemon.log)
    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join()
    assert set(statuses) == {200}
    assert len(target.client.groups(integration)) == len(statuses)
    assert target.daemon.running
    assert target.gateway.running
    assert len(target.gateway.children()) == 1
    if request.node.get_closest_marker("xfail") is None:
        assert "Traceback" not in target.gateway.log[logs_before[0] :]
    assert "Traceback" not in target.daemon.log[logs_before[1] :]


def changed(**fields: Any) -> bytes:
    """A notification with other fields."""
    return json.dumps(FINE | fields).encode()


def changed_alert(**fields: Any) -> bytes:
    """A notification with another alert."""
    return json.dumps(FINE | {"alerts": [ALERT | fields]}).encode()


WRONG_TYPES = [None, True, 1, -1, 1.5, "x", [], [1], {}, {"x": 1}, [[]], [None]]
WRONG = {
    "nothing": b"",
    "a word": b"hello",
    "half": notification("half")[:-1],
    "two": notification("one") + notification("two"),
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "no UTF-8": notification("k").replace(b"load of", b"\xff\xfe"),
    "UTF-16": notification("k").decode().encode("utf-16"),
    "zeros": bytes(10_000),
    "a zero byte in a string": notification("k").replace(b"load of", b"\0"),
    "brackets": b"[" * 100_000,
    "closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "braces": b'{"alerts":' * 100_000,
    "a deep label": changed(commonLabels="X").replace(b'"X"', b"[" * 100_000 + b"]" * 100_000),
    "a deep unknown field": changed(unknown="X").replace(b'"X"', b"[" * 100_000 + b"]" * 100_000),
    "a huge number": changed(truncatedAlerts=10**4000),
    "a huge exponent": changed(truncatedAlerts=0).replace(b'"truncatedAlerts": 0', b'"truncatedAlerts": 1e999999'),
    "a large number": changed(truncatedAlerts=2**63),
    "a lone surrogate": changed_alert(labels={"alertname": "\ud800"}),
    "a lone surrogate in the key": changed(groupKey="\udfff"),
    "no such time": changed_alert(startsAt="2026-02-30T25:61:61Z"),
    "no such zone": changed_alert(startsAt="2026-02-03T00:00:00+99:99"),
    "a long fingerprint": changed_alert(fingerprint="f" * 100_000),
    "no alerts": changed(alerts=[]),
    "an unknown status": changed(status="on fire"),
}
WRONG |= {f"alerts: {value!r}": changed(alerts=value) for value in WRONG_TYPES}
WRONG |= {f"status: {value!r}": changed(status=value) for value in WRONG_TYPES}
WRONG |= {f"groupKey: {value!r}": changed(groupKey=value) for value in WRONG_TYPES if value != "x"}
WRONG |= {f"an alert: {value!r}": changed(alerts=[value]) for value in WRONG_TYPES}
WRONG |= {
    f"labels: {value!r}": changed_alert(labels=value) for value in WRONG_TYPES if value is not None and value != {}
}

ODD = {
    "control characters": changed_alert(labels={"alertname": "\0\x01\n\x7f\u2028", "": ""}),
    "no labels at all": changed_alert(labels={}, annotations=None, fingerprint=None),
    "a key with zeros": changed(groupKey="\0" * 100),
    "a key of a megabyte": changed(groupKey="k" * MIB),
    "a label of a megabyte": changed_alert(labels={"alertname": "x" * MIB}, fingerprint="1"),
    "many labels": changed_alert(labels={f"name{n}": "x" for n in range(50_000)}, fingerprint="1"),
    "many alerts": changed(alerts=[ALERT | {"fingerprint": f"{n:x}"} for n in range(5_000)]),
    "the same alert many times": changed(alerts=[ALERT] * 5_000),
    "the first and the last time": changed_alert(
        startsAt="0001-01-01T00:00:00+23:59", endsAt="9999-12-31T23:59:59-23:59"
    ),
    "a beautiful mind": changed_alert(labels={"alertname": "\U0001f9e0\u202e\u0301"}),
    "the largest number": changed(truncatedAlerts=2**63 - 1),
    "unknown fields": changed(orgId=1, state="alerting", values={"A": None}, nested=[[[{"x": []}]]]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_notification(target: Stack, integration: Integration, name: str) -> None:
    """It is refused with 400 and one short line about why; at the heartbeat URL it is a beat like any request."""
    sender = target.sender()
    answer = sender.ask("POST", integration.url, WRONG[name])
    assert answer.status == 400
    assert len(answer.text) <= 201
    assert answer.text.count("\n") == 1
    assert answer.text.endswith("\n")
    assert sender.ask("POST", integration.heartbeat_url, WRONG[name]).status == 200
    sender.close()


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd(target: Stack, name: str) -> None:
    """It is taken, and can be read as it was sent."""
    integration = target.client.create(f"odd: {name}")
    sender = target.sender()
    assert sender.ask("POST", integration.url, ODD[name]).status == 200
    sent = json.loads(ODD[name])
    (group,) = target.client.groups(integration)
    assert group.grouping_key == sent["groupKey"]
    assert group.title.isprintable() or "\u202e" in group.title
    alerts = target.client.alerts(group)
    assert dict(alerts[0].labels) == sent["alerts"][0]["labels"]
    sender.close()


STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3}) ", re.MULTILINE)


def exchange(target: Stack, request: bytes, *, enough: int | None = None) -> list[int]:
    """Sends bytes on a connection of its own; returns the statuses of the answers.

    It ends when the other side hangs up, when there are enough answers, or, where it is not known how many there will
    be, when nothing came for half a second.
    """
    answers = b""
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        if enough is None:
            connection.settimeout(0.5)
        with contextlib.suppress(ConnectionError):
            while enough is None or len(STATUS.findall(answers)) < enough:
                try:
                    part = connection.recv(65536)
                except TimeoutError:
                    assert enough is None, "no answer came"
                    break
                if not part:
                    break
                answers += part
    return [int(status) for status in STATUS.findall(answers)]


def head(integration: Integration, *lines: str) -> bytes:
    """The head of a POST to an integration."""
    path = re.sub(r"^http://[^/]+", "", integration.url)
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


RAW = {
    "binary": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown version": b"POST / HTTP/9.9\r\nHost: x\r\n\r\n",
    "an unknown method": b"F\x00O / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "spaces": b" " * 100_000,
    "line ends": b"\r\n" * 100_000,
    "a long URL": b"POST /integrations/v1/alertmanager/" + b"x" * 100_000 + b"/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "an endless URL": b"POST /" + b"x" * 5 * MIB,
    "an odd URL": b"POST /integrations/v1/alertmanager/%ff%00%zz\xff/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
}
LINES = {
    "a negative length": ["Content-Length: -1"],
    "a length in words": ["Content-Length: ten"],
    "a signed length": ["Content-Length: +10"],
    "two lengths": ["Content-Length: 2", "Content-Length: 3"],
    "a length beyond all": ["Content-Length: " + "9" * 4000],
    "a length and chunks": ["Content-Length: 3", "Transfer-Encoding: chunked"],
    "an unknown encoding": ["Transfer-Encoding: brotli"],
    "chunked twice": ["Transfer-Encoding: chunked, chunked"],
    "many headers": [f"X-{number}: x" for number in range(5_000)],
    "a long header": ["X-Long: " + "x" * MIB],
    "a folded header": ["X-Folded: x", " y"],
    "a header without a name": [": x"],
    "a header with a zero": ["X: \0"],
    "no colon": ["nothing"],
}
CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative number": b"-5\r\n{}\r\n0\r\n\r\n",
    "a huge number": b"f" * 40 + b"\r\n{}\r\n",
    "too long a chunk": b"1\r\n{}\r\n0\r\n\r\n",
    "an endless number": b"0" * 5 * MIB,
    "an endless extension": b"1;" + b"x" * 5 * MIB,
    "an endless trailer": b"0\r\n" + b"X: y\r\n" * 100_000,
    "no end": b"2\r\n{}\r\n",
}


def assert_refused(target: Stack, request: bytes) -> None:
    """Nothing but refusals came of it, none of which is a defect; or the connection was closed."""
    statuses = exchange(target, request)
    assert all(400 <= status < 500 or status in (501, 503, 505) for status in statuses), statuses


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_http(target: Stack, name: str) -> None:
    """It is refused, or hung up on."""
    assert_refused(target, RAW[name])


@pytest.mark.parametrize("name", LINES)
def test_headers_that_are_wrong(target: Stack, integration: Integration, name: str) -> None:
    """A request with a header that lies or is too much is refused, or hung up on."""
    assert_refused(target, head(integration, *LINES[name]) + b"{}")


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_that_are_wrong(target: Stack, integration: Integration, name: str) -> None:
    """A body in chunks that are none is refused, or hung up on."""
    assert_refused(target, head(integration, "Transfer-Encoding: chunked") + CHUNKS[name])


def test_a_length_of_5000_digits(target: Stack, integration: Integration) -> None:
    """A length that no number is as long as is refused in words."""
    statuses = exchange(target, head(integration, "Content-Length: " + "9" * 4000), enough=1)
    assert statuses[0] in (400, 413)
    assert exchange(target, head(integration, "Content-Length: " + "9" * 5000), enough=1) == statuses


def test_a_connection_after_a_large_body(target: Stack, integration: Integration) -> None:
    """After a body that was too large and came in full, the connection serves the next request."""
    body = notification("after a large body")
    refused = head(integration, f"Content-Length: {40 * MIB}") + b"x" * 40 * MIB
    taken = head(integration, f"Content-Length: {len(body)}") + body
    assert exchange(target, refused + taken, enough=2) == [413, 200]


def test_lengths_that_are_wrong(target: Stack, integration: Integration) -> None:
    """A body that is shorter than it says is not taken; of one that is longer, the rest is another, wrong request."""
    body = notification("wrong length")
    statuses = exchange(target, head(integration, f"Content-Length: {len(body) + 1}") + body)
    assert set(statuses) <= {400, 503}
    assert not [group for group in target.client.groups(integration) if group.grouping_key == "wrong length"]
    request = head(integration, f"Content-Length: {len(body)}") + body + b"rest\r\n\r\n"
    assert exchange(target, request, enough=2) == [200, 400]


@pytest.mark.parametrize("encoding", ["plain", "in chunks", "expecting"])
def test_a_body_that_is_too_large(target: Stack, integration: Integration, encoding: str) -> None:
    """A body of 40 MiB is refused with 413, which the sender gets to hear."""
    size = 40 * MIB
    if encoding == "in chunks":
        part = f"{MIB:x}\r\n".encode() + b"x" * MIB + b"\r\n"
        request = head(integration, "Transfer-Encoding: chunked") + part * 40 + b"0\r\n\r\n"
    elif encoding == "plain":
        request = head(integration, f"Content-Length: {size}") + b"x" * size
    else:
        request = head(integration, f"Content-Length: {size}", "Expect: 100-continue")
    assert exchange(target, request, enough=1) == [413]


def test_the_largest_bodies(target: Stack, integration: Integration) -> None:
    """Several bodies just under the limit at once are taken, or refused for a while, and the others go on."""
    body = changed(unknown="x" * (31 * MIB))
    with ThreadPoolExecutor() as pool:
        posts = [pool.submit(target.sender().post, integration.url, body) for _ in range(4)]
        statuses = [post.result() for post in posts]
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


def test_slow_senders(target: Stack, integration: Integration) -> None:
    """Senders that stop in the middle, or send a byte now and then, keep nobody else waiting."""
    body = notification("slow")
    request = head(integration, f"Content-Length: {len(body)}") + body
    with contextlib.ExitStack() as stack:
        slow = []
        for count in (1, 10, len(request) // 2, len(request) - 1) * 50:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=20))
            connection.sendall(request[:count])
            slow.append((connection, count))
        started = time.monotonic()
        while time.monotonic() < started + 2:
            for index, (connection, count) in enumerate(slow):
                # The last byte is kept back.
                if count < len(request) - 1:
                    connection.sendall(request[count : count + 1])
                    slow[index] = (connection, count + 1)
            time.sleep(0.2)
        # One that comes to its end after all is answered.
        connection, count = slow[-1]
        connection.sendall(request[count:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_idle_connections(target: Stack, integration: Integration) -> None:
    """A thousand connections on which nothing comes keep nobody from being served, on old connections or new ones."""
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=20))
        sender = target.sender()
        assert sender.post(integration.url, notification("among a thousand")) == 200
        sender.close()
        assert target.status("/-/ready") == 200


def test_senders_that_hang_up(target: Stack, integration: Integration) -> None:
    """Senders that go away before their answer leave nothing behind."""
    for number in range(200):
        body = notification(f"gone {number}")
        with socket.create_connection(("127.0.0.1", target.port)) as connection:
            connection.sendall(head(integration, f"Content-Length: {len(body)}") + body)
            if number % 2:
                # A reset, not a farewell.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: metric(target, "tocsin_gateway_pending") == 0, "nothing waits any more")


def metric(target: Stack, name: str) -> float:
    """A metric of the gateway."""
    sender = target.sender()
    found = re.search(rf"^{name} (\S+)$", sender.ask("GET", "/metrics").text, re.MULTILINE)
    sender.close()
    assert found
    return float(found[1])


def test_memory(target: Stack) -> None:
    """After all of this the gateway has at no time used more memory than some of the largest bodies need."""
    (worker,) = target.gateway.children()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{worker}/status").read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) * 1024 < MOST_MEMORY
