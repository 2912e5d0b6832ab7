"""A system that has no more threads, as under a limit of tasks or without memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def no_more_threads(*names: str) -> Iterator[None]:
    """Meanwhile no thread can be started whose name begins with one of these; with none given, no thread at all."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(names or ""):
            raise RuntimeError("can't start new thread")
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield
