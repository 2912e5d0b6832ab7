"""Processes that read calendars."""

from collections.abc import Iterator

import pytest

from tocsind.ical.process import Reader


@pytest.fixture
def reader() -> Iterator[Reader]:
    """A reader whose processes may compute for a second only."""
    reader = Reader(cpu_seconds=1)
    yield reader
    reader.close()
    assert reader.pids() == []
