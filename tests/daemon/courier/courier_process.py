"""The process of a courier: brought up, kept busy, and looked at from outside."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from receivers import Opens, answers, hangs, request

from tocsind.courier.courier import Courier
from tocsind.courier.wire import Outcome
from tocsind.metrics import Metrics


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for what another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """What a metric says."""
    found = metrics.registry.get_sample_value(name, labels)
    assert found is not None
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process, be it as a zombie."""
    return Path(f"/proc/{pid}").exists()


def started(courier: Courier, opens: Opens) -> int:
    """The process id of a courier that has done something."""
    assert courier.run(request(opens(answers()).url())).done
    (pid,) = courier.pids()
    return pid


def under_way(courier: Courier, opens: Opens, count: int, timeout: float = 60.0) -> list["Future[Outcome]"]:
    """Errands that hang, once they do."""
    receiver = opens(hangs())
    futures = [courier.send(request(receiver.url(), timeout=timeout)) for _ in range(count)]
    for _ in range(count):
        receiver.received.get(timeout=30)
    return futures
