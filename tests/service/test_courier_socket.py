"""The courier as a service of its own, at a socket."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hearing import Receiver, answer, receiving
from processes import Process, Processes, until
from senders import notification
from service_manager import Manager, handed
from stacks import Stack

from tocsin.v1.messages_pb2 import Message
from tocsind.clock import SystemClock
from tocsind.courier.courier import ENDED, NOT_STARTED, Courier
from tocsind.courier.listener import MOST
from tocsind.courier.wire import READY, HttpRequest, frame
from tocsind.metrics import Metrics


class Service:
    """The courier's unit: its socket stays while the service comes and goes."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.path = folder / "courier"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        self._processes = processes
        self._log = folder / "courier.log"
        self.process: Process

    def start(self, **options: object) -> None:
        """Starts the service."""
        command = handed(self.listener, "tocsind.courier", "--socket")
        self.process = self._processes.start(command, self._log, pass_fds=[self.listener.fileno()], **options)

    def children(self) -> list[int]:
        """The processes that there are for connections."""
        return self.process.children()


@pytest.fixture
def service(processes: Processes, folder: Path) -> Iterator[Service]:
    """A courier's unit, not yet started."""
    service = Service(processes, folder)
    yield service
    service.listener.close()


@pytest.fixture
def courier(service: Service) -> Iterator[Courier]:
    """The daemon's side."""
    courier = Courier(SystemClock(), Metrics([], [], []), ["127.0.0.0/8"], service.path)
    yield courier
    courier.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody to be told."""
    with receiving() as receiver:
        yield receiver


def webhook(receiver: Receiver) -> HttpRequest:
    """An errand."""
    return HttpRequest(receiver.url, "POST", {}, b"{}", "key", 0)


def test_errands_are_done(service: Service, courier: Courier, receiver: Receiver, manager: Manager) -> None:
    """By a process of the service's; the daemon has no child. SIGTERM ends it all."""
    service.start(env=manager.environment)
    manager.wait_for("READY=1")

    assert courier.run(webhook(receiver)).done

    assert courier.pids() == []
    assert len(service.children()) == 1
    assert service.process.stop() == 0
    manager.wait_for("STOPPING=1")


def test_what_is_asked_before_the_service_runs_waits_for_it(
    service: Service, courier: Courier, receiver: Receiver
) -> None:
    """The kernel keeps the connection, as systemd starts the service for it."""
    future = courier.send(webhook(receiver))
    service.start()

    assert future.result(30).done


def test_a_service_that_is_killed(service: Service, courier: Courier, receiver: Receiver) -> None:
    """What was under way has failed, and the next errand is done by the next one."""
    service.start()
    receiver.behave = receiver.hang
    futures = [courier.send(webhook(receiver)) for _ in range(5)]
    until(lambda: len(receiver.told) == 5, "all are under way")

    service.process.kill()

    assert {future.result(30).answer for future in futures} == {ENDED}
    receiver.behave = answer(204)
    service.start()
    assert courier.run(webhook(receiver)).done


def test_a_process_of_the_service_that_is_killed(service: Service, courier: Courier, receiver: Receiver) -> None:
    """It is the same with one of them, and the service goes on."""
    service.start()
    assert courier.run(webhook(receiver)).done
    (pid,) = service.children()

    os.kill(pid, signal.SIGKILL)

    until(lambda: courier.run(webhook(receiver)).done, "another one does it")
    assert service.process.running
    assert pid not in service.children()


def test_a_daemon_that_goes_leaves_nothing(service: Service, courier: Courier, receiver: Receiver) -> None:
    """Whatever hangs in its errands; and the next daemon is served at once."""
    service.start()
    receiver.behave = receiver.hang
    courier.send(webhook(receiver))
    until(lambda: receiver.told, "it hangs")
    courier.close()
    until(lambda: service.children() == [], "nothing is left")

    receiver.behave = answer(204)
    following = Courier(SystemClock(), Metrics([], [], []), ["127.0.0.0/8"], service.path)
    assert following.run(webhook(receiver)).done
    following.close()


def test_connections_that_nobody_hangs_up(service: Service, courier: Courier, receiver: Receiver) -> None:
    """The oldest make room, so a daemon is always served."""
    service.start()
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(MOST + 2):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(30)
            client.connect(str(service.path))
            assert client.recv(64) == frame(READY)
            opened.append(client)
        assert [client.recv(64) for client in opened[:2]] == [b"", b""]
        assert len(service.children()) == MOST

        assert courier.run(webhook(receiver)).done


def test_nothing_at_the_socket(folder: Path, receiver: Receiver) -> None:
    """Errands fail, with a pause between attempts to connect; they are done as soon as there is a service."""
    courier = Courier(SystemClock(), Metrics([], [], []), ["127.0.0.0/8"], folder / "nothing")
    assert {courier.run(webhook(receiver)).answer for _ in range(3)} == {NOT_STARTED}
    courier.close()


def test_no_socket_is_handed_over() -> None:
    """A line says what to do."""
    command = [sys.executable, "-m", "tocsind.courier", "--socket"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == "tocsind.courier: must be handed one unix stream socket by systemd: start its .socket unit\n"


def test_a_daemon_tells_people_through_the_service(
    processes: Processes, folder: Path, service: Service, receiver: Receiver
) -> None:
    """From a notification to a webhook; and over a restart of the service no message is lost."""
    stack = Stack(processes, folder)
    stack.start_daemon(env={"TOCSIN_DAEMON_COURIER": str(service.path)})
    stack.start_gateway()
    stack.wait_ready()
    contact = stack.client.contact("receiver", webhook={"url": receiver.url})
    stack.client.chain("everybody", {"notify": {"contact_points": [contact.name]}})
    integration = stack.client.create("prod")
    sender = stack.sender()
    assert sender.post(integration.url, notification("one")) == 200
    service.start()
    until(lambda: receiver.told, "it was told")
    service.process.kill()
    assert sender.post(integration.url, notification("two")) == 200
    service.start()

    until(lambda: [each.state for each in stack.client.sent()] == [Message.DELIVERED] * 2, "both were delivered")
    assert len(set(receiver.keys())) == 2
    assert len(stack.daemon.children()) == 0
    sender.close()
    stack.close()
