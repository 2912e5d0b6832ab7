"""Renderers with real processes."""

from collections.abc import Iterator

import pytest
from fake_clock import FakeClock

from tocsind.metrics import Metrics
from tocsind.rendering.renderer import Renderer


@pytest.fixture
def metrics() -> Metrics:
    """What is counted."""
    return Metrics([], [], [])


@pytest.fixture
def renderer(clock: FakeClock, metrics: Metrics) -> Iterator[Renderer]:
    """A renderer of its own, with a clock that stands: its limits are the system's."""
    renderer = Renderer(clock, metrics)
    yield renderer
    renderer.close()
    assert renderer.pids() == []


@pytest.fixture(scope="module")
def shared() -> Iterator[Renderer]:
    """A renderer for tests that leave it as it was."""
    renderer = Renderer(FakeClock(), Metrics([], [], []))
    yield renderer
    renderer.close()
