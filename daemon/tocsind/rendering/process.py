"""One process that renders, as the daemon sees it: started, asked, killed.

Rules
- It inherits nothing (`child.py`): it has no file but its pipe (both its standard input and what it answers on) and its
  journal.
- It takes a moment to start (0.2 s); it is asked once it has said that it is ready.
- One that did not answer in time, or died, is not asked again. What it had done by then is in its journal.
"""

import contextlib
import os
import signal
import socket

from tocsind import child
from tocsind.clock import Clock
from tocsind.rendering.wire import HEAD, MOST, READY, Made, Task, all_made_of, frame, journal

START_SECONDS = 20.0
"""How long a process may take until it is ready."""

WALL_SECONDS = 1.5
"""How long it may take for one task by the clock; the limit that is usually reached is that of the time for which it
computes (worker.py)."""


class NotStarted(Exception):
    """The process cannot be started. The text says why."""


class Ended(Exception):
    """The process ended, or was killed, before it had answered. `made` is what it had done, None where it had not even
    read the payload; `in_time` is false where it took too long, and true where it broke."""

    def __init__(self, made: list[Made] | None, *, in_time: bool) -> None:
        super().__init__("the process that renders ended")
        self.made = made
        self.in_time = in_time


class Process:
    """A process. One thread may ask it at a time; `kill` may come from any. `took` is how long the last task did, in
    microseconds."""

    def __init__(self, clock: Clock) -> None:
        """Starts it, without waiting until it is ready; NotStarted where the system refuses."""
        ours, its = socket.socketpair()
        try:
            self._journal = os.memfd_create("tocsin-rendering")
            try:
                self._popen = child.start(
                    "tocsind.rendering",
                    stdin=its.fileno(),
                    stdout=self._journal,
                    environment={"TZ": "UTC", "LANG": "C.UTF-8"},
                )
            except BaseException:
                os.close(self._journal)
                raise
        except OSError as error:
            ours.close()
            raise NotStarted(str(error)) from error
        finally:
            its.close()
        self.took = 0
        self._clock = clock
        self._pipe = ours
        self._ready = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._popen.pid)

    def ask(self, task: Task) -> list[Made]:
        """Returns what came of a task, one for each piece. Raises Ended, and NotStarted where it was never ready; it is
        then of no more use, and to be closed."""
        content = frame(task)
        if not self._ready:
            self._await_ready()
        # Not by the process: one that dies before it gets to it would leave what came of the task before.
        os.ftruncate(self._journal, 0)
        self._pipe.settimeout(WALL_SECONDS)
        begin = self._clock.steady()
        try:
            self._pipe.sendall(content)
            made = all_made_of(self._receive())
            self.took = self._clock.steady() - begin
            return made
        except TimeoutError:
            self.kill()
            in_time = False
        except (OSError, EOFError, ValueError):
            self.kill()
            in_time = self._popen.wait() != -signal.SIGPROF
        raise Ended(journal(self._noted()), in_time=in_time)

    def kill(self) -> None:
        """Ends it at once; whoever waits for its answer gets Ended."""
        with contextlib.suppress(OSError):
            self._popen.kill()

    def close(self) -> None:
        """Ends it, and gives back what it held."""
        self.kill()
        self._popen.wait()
        self._pipe.close()
        os.close(self._journal)

    def _await_ready(self) -> None:
        self._pipe.settimeout(START_SECONDS)
        try:
            if self._receive() != READY:
                raise NotStarted("it does not say that it is ready")
        except (OSError, EOFError, ValueError) as error:
            raise NotStarted(str(error) or "it ended at once") from error
        self._ready = True

    def _receive(self) -> bytes:
        size = int.from_bytes(self._read(HEAD), "big")
        if size > MOST:
            raise ValueError("no such frame is ever sent")
        return self._read(size)

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._pipe.recv(min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _noted(self) -> bytes:
        self._popen.wait()
        return os.pread(self._journal, os.fstat(self._journal).st_size, 0)
