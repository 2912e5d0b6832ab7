"""Fixtures: a gateway process and a daemon with alert groups, shared by most tests or a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_harness import Gateway
from oncall_client import Rest
from oncall_daemon import OncallDaemon
from oncall_outages import rest_alone, stop_checked
from process_fixtures import folder, processes, shared_stack

__all__ = ["folder", "processes", "shared_stack"]


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
    stop_checked(gateway)


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
def _alone() -> Iterator[tuple[OncallDaemon, Rest]]:
    with rest_alone() as both:
        yield both


@pytest.fixture
def own_oncall_daemon(_alone: tuple[OncallDaemon, Rest]) -> OncallDaemon:
    """A daemon for one test, not started yet."""
    return _alone[0]


@pytest.fixture
def own_rest(_alone: tuple[OncallDaemon, Rest]) -> Rest:
    """A client of a gateway for one test, in front of `own_oncall_daemon`."""
    return _alone[1]
