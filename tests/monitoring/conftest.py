"""A daemon and a gateway that log all they can, and have met with most of what they count."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatty_stack import ChattyStack
from process_fixtures import folder, processes
from processes import Processes

__all__ = ["folder", "processes"]


@pytest.fixture(scope="session")
def chatty() -> Iterator[ChattyStack]:
    """The two for all tests that leave them as they were."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
    processes = Processes()
    stack = ChattyStack(processes, folder)
    try:
        stack.start()
        stack.live()
        yield stack
    finally:
        stack.close()
        processes.close()
        shutil.rmtree(folder)
