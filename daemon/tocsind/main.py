"""The daemon, wired: what `tocsind` runs and tests boot."""

import contextlib
import socket

import structlog

from tocsind.clock import Clock, SystemClock
from tocsind.config import Config
from tocsind.engine.engine import Engine
from tocsind.engine.limits import Limits
from tocsind.rpc.health import Health
from tocsind.rpc.server import Server

GRACE = 5.0

log = structlog.get_logger()


class Main:
    """Opens everything in order, and closes it in the opposite one.

    Raises HeldError, NewerFileError, ListenError, or sqlite3.Error and OSError where the folder is of no use.
    """

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        health = Health()
        # A byte ends the wait in `run`. Nothing that waits for a lock would do: Python runs signal handlers in the main
        # thread only, and a signal that another thread received does not wake it (seen: one stop in a dozen was lost).
        self._waits, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)
        self._status: int | None = None
        limits = Limits(config.rate_limit, config.total_rate_limit)
        self.engine = Engine(
            config.data,
            clock or SystemClock(),
            health.report,
            on_broken=lambda: self.stop(1),
            limits=limits,
            webhook_networks=config.webhook_networks,
        )
        try:
            self._server = Server(
                self.engine,
                health,
                config.listen,
                config.tls,
                plain_tcp=config.insecure_plain_tcp,
                base_url=config.external_url,
            )
        except BaseException:
            self.engine.close()
            raise
        self._server.start()
        log.info("ready", data=str(config.data))

    @property
    def wakeup_fd(self) -> int:
        """For `signal.set_wakeup_fd`: whichever thread a signal comes to, the one in `run` handles it."""
        return self._wakes.fileno()

    def stop(self, status: int = 0) -> None:
        """Has `run` end; may be called from a signal handler, and more than once."""
        if self._status is None:
            self._status = status
        with contextlib.suppress(BlockingIOError):
            self._wakes.send(b".")

    def run(self) -> int:
        """Serves until `stop` is called; returns the exit status: 0, or 1 after a defect that only a restart mends."""
        while self._status is None:
            self._waits.recv(1)
        self.close()
        return self._status

    def close(self) -> None:
        """Drains, then closes."""
        log.info("stopping")
        self._server.stop(GRACE)
        self.engine.close()
        log.info("stopped")
