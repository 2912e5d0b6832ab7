"""Processes that hang: neither of the two ends the other, and both go on when they can."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from early import early
from processes import until
from senders import Sender, notification
from stacks import Stack, running_stack

ALERTMANAGERS_PATIENCE = 10
"""Seconds; the shortest time for which Alertmanager waits for an answer."""


@early
def test_a_frozen_daemon() -> None:
    """While the daemon hangs each sender hears 503 while it still listens; when the daemon goes on, so does everything,
    without a restart."""
    with running_stack() as stack:
        integration = stack.client.create("frozen daemon")
        sender = Sender(stack.port, timeout=ALERTMANAGERS_PATIENCE)
        assert sender.post(integration.url, notification("before")) == 200
        pids = stack.daemon.pid, stack.gateway.children()
        stack.daemon.freeze()
        with ThreadPoolExecutor() as pool:
            posts = [
                pool.submit(
                    Sender(stack.port, ALERTMANAGERS_PATIENCE).post, integration.url, notification(f"frozen {n}")
                )
                for n in range(4)
            ]
            beat = pool.submit(stack.status, integration.heartbeat_url)
            assert sender.ask("GET", "/-/ready").status == 503
            assert sender.ask("GET", "/-/healthy").status == 200
            assert sender.post(integration.url, b"{}") == 400, "what is wrong in itself need not wait for the daemon"
            assert [post.result() for post in posts] == [503] * 4
            assert beat.result() == 503
        # Some time later: how long something was on its way is known to the milliseconds that the first one took.
        assert sender.ask("GET", "/-/ready").status == 503
        stack.daemon.send_group(signal.SIGCONT)
        until(lambda: sender.post(integration.url, notification("after")) == 200, "a notification is taken")
        stack.wait_ready()
        found = [group.grouping_key for group in stack.client.groups(integration)]
        assert sorted(found) == ["after", "before"], "what was answered 503 is not applied when the daemon goes on"
        assert pids == (stack.daemon.pid, stack.gateway.children())
        sender.close()


def test_a_frozen_gateway(stack: Stack) -> None:
    """What is sent while the gateway hangs is answered when it goes on."""
    integration = stack.client.create("frozen gateway")
    stack.wait_ready()
    stack.gateway.freeze()
    with ThreadPoolExecutor() as pool:
        post = pool.submit(stack.sender().post, integration.url, notification("frozen"))
        assert stack.client.groups(integration) == []
        stack.gateway.send_group(signal.SIGCONT)
        assert post.result() == 200
    (group,) = stack.client.groups(integration)
    assert group.grouping_key == "frozen"


def test_a_burst_of_connections(stack: Stack) -> None:
    """Alertmanager opens a connection for each of its groups at once: while the gateway is busy with something else,
    some hundreds of them wait for it."""
    burst = 400
    longest = Path("/proc/sys/net/core/somaxconn")
    if not longest.exists() or int(longest.read_text()) < burst:
        pytest.skip("this system does not let so many connections wait")
    stack.gateway.freeze()
    with ExitStack() as connections:
        for _ in range(burst):
            connections.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=1))
