"""The processes that are measured: started, waited for, looked at through /proc, and always ended."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.dependent import die_with_parent
from tocsin.v1 import integrations_pb2, integrations_pb2_grpc
from tocsin.v1.templates_pb2 import Templates

ALERTMANAGER = "/integrations/v1/alertmanager/"
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Memory:
    """Megabytes (10^6 bytes): all resident pages, and the share of them that is this process's own doing (PSS)."""

    rss: float
    pss: float


class Process:
    """One program and the processes that it starts, in a session of their own."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.log = log
        self._output: IO[bytes] = log.open("ab")
        self.started = time.perf_counter()
        self._popen = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=Path(__file__).parents[1],
            preexec_fn=die_with_parent(),
        )

    @property
    def pid(self) -> int:
        """Of the program itself."""
        return self._popen.pid

    def check(self) -> None:
        """Raises RuntimeError, with the end of its log, where it has ended."""
        status = self._popen.poll()
        if status is not None:
            tail = self.log.read_text(errors="replace")[-2_000:]
            raise RuntimeError(f"{self.log.stem} ended with exit status {status}:\n{tail}")

    def pids(self) -> list[int]:
        """The program and its children."""
        found = [self.pid]
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            found.extend(int(child) for child in children.split())
        return found

    def cpu(self) -> float:
        """Seconds of CPU so far, children included; to a hundredth."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    def memory(self) -> Memory:
        """Now, children included."""
        rss, pss = 0, 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                pss += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
        return Memory(round(rss / 1e6, 1), round(pss / 1e6, 1))

    def stop(self) -> None:
        """Ends it, and whatever is left of its children."""
        try:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(_STOP_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()
            self._output.close()


class Daemon(Process):
    """`tocsind` on a data folder, serving."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        self.socket = data / "tocsind.sock"
        self.target = f"unix:{self.socket}"
        url = "http://127.0.0.1:1"  # only the paths of the URLs are used
        unlimited = ["--rate-limit", "0", "--total-rate-limit", "0"]  # what is measured is how much it could take
        unlimited += ["--webhook-network", "127.0.0.0/8"]
        super().__init__(["tocsind", "--data", str(data), "--external-url", url, *unlimited], data / "daemon.log")
        try:
            self.start_seconds = self._wait() - self.started
        except BaseException:
            self.stop()
            raise

    def channel(self) -> grpc.Channel:
        """A new channel to it."""
        return grpc.insecure_channel(self.target)

    def integrate(self, count: int, prefix: str = "bench", templates: Templates | None = None) -> list[str]:
        """Makes integrations by its API, with these templates; returns the paths of their URLs."""
        with self.channel() as channel:
            stub = integrations_pb2_grpc.IntegrationServiceStub(channel)
            paths = []
            for number in range(count):
                wanted = integrations_pb2.Integration(
                    display_name=f"{prefix} {number}",
                    type="alertmanager",
                    reopen_window=Duration(seconds=300),
                    templates=templates,
                )
                made = stub.CreateIntegration(integrations_pb2.CreateIntegrationRequest(integration=wanted))
                paths.append(f"{ALERTMANAGER}{made.token}/")
            return paths

    def _wait(self) -> float:
        """Waits until its health is SERVING; returns when that was. The socket is looked for every millisecond: gRPC's
        own attempts are too far apart to measure by."""
        deadline = time.perf_counter() + _START_SECONDS
        while not _accepts(self.socket):
            self.check()
            if time.perf_counter() > deadline:
                raise RuntimeError("tocsind does not listen")
            time.sleep(0.001)
        with self.channel() as channel:
            check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
            while True:
                answer = check(health_pb2.HealthCheckRequest(), timeout=_START_SECONDS, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return time.perf_counter()
                self.check()
                if time.perf_counter() > deadline:
                    raise RuntimeError("tocsind is not healthy")
                time.sleep(0.001)


class Web(Process):
    """A server that answers HTTP on a free port, ready."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.port = _free_port()
        super().__init__([part.format(http=f"127.0.0.1:{self.port}") for part in arguments], log)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.perf_counter() + _START_SECONDS
        while True:
            self.check()
            with contextlib.suppress(OSError):
                connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
                try:
                    connection.request("GET", "/-/ready")
                    if connection.getresponse().status == 200:
                        return
                finally:
                    connection.close()
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{self.log.stem} is not ready")
            time.sleep(0.02)


@dataclass(frozen=True)
class Stack:
    """A daemon and the gateway before it."""

    daemon: Daemon
    gateway: Web


P = TypeVar("P", bound=Process)


@contextmanager
def stack(data: Path) -> Iterator[Stack]:
    """A daemon with its gateway on a data folder."""
    with running(Daemon(data)) as daemon:
        arguments = ["tocsin_gateway", "--http", "{http}", "--target", daemon.target]
        with running(Web(arguments, data / "gateway.log")) as gateway:
            yield Stack(daemon, gateway)


@contextmanager
def noop(folder: Path) -> Iterator[Web]:
    """The server that does nothing."""
    with running(Web(["bench.noop", "{http}"], folder / "noop.log")) as server:
        yield server


@contextmanager
def running(process: P) -> Iterator[P]:
    """Ends the process at the end."""
    try:
        yield process
    finally:
        process.stop()


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as attempt:
        return attempt.connect_ex(str(path)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
