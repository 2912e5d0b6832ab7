"""What the daemon and its service manager say to each other: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).

Rules
- Without a manager that asked to be told (NOTIFY_SOCKET) nothing is said. What cannot be said is lost: that a manager
  does not listen is no reason to take no alerts.
- READY is said when the daemon serves, RELOADING and READY around a reload, STOPPING when it stops, whyever.
- STATUS is one honest line for people; `systemctl status` shows it.
- The beat of the watchdog is the writer's: it is sent after a turn of its own that ended, never by a thread that only
  knows the time. So a writer that hangs is noticed, and replaced by a restart. A turn that could not write, as the disk
  is full, has ended as well: a restart would not make room.
- Opening a file may take long where there is much to be migrated: each step of it asks for more time. A step that hangs
  asks for none.
"""

import contextlib
import os
import socket
from collections.abc import Mapping

from tocsind.clock import Clock
from tocsind.domain.units import SECOND

FIRST_SOCKET = 3
"""SD_LISTEN_FDS_START: the number of the first socket that is handed over."""

BEATS = 3
"""Beats in the time that the watchdog allows for one; systemd asks for two at least."""

MORE_TIME = 300 * SECOND
"""What a step of opening the file may take: a disk that is slow, and a file of gigabytes."""


class ServiceManager:
    """The service manager that started this process, if one did and wants to be told."""

    def __init__(self, clock: Clock, environment: Mapping[str, str] = os.environ) -> None:
        self._clock = clock
        path = environment.get("NOTIFY_SOCKET", "")
        # In Linux's abstract namespace, names begin with a zero, which no environment can hold.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._beat_every = _watchdog(environment) // BEATS
        self._next_beat = 0
        self._next_request = 0

    @property
    def listens(self) -> bool:
        """Whether somebody wants to be told."""
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Sends assignments such as READY=1, together."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            # A manager that is busy is not waited for: the writer says this too.
            to.setblocking(False)
            to.sendto("\n".join(lines).encode(), self._address)

    def reloading(self) -> None:
        """From now until READY the configuration is read again. Type=notify-reload wants to know since when."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={self._clock.steady()}")

    def beat(self) -> None:
        """The writer's turn has ended."""
        now = self._clock.steady()
        if self._beat_every and now >= self._next_beat:
            self._next_beat = now + self._beat_every
            self.tell("WATCHDOG=1")

    def progress(self) -> None:
        """A step of opening the file has been made, and more are to come."""
        now = self._clock.steady()
        if now >= self._next_request:
            self._next_request = now + SECOND
            self.tell(f"EXTEND_TIMEOUT_USEC={MORE_TIME}", "STATUS=opening the file")


def _watchdog(environment: Mapping[str, str]) -> int:
    """Microseconds in which the manager wants to hear a beat of this process, or 0."""
    process, span = environment.get("WATCHDOG_PID", ""), environment.get("WATCHDOG_USEC", "")
    if process and process != str(os.getpid()):
        return 0
    return int(span) if span.isascii() and span.isdecimal() else 0


def handed_over(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Returns the sockets that the manager opened for this process."""
    process, count = environment.get("LISTEN_PID", ""), environment.get("LISTEN_FDS", "")
    if process != str(os.getpid()) or not count.isascii() or not count.isdecimal():
        return []
    found = []
    for number in range(FIRST_SOCKET, FIRST_SOCKET + int(count)):
        os.set_inheritable(number, False)
        found.append(socket.socket(fileno=number))
    return found
