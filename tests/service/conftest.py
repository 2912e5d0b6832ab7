"""Fixtures of this suite: the processes as a service manager runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from process_fixtures import folder, processes, stack
from service_manager import Manager, listening

__all__ = ["folder", "manager", "processes", "stack"]


@pytest.fixture
def manager(folder: Path) -> Iterator[Manager]:
    """A service manager that listens."""
    with listening(folder / "notify") as manager:
        yield manager
