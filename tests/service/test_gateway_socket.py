"""The gateway at a socket that systemd holds: while it restarts, the kernel keeps connections."""

import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from load import Load, assert_nothing_lost
from processes import Process, Processes, until
from senders import notification
from service_manager import Manager, handed
from stacks import Stack


class Activated(Stack):
    """A stack whose gateway is handed its socket, as systemd does it."""

    listener: socket.socket

    def listen(self) -> None:
        """Opens the socket."""
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=4096)

    def start_gateway(self, **options: Any) -> None:
        """Starts the gateway; that it is to listen elsewhere is no matter."""
        arguments = ("--http", "127.0.0.1:1", "--target", self.target)
        command = handed(self.listener, "tocsin_gateway", *arguments)
        log = self.folder / "gateway.log"
        self.gateway = self.processes.start(command, log, pass_fds=[self.listener.fileno()], **options)


@pytest.fixture
def activated(processes: Processes, folder: Any) -> Iterator[Activated]:
    """A stack with a socket, not yet started."""
    stack = Activated(processes, folder)
    stack.listen()
    yield stack
    stack.close()
    stack.listener.close()


def stopped(gateway: Process, number: int) -> None:
    """Ends a gateway, and returns when it has."""
    gateway.send(number)
    gateway.wait()


def test_what_is_sent_before_there_is_a_gateway_is_answered(activated: Activated, manager: Manager) -> None:
    """A sender that connects while there is none waits, and is answered; the gateway says that it is ready."""
    activated.start_daemon()
    integration = activated.client.create("early")
    with socket.create_connection(("127.0.0.1", activated.port)) as early:
        body = notification("early")
        path = integration.url.removeprefix(f"http://127.0.0.1:{activated.port}")
        head = (
            f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        early.sendall(head.encode() + body)

        activated.start_gateway(env=manager.environment)

        assert manager.wait_for("READY=1")
        early.settimeout(30)
        assert early.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_no_request_is_lost_over_restarts_of_the_gateway(activated: Activated) -> None:
    """Load while the gateway is stopped and started three times: every answer is a 200."""
    activated.start()
    integration = activated.client.create("load")
    with Load(activated, integration, most=2500) as load:
        for _ in range(3):
            load.after(200)
            stopped(activated.gateway, signal.SIGTERM)
            activated.start_gateway()
        load.after(400)
    print("over restarts of the gateway:", dict(load.statuses))
    assert set(load.statuses) == {200}
    assert_nothing_lost(activated, load, integration)


def test_no_request_is_lost_over_reloads_at_the_socket(activated: Activated) -> None:
    """SIGHUP makes a new worker at the same socket."""
    activated.start()
    integration = activated.client.create("load")
    with Load(activated, integration, most=2500) as load:
        for _ in range(3):
            load.after(200)
            workers = set(activated.gateway.children())
            activated.gateway.send(signal.SIGHUP)
            until(lambda old=workers: not old & set(activated.gateway.children()), "the old worker has ended")
        load.after(200)
    assert set(load.statuses) == {200}
    assert_nothing_lost(activated, load, integration)
