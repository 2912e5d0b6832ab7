"""Child processes for `tocsin up`, and the one queue that tells what happens to them.

- A child has a session of its own, so that the terminal's Ctrl-C reaches only us and we decide the order in which
  things stop. It still dies with us: Linux sends it SIGTERM when we are gone, however that came about.
- Whatever happens (a child ends, somebody wants us to stop) comes as a message in one queue. Nothing is polled.
- Children write their logs to our stderr, both of their streams: our stdout is for the sheet.
"""

import contextlib
import ctypes
import functools
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class StopWanted:
    """Somebody sent us a signal that means: stop."""


@dataclass(frozen=True)
class Ended:
    """A child ended by itself or was stopped."""

    child: "Child"


class Inbox:
    """What happened, in order. Must be made in the main thread, as it takes over the stop signals."""

    def __init__(self) -> None:
        """Turn SIGINT, SIGTERM and SIGHUP into messages from now on."""
        # SimpleQueue, because its put is safe in a signal handler that interrupted another put.
        self._queue: queue.SimpleQueue[StopWanted | Ended] = queue.SimpleQueue()
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda *_: self._queue.put(StopWanted()))

    def put(self, message: Ended) -> None:
        """Add a message; from any thread."""
        self._queue.put(message)

    def get(self, timeout: float | None = None) -> StopWanted | Ended | None:
        """Wait for the next message; None if there was none for `timeout` seconds."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None


class Child:
    """One process. Must be started in the main thread: Linux counts the end of the starting *thread* as our end."""

    def __init__(self, name: str, arguments: Sequence[str], inbox: Inbox) -> None:
        """Start it, and announce its end to the inbox when it comes."""
        self.name = name
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            preexec_fn=_die_with_parent(),  # calls nothing but prctl, getppid and kill
        )
        self._announcer = threading.Thread(target=self._announce, args=(inbox,), daemon=True)
        self._announcer.start()

    def _announce(self, inbox: Inbox) -> None:
        self._process.wait()
        inbox.put(Ended(self))

    @property
    def end(self) -> str:
        """How it ended, in words."""
        status = self._process.returncode
        if status is not None and status < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-status).name}"
        return f"ended with exit status {status}"

    def stop(self, patience: float) -> None:
        """Ask it to stop, wait up to `patience` seconds, and kill whatever is left of it then."""
        self._process.terminate()
        self._announcer.join(patience)
        self.kill_rest()
        self._announcer.join()

    def kill_rest(self) -> None:
        """Kill it and the processes that it started: workers outlive their master for a while, holding its port."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _die_with_parent() -> "functools.partial[None]":
    """Return what the child calls before it becomes the program: that the kernel ends it when we are gone."""
    # The library is loaded here and not in the child, where little is safe between fork and exec.
    return functools.partial(_set_death_signal, ctypes.CDLL(None, use_errno=True), os.getpid())


def _set_death_signal(libc: ctypes.CDLL, parent: int) -> None:
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # we were gone before the kernel knew
            os.kill(os.getpid(), signal.SIGTERM)
