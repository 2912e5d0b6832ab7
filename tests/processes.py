"""Real processes for tests: they are started, waited for, hurt, and never left behind."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

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
