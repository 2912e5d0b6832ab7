"""A gateway and a daemon with alert groups for one test, and what must hold after each."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from early import told
from gateway_harness import Gateway
from oncall_client import Rest
from oncall_daemon import ADMIN, VIEWER, OncallDaemon


@contextmanager
def rest_alone() -> Iterator[tuple[OncallDaemon, Rest]]:
    """A client of a gateway in front of a daemon that is not started yet; nothing may reach that without a token."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
        daemon = OncallDaemon(f"{folder}/own.sock")
        gateway = Gateway(daemon.target)
        try:
            with told(lambda: gateway.log):
                yield daemon, Rest(gateway)
        finally:
            daemon.go_on.set()
            stop_checked(gateway)
            daemon.stop()
        assert daemon.without_token == []


def stop_checked(gateway: Gateway) -> None:
    """Stops a gateway; its log has no secrets, and nothing failed in it that should not have."""
    assert gateway.stop() == 0
    for secret in (ADMIN, VIEWER):
        assert secret not in gateway.log
    assert "Traceback" not in gateway.log
