"""Couriers with real processes, and receivers with real sockets."""

import os
from collections.abc import Iterator

import pytest
from receivers import LOOPBACK, Opens, opening

from tocsind.clock import SystemClock
from tocsind.courier.courier import Courier
from tocsind.metrics import Metrics

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has for a proxy is no matter of these tests."""
    for name in (*PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def opens() -> Iterator[Opens]:
    """Starts receivers."""
    with opening() as opens:
        yield opens


@pytest.fixture
def metrics() -> Metrics:
    """What is counted."""
    return Metrics([], [], [])


@pytest.fixture
def courier(metrics: Metrics) -> Iterator[Courier]:
    """A courier of its own. It may reach this machine."""
    courier = Courier(SystemClock(), metrics, LOOPBACK)
    yield courier
    courier.close()
    assert courier.pids() == []


@pytest.fixture(scope="module")
def shared() -> Iterator[Courier]:
    """A courier for tests that leave it as it was."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*PROXIES, *map(str.lower, PROXIES)):
            if name in os.environ:
                patch.delenv(name)
        courier = Courier(SystemClock(), Metrics([], [], []), LOOPBACK)
        yield courier
        courier.close()
