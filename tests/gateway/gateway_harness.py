"""A real gateway process, and a daemon that does as a test tells it."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from early import told
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tocsin.v1 import intake_pb2, intake_pb2_grpc

CAPTURES = Path(__file__).parents[1] / "captures"

SECRET = "s3cr3t-t0k3n-which-must-never-be-logged"
"""The token that the daemon of the tests knows; every other one is unknown."""

NOTIFY = f"/integrations/v1/alertmanager/{SECRET}/"
HEARTBEAT = NOTIFY + "heartbeat/"

Receipt = intake_pb2.Receipt
Judge = Callable[[intake_pb2.Delivery], intake_pb2.Receipt]


def capture(name: str) -> bytes:
    """The exact body of a request that a real Alertmanager has sent."""
    return json.loads((CAPTURES / f"{name}.json").read_text())["body_raw"].encode()


def every_capture() -> list[str]:
    """The names of all captured requests that have a body."""
    names = sorted(path.stem for path in CAPTURES.glob("*.json") if path.stem != "MANIFEST")
    return [name for name in names if capture(name)]


class Answer(NamedTuple):
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    text: str


def parse_answer(raw: bytes) -> Answer:
    """The first answer in what came over a raw connection."""
    head, _, text = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(int(lines[0].split()[1]), headers, text.decode())


class FakeDaemon(intake_pb2_grpc.IntakeServiceServicer):
    """An IntakeService on a unix socket, programmable while it runs."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._changed = threading.Condition()
        self._server: grpc.Server | None = None
        self.reset()

    @property
    def target(self) -> str:
        return f"unix:{self.path}"

    def reset(self) -> None:
        """Knows the secret, applies everything, is healthy, remembers nothing."""
        self.judge: Judge = self.know_the_secret
        self.failures: list[grpc.StatusCode] = []
        self.calls: list[list[intake_pb2.Delivery]] = []
        self.pulses: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def deliveries(self) -> list[intake_pb2.Delivery]:
        """All that came, in its order."""
        return [delivery for call in self.calls for delivery in call]

    def know_the_secret(self, delivery: intake_pb2.Delivery) -> intake_pb2.Receipt:
        if delivery.credential != SECRET:
            return Receipt(outcome=Receipt.CREDENTIAL_UNKNOWN)
        if delivery.integration_type != "alertmanager":
            return Receipt(outcome=Receipt.WRONG_TYPE, integration_type="alertmanager")
        if delivery.WhichOneof("content") is None:
            return Receipt(outcome=Receipt.CREDENTIAL_ACCEPTED)
        return Receipt(outcome=Receipt.APPLIED)

    def start(self) -> None:
        server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
        intake_pb2_grpc.add_IntakeServiceServicer_to_server(self, server)
        self.health = health.HealthServicer()
        self.health.set("tocsin.v1.IntakeService", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        server.add_insecure_port(self.target)
        server.start()
        self._server = server

    def stop(self) -> None:
        self.go_on.set()
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def wait_for(self, predicate: Callable[[], bool]) -> None:
        """Waits until something that came in makes it true."""
        with self._changed:
            assert self._changed.wait_for(predicate, timeout=15), "the gateway did not do that in time"

    def Deliver(self, request: Any, context: Any) -> intake_pb2.DeliverResponse:
        with self._changed:
            self.calls.append(list(request.deliveries))
            failure = self.failures.pop(0) if self.failures else None
            self._changed.notify_all()
        if failure is not None:
            context.abort(failure, "as the test says")
        self.go_on.wait(15)
        return intake_pb2.DeliverResponse(receipts=[self.judge(delivery) for delivery in request.deliveries])

    def DeliverStream(self, request_iterator: Any, context: Any) -> Iterator[intake_pb2.DeliverResponse]:
        for request in request_iterator:
            yield self.Deliver(request, context)

    def Attend(self, request_iterator: Any, context: Any) -> Iterator[intake_pb2.AttendResponse]:
        for request in request_iterator:
            with self._changed:
                self.pulses.append(request.gateway)
                self._changed.notify_all()
            yield intake_pb2.AttendResponse()


class Gateway:
    """A gateway process of its own, on a free port."""

    def __init__(self, target: str, *arguments: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed when the process is gone
        descriptor = self._listener.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsin_gateway", "--http", f"fd://{descriptor}", "--target", target, *arguments],
            pass_fds=[descriptor],
            stderr=self._log,
            stdout=self._log,
            env={name: value for name, value in os.environ.items() if name != "TOCSIN_TARGET"},
        )

    @property
    def log(self) -> str:
        """All that it has logged so far."""
        self._log.seek(0)
        return self._log.read()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Makes one request on a connection of its own; never follows a redirect."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read().decode())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def metric(self, name: str) -> float:
        """The value of one metric, written as in the exposition."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.ask("GET", "/metrics").text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def terminate_worker(self) -> None:
        """Tells the process that serves, and not its master, to stop."""
        (worker,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGTERM)

    def stop(self) -> int:
        """Stops it as a service manager does; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._listener.close()


@contextlib.contextmanager
def gateway_alone() -> Iterator[tuple[FakeDaemon, Gateway]]:
    """A gateway in front of a daemon that is not started yet."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
        daemon = FakeDaemon(f"{folder}/own.sock")
        gateway = Gateway(daemon.target)
        try:
            with told(lambda: gateway.log):
                yield daemon, gateway
        finally:
            gateway.stop()
            daemon.stop()
        assert SECRET not in gateway.log
