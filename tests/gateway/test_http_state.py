"""What the gateway says of itself: to probes, to Prometheus, and to the daemon."""

import socket

from gateway_harness import HEARTBEAT, NOTIFY, SECRET, FakeDaemon, Gateway, capture
from grpc_health.v1 import health_pb2

BODY = capture("firing_partly_resolved_one_of_three")


def test_healthy(gateway: Gateway, daemon: FakeDaemon) -> None:
    """/-/healthy is 200 as long as the process is alive."""
    assert gateway.ask("GET", "/-/healthy").status == 200
    assert gateway.ask("HEAD", "/-/healthy/").status == 200
    assert gateway.ask("POST", "/-/healthy").status == 405


def test_ready_is_what_the_daemon_says(gateway: Gateway, daemon: FakeDaemon) -> None:
    """/-/ready is 200 if the daemon's health service says SERVING, else 503 with what it says."""
    service = "tocsin.v1.IntakeService"
    assert gateway.ask("GET", "/-/ready").status == 200
    try:
        daemon.health.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
        answer = gateway.ask("GET", "/-/ready")
    finally:
        daemon.health.set(service, health_pb2.HealthCheckResponse.SERVING)
    assert answer.status == 503
    assert "NOT_SERVING" in answer.text


def test_metrics_count_requests(gateway: Gateway, daemon: FakeDaemon) -> None:
    """Each request is counted once, by kind and status, with its bytes and its time; no label holds a token."""
    names = [
        'tocsin_gateway_requests_total{code="200",kind="notification"}',
        'tocsin_gateway_requests_total{code="400",kind="notification"}',
        'tocsin_gateway_requests_total{code="200",kind="heartbeat"}',
        'tocsin_gateway_requests_total{code="404",kind="other"}',
        "tocsin_gateway_request_bytes_total",
        'tocsin_gateway_request_seconds_count{kind="notification"}',
    ]
    before = [gateway.metric(name) for name in names]
    gateway.ask("POST", NOTIFY, BODY)
    gateway.ask("POST", NOTIFY, b"[]")
    gateway.ask("GET", HEARTBEAT)
    gateway.ask("GET", "/nowhere")
    grown = [gateway.metric(name) - old for name, old in zip(names, before, strict=True)]
    assert grown == [1, 1, 1, 1, len(BODY) + 2, 2]
    assert gateway.metric("process_open_fds") > 0
    assert gateway.metric("tocsin_gateway_attending") == 1
    assert SECRET not in gateway.ask("GET", "/metrics").text


def test_it_attends_with_a_pulse_each_second(gateway: Gateway, daemon: FakeDaemon) -> None:
    """One stream says, again and again, which gateway is there."""
    daemon.wait_for(lambda: len(daemon.pulses) >= 2)
    assert len(set(daemon.pulses)) == 1
    host, _, pid = daemon.pulses[0].rpartition(":")
    assert host == socket.gethostname()
    assert pid.isdigit()
