"""Tests that mostly wait, for a deadline of 5 s or a heartbeat of 10 s, do so beside the other tests of their suite.

Such a test is marked with `@early`. It takes no fixtures, and leaves nothing behind by itself. It begins, in a thread,
with the first test of its suite (its folder below tests/) that is run; after the last one, pytest waits for its end.
What is printed there is nobody's: a test says what one needs to know with `told`.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

_POOL = ThreadPoolExecutor(32, thread_name_prefix="early")
_TESTS = Path(__file__).parent
_begun: set[str] = set()


def early(test: Callable[[], None]) -> Callable[[], None]:
    """Marks a test that mostly waits."""
    begun: list[Future[None]] = []

    def begin() -> None:
        if not begun:
            begun.append(_POOL.submit(test))

    @functools.wraps(test)
    def wait() -> None:
        begin()
        begun[0].result()

    wait.begin = begin  # type: ignore[attr-defined]
    return wait


def sort(items: list[pytest.Item]) -> None:
    """Puts what begins early last in its suite."""
    suites = list(dict.fromkeys(map(_suite, items)))
    items.sort(key=lambda item: (suites.index(_suite(item)), _is_early(item)))


def begin_suite_of(item: pytest.Item) -> None:
    """Begins the early tests of the suite of a test, as far as they are to be run; once."""
    if (suite := _suite(item)) in _begun:
        return
    _begun.add(suite)
    for other in item.session.items:
        if _is_early(other) and _suite(other) == suite:
            other.function.begin()  # type: ignore[attr-defined]


@contextlib.contextmanager
def told(tell: Callable[[], str]) -> Iterator[None]:
    """Adds to what is raised within it what `tell` returns, such as logs."""
    try:
        yield
    except BaseException as error:
        error.add_note(tell())
        raise


def _is_early(item: pytest.Item) -> bool:
    return hasattr(getattr(item, "function", None), "begin")


def _suite(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0]
