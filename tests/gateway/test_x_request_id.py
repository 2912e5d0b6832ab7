"""The id of a request: whose it is, who is told, and that every line about the request bears it."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gateway_harness import HEARTBEAT, NOTIFY, FakeDaemon, Gateway, Receipt, capture
from grpc import StatusCode

from tocsin_gateway.edge import MOST_LINES

BODY = capture("firing_partly_resolved_one_of_three")
OURS = re.compile(r"[0-9a-f]{12}-\d+")


def lines(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    """The lines of one event."""
    return [line for line in map(json.loads, gateway.log.splitlines()) if line["event"] == event]


@pytest.mark.parametrize("sent", ["4bf92f3577b34da6a3ce929d0e0e4736", "a:b/c=d", "x" * 128])
def test_the_senders_id_is_kept(gateway: Gateway, daemon: FakeDaemon, sent: str) -> None:
    """It goes with the delivery to the daemon, and back in the answer; for beats and notifications."""
    answers = [
        gateway.ask("POST", NOTIFY, BODY, {"X-Request-Id": sent}),
        gateway.ask("GET", HEARTBEAT, headers={"x-request-id": sent}),
    ]

    assert [answer.headers["x-request-id"] for answer in answers] == [sent, sent]
    assert [delivery.trace_id for delivery in daemon.deliveries] == [sent, sent]


@pytest.mark.parametrize("sent", ["", "x" * 129, "two words", "ümlaut".encode("latin-1"), "tab\tted"])
def test_an_insane_id_is_replaced(gateway: Gateway, daemon: FakeDaemon, sent: Any) -> None:
    """What would spoil a log or the call of the daemon is treated like none."""
    answer = gateway.ask("POST", NOTIFY, BODY, {"X-Request-Id": sent})

    assert answer.status == 200
    assert OURS.fullmatch(answer.headers["x-request-id"])
    assert daemon.deliveries[0].trace_id == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/-/healthy", 200),
        ("GET", "/-/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/metrics/daemon", 503),
        ("GET", "/nowhere", 404),
        ("GET", NOTIFY, 405),
        ("POST", NOTIFY, 400),
    ],
)
def test_every_answer_bears_one(gateway: Gateway, daemon: FakeDaemon, method: str, path: str, status: int) -> None:
    """One of our own, where the sender has none, and never the same twice."""
    answers = [gateway.ask(method, path, b"{") for _ in range(2)]

    assert [answer.status for answer in answers] == [status] * 2
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(OURS.fullmatch(one) for one in ids)


def test_a_batch_is_logged_with_the_ids_of_all(own_daemon: FakeDaemon, own_gateway: Gateway) -> None:
    """A call that fails for several is nobody's alone: its line names all of them and is not ascribed to one."""
    own_daemon.start()
    own_daemon.wait_for(lambda: bool(own_daemon.pulses))
    own_daemon.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(own_gateway.ask, "POST", NOTIFY, BODY, {"X-Request-Id": "first"})
        own_daemon.wait_for(lambda: len(own_daemon.calls) == 1)
        own_daemon.failures = [StatusCode.INTERNAL] * 4
        more = [pool.submit(own_gateway.ask, "POST", NOTIFY, BODY, {"X-Request-Id": f"r{n}"}) for n in range(3)]
        while own_gateway.metric("tocsin_gateway_pending") < 4:
            pass
        own_daemon.go_on.set()
        assert [answer.result().status for answer in (first, *more)] == [200, 503, 503, 503]

    failed = lines(own_gateway, "a call of the daemon failed")
    assert sorted(failed[0]["trace_ids"]) == ["r0", "r1", "r2"]
    assert sorted(line["trace_ids"] for line in failed[1:]) == [["r0"], ["r1"], ["r2"]]
    assert not any("trace_id" in line for line in failed)


def test_errors_are_logged_but_not_without_end(own_daemon: FakeDaemon, own_gateway: Gateway) -> None:
    """Each with its id, kind and status, until there are too many in a second; what went well is no line."""
    own_daemon.start()
    own_daemon.judge = lambda _: Receipt(outcome=Receipt.APPLIED)
    assert own_gateway.ask("POST", NOTIFY, BODY, {"X-Request-Id": "well"}).status == 200
    assert own_gateway.ask("POST", NOTIFY, b"{", {"X-Request-Id": "ill"}).status == 400
    # It answers before it writes the line, and what was sent later after it.
    assert own_gateway.ask("GET", "/-/healthy").status == 200
    (line,) = lines(own_gateway, "answered with an error")
    assert (line["trace_id"], line["kind"], line["status"], line["level"]) == ("ill", "notification", 400, "info")
    assert "well" not in own_gateway.log

    with own_gateway.connect() as connection:
        head = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(head * 500 + head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        while connection.recv(65536):
            pass
    seconds = {line["timestamp"][:19] for line in lines(own_gateway, "answered with an error")}
    assert len(lines(own_gateway, "answered with an error")) <= MOST_LINES * (len(seconds) + 1) + 1
    assert lines(own_gateway, "more requests are answered with errors than are logged")


def test_deliveries_are_counted_by_result(own_daemon: FakeDaemon, own_gateway: Gateway) -> None:
    """By the daemon's receipt; what has none, and what nobody knows, was not delivered."""
    own_daemon.start()
    for outcome in (Receipt.APPLIED, Receipt.APPLIED, Receipt.CREDENTIAL_UNKNOWN, 99):
        own_daemon.judge = lambda _, outcome=outcome: Receipt(outcome=outcome)
        own_gateway.ask("POST", NOTIFY, BODY)
    own_daemon.failures = [StatusCode.PERMISSION_DENIED]
    assert own_gateway.ask("POST", NOTIFY, BODY).status == 503

    counted = {
        result: own_gateway.metric(f'tocsin_gateway_deliveries_total{{result="{result}"}}')
        for result in ("applied", "credential_unknown", "not_delivered", "failed")
    }
    assert counted == {"applied": 2, "credential_unknown": 1, "not_delivered": 2, "failed": 0}
