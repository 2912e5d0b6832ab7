"""When the daemon is away, slow or restarting, and when the gateway itself stops."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from early import early
from gateway_harness import HEARTBEAT, NOTIFY, SECRET, FakeDaemon, Gateway, capture, gateway_alone, parse_answer

BODY = capture("firing_partly_resolved_one_of_three")
HEAD = f"POST {NOTIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


@early
def test_away_and_back() -> None:
    """Without the daemon a sender hears 503 within its deadline; once it is there, all is well without a restart."""
    with gateway_alone() as (daemon, gateway):
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(gateway.ask, "POST", NOTIFY, BODY) for _ in range(3)]
            answers.append(pool.submit(gateway.ask, "GET", HEARTBEAT))
            assert gateway.ask("GET", "/-/healthy").status == 200
            assert gateway.ask("GET", "/-/ready").status == 503
            assert gateway.ask("POST", NOTIFY, b"{}").status == 400
            for answer in answers:
                assert answer.result().status == 503
                assert answer.result().headers["retry-after"] == "1"
        assert time.monotonic() - started < 10, "Alertmanager's shortest window"
        assert gateway.metric("tocsin_gateway_attending") == 0
        daemon.start()
        assert gateway.ask("POST", NOTIFY, BODY).status == 200
        daemon.wait_for(lambda: bool(daemon.pulses))
        assert gateway.ask("GET", "/-/ready").status == 200
        assert gateway.log.count("the daemon is not there") == 1
        assert gateway.log.count("the daemon is there") == 1


def test_a_restart_in_mid_flight_is_waited_for(own_daemon: FakeDaemon, own_gateway: Gateway) -> None:
    """What is in flight when the daemon dies is delivered to the next one, within the deadline; so is what follows."""
    own_daemon.start()
    own_daemon.go_on.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(own_gateway.ask, "POST", NOTIFY, BODY)
        own_daemon.wait_for(lambda: len(own_daemon.calls) == 1)
        own_daemon.stop()
        more = [pool.submit(own_gateway.ask, "POST", NOTIFY, BODY) for _ in range(5)]
        own_daemon.start()
        assert [answer.result().status for answer in [first, *more]] == [200] * 6


@early
def test_a_hanging_daemon() -> None:
    """If the daemon hangs, each sender hears 503 by its own deadline, and the next one is served when it goes on."""
    with gateway_alone() as (daemon, gateway):
        daemon.start()
        daemon.wait_for(lambda: bool(daemon.pulses))
        daemon.go_on.clear()
        with ThreadPoolExecutor(2) as pool:
            hanging = pool.submit(gateway.ask, "POST", NOTIFY, BODY)
            daemon.wait_for(lambda: len(daemon.calls) == 1)
            younger = pool.submit(gateway.ask, "POST", NOTIFY, BODY)
            answers = [hanging.result(), younger.result()]
        assert [answer.status for answer in answers] == [503, 503]
        assert [answer.headers["retry-after"] for answer in answers] == ["1", "1"]
        daemon.go_on.set()
        assert gateway.ask("POST", NOTIFY, BODY).status == 200


@pytest.mark.parametrize("everybody", [False, True])
def test_a_stop_answers_what_is_in_flight(own_daemon: FakeDaemon, own_gateway: Gateway, everybody: bool) -> None:
    """At SIGTERM requests in flight are answered, and idle connections do not hold the stop up; not even where all
    processes are told, and the worker hears it twice."""
    own_daemon.start()
    idle = own_gateway.connect()
    idle.sendall(HEAD + BODY)
    assert parse_answer(idle.recv(4096)).status == 200
    fresh = own_gateway.connect()
    own_daemon.go_on.clear()
    busy = own_gateway.connect()
    busy.sendall(HEAD + BODY)
    own_daemon.wait_for(lambda: len(own_daemon.calls) == 2)
    if everybody:
        own_gateway.terminate_worker()
    own_gateway.process.terminate()
    assert idle.recv(4096) == b""
    assert fresh.recv(4096) == b""
    assert own_gateway.process.poll() is None
    own_daemon.go_on.set()
    assert parse_answer(busy.recv(4096)).status == 200
    assert own_gateway.process.wait(20) == 0
    assert "Forcing close" not in own_gateway.log
    for connection in (idle, fresh, busy):
        connection.close()


def test_the_log_is_json_without_secrets(own_daemon: FakeDaemon, own_gateway: Gateway) -> None:
    """Every line of the log is one JSON object, and the token is in none of them, whatever went wrong."""
    own_daemon.start()
    own_daemon.judge = lambda _: 1 / 0  # type: ignore[assignment, return-value]
    assert own_gateway.ask("POST", NOTIFY, BODY).status == 503
    own_gateway.ask("GET", NOTIFY)
    own_gateway.ask("POST", NOTIFY, b"{")
    own_gateway.ask("POST", NOTIFY + "x" * 9000)
    own_gateway.ask("POST", "/integrations/v1/alertmanager/7/", BODY, {"Authorization": f"Bearer {SECRET}"})
    own_gateway.stop()
    lines = own_gateway.log.splitlines()
    assert all(json.loads(line)["event"] for line in lines)
    assert any("a call of the daemon failed" in line for line in lines)
    assert SECRET not in own_gateway.log
