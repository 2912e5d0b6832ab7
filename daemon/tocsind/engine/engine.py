"""The daemon without its network: the file, the writer and what it keeps in memory, opened and closed in order.

Changes go through `change`, which runs a job by the one writer; reads take a connection of `store.reading()`.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from enum import Enum
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from tocsind.clock import Clock
from tocsind.courier.courier import Courier
from tocsind.domain.alert_group import ResolveReason
from tocsind.domain.escalation import EscalationProblem
from tocsind.engine import api_tokens, integrations
from tocsind.engine.changes import Changes
from tocsind.engine.deliver import Outcome
from tocsind.engine.figures import Figures
from tocsind.engine.limits import Limits
from tocsind.engine.memory import Memory
from tocsind.engine.telling.postman import Postman
from tocsind.engine.telling.refresher import Refresher
from tocsind.engine.ticker import Ticker
from tocsind.ical.process import Reader
from tocsind.metrics import Metrics
from tocsind.rendering.renderer import Renderer
from tocsind.sqlite.lock import FolderLock
from tocsind.sqlite.store import Store
from tocsind.sqlite.writer import Job, Transaction, Writer

T = TypeVar("T")
P = ParamSpec("P")

# A busy thread beside the writer costs it the interpreter lock at every sqlite step. Measured: 200 commits a second at
# Python's default of 5 ms, 1,700 at 0.5 ms.
_SWITCH_INTERVAL = 0.0005

log = structlog.get_logger()


class Engine:
    """Opens a data folder: HeldError where another daemon has it, NewerFileError where a newer version wrote it.

    `on_health` is told, by whoever writes, when the file cannot be written any more and when it can be again;
    `on_broken`, when the writer ended by a defect: memory can only be trusted again after a restart; `on_beat`, after
    each of its turns in which it looked at the time; `on_progress`, while the file is migrated. `courier` is the socket
    at which a courier is, where it is none of the daemon's own.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        on_health: Callable[[bool], None],
        on_broken: Callable[[], None],
        limits: Limits,
        webhook_networks: Sequence[str] = (),
        courier: Path | None = None,
        on_beat: Callable[[], None] = lambda: None,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        sys.setswitchinterval(_SWITCH_INTERVAL)
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.clock = clock
        self._lock = FolderLock(folder)
        try:
            self.store = Store(folder, clock, on_progress)
        except BaseException:
            self._lock.release()
            raise
        for name in self.store.migrated:
            log.info("migrated", migration=name)
        self.metrics = Metrics(_labels(Outcome), _labels(ResolveReason), _labels(EscalationProblem))
        self.memory = Memory(clock, self.store.writer, self.metrics, limits)
        self.renderer = Renderer(clock, self.metrics)
        self.courier = Courier(clock, self.metrics, webhook_networks, courier)
        self.reader = Reader()
        self.changes = Changes()
        self._ticker = Ticker(self.memory)
        self._writer = Writer(
            self.store.writer,
            clock,
            tick=lambda: self._ticker.tick(self._writer.healthy),
            on_commit=self._committed,
            on_rollback=self.memory.forget,
            on_health=on_health,
            on_broken=on_broken,
            has_room=self.store.has_room,
            metrics=self.metrics,
            on_beat=on_beat,
        )
        self.metrics.registry.register(Figures(self.memory, self.store, self._writer))
        self._writer.start()
        self._writer.do(integrations.create_built_in)
        # Last: it changes things by itself from now on.
        self.refresher = Refresher(self)
        self.refresher.start()
        self._postman = Postman(self)
        self._postman.start()

    @property
    def trouble(self) -> str:
        """Why the file cannot be written, or nothing."""
        return self._writer.trouble

    def change(
        self,
        job: Callable[Concatenate[Transaction, Memory, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Runs a job and returns its answer once it is on disk. Raises what the job raises, and TocsinError
        (UNAVAILABLE) where the file cannot be written."""
        return self._writer.do(_traced(lambda transaction: job(transaction, self.memory, *args, **kwargs)))

    def submit(
        self,
        job: Callable[Concatenate[Transaction, Memory, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> "Future[T]":
        """Queues a job; the future is done when it is on disk."""
        return self._writer.submit(_traced(lambda transaction: job(transaction, self.memory, *args, **kwargs)))

    def close(self) -> None:
        """Finishes what is queued, writes what is kept in memory for a while, and closes the file."""
        # Before what they use: that these end is no fault of a calendar, or of a receiver.
        self._postman.stop()
        self.refresher.stop()
        self.reader.close()
        self.courier.close()
        self.refresher.join()
        self._postman.finish()
        self.renderer.close()
        self._writer.submit(self._ticker.stamp)
        self.submit(api_tokens.note_uses)
        self._writer.stop()
        self.store.close()
        self._lock.release()

    def _committed(self, transaction: Transaction) -> None:
        if transaction.events_written:
            self.changes.announce()


def _labels(kind: type[Enum]) -> list[str]:
    return [each.name.lower() for each in kind]


def _traced(job: Job[T]) -> Job[T]:
    """Keeps what is bound for the logs of who asks for a job (its trace id) with the job: another thread may run it."""
    context = copy_context()
    trace_id = structlog.contextvars.get_contextvars().get("trace_id")

    def run(transaction: Transaction) -> T:
        answer = context.run(job, transaction)
        if trace_id:
            transaction.trace_ids.append(trace_id)
        return answer

    return run
