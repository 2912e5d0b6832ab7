"""Where the daemon has templates rendered: by processes of their own, so that no template can stop or starve it.

Rules
- There are at most two processes, each with a thread that asks it. They are started when there is first something to
  do, and kept. At most one of them works for an integration at a time, so that others always find one, and integrations
  take turns. What is tried out (previews, checks, tests of routes) is together like one integration.
- A contact point's templates take their turn as an integration's do. All contact points together have one of the
  processes at a time, so that the other is there for what is received, whatever their templates are.
- Those whose last task was quick come first: the same slow template in many integrations must not have the others wait
  for so long that they take their defaults.
- All templates of an integration are rendered for a notification in one go. What they may take together is limited
  (worker.py); when that is over, the process is killed and replaced, what was rendered before counts, the template at
  which it happened has failed, and so have those after it. Where it was the payload that took too long, all have.
- A process that breaks may have died of something else, such as a kill from outside: the task is given to a new one,
  once. If that breaks too, it was the template.
- A template that ran out of time, or broke its process, rests for a minute: its default is used at once. Until then
  it costs others nothing.
- Who waits, waits for a limited time: then the defaults are used. Whatever goes wrong, there is an answer, and it says
  what went wrong; nothing is ever lost because of a template.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass
from typing import Final

import structlog

from tocsind.clock import Clock
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.template import MAX_RESULT, MAX_TITLE, Slot
from tocsind.domain.units import SECOND
from tocsind.metrics import Metrics
from tocsind.rendering.process import Ended, NotStarted, Process
from tocsind.rendering.rulebooks import Part, pieces_of, rendered, task, trial_of
from tocsind.rendering.wire import Made, Piece, Task

PROCESSES: Final = 2

REST: Final = 60 * SECOND
"""Microseconds for which a template rests after it ran out of time."""

QUICK: Final = SECOND // 20
"""Microseconds that a quick task takes at most; most take a hundredth of it."""

PATIENCE: Final = 2.0
"""Seconds for which anything waits for its results at most."""

TRIAL_PATIENCE: Final = 10.0
"""The same for what people try out."""

MESSAGE_PATIENCE: Final = 5.0
"""The same for what is told to contact points: no sender waits for it."""

MOST_WAITING: Final = 1_000
"""Tasks that may wait."""

_TRIES: Final = 0
"""Whose turn it is when something is tried out; integrations have their ids, from 1, and contact points theirs with a
minus before it."""

TITLE_TEMPLATE: Final = "title_template"
"""What the template for the title of a message is called, which makes one line."""

_TOO_LONG: Final = "it took too long"
_UNREAD: Final = "its payload was not read in time"
_BROKE: Final = "it broke the process that renders, perhaps by its memory"
_RESTS: Final = "it took too long less than a minute ago, and rests"
_NOT_REACHED: Final = "it was not reached in time"
_WAITED: Final = "its turn did not come in time"
_MANY: Final = "too many others wait"
_STOPPING: Final = "the daemon is stopping"
_NO_PROCESS: Final = "the process that renders cannot be started"

NO_FAULT_OF_ITS_OWN: Final = frozenset({_WAITED, _MANY, _STOPPING, _NO_PROCESS})
"""Errors that say nothing about the template: another time it may be fine."""

log = structlog.get_logger()

_Resting = tuple[int, str]


@dataclass(eq=False, slots=True)
class _Job:
    """A task that waits for its turn."""

    whose: int
    task: Task
    future: "Future[list[Made]]"


class Renderer:
    """Renders for one daemon; any thread, and any event loop, may ask. It never raises because of a template."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._condition = threading.Condition()
        self._waiting: OrderedDict[int, deque[_Job]] = OrderedDict()
        self._count = 0
        self._busy: set[int] = set()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._processes: set[Process] = set()
        self._resting: dict[_Resting, int] = {}
        self._quick: set[int] = set()
        self._failed_start: int | None = None
        self._closed = False

    async def render(self, rulebook: Rulebook, payload: bytes, patience: float = PATIENCE) -> Rendered:
        """Renders all that a rulebook has for a notification with this payload: JSON, compressed with zlib. `patience`
        is in seconds."""
        begin = self._clock.steady()
        wanted, results = self._parts(rulebook)
        if wanted:
            pieces = list(wanted.values())
            asked = task(pieces, rulebook, payload, self._clock.wall(), compressed=True)
            future = self._submit(rulebook.integration.id, asked)
            try:
                made = await asyncio.wait_for(asyncio.wrap_future(future), min(patience, PATIENCE))
            except TimeoutError:
                made = [Made(error=_WAITED, lasting=False) for _ in pieces]
            results.update(zip(wanted, made, strict=True))
        return self._counted(rendered(rulebook, results), begin)

    def render_blocking(self, rulebook: Rulebook, payload: bytes) -> Rendered:
        """The same for what somebody tries out, with a payload that is not compressed; blocks."""
        begin = self._clock.steady()
        wanted, results = self._parts(rulebook)
        made = self._try(task(list(wanted.values()), rulebook, payload, self._clock.wall()))
        results.update(zip(wanted, made, strict=True))
        return self._counted(rendered(rulebook, results), begin)

    def preview(self, rulebook: Rulebook, slot: Slot | None, source: str, payload: bytes) -> Made:
        """Renders one template that need not be the rulebook's; blocks. `slot` is what it is for, None for the
        condition of a route; the payload is JSON."""
        begin = self._clock.steady()
        tried = trial_of(rulebook, slot, source)
        made = self._try(task(tried, rulebook, payload, self._clock.wall()))[-1]
        self._metrics.render_seconds.observe((self._clock.steady() - begin) / SECOND)
        return made

    def render_message(
        self, contact_id: int | None, sources: Mapping[str, str], about: bytes, payload: bytes = b""
    ) -> dict[str, Made]:
        """Renders templates of a contact point, by their names; blocks. None is for what is tried out. `about` is what
        they see, JSON (variables.py), and `payload` that of the first group, compressed, or empty."""
        whose = _TRIES if contact_id is None else -contact_id
        pieces = [
            Piece(name, source, MAX_TITLE if name == TITLE_TEMPLATE else MAX_RESULT, line=name == TITLE_TEMPLATE)
            for name, source in sources.items()
        ]
        rests = set() if whose == _TRIES else self._rests(whose, pieces)
        results = {piece.name: Made(error=_RESTS, lasting=False) for piece in pieces if piece.source in rests}
        wanted = [piece for piece in pieces if piece.source not in rests]
        patience = TRIAL_PATIENCE if whose == _TRIES else MESSAGE_PATIENCE
        asked = Task(wanted, self._clock.wall(), payload, compressed=True, about=about)
        made = self._wait(whose, asked, patience)
        results.update(zip((piece.name for piece in wanted), made, strict=True))
        if whose != _TRIES:
            self._metrics.template_failures.inc(sum(bool(each.error) for each in results.values()))
        return results

    def check(self, sources: Sequence[str]) -> list[Made]:
        """Returns for each source what is wrong with it, if anything, before it is ever used; blocks."""
        return self._try(Task([Piece("", source, 0) for source in sources], check=True))

    def pids(self) -> list[int]:
        """Returns the ids of the processes that there are."""
        with self._condition:
            return [process.pid for process in self._processes]

    def close(self) -> None:
        """Ends the processes; what still waits is answered."""
        with self._condition:
            self._closed = True
            jobs = [job for queue in self._waiting.values() for job in queue]
            self._waiting.clear()
            for process in self._processes:
                process.kill()
            self._condition.notify_all()
        for job in jobs:
            _answer(job, [Made(error=_STOPPING, lasting=False) for _ in job.task.pieces])
        for thread in self._threads:
            thread.join()

    # What is asked

    def _parts(self, rulebook: Rulebook) -> tuple[dict[Part, Piece], dict[Part, Made]]:
        """Returns what is to be rendered of a rulebook, and the results of what rests."""
        pieces = pieces_of(rulebook)
        rests = self._rests(rulebook.integration.id, list(pieces.values()))
        resting = {part: Made(error=_RESTS, lasting=False) for part in pieces if pieces[part].source in rests}
        return {part: piece for part, piece in pieces.items() if part not in resting}, resting

    def _counted(self, rendered: Rendered, begin: int) -> Rendered:
        """Counts what came of a rulebook; returns it."""
        self._metrics.template_failures.inc(len(rendered.failures) + len(rendered.condition_failures))
        self._metrics.render_seconds.observe((self._clock.steady() - begin) / SECOND)
        return rendered

    def _rests(self, whose: int, pieces: Sequence[Piece]) -> set[str]:
        with self._condition:
            if not self._resting:
                return set()
            now = self._clock.steady()
            for key in [key for key, until in self._resting.items() if until <= now]:
                del self._resting[key]
            return {piece.source for piece in pieces if (whose, piece.source) in self._resting}

    def _try(self, task: Task) -> list[Made]:
        return self._wait(_TRIES, task, TRIAL_PATIENCE)

    def _wait(self, whose: int, task: Task, patience: float) -> list[Made]:
        """Returns what came of a task; blocks for so many seconds at most."""
        if not task.pieces:
            return []
        future = self._submit(whose, task)
        try:
            return future.result(patience)
        except WaitedTooLong:
            future.cancel()
            return [Made(error=_WAITED, lasting=False) for _ in task.pieces]

    # Turns

    def _submit(self, whose: int, task: Task) -> "Future[list[Made]]":
        job = _Job(whose, task, Future())
        with self._condition:
            refused = _STOPPING if self._closed else _MANY if self._count >= MOST_WAITING else ""
            if not refused and len(self._waiting.keys() | {whose}) > self._idle and len(self._threads) < PROCESSES:
                refused = self._start_thread()
            if not refused:
                self._waiting.setdefault(whose, deque()).append(job)
                self._count += 1
                self._condition.notify()
        if refused:
            _answer(job, [Made(error=refused, lasting=False) for _ in task.pieces])
        return job.future

    def _start_thread(self) -> str:
        """Starts a thread more, which waits for the condition. Returns why nothing can be rendered: the system has no
        thread, and there is none yet."""
        thread = threading.Thread(target=self._work, name=f"rendering {len(self._threads) + 1}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if self._threads:
                return ""  # it waits for those
            log.error("templates cannot be rendered: there is no thread for it", reason=str(error))
            return _NO_PROCESS
        self._threads.append(thread)
        self._idle += 1
        return ""

    def _next(self) -> _Job | None:
        """Takes the next job, of whoever waits longest and is not worked for; the quick first."""
        telling = any(whose < 0 for whose in self._busy)
        free = [whose for whose in self._waiting if whose not in self._busy and not (telling and whose < 0)]
        if not free:
            return None
        whose = next((each for each in free if each in self._quick), free[0])
        queue = self._waiting[whose]
        job = queue.popleft()
        self._count -= 1
        if queue:
            self._waiting.move_to_end(whose)
        else:
            del self._waiting[whose]
        self._busy.add(whose)
        return job

    def _work(self) -> None:
        """What one thread does, with one process."""
        process: Process | None = None
        while True:
            with self._condition:
                while (job := self._next()) is None and not self._closed:
                    self._condition.wait()
                self._idle -= 1
            if job is None:
                break
            wanted = job.future.set_running_or_notify_cancel()
            made: list[Made] = []
            if wanted:
                try:
                    process, made = self._ask(process, job)
                except Exception:
                    log.exception("rendering failed")
                    self._drop(process)
                    process, made = None, [Made(error=_BROKE, lasting=False) for _ in job.task.pieces]
            with self._condition:
                self._busy.discard(job.whose)
                self._idle += 1
                self._condition.notify()
            # Only now: whoever asks next finds this thread idle.
            if wanted:
                job.future.set_result(made)
        self._drop(process)

    def _ask(self, process: Process | None, job: _Job) -> tuple[Process | None, list[Made]]:
        """Returns the process to go on with, and what came of the job."""
        pieces = job.task.pieces
        broke = False
        while True:
            try:
                process = process or self._start()
                made = process.ask(job.task)
                self._note(job.whose, quick=process.took <= QUICK)
                return process, made
            except NotStarted as error:
                self._drop(process)
                self._failed_start = self._clock.steady()
                log.error("templates cannot be rendered: their process does not start", reason=str(error))
                return None, [Made(error=_NO_PROCESS, lasting=False) for _ in pieces]
            except Ended as ended:
                self._drop(process)
                if self._closed:
                    return None, [Made(error=_STOPPING, lasting=False) for _ in pieces]
                process = self._start_again()
                if broke or not ended.in_time:
                    return process, self._blamed(job, ended)
                broke = True

    def _note(self, whose: int, *, quick: bool) -> None:
        """Keeps in mind how long a task took. One of which something rests will take long again."""
        with self._condition:
            if quick and whose != _TRIES and not any(whose == resting for resting, _ in self._resting):
                self._quick.add(whose)
            else:
                self._quick.discard(whose)

    def _blamed(self, job: _Job, ended: Ended) -> list[Made]:
        """Returns what came of a job of which a process ended, and has the culprit rest."""
        pieces = job.task.pieces
        self._note(job.whose, quick=False)
        if ended.made is None:
            why = _BROKE if ended.in_time else _UNREAD
            return [Made(error=why, lasting=False) for _ in pieces]
        made = ended.made[: len(pieces)]
        if len(made) < len(pieces):
            culprit = pieces[len(made)]
            why = _BROKE if ended.in_time else _TOO_LONG
            made.append(Made(error=why, lasting=False))
            if job.whose != _TRIES:
                with self._condition:
                    self._resting[job.whose, culprit.source] = self._clock.steady() + REST
                owner = {"integration_id": job.whose} if job.whose > 0 else {"contact_point_id": -job.whose}
                log.warning("a template is stopped", **owner, template=culprit.name, reason=why)
        return made + [Made(error=_NOT_REACHED, lasting=False) for _ in pieces[len(made) :]]

    def _start(self) -> Process:
        """Starts a process; NotStarted, also for a second after it failed."""
        failed = self._failed_start
        if failed is not None and self._clock.steady() - failed < SECOND:
            raise NotStarted("it did not start a moment ago")
        process = Process(self._clock)
        self._failed_start = None
        with self._condition:
            self._processes.add(process)
            if self._closed:
                process.kill()
        return process

    def _start_again(self) -> Process | None:
        """Starts another process at once, so that the next task need not wait for that."""
        self._metrics.renderer_restarts.inc()
        try:
            return self._start()
        except NotStarted:
            return None

    def _drop(self, process: Process | None) -> None:
        if process is not None:
            with self._condition:
                self._processes.discard(process)
            process.close()


def _answer(job: _Job, made: list[Made]) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_result(made)
