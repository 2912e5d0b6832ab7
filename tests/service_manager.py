"""A service manager for tests: it listens to what is told, and hands sockets over."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HANDS_OVER = (
    "import os, sys; number, *command = sys.argv[1:]; os.dup2(int(number), 3);"
    "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}; os.execv(sys.executable, command)"
)


class Manager:
    """Listens at a socket; `environment` is for who is to tell it."""

    def __init__(self, path: Path, abstract: bool = False) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{path}" if abstract else str(path))
        self._socket.settimeout(20)
        self.environment = {"NOTIFY_SOCKET": f"@{path}" if abstract else str(path)}
        self.heard: list[str] = []

    def hear(self) -> list[str]:
        """The lines of the next message."""
        lines = self._socket.recv(4096).decode().split("\n")
        self.heard += lines
        return lines

    def wait_for(self, start: str) -> str:
        """Hears until a line begins so, and returns it."""
        while True:
            for line in self.hear():
                if line.startswith(start):
                    return line

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing is said for so long."""
        self._socket.settimeout(seconds)
        try:
            self.hear()
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(20)
        return False

    def forget(self) -> None:
        """Takes away what was said and not heard."""
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(4096)
        except BlockingIOError:
            self._socket.settimeout(20)

    def close(self) -> None:
        """Listens no more."""
        self._socket.close()


@contextmanager
def listening(path: Path, abstract: bool = False) -> Iterator[Manager]:
    """A manager that listens."""
    manager = Manager(path, abstract)
    try:
        yield manager
    finally:
        manager.close()


def handed(listener: socket.socket, module: str, *arguments: str) -> list[str]:
    """The command that runs one of our programs with a socket as systemd hands it over; `listener` is to be passed on
    to it (pass_fds)."""
    os.set_inheritable(listener.fileno(), True)
    return [sys.executable, "-c", HANDS_OVER, str(listener.fileno()), sys.executable, "-m", module, *arguments]
