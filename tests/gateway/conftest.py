"""Fixtures: a gateway process and a daemon, shared by most tests or a test's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_harness import SECRET, FakeDaemon, Gateway, gateway_alone


@pytest.fixture(scope="session")
def runtime_directory() -> Iterator[Path]:
    """A directory with a path short enough for a unix socket."""
    path = Path(tempfile.mkdtemp(prefix="tocsin-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def _shared_daemon(runtime_directory: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(str(runtime_directory / "shared.sock"))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def gateway(_shared_daemon: FakeDaemon) -> Iterator[Gateway]:
    """One gateway for all tests that leave it as it was."""
    gateway = Gateway(_shared_daemon.target)
    _shared_daemon.wait_for(lambda: bool(_shared_daemon.pulses))
    yield gateway
    assert gateway.stop() == 0
    assert SECRET not in gateway.log


@pytest.fixture
def daemon(_shared_daemon: FakeDaemon) -> FakeDaemon:
    """The daemon of `gateway`, fresh."""
    _shared_daemon.reset()
    return _shared_daemon


@pytest.fixture
def _alone() -> Iterator[tuple[FakeDaemon, Gateway]]:
    with gateway_alone() as both:
        yield both


@pytest.fixture
def own_daemon(_alone: tuple[FakeDaemon, Gateway]) -> FakeDaemon:
    """A daemon for one test, not started yet."""
    return _alone[0]


@pytest.fixture
def own_gateway(_alone: tuple[FakeDaemon, Gateway]) -> Gateway:
    """A gateway for one test, in front of `own_daemon`."""
    return _alone[1]
