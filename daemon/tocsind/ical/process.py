"""Calendars as the daemon has them read: each by a process of its own, which is started for it and ends with it.

Rules
- A process inherits nothing (`child.py`), and has no file but its pipes.
- At most two run at once; others wait for their turn, for a limited time.
- Whatever a calendar does to its process, there is an answer: its shifts, or in a line what is wrong with it.
"""

import contextlib
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import Final

import msgspec

from tocsind import child
from tocsind.domain.errors import not_in_time
from tocsind.domain.shift import MOST_TEXT, Shift
from tocsind.ical.wire import Answer, Task

PROCESSES: Final = 2

CPU_SECONDS: Final = 10
"""What a process may compute for; a calendar of 4 MiB takes about 4 s."""

WALL_SECONDS: Final = 60.0
"""How long it may take by the clock, where the machine is busy."""

PATIENCE: Final = 30.0
"""Seconds for which anything waits for its turn."""

MOST_SHIFTS: Final = 100_000
"""Shifts that a calendar may have in the time that is asked for."""


class Unreadable(Exception):
    """A calendar cannot be read. The text says what is wrong with it, and where."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a calendar says. `notes` are of events that mean nothing and were passed over."""

    shifts: tuple[Shift, ...]
    notes: tuple[str, ...] = ()


class Reader:
    """Has calendars read; any thread may ask."""

    def __init__(self, cpu_seconds: int = CPU_SECONDS, most: int = MOST_SHIFTS) -> None:
        self._cpu_seconds = cpu_seconds
        self._most = most
        self._turns = threading.BoundedSemaphore(PROCESSES)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def read(self, text: str, begin: int, end: int) -> Reading:
        """Returns the shifts between two times, in microseconds. Raises Unreadable, and TocsinError (NOT_IN_TIME) where
        its turn did not come, or the daemon is stopping."""
        if len(text) > MOST_TEXT or len(text.encode("utf-8", "replace")) > MOST_TEXT:
            raise Unreadable(f"is over {MOST_TEXT >> 20} MiB long")
        task = Task(text.encode("utf-8", "replace").decode(), begin, end, self._cpu_seconds, self._most)
        if not self._turns.acquire(timeout=PATIENCE):
            raise not_in_time("too many calendars are being read")
        try:
            answer = self._ask(msgspec.json.encode(task))
        finally:
            self._turns.release()
        if answer.error:
            raise Unreadable(answer.error)
        return Reading(tuple(Shift(start, end, tuple(who)) for start, end, who in answer.shifts), tuple(answer.notes))

    def pids(self) -> list[int]:
        """Returns the ids of the processes that there are."""
        with self._lock:
            return [process.pid for process in self._running]

    def close(self) -> None:
        """Ends what runs; nothing more is read."""
        with self._lock:
            self._closed = True
            for process in self._running:
                with contextlib.suppress(OSError):
                    process.kill()

    def _ask(self, task: bytes) -> Answer:
        with self._lock:
            if self._closed:
                raise not_in_time("the daemon is stopping")
            try:
                process = child.start(
                    "tocsind.ical",
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    environment={"TZ": "UTC", "LANG": "C.UTF-8"},
                )
            except OSError as error:
                raise not_in_time(f"the process that reads calendars cannot be started: {error}") from error
            self._running.add(process)
        try:
            with process:
                try:
                    said, _ = process.communicate(task, timeout=WALL_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise Unreadable(f"takes over {WALL_SECONDS:.0f} s to read") from None
        finally:
            with self._lock:
                self._running.discard(process)
        if self._closed:
            raise not_in_time("the daemon is stopping")
        if process.returncode == -signal.SIGXCPU or process.returncode == -signal.SIGKILL:
            raise Unreadable(f"takes over {self._cpu_seconds} s to work out; does a rule repeat too often?")
        try:
            return msgspec.json.decode(said, type=Answer)
        except msgspec.DecodeError:
            raise Unreadable(f"broke the process that reads it (status {process.returncode})") from None
