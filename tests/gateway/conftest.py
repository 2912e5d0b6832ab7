"""Fixtures: a gateway process and a daemon, shared by most tests or a test's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_harness import SECRET, FakeDaemon, Gateway


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
def own_daemon(runtime_directory: Path) -> Iterator[FakeDaemon]:
    """A daemon for one test, not started yet."""
    daemon = FakeDaemon(str(runtime_directory / "own.sock"))
    yield daemon
    daemon.stop()


@pytest.fixture
def own_gateway(own_daemon: FakeDaemon) -> Iterator[Gateway]:
    """A gateway for one test, in front of `own_daemon`."""
    gateway = Gateway(own_daemon.target)
    yield gateway
    gateway.stop()
    assert SECRET not in gateway.log
