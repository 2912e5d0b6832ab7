"""The one writer: whoever holds the pen owns the write connection, and writes for all who wait.

Rules
- Every change is a job: a function that gets a `Transaction` and returns an answer. Jobs that wait together are run in
  one transaction and answered after its one commit (group commit). Nothing is delayed to gather more: under load enough
  waits by itself, and alone a job is committed at once (measured: an added delay only hurts).
- There is one pen. Who wants a change queues it and takes the pen; whoever has it first runs everything that is queued,
  and the others find theirs done. So one thread at a time writes, as with a thread of its own for that, but without
  passing each job to that thread and back (measured: 10 to 25 % more new groups a second at 16 connections). Whose job
  was done by another still waits for the pen before it goes on: a transaction more at worst.
- A job that raises is undone alone (a savepoint, where there are others), and its exception is its answer. The others
  are committed.
- When the file fails (disk full, I/O error), the whole transaction is undone and every job of it is answered with
  UNAVAILABLE; memory that may have run ahead of the file is told to forget (`on_rollback`). The next transaction tries
  again: there is no state of being broken to get out of.
- What a transaction means for memory (timers, caches) is done in `after_commit`, never before: memory follows the file.
- With any job, and in a thread of its own at least every tick, `tick` is asked for jobs that are due: timers run here,
  so their order with everything else is the order of the file. A turn in which that was done and that has ended, also
  one that could not write, is a beat of the pulse (`on_beat`): what hangs has none.
- `now` is one wall-clock time for the whole transaction, `steady` one monotonic time.
- The writer is the daemon's pulse: `healthy` says whether the last transaction could be committed, `trouble` why not.
  After a failure the disk must also have some room: on one that is nearly full, small transactions succeed and large
  ones do not.
- A defect outside of any job (in what is done after a commit, in a tick) leaves memory behind the file. Nothing more is
  written, everything that waits is answered with UNAVAILABLE, and `on_broken` is called: a restart rebuilds memory.
"""

import contextlib
import queue
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from typing import Any, TypeVar

import structlog

from tocsind.clock import Clock
from tocsind.domain.errors import Reason, TocsinError, unavailable
from tocsind.domain.timer_wheel import TICK
from tocsind.domain.units import SECOND
from tocsind.metrics import Metrics

T = TypeVar("T")
MOST_JOBS = 64

log = structlog.get_logger()


class Transaction:
    """One transaction, with one time. Times in microseconds.

    `arrivals`: the last arrival that was applied to each identity in it. What its jobs want remembered is remembered
    after the commit, but they overtake one another before. `taken`: what its jobs took of each limit, in the same way.
    `trace_ids`: what those whose changes it makes durable call their requests in logs.
    """

    def __init__(self, connection: sqlite3.Connection, now: int, steady: int) -> None:
        self.connection = connection
        self.now = now
        self.steady = steady
        self.events_written = False
        self.trace_ids: list[str] = []
        self.arrivals: dict[bytes, int] = {}
        self.taken: Counter[Any] = Counter()
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, do: Callable[[], None]) -> None:
        """Has `do` called by the writer once the transaction is on disk, and only then."""
        self._after_commit.append(do)

    def mark(self) -> int:
        """Where the list of things to do after the commit stands."""
        return len(self._after_commit)

    def forget_since(self, mark: int) -> None:
        """Forgets what a job that was undone wanted done after the commit."""
        del self._after_commit[mark:]

    def committed(self) -> None:
        """Does what was to be done after the commit."""
        for do in self._after_commit:
            do()


# What sqlite3 raises about the statements of a job; everything else of its is about the file.
_OF_THE_JOB = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

Job = Callable[[Transaction], T]
Entry = tuple[Job[Any], "Future[Any]"]


class Writer:
    """Runs jobs one transaction at a time, on one connection, from `start` to `stop`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        *,
        tick: Callable[[], list[Entry]],
        on_commit: Callable[[Transaction], None],
        on_rollback: Callable[[], None],
        on_health: Callable[[bool], None],
        on_broken: Callable[[], None],
        has_room: Callable[[], bool],
        metrics: Metrics,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._tick = tick
        self._on_commit = on_commit
        self._on_rollback = on_rollback
        self._on_health = on_health
        self._on_broken = on_broken
        self._has_room = has_room
        self._metrics = metrics
        self._on_beat = on_beat
        self._context = Context()
        self._queue: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        self._pen = threading.Lock()
        self._gate = threading.Lock()
        self._stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)
        self._next_tick = 0
        self.healthy = True
        self.trouble = ""

    def start(self) -> None:
        """Starts to tick."""
        self._thread.start()

    def submit(self, job: Job[T]) -> "Future[T]":
        """Queues a job; its future is done when the commit is on disk, or with the exception of the job."""
        future = self._enqueue(job)
        self._wake.set()
        return future

    def do(self, job: Job[T]) -> T:
        """Runs a job and waits for its commit; raises what it raises."""
        future = self._enqueue(job)
        if not future.done():
            with self._pen:
                while not future.done():
                    self._turn()
        return future.result()

    def stop(self) -> None:
        """Lets nothing more in, and runs everything that is queued."""
        with self._gate:
            self._stopping = True
        self._wake.set()
        self._thread.join()

    def _enqueue(self, job: Job[T]) -> "Future[T]":
        future: Future[T] = Future()
        with self._gate:
            if self._stopping:
                future.set_exception(_stopped())
            else:
                self._queue.put((job, future))
        return future

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._wake.wait(max(0, self._next_tick - self._clock.steady()) / SECOND)
            self._wake.clear()
            stopping = self._stopping
            with self._pen:
                self._turn()
                while not self._queue.empty():
                    self._turn()

    def _turn(self) -> None:
        """Runs what is queued and what is due, as nobody in the logs: it is not the caller's alone, who has the pen."""
        self._context.run(self._take_turn)

    def _take_turn(self) -> None:
        entries = self._gather()
        ticks = False
        try:
            steady = self._clock.steady()
            ticks = steady >= self._next_tick
            if ticks:
                self._next_tick = steady + TICK
                if not self._stopping:
                    entries.extend(self._tick())
            if entries:
                self._transact(entries)
            if ticks:
                self._on_beat()
        except Exception:
            log.exception("the writer broke")
            with self._gate:
                self._stopping = True
            while not self._queue.empty():
                entries.extend(self._gather())
            self._on_broken()
        finally:
            for _, future in entries:
                if not future.done():
                    future.set_exception(_stopped())

    def _gather(self) -> list[Entry]:
        """Takes what is queued, up to a limit."""
        entries: list[Entry] = []
        with contextlib.suppress(queue.Empty):
            while len(entries) < MOST_JOBS:
                entries.append(self._queue.get_nowait())
        return entries

    def _transact(self, entries: list[Entry]) -> None:
        begin = self._clock.steady()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            # After BEGIN, which may have waited: deadlines are compared with these.
            transaction = Transaction(self._connection, self._clock.wall(), self._clock.steady())
            alone = len(entries) == 1
            answers = [self._attempt(transaction, job, alone=alone) for job, _ in entries]
            worked = self._clock.steady()
            self._connection.execute("COMMIT")
            end = self._clock.steady()
        except sqlite3.Error as error:
            self._undo(entries, error)
            return
        try:
            if not self.healthy and self._has_room():
                log.info("the file can be written again")
                self.healthy = True
                self.trouble = ""
                self._on_health(True)
            transaction.committed()
            self._on_commit(transaction)
            self._note(transaction, len(entries), begin, worked, end)
        finally:
            for (_, future), (value, failure) in zip(entries, answers, strict=True):
                if failure is None:
                    future.set_result(value)
                else:
                    future.set_exception(failure)

    def _note(self, transaction: Transaction, jobs: int, begin: int, worked: int, end: int) -> None:
        """Counts a commit. The clock's readings: when it began, when only the commit was left, when it was done."""
        self._metrics.transaction_jobs.observe(jobs)
        self._metrics.transaction_seconds.observe((end - begin) / SECOND)
        self._metrics.commit_seconds.observe((end - worked) / SECOND)
        log.debug("committed", jobs=jobs, milliseconds=(end - begin) / 1_000, trace_ids=transaction.trace_ids)

    def _attempt(self, transaction: Transaction, job: Job[T], *, alone: bool) -> tuple[T | None, Exception | None]:
        """Runs one job, inside a savepoint unless it is alone in its transaction: a savepoint has SQLite copy every
        page that the job changes. sqlite3's errors go on, but for those that only this job can mean."""
        mark = transaction.mark()
        if not alone:
            self._connection.execute("SAVEPOINT job")
        try:
            value = job(transaction)
        except TocsinError as refusal:
            failure: Exception = refusal
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_THE_JOB):
                raise
            log.exception("a job failed")
            self._metrics.failed_jobs.inc()
            failure = error
        else:
            if not alone:
                self._connection.execute("RELEASE job")
            return value, None
        for statement in ("ROLLBACK", "BEGIN IMMEDIATE") if alone else ("ROLLBACK TO job", "RELEASE job"):
            self._connection.execute(statement)
        transaction.forget_since(mark)
        self._on_rollback()
        return None, failure

    def _undo(self, entries: list[Entry], error: sqlite3.Error) -> None:
        self._metrics.failed_transactions.inc()
        self.trouble = str(error)
        if self.healthy:
            log.error("the file cannot be written", error=str(error))
            self.healthy = False
            self._on_health(False)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as second:
            log.error("rolling back failed", error=str(second))
        self._on_rollback()
        for _, future in entries:
            future.set_exception(unavailable(f"the file cannot be written: {error}"))


def _stopped() -> TocsinError:
    return TocsinError(Reason.STOPPING, "the daemon is stopping")
