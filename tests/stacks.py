"""A daemon and a gateway as real processes, for the end-to-end and fault tests."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daemon_client import Client
from early import told
from processes import Process, Processes, free_port, until
from senders import Sender


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
