"""Real processes for the end-to-end and fault tests: they are started, waited for, hurt, and never left behind."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc
from early import told

from tocsin import channel
from tocsin.v1 import (
    alert_groups_pb2,
    alert_groups_pb2_grpc,
    contact_points_pb2,
    contact_points_pb2_grpc,
    escalation_chains_pb2,
    escalation_chains_pb2_grpc,
    heartbeats_pb2,
    heartbeats_pb2_grpc,
    integrations_pb2,
    integrations_pb2_grpc,
    messages_pb2,
    messages_pb2_grpc,
    routes_pb2,
    routes_pb2_grpc,
)

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds; a generous bound on waits that are over in a moment."""

_MARK = "TOCSIN_TEST_PROCESSES"


def until(look: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Looks again and again until something true is seen, and returns it."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {patience:g} s: {what} (last seen: {seen!r})"
        time.sleep(0.05)
    return seen


def _stands(pid: int) -> bool:
    """Whether every thread of a process is stopped by a signal (proc(5): the state follows the name in brackets)."""
    stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens.

    It is none of those that the kernel gives to outgoing connections: one of these could take the port while the
    server on it is down, and even connect to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """One process in a session of its own, with both of its streams in a file."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: dict[str, str], **options: Any) -> None:
        self.log_file = log
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                arguments,
                **({"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": stream} | options),
                env=environment,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """All that it and its namesakes in this folder wrote so far."""
        return self.log_file.read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def children(self) -> list[int]:
        """The ids of its children."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sorted(int(word) for task in tasks for word in (task / "children").read_text().split())

    def send(self, number: int) -> None:
        """Sends a signal to it alone."""
        self._process.send_signal(number)

    def send_group(self, number: int) -> None:
        """Sends a signal to it and all that it started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def freeze(self) -> None:
        """Stops it and what it started where they stand, and returns once no thread of theirs runs: on a busy machine
        one may go on for milliseconds after the signal was sent. SIGCONT lets them go on."""
        self.send_group(signal.SIGSTOP)
        until(lambda: all(map(_stands, (self.pid, *self.children()))), "everything stands still")

    def kill(self) -> None:
        """Ends it and what it started at once, like a crash."""
        self.send_group(signal.SIGKILL)
        self._process.wait()

    def wait(self, patience: float = PATIENCE) -> int:
        """Waits for its end; returns its exit status."""
        return self._process.wait(patience)

    def stop(self) -> int:
        """Asks it to stop, as a service manager does; returns its exit status."""
        self.send(signal.SIGTERM)
        return self.wait()


class Processes:
    """All processes of a test. Whatever becomes of the test, `close` leaves none of them, nor what they started."""

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex
        self._started: list[Process] = []

    def start(self, arguments: Sequence[str], log: Path, **options: Any) -> Process:
        """Starts one; `options` are those of Popen."""
        environment = {name: value for name, value in os.environ.items() if name != "TOCSIN_TARGET"}
        environment |= options.pop("env", {}) | {_MARK: self._mark}
        process = Process(arguments, log, environment, **options)
        self._started.append(process)
        return process

    def python(self, module: str, *arguments: str, log: Path, **options: Any) -> Process:
        """Starts one of our own programs."""
        return self.start([sys.executable, "-m", module, *arguments], log, **options)

    def left(self) -> list[int]:
        """The ids of all that runs, children's children in sessions of their own included."""
        mark = f"{_MARK}={self._mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def close(self) -> None:
        """Ends all that runs."""
        for process in self._started:
            if process.running:
                process.kill()
        while left := self.left():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        for process in self._started:
            process.wait()


class Answer(NamedTuple):
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    text: str


class Sender:
    """A sender with one connection, kept as Alertmanager keeps its own. It never follows a redirect."""

    def __init__(self, port: int, timeout: float = 20) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Makes a request; OSError where no answer came."""
        path = path.removeprefix(f"http://127.0.0.1:{self._connection.port}")
        try:
            self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read().decode())
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(repr(error)) from error
        except OSError:
            self.close()
            raise

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        """Posts as Alertmanager does; returns the status, or 0 where no answer came."""
        try:
            return self.ask("POST", path, body, {"Content-Type": "application/json"} | (headers or {})).status
        except OSError:
            return 0

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


def notification(key: str, *, firing: Sequence[str] = ("a",), resolved: Sequence[str] = (), **fields: Any) -> bytes:
    """A notification with the grouping key `key` about alerts on the instances that fire and are resolved."""
    alerts = [
        {
            "status": status,
            "labels": {"alertname": "Load", "instance": instance},
            "annotations": {"summary": f"load of {instance}"},
            "startsAt": "2026-03-01T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-01T11:00:00Z",
            "generatorURL": "",
            "fingerprint": f"{zlib.crc32(instance.encode()):016x}",
        }
        for status, instances in (("firing", firing), ("resolved", resolved))
        for instance in instances
    ]
    body = {
        "receiver": "tocsin",
        "status": "firing" if firing else "resolved",
        "alerts": alerts,
        "groupLabels": {"alertname": "Load", "key": key},
        "commonLabels": {"alertname": "Load"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
    }
    return json.dumps(body | fields).encode()


class Client:
    """A client of the daemon that waits while the daemon is away, and asks again where it was killed meanwhile."""

    def __init__(self, target: str) -> None:
        options = dict(channel.options(target)) | {"grpc.max_reconnect_backoff_ms": 200}
        self._channel = grpc.insecure_channel(target, options=tuple(options.items()))
        self.integrations = integrations_pb2_grpc.IntegrationServiceStub(self._channel)
        self.alert_groups = alert_groups_pb2_grpc.AlertGroupServiceStub(self._channel)
        self.heartbeats = heartbeats_pb2_grpc.HeartbeatServiceStub(self._channel)
        self.routes = routes_pb2_grpc.RouteServiceStub(self._channel)
        self.contacts = contact_points_pb2_grpc.ContactPointServiceStub(self._channel)
        self.chains = escalation_chains_pb2_grpc.EscalationChainServiceStub(self._channel)
        self.messages = messages_pb2_grpc.MessageServiceStub(self._channel)

    def call(self, method: Any, request: Any, actor: str = "tester") -> Any:
        """Makes a call; a change bears an id, so that it is done once however often it is asked for."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        return method(request, timeout=PATIENCE, wait_for_ready=True, metadata=(("tocsin-actor", actor),))

    def create(self, display_name: str, **fields: Any) -> integrations_pb2.Integration:
        """Creates an integration for an Alertmanager."""
        integration = integrations_pb2.Integration(display_name=display_name, type="alertmanager", **fields)
        request = integrations_pb2.CreateIntegrationRequest(integration=integration)
        return self.call(self.integrations.CreateIntegration, request)

    def groups(self, integration: integrations_pb2.Integration | None = None) -> list[alert_groups_pb2.AlertGroup]:
        """All groups, newest first."""
        wanted = f'integration = "{integration.name}"' if integration is not None else ""
        request = alert_groups_pb2.ListAlertGroupsRequest(filter=wanted, page_size=1000)
        found: list[alert_groups_pb2.AlertGroup] = []
        while True:
            page = self.call(self.alert_groups.ListAlertGroups, request)
            found.extend(page.alert_groups)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def alerts(self, group: alert_groups_pb2.AlertGroup) -> list[alert_groups_pb2.Alert]:
        """The alerts of a group."""
        request = alert_groups_pb2.ListAlertsRequest(parent=group.name, page_size=1000)
        return list(self.call(self.alert_groups.ListAlerts, request).alerts)

    def timeline(self, group: alert_groups_pb2.AlertGroup) -> list[str]:
        """The kinds of the events of a group, oldest first."""
        request = alert_groups_pb2.ListEventsRequest(parent=group.name, page_size=1000)
        events = self.call(self.alert_groups.ListEvents, request).events
        return [alert_groups_pb2.Event.Kind.Name(event.kind) for event in events]

    def heartbeat(self, integration: integrations_pb2.Integration) -> heartbeats_pb2.Heartbeat:
        """The heartbeat of an integration."""
        request = heartbeats_pb2.GetHeartbeatRequest(name=f"{integration.name}/heartbeat")
        return self.call(self.heartbeats.GetHeartbeat, request)

    def expect_beats(self, integration: integrations_pb2.Integration, seconds: int) -> None:
        """Sets the interval of a heartbeat."""
        heartbeat = heartbeats_pb2.Heartbeat(name=f"{integration.name}/heartbeat", interval={"seconds": seconds})
        self.call(self.heartbeats.UpdateHeartbeat, heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=heartbeat))

    def contact(self, display_name: str, **fields: Any) -> contact_points_pb2.ContactPoint:
        """Creates a contact point."""
        contact = contact_points_pb2.ContactPoint(display_name=display_name, **fields)
        request = contact_points_pb2.CreateContactPointRequest(contact_point=contact)
        return self.call(self.contacts.CreateContactPoint, request)

    def chain(
        self, display_name: str, *steps: dict[str, Any], is_default: bool = True
    ) -> escalation_chains_pb2.EscalationChain:
        """Creates an escalation chain, the default one unless told otherwise."""
        chain = escalation_chains_pb2.EscalationChain(
            display_name=display_name,
            steps=[escalation_chains_pb2.EscalationStep(**step) for step in steps],
            is_default=is_default,
        )
        request = escalation_chains_pb2.CreateEscalationChainRequest(escalation_chain=chain)
        return self.call(self.chains.CreateEscalationChain, request)

    def tell_of_resolution(self, integration: integrations_pb2.Integration) -> None:
        """Has the default route tell people when its groups are resolved."""
        route = routes_pb2.Route(name=f"{integration.name}/routes/default", notify_on_resolve=True)
        self.call(self.routes.UpdateRoute, routes_pb2.UpdateRouteRequest(route=route))

    def sent(self, group: str = "alertGroups/-") -> list[messages_pb2.Message]:
        """The messages of a group, or all, oldest first."""
        request = messages_pb2.ListMessagesRequest(parent=group, page_size=1000)
        return list(reversed(self.call(self.messages.ListMessages, request).messages))

    def close(self) -> None:
        """Hangs up."""
        self._channel.close()


class Stack:
    """A daemon and a gateway in front of it, each of which can be taken away and brought back."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.processes = processes
        self.folder = folder
        self.data = folder / "data"
        self.target = f"unix:{self.data}/tocsind.sock"
        self.port = free_port()
        self.client = Client(self.target)
        self.daemon: Process
        self.gateway: Process

    def start(self) -> None:
        """Starts both and waits until they are ready."""
        self.start_daemon()
        self.start_gateway()
        self.wait_ready()

    def start_daemon(self, **options: Any) -> None:
        """Starts the daemon."""
        url = f"http://127.0.0.1:{self.port}"
        # Tests send as much as they need.
        unlimited = ("--rate-limit", "0", "--total-rate-limit", "0")
        receivers = ("--webhook-network", "127.0.0.0/8")
        arguments = ("--data", str(self.data), "--external-url", url, *unlimited, *receivers)
        self.daemon = self.processes.python("tocsind", *arguments, log=self.folder / "daemon.log", **options)

    def start_gateway(self) -> None:
        """Starts the gateway."""
        arguments = ("--http", f"127.0.0.1:{self.port}", "--target", self.target)
        self.gateway = self.processes.python("tocsin_gateway", *arguments, log=self.folder / "gateway.log")

    def status(self, path: str) -> int:
        """What the gateway answers to a GET; 0 where it does not."""
        sender = Sender(self.port)
        try:
            return sender.ask("GET", path).status
        except OSError:
            return 0
        finally:
            sender.close()

    def wait_ready(self) -> None:
        """Waits until notifications can be stored."""
        until(lambda: self.status("/-/ready") == 200, "the gateway and the daemon are ready")

    def sender(self) -> Sender:
        """A sender to the gateway."""
        return Sender(self.port)

    def logs(self) -> str:
        """What the two had to say lately."""
        logs = [log for log in (self.folder / "daemon.log", self.folder / "gateway.log") if log.exists()]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-5000:]}" for log in logs)

    def close(self) -> None:
        """Hangs up, and shows the logs (pytest prints them for tests that failed)."""
        self.client.close()
        print(self.logs())


@contextlib.contextmanager
def running_stack(
    furnished: Callable[[Path], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Iterator[Stack]:
    """A daemon and a gateway in a folder of their own, which is `furnished` before. Their logs go with what is raised
    meanwhile."""
    processes = Processes()
    # The path is short enough for a unix socket.
    with tempfile.TemporaryDirectory(prefix="tocsin-") as name, furnished(Path(name)):
        stack = Stack(processes, Path(name))
        try:
            with told(stack.logs):
                stack.start()
                yield stack
        finally:
            stack.close()
            processes.close()
