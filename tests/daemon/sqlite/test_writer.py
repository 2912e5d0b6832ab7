"""The one writer: what is committed together, undone alone, and survived."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from fake_clock import SECOND, FakeClock

from tocsind.domain.errors import Code, TocsinError, not_found
from tocsind.domain.timer_wheel import TICK
from tocsind.metrics import Metrics
from tocsind.sqlite.store import Store
from tocsind.sqlite.writer import MOST_JOBS, Entry, Transaction, Writer

Job = Callable[[Transaction], Any]


class Bench:
    """A writer on a file with one table, with everything that it calls noted."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.store = Store(folder)
        self.store.writer.execute("CREATE TABLE scraps (text BLOB UNIQUE)")
        self.clock = clock
        self.health: list[bool] = []
        self.forgotten = 0
        self.broken = threading.Event()
        self.room = True
        self.commits: list[Transaction] = []
        self.due: list[list[Entry]] = []
        self.writer = Writer(
            self.store.writer,
            clock,
            tick=lambda: self.due.pop(0) if self.due else [],
            on_commit=self.commits.append,
            on_rollback=self._forget,
            on_health=self.health.append,
            on_broken=self.broken.set,
            has_room=lambda: self.room,
            metrics=Metrics((), (), ()),
        )
        self.writer.start()

    def _forget(self) -> None:
        self.forgotten += 1

    def scraps(self) -> list[Any]:
        """What is on disk."""
        with self.store.reading() as connection:
            return [row[0] for row in connection.execute("SELECT text FROM scraps ORDER BY rowid")]

    def together(self, *jobs: Job) -> list["Future[Any]"]:
        """Has jobs wait together, behind one that is held until all are queued."""
        begun, go = threading.Event(), threading.Event()

        def hold(transaction: Transaction) -> None:
            begun.set()
            assert go.wait(20)

        first = self.writer.submit(hold)
        assert begun.wait(20)
        futures = [self.writer.submit(job) for job in jobs]
        go.set()
        first.result(20)
        for future in futures:
            future.exception(20)
        return futures

    def fill(self) -> None:
        """Lets the disk be full."""
        self.writer.do(self._full)

    def free(self) -> None:
        """Gives the disk room again, from the writer's own thread, as only that may."""
        room = threading.Event()

        def more() -> list[Entry]:
            self.store.writer.execute("PRAGMA max_page_count = 1000000")
            room.set()
            return []

        self._tick_with(more)
        assert room.wait(20)

    def _full(self, transaction: Transaction) -> None:
        count = transaction.connection.execute("PRAGMA page_count").fetchone()[0]
        transaction.connection.execute(f"PRAGMA max_page_count = {count}")

    def _tick_with(self, do: Callable[[], list[Entry]]) -> None:
        self.writer._tick = do
        self.clock.advance(TICK)


def note(text: object) -> Job:
    """A job that writes and answers what it wrote."""

    def job(transaction: Transaction) -> object:
        transaction.connection.execute("INSERT INTO scraps VALUES (?)", (text,))
        return text

    return job


def refuse(transaction: Transaction) -> None:
    """A job that writes, wants something done, and is refused."""
    note("refused")(transaction)
    transaction.after_commit(lambda: pytest.fail("a job that failed had its way"))
    raise not_found("what it wants")


@pytest.fixture
def bench(tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    """A writer of its own."""
    bench = Bench(tmp_path, clock)
    yield bench
    bench.writer.stop()
    bench.store.close()


def test_an_answer_comes_after_the_commit(bench: Bench) -> None:
    """Who has an answer can read what was done with any other connection."""
    for text in ("a", "b", "c"):
        assert bench.writer.do(note(text)) == text
        assert bench.scraps()[-1] == text


def test_jobs_that_wait_together_are_one_transaction(bench: Bench) -> None:
    """They share one commit and one time, and are carried out in their order."""
    before = len(bench.commits)
    times: list[tuple[int, int]] = []

    def timed(transaction: Transaction) -> None:
        times.append((transaction.now, transaction.steady))

    bench.together(note("a"), timed, note("b"), timed)

    assert bench.scraps() == ["a", "b"]
    assert len(bench.commits) - before == 2  # one of the job that held the writer, one of all others
    assert times == [(bench.clock.wall(), bench.clock.steady())] * 2


def test_a_transaction_has_an_end(bench: Bench) -> None:
    """Very many jobs are several transactions, so that the first need not wait for the last."""
    before = len(bench.commits)

    bench.together(*(note(n) for n in range(MOST_JOBS + 1)))

    assert len(bench.commits) - before == 3
    assert len(bench.scraps()) == MOST_JOBS + 1


FAILURES = pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (refuse, TocsinError),
        (note("a"), sqlite3.IntegrityError),
        (lambda transaction: transaction.connection.execute("INSERT INTO scraps VALUES (?)"), sqlite3.ProgrammingError),
        (lambda transaction: note("x")(transaction) + 1, TypeError),
    ],
    ids=["refused", "constraint", "misuse", "bug"],
)


@FAILURES
def test_a_job_that_fails_is_undone_alone(bench: Bench, failure: Job, expected: type[Exception]) -> None:
    """Its exception is its answer, nothing of it stays, memory forgets, and the others are committed."""
    first, failed, last = bench.together(note("a"), failure, note("b"))

    assert isinstance(failed.exception(), expected)
    assert (first.result(), last.result()) == ("a", "b")
    assert bench.scraps() == ["a", "b"]
    assert bench.forgotten == 1
    assert (bench.writer.healthy, bench.health) == (True, [])


@FAILURES
def test_a_job_that_fails_with_nobody_beside_it_leaves_nothing(
    bench: Bench, failure: Job, expected: type[Exception]
) -> None:
    """It is undone with its whole transaction, and the next one begins anew."""
    bench.writer.do(note("a"))
    with pytest.raises(expected):
        bench.writer.do(failure)

    assert bench.writer.do(note("b")) == "b"
    assert bench.scraps() == ["a", "b"]
    assert bench.forgotten == 1
    assert (bench.writer.healthy, bench.health) == (True, [])


def test_what_is_to_follow_a_commit_follows_it(bench: Bench) -> None:
    """Memory follows the file: what a job wants done is done after the commit and before its answer."""
    seen: list[list[object]] = []

    def job(transaction: Transaction) -> None:
        note("a")(transaction)
        transaction.after_commit(lambda: seen.append(bench.scraps()))
        assert seen == []

    bench.writer.do(job)

    assert seen == [["a"]]


def test_a_full_disk_fails_everything_in_the_transaction(bench: Bench) -> None:
    """SQLite really is out of pages: all jobs are answered UNAVAILABLE, and nothing of any of them is there."""
    bench.writer.do(note("before"))
    bench.fill()
    committed = len(bench.commits)

    def hopeful(transaction: Transaction) -> None:
        transaction.after_commit(lambda: pytest.fail("this was never committed"))

    small, large, later = bench.together(hopeful, note(b"x" * 100_000), note("small"))

    for future in (small, large, later):
        error = future.exception()
        assert isinstance(error, TocsinError)
        assert error.code is Code.UNAVAILABLE
        assert "database or disk is full" in error.message
    assert bench.scraps() == ["before"]
    assert len(bench.commits) == committed + 1  # that of the job that held the writer
    assert bench.forgotten == 1
    assert (bench.writer.healthy, bench.health) == (False, [False])


def test_it_works_again_as_soon_as_it_can(bench: Bench) -> None:
    """There is no broken state to get out of: the next transaction tries again."""
    bench.fill()
    for _ in range(2):
        with pytest.raises(TocsinError, match="disk is full"):
            bench.writer.do(note(b"x" * 100_000))
    bench.free()

    bench.writer.do(note("after"))

    assert bench.scraps() == ["after"]
    assert bench.health == [False, True]


def test_a_tick_brings_jobs_of_its_own(bench: Bench) -> None:
    """Timers are jobs like any other, in the order of the file, behind those that wait."""
    ticked: Future[Any] = Future()
    bench.due.append([(note("tick"), ticked)])
    bench.clock.advance(TICK)
    bench.writer.do(note("job"))

    assert ticked.result(20) == "tick"
    assert sorted(bench.scraps()) == ["job", "tick"]


def test_a_tick_comes_without_any_job(bench: Bench) -> None:
    """Nobody has to ask for anything to have time pass."""
    ticked: Future[Any] = Future()
    bench.due.append([(note("tick"), ticked)])
    bench.clock.advance(SECOND)

    assert ticked.result(20) == "tick"


def test_stopping_finishes_what_is_queued(tmp_path: Path, clock: FakeClock) -> None:
    """What was taken is answered; what comes after is told to come back later."""
    bench = Bench(tmp_path, clock)
    queued = bench.together(*(note(n) for n in range(200)))

    bench.writer.stop()

    assert [future.result(0) for future in queued] == list(range(200))
    with pytest.raises(TocsinError, match="stopping"):
        bench.writer.do(note("late"))
    bench.store.close()


def test_health_waits_for_room(bench: Bench) -> None:
    """After a failure, a small transaction that succeeds on a disk that is nearly full is no recovery."""
    bench.fill()
    with pytest.raises(TocsinError):
        bench.writer.do(note(b"x" * 100_000))
    bench.room = False
    bench.free()
    bench.writer.do(note("small"))
    assert bench.health == [False]
    bench.room = True
    bench.writer.do(note("another"))
    assert bench.health == [False, True]


def defect() -> None:
    """What nobody foresaw."""
    raise RuntimeError("a defect")


def test_a_defect_after_a_commit_ends_the_writer(bench: Bench) -> None:
    """When memory could not follow the file, what was committed is answered so, and everything later is refused."""

    def job(transaction: Transaction) -> str:
        transaction.after_commit(defect)
        return "committed"

    assert bench.writer.do(job) == "committed"
    assert bench.broken.wait(20)
    with pytest.raises(TocsinError) as refused:
        bench.writer.do(note("too late"))
    assert refused.value.code is Code.UNAVAILABLE
    assert bench.scraps() == []


def test_a_defect_in_a_tick_ends_the_writer(bench: Bench) -> None:
    """A tick that fails leaves no job without an answer."""

    def broken_tick() -> list[Entry]:
        raise RuntimeError("a defect")

    bench._tick_with(broken_tick)
    assert bench.broken.wait(20)
    with pytest.raises(TocsinError):
        bench.writer.do(note("too late"))
    assert bench.scraps() == []
