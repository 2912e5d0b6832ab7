"""What becomes of work for which the system has no thread."""

import threading

import pytest
from no_threads import no_more_threads

from tocsind.threads import Threads


def test_what_no_thread_can_be_had_for_is_never_done() -> None:
    """It is refused, so that whoever asked can say so; it is not done either once there are threads again."""
    done: list[str] = []
    with Threads(2, "pool") as threads:
        with no_more_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
            threads.submit(done.append, "refused")
        threads.submit(done.append, "taken").result(20)

    assert done == ["taken"]


def test_where_there_are_threads_they_do_it() -> None:
    """That there cannot be more of them is no failure of what is asked: it waits its turn, and is done once."""
    done: list[str] = []
    busy, release = threading.Event(), threading.Event()
    with Threads(2, "pool") as threads:
        threads.submit(lambda: (busy.set(), release.wait(20)))
        assert busy.wait(20)
        with no_more_threads():
            waiting = threads.submit(done.append, "waited")
            release.set()
            waiting.result(20)

    assert done == ["waited"]
