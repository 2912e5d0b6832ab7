"""Fixtures for the suites that run real processes; the conftest.py of each imports them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Processes
from stacks import Stack, running_stack


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one test, with a path short enough for a unix socket."""
    path = Path(tempfile.mkdtemp(prefix="tocsin-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def processes(folder: Path) -> Iterator[Processes]:
    """Starts processes, and ends whatever the test leaves of them."""
    processes = Processes()
    try:
        yield processes
    finally:
        processes.close()


@pytest.fixture
def stack(processes: Processes, folder: Path) -> Iterator[Stack]:
    """A daemon and a gateway for one test."""
    stack = Stack(processes, folder)
    try:
        stack.start()
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    """A daemon and a gateway for all tests that leave them as they were."""
    with running_stack() as stack:
        yield stack
