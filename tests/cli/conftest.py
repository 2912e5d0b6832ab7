"""A fake daemon on a unix socket, and the program run against it in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon
from process_fixtures import folder
from quick_retries import quick_retries

__all__ = ["folder", "quick_retries"]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the developer has set from reaching the program."""
    for name in ("TOCSIN_TARGET", "TOCSIN_ACTOR", "TOCSIN_TOKEN", "TOCSIN_CA_FILE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def daemon(folder: Path) -> Iterator[FakeDaemon]:
    """Return a fake daemon that listens."""
    fake = FakeDaemon(f"unix:{folder}/d.sock")
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def run(daemon: FakeDaemon) -> Run:
    """Return what runs the program against the fake daemon."""
    return Run(daemon.target)
