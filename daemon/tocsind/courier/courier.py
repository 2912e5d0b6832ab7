"""The courier as the daemon sees it: errands are given to it, and answered.

Rules
- Everything that goes out over the network is done by a process of its own (worker.py), so that no library, no receiver
  and no defect of either can stop or break what takes alerts in. It is started when there is first something to do.
- An errand always has an outcome, and asking never blocks. When the process dies, all that was under way has failed (it
  may have arrived all the same), and the next errand finds a new one at once. When it dies before it is of any use,
  there is a pause before it is started again, which grows to half a minute; until then errands fail.
- So do they, as if the process did not start, while the system has no thread for what is done here: each errand tries
  again to have one.
- An errand that has no answer in its time is given up. Its thread may hang; once many do, or there is no room left for
  others, the process is replaced: errands go to a new one, and the old one ends when it has nothing under way any more.
- So is a process that has answered nothing else either since it was given such an errand: it may be stopped, or a
  defect keeps it busy, and messages have few attempts to lose.
- Where it is a service of its own, it is connected to instead of started, with the same rules: what was under way fails
  when the connection breaks, and while there is nothing at the socket there is a pause between two attempts.
- One thread does all of it. What is called when an outcome is there runs in it, and must be quick.
"""

import contextlib
import itertools
import selectors
import socket
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import msgspec
import structlog

from tocsind.clock import Clock
from tocsind.courier.deadline import Deadline
from tocsind.courier.process import Broken, Connection, Process, UnderWay, errand_frame
from tocsind.courier.wire import MOST_UNDER_WAY, Errand, Fetch, HttpRequest, Outcome
from tocsind.domain.units import SECOND
from tocsind.metrics import Metrics

MOST_STUCK = 64
"""Threads that may hang in a process before it is replaced."""

LOOK_SECONDS = 0.25
"""How often deadlines are looked at while something is under way."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0

ENDED = "the courier ended before it had an answer"
NOT_STARTED = "the courier does not start"
STOPPING = "the daemon is stopping"
TOO_LONG = "it is too long to be sent"

log = structlog.get_logger()


class Courier:
    """Runs errands in a process of its own, which is started when there is first something to do. Any thread may ask.
    `networks` are the private networks that webhooks may reach, as CIDR; others may be put in their place at any time.
    `path` is the socket at which the process is, if it is not to be a child of this one."""

    def __init__(self, clock: Clock, metrics: Metrics, networks: Sequence[str] = (), path: Path | None = None) -> None:
        self.networks = list(networks)
        self._path = path
        self._clock = clock
        self._metrics = metrics
        self._lock = threading.Lock()
        self._waiting: deque[UnderWay] = deque()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._waits, self._wakes = socket.socketpair()
        self._waits.setblocking(False)
        self._wakes.setblocking(False)
        # From here on, of the thread's alone; others may look at `_processes`.
        self._processes: tuple[Connection, ...] = ()
        self._current: Connection | None = None
        self._numbers = itertools.count(1)
        self._bad_starts = 0
        self._pause = Deadline(0.0)

    def send(self, errand: Errand) -> "Future[Outcome]":
        """Gives it an errand, with the networks as they are now; the future gets an outcome, never an exception."""
        if isinstance(errand, HttpRequest | Fetch):
            errand = msgspec.structs.replace(errand, networks=self.networks)
        under_way = UnderWay(errand, Future(), self._clock.steady())
        # It cannot be cancelled: nobody could say whether it has gone.
        under_way.future.set_running_or_notify_cancel()
        refusal: Outcome | None = None
        with self._lock:
            if self._closed:
                refusal = Outcome(False, STOPPING)
            elif not self._has_thread():
                refusal = Outcome(False, NOT_STARTED, tried=False)
            else:
                self._waiting.append(under_way)
                self._wake()
        if refusal is not None:
            self._answer(under_way, refusal)
        return under_way.future

    def run(self, errand: Errand) -> Outcome:
        """The same, and waits for the outcome."""
        return self.send(errand).result()

    def pids(self) -> list[int]:
        """Returns the ids of the processes that there are, as children of this one."""
        return [process.pid for process in self._processes if process.pid is not None]

    def close(self) -> None:
        """Ends the process; what is under way is answered."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
            self._wake()
        if thread is not None:
            thread.join()
        self._waits.close()
        self._wakes.close()

    def _has_thread(self) -> bool:
        """Whether there is the thread that does all of it, which is started if need be; with the lock."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="courier", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                log.error("the courier does not start", reason=str(error))
                return False
            # Only now: what is queued for a thread that never ran waits forever.
            self._thread = thread
        return True

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakes.send(b".")

    # The thread

    def _work(self) -> None:
        while not self._closed:
            try:
                self._step()
            except Exception:
                # Not even a log that cannot be written ends the thread: everybody would wait forever.
                with contextlib.suppress(Exception):
                    log.exception("the courier's thread failed")
                for process in self._processes:
                    self._drop(process, ENDED)
                threading.Event().wait(LOOK_SECONDS)
        for process in self._processes:
            self._drop(process, STOPPING)
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for under_way in waiting:
            self._answer(under_way, Outcome(False, STOPPING))

    def _step(self) -> None:
        """Waits until there is something to do, and does it."""
        self._hand_out()
        with selectors.DefaultSelector() as selector:
            selector.register(self._waits, selectors.EVENT_READ)
            for process in self._processes:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if process.has_to_write else 0)
                selector.register(process.link, events, process)
            waited_for = any(process.busy or not process.ready for process in self._processes)
            ready = selector.select(LOOK_SECONDS if waited_for or self._waiting else None)
        for key, events in ready:
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._waits.recv(4096)
            else:
                self._serve(key.data, events)
        for process in self._processes:
            try:
                for under_way, outcome in process.overdue():
                    self._answer(under_way, outcome)
            except Broken as broken:
                self._lose(process, str(broken))
        self._retire()

    def _serve(self, process: Connection, events: int) -> None:
        try:
            # What it said before it ended still counts.
            if events & selectors.EVENT_READ:
                for under_way, outcome in process.read():
                    self._answer(under_way, outcome)
            if events & selectors.EVENT_WRITE:
                process.write()
        except Broken as broken:
            self._lose(process, str(broken))

    def _hand_out(self) -> None:
        """Gives what waits to the process, as far as that has room."""
        while True:
            with self._lock:
                process = self._current
                if not self._waiting or (process and process.busy + process.stuck >= MOST_UNDER_WAY):
                    return
                under_way = self._waiting.popleft()
            number = next(self._numbers)
            try:
                content = errand_frame(number, under_way.errand)
                process = process or self._start()
            except ValueError:
                self._answer(under_way, Outcome(False, TOO_LONG))
                continue
            except Exception:
                log.exception("an errand cannot be given to the courier")
                process = None
            if process is None:
                self._answer(under_way, Outcome(False, NOT_STARTED, tried=False))
            else:
                process.give(number, content, under_way)

    def _start(self) -> Connection | None:
        if self._pause.took() < self._pause.seconds:
            return None
        try:
            process = Process() if self._path is None else Connection(self._path)
        except OSError as error:
            self._failed_to_start(f"{self._path}: {error.strerror}" if self._path else str(error))
            return None
        self._current = process
        self._processes += (process,)
        self._metrics.courier_up.set(1)
        return process

    def _failed_to_start(self, reason: str) -> None:
        pause = min(FIRST_PAUSE * 2**self._bad_starts, LONGEST_PAUSE)
        self._bad_starts = min(self._bad_starts + 1, 16)
        self._pause = Deadline(pause)
        log.error("the courier does not start", reason=reason, pause=pause)

    def _retire(self) -> None:
        """Replaces a process in which too much hangs; ends those that were replaced and have done what they had."""
        current = self._current
        if current is not None and (current.stuck >= MOST_STUCK or current.mute):
            log.warning("the courier is replaced", stuck=current.stuck, under_way=current.busy)
            self._current = None
            self._metrics.courier_restarts.inc()
        for process in self._processes:
            if process is not self._current and not process.busy:
                self._drop(process, ENDED)

    def _lose(self, process: Connection, reason: str) -> None:
        """Of a process that is of no more use."""
        count = process.busy
        was_current = process is self._current
        how = self._drop(process, ENDED if process.ready else NOT_STARTED)
        if was_current:
            self._metrics.courier_restarts.inc()
        if process.ready:
            self._bad_starts = 0
            log.warning("the courier ended", reason=reason, ended=how, under_way=count)
        else:
            self._failed_to_start(f"{reason}: {how}")

    def _drop(self, process: Connection, answer: str) -> str:
        self._processes = tuple(each for each in self._processes if each is not process)
        if process is self._current:
            self._current = None
        self._metrics.courier_up.set(1 if self._current else 0)
        how = process.end()
        for under_way in process.left():
            self._answer(under_way, Outcome(False, answer, tried=answer != NOT_STARTED))
        return how

    def _answer(self, under_way: UnderWay, outcome: Outcome) -> None:
        kind = type(under_way.errand).__name__.lower().removesuffix("request")
        self._metrics.errands[kind, "done" if outcome.done else "failed"].inc()
        self._metrics.errand_seconds[kind].observe((self._clock.steady() - under_way.begun) / SECOND)
        under_way.future.set_result(outcome)
