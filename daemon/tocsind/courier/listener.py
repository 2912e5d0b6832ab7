"""The courier as a service of its own: `python -m tocsind.courier --socket`, at the socket that systemd hands over.

Rules
- Each connection gets a process of its own (worker.py), which is what a daemon without such a service starts as its
  child. It ends with its connection. So a daemon that died leaves nothing behind, whatever hangs in its errands, and
  the next one, or the same one that wants a fresh courier, is served at once.
- There is one daemon, so there are one or two such processes. Beyond `MOST`, the oldest is ended: it is one whose
  daemon neither hangs up nor dies.
- Who may connect is for the file of the socket to say, and its folder: whoever can, can send what he wants to
  wherever this machine reaches. Nothing else is checked.
- It has nothing of the daemon's: no file, no secret but those of errands under way, in the memory of that process.
- At a stop, what is under way is broken off: the daemon tries that again, at its receivers with the same key.
"""

import argparse
import contextlib
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

from tocsind.clock import SystemClock
from tocsind.courier.process import start_child
from tocsind.systemd import ServiceManager, handed_over

MOST = 4
"""Processes at once."""

PROGRAM = "tocsind.courier"


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status: 2 where no socket is handed over."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Does the daemon's errands in the network.")
    parser.add_argument(
        "--socket",
        action="store_true",
        required=True,
        help="serve the stream socket that systemd hands over (LISTEN_FDS)",
    )
    parser.parse_args(arguments)
    handed = handed_over()
    if len(handed) != 1 or handed[0].family != socket.AF_UNIX or handed[0].type != socket.SOCK_STREAM:
        print(f"{PROGRAM}: must be handed one unix stream socket by systemd: start its .socket unit", file=sys.stderr)
        return 2
    waits, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    manager = ServiceManager(SystemClock())
    manager.tell("READY=1")
    try:
        _serve(handed[0], waits)
    finally:
        manager.tell("STOPPING=1")
    return 0


def _serve(listening: socket.socket, waits: socket.socket) -> None:
    listening.setblocking(False)
    running: list[subprocess.Popen[bytes]] = []
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        selector.register(waits, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if waits in ready and set(waits.recv(4096)) & {signal.SIGTERM, signal.SIGINT}:
                break
            running = [each for each in running if each.poll() is None]
            if listening in ready:
                with contextlib.suppress(OSError):
                    # A connection that cannot have its process ends; the daemon says so, and tries again.
                    connection, _ = listening.accept()
                    with connection:
                        connection.setblocking(True)
                        running.append(start_child(connection))
            while len(running) > MOST:
                _end(running.pop(0))
    for each in running:
        _end(each)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
