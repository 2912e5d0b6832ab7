"""Runs the program `tocsin` in a pseudo-terminal of a given width, with somebody who types."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from fake_daemon import FakeDaemon


def on_terminal(
    daemon: FakeDaemon, *arguments: str, width: int = 100, typed: str = "", env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run the program on a terminal; return its exit code and everything that the terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    environment |= {"TOCSIN_TARGET": daemon.target, "TERM": "xterm-256color"} | (env or {})
    program = subprocess.Popen(
        [sys.executable, "-m", "tocsin_cli", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    seen = bytearray()
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the terminal has hung up: the program is done
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    return program.wait(), seen.decode().replace("\r\n", "\n")
