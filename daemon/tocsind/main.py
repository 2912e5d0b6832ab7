"""The daemon, wired: what `tocsind` runs and tests boot.

A reload reads the command line, the environment and the file again, and takes what the table of settings says can be
taken: the rate limits, the networks, the level of the log. What else has changed is named in the log and needs a
restart. A mistake in it is a line in the log, and everything stays as it was; a defect is one with a traceback. A
reload never ends what runs.
"""

import contextlib
import socket
import sqlite3
from collections.abc import Mapping
from typing import Any

import structlog

from tocsin import configuration
from tocsind import config as configs
from tocsind import log as logs
from tocsind.clock import Clock, SystemClock
from tocsind.config import Config
from tocsind.engine.engine import Engine
from tocsind.engine.limits import Limits
from tocsind.rpc.health import Health
from tocsind.rpc.server import Server
from tocsind.sqlite import alert_groups
from tocsind.systemd import ServiceManager

GRACE = 5.0

STATUS_SECONDS = 5.0
"""How often the service manager is told how things are, if it wants to be told."""

_NOT_RELOADED = "not reloaded: everything stays as it was"

log = structlog.get_logger()


class Main:
    """Opens everything in order, and closes it in the opposite one.

    Raises HeldError, NewerFileError, ListenError, or sqlite3.Error and OSError where the folder is of no use.
    """

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self._health = Health()
        # A byte ends the wait in `run`. Nothing that waits for a lock would do: Python runs signal handlers in the main
        # thread only, and a signal that another thread received does not wake it (seen: one stop in a dozen was lost).
        self._waits, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)
        self._status: int | None = None
        self._to_reload = False
        self._told = ""
        self._settings: dict[str, Any] = dict(config.settings or {})
        self._again = config.settings.again if config.settings is not None else None
        self._limits = Limits(config.rate_limit, config.total_rate_limit)
        self._manager = ServiceManager(clock)
        self._manager.progress()
        self.engine = Engine(
            config.data,
            clock,
            self._report,
            on_broken=lambda: self.stop(1),
            limits=self._limits,
            webhook_networks=config.webhook_networks,
            courier=config.courier,
            on_beat=self._manager.beat,
            on_progress=self._manager.progress,
        )
        try:
            self._server = Server(
                self.engine,
                self._health,
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
        self._wake()

    def reload(self) -> None:
        """Has `run` read the configuration again; may be called from a signal handler."""
        self._to_reload = True
        self._wake()

    def run(self) -> int:
        """Serves until `stop` is called; returns the exit status: 0, or 1 after a defect that only a restart mends."""
        self._manager.tell("READY=1")
        self._waits.settimeout(STATUS_SECONDS if self._manager.listens else None)
        while self._status is None:
            if self._to_reload:
                self._to_reload = False
                self._reload()
            self._tell()
            with contextlib.suppress(TimeoutError):
                self._waits.recv(64)
        self.close()
        return self._status

    def close(self) -> None:
        """Drains, then closes."""
        log.info("stopping")
        self._manager.tell("STOPPING=1", "STATUS=stopping")
        self._server.stop(GRACE)
        self.engine.close()
        log.info("stopped")

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakes.send(b".")

    def _report(self, healthy: bool) -> None:
        """The file cannot be written any more, or can be again."""
        self._health.report(healthy)
        self._wake()

    def _reload(self) -> None:
        self._manager.reloading()
        try:
            if self._again is not None:
                self._take(configs.of_settings(self._again()))
        except configuration.Mistake as mistake:
            log.error(_NOT_RELOADED, mistake=str(mistake))
        except Exception:
            log.exception(_NOT_RELOADED)
        self._manager.tell("READY=1")

    def _take(self, config: Config) -> None:
        read: Mapping[str, Any] = config.settings or {}
        taken, left = configuration.differences("daemon", self._settings, read)
        changed = {key: {"from": self._settings[key], "to": read[key]} for key in taken}
        # From here on nothing fails. Each is one assignment, which whoever reads it meanwhile sees before or after.
        self._limits.limit = config.rate_limit
        self._limits.total = config.total_rate_limit
        self.engine.courier.networks = list(config.webhook_networks)
        logs.set_level(config.log_level)
        self._settings.update((key, read[key]) for key in taken)
        log.info("reloaded", changed=changed)
        if left:
            log.warning("changed in the configuration, but taken by a restart only", settings=left)

    def _tell(self) -> None:
        """Tells the service manager how things are, in a line for people."""
        if not self._manager.listens:
            return
        trouble = self.engine.trouble
        if trouble:
            line = f"the file cannot be written: {trouble}"
        else:
            try:
                with self.engine.store.reading() as connection:
                    line = f"serving; {sum(alert_groups.count_open(connection).values())} open alert groups"
            except sqlite3.Error as error:
                line = f"the file cannot be read: {error}"
        if line != self._told:
            self._told = line
            self._manager.tell(f"STATUS={line}")
