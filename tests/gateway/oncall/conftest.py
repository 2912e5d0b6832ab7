"""Fixtures: a gateway process and a daemon with alert groups, shared by most tests or a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_harness import Gateway
from oncall_client import Rest
from oncall_daemon import ADMIN, VIEWER, OncallDaemon
from process_fixtures import folder, processes, shared_stack

__all__ = ["folder", "processes", "shared_stack"]


def _checked(gateway: Gateway) -> None:
    assert gateway.stop() == 0
    for secret in (ADMIN, VIEWER):
        assert secret not in gateway.log
    assert "Traceback" not in gateway.log


@pytest.fixture(scope="session")
def _oncall_daemon(runtime_directory: Path) -> Iterator[OncallDaemon]:
    daemon = OncallDaemon(str(runtime_directory / "oncall.sock"))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def _oncall_gateway(_oncall_daemon: OncallDaemon) -> Iterator[Gateway]:
    gateway = Gateway(_oncall_daemon.target)
    _oncall_daemon.intake.wait_for(lambda: bool(_oncall_daemon.intake.pulses))
    yield gateway
    _checked(gateway)


@pytest.fixture
def daemon(_oncall_daemon: OncallDaemon) -> Iterator[OncallDaemon]:
    """The daemon of `rest`, empty; whatever a test does, nothing may reach it without a token."""
    _oncall_daemon.reset()
    yield _oncall_daemon
    _oncall_daemon.go_on.set()
    assert _oncall_daemon.without_token == []


@pytest.fixture
def rest(_oncall_gateway: Gateway, daemon: OncallDaemon) -> Rest:
    """A client of a gateway that all tests share."""
    return Rest(_oncall_gateway)


@pytest.fixture
def own_oncall_daemon(runtime_directory: Path) -> Iterator[OncallDaemon]:
    """A daemon for one test, not started yet."""
    daemon = OncallDaemon(str(runtime_directory / "own-oncall.sock"))
    yield daemon
    daemon.stop()
    assert daemon.without_token == []


@pytest.fixture
def own_rest(own_oncall_daemon: OncallDaemon) -> Iterator[Rest]:
    """A client of a gateway for one test, in front of `own_oncall_daemon`."""
    gateway = Gateway(own_oncall_daemon.target)
    yield Rest(gateway)
    _checked(gateway)
