"""A scripted daemon on a unix socket, real processes, and certificates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate, authority, signed
from process_fixtures import folder, processes, shared_stack, stack
from quick_retries import quick_retries
from scripted_daemon import ScriptedDaemon
from ways import Asyncio, Connect, Plain, Way

__all__ = ["folder", "processes", "quick_retries", "shared_stack", "stack"]


@pytest.fixture
def daemon(folder: Path) -> Iterator[ScriptedDaemon]:
    """A scripted daemon that listens."""
    scripted = ScriptedDaemon(f"unix:{folder}/d.sock")
    scripted.start()
    yield scripted
    scripted.stop()


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """An authority that vouches for the daemon."""
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def certificate(ca: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """What a daemon needs for TLS."""
    return signed(ca, tmp_path_factory.mktemp("tls"), "tocsin")


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """An authority that has nothing to do with the daemon."""
    return authority(tmp_path_factory.mktemp("other-ca"))


@pytest.fixture(params=[Plain, Asyncio], ids=["sync", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients, which are closed after the test. The test runs once for each kind."""
    made: list[Way] = []

    def connect(target: str, **options: Any) -> Way:
        made.append(request.param(target, **options))
        return made[-1]

    yield connect
    for way in made:
        way.close()


@pytest.fixture
def way(connect: Connect, daemon: ScriptedDaemon) -> Way:
    """A client of the scripted daemon."""
    return connect(daemon.target)
