"""The daemon, wired: what `tocsind` runs and tests boot."""

import queue

import structlog

from tocsind.clock import Clock, SystemClock
from tocsind.config import Config
from tocsind.engine.engine import Engine
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
        # A queue of this kind, and nothing with a lock of its own: a signal handler may interrupt who waits for it.
        self._told_to_stop: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.engine = Engine(config.data, clock or SystemClock(), health.report, on_broken=lambda: self.stop(1))
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

    def stop(self, status: int = 0) -> None:
        """Has `run` end; may be called from a signal handler, and more than once."""
        self._told_to_stop.put(status)

    def run(self) -> int:
        """Serves until `stop` is called; returns the exit status: 0, or 1 after a defect that only a restart mends."""
        status = self._told_to_stop.get()
        self.close()
        return status

    def close(self) -> None:
        """Drains, then closes."""
        log.info("stopping")
        self._server.stop(GRACE)
        self.engine.close()
        log.info("stopped")
