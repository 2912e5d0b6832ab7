"""The HTTP server: gunicorn with one worker of its own ASGI kind.

One process is enough (two are no faster below 32 connections), and one dispatcher combines best. What is set here, and
why, stands beside each setting; six habits of gunicorn 27's ASGI worker are mended below:

* At a stop it waits for idle keep-alive connections until its patience ends. Alertmanager keeps its connections for
  five minutes: every stop would take that patience. Idle connections are closed instead: at once those that were idle
  for a while. The others are likely to be used again just now, and what comes over a connection that is being closed is
  lost: they have a moment for one more request, of which the answer says that the connection ends (measured under load:
  6 % of the requests were lost over reloads without that moment).
* It closes a connection after an answer that did not say so, where the stop came between the two: it asks whether the
  worker lives when it writes the head of an answer, and again afterwards. A connection that was not announced to end is
  kept like the others (measured: two or three requests lost at each reload under 3,800 requests per second, and none).
* It looks once a second whether it is to stop. Its listener is open meanwhile, and a restart takes that much longer. It
  is woken instead.
* It gives the head of a connection's first request unlimited time. It gets the time of an idle connection.
* It listens with asyncio's queue of 100 connections, whatever `backlog` says. Alertmanager opens one for each group at
  once: with 100 places, some of 400 senders were reset. The queue is as long as the setting says.
* Each worker's sign of life is the time of a file in the temporary folder. Where no file can be made there, as the disk
  is full, a reload would end everything. Ours is in memory.
"""

import asyncio
import functools
import os
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from gunicorn import glogging  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.asgi.protocol import ASGIProtocol  # type: ignore[import-untyped]
from gunicorn.workers import base, gasgi  # type: ignore[import-untyped]
from gunicorn.workers.workertmp import WorkerTmp  # type: ignore[import-untyped]

IDLE_SECONDS: Final = 310
"""Alertmanager closes idle connections after 300 s. We must not be first: it might just be sending."""

STOP_SECONDS: Final = 7
"""For requests in flight at a stop: the 5 s that an answer may take, and some for a worker that is busy."""

LAST_SECONDS: Final = 0.5
"""For the last request of a connection that was in use just before a stop."""

_HEADER_BYTES: Final = 8190
"""For one header, and for the request line."""

_log = structlog.get_logger("tocsin_gateway")


class Connection(ASGIProtocol):  # type: ignore[misc]
    """One connection of a sender. `used`: when it was opened, or its last answer was complete, by the loop's clock."""

    used = 0.0

    def connection_made(self, transport: Any) -> None:
        """Counts it, and limits the time for its first request."""
        super().connection_made(transport)
        self.worker.connections.add(self)
        self._arm_keepalive_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def _arm_keepalive_timer(self) -> None:
        """Called by gunicorn when an answer is complete, and there is nothing more yet."""
        self.used = self.worker.loop.time()
        super()._arm_keepalive_timer()

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        """Asked by gunicorn when it writes the head of an answer: whether that shall say that the connection ends."""
        return self.worker.is_stopping or bool(super()._will_close(request, response_requires_close))

    @property
    def is_idle(self) -> bool:
        """Whether no request is being handled, nor one there that waits for it."""
        return bool(self._awaiting_request and not self._request_ready.is_set())

    def close_if_idle(self) -> None:
        """Closes it unless a request is being handled."""
        if self.is_idle:
            self._keepalive_timeout()


class SignOfLife(WorkerTmp):  # type: ignore[misc]
    """What the worker touches and the process above it looks at: a file in memory."""

    def __init__(self, cfg: Any) -> None:
        self._tmp = os.fdopen(os.memfd_create("tocsin-gateway"), "w+b", 0)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """The worker process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # As with the connections, gunicorn has no setting for it.
        base.WorkerTmp = SignOfLife
        super().__init__(*args, **kwargs)
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self._pausing: asyncio.Task[Any] | None = None

    def init_process(self) -> None:
        """Puts our kind of connection in place of gunicorn's, which has no setting for it."""
        gasgi.ASGIProtocol = Connection
        super().init_process()

    async def _serve(self) -> None:
        # gunicorn opens its listeners in there, and leaves no other place to say this.
        self.loop.create_server = functools.partial(self.loop.create_server, backlog=self.cfg.backlog)
        await super()._serve()

    def notify(self) -> None:
        """Tells the master that it lives. gunicorn's loop does that before each of its pauses, and nobody else does."""
        super().notify()
        self._pausing = asyncio.current_task()

    def handle_exit_signal(self) -> None:
        """Stops at once: gunicorn's loop takes a cancelled pause for its end. Before the loop nothing is cancelled.

        `alive` stays as it is then: for gunicorn's connections that means to end after the answer under way, whatever
        its head has said. The master repeats the signal until the process has gone; that changes nothing.
        """
        if self._pausing is not None:
            self._pausing.cancel()
            self._pausing = None
        elif not self.is_stopping:
            super().handle_exit_signal()
        self.is_stopping = True

    async def _shutdown(self) -> None:
        self._pausing = None
        self.is_stopping = True
        # asyncio drops a connection that it has accepted but not yet handed to a protocol when its server is closed:
        # stop to accept first, and let it finish with those.
        for server in self.servers:
            for listener in server.sockets:
                self.loop.remove_reader(listener.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        stop = self.loop.time()
        while self.loop.time() < stop + LAST_SECONDS and not self._quick_shutdown:
            idle = [connection for connection in self.connections if connection.is_idle]
            for connection in idle:
                if connection.used < stop - LAST_SECONDS:
                    connection.close_if_idle()
            # Those that are busy now have their time for one more request, too, once they are answered.
            if len(idle) == len(self.connections) and all(each.used < stop - LAST_SECONDS for each in idle):
                break
            await asyncio.sleep(LAST_SECONDS / 20)
        for connection in list(self.connections):
            connection.close_if_idle()
        await super()._shutdown()


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log, without one of accesses: paths are secrets. Saying so here keeps gunicorn from composing a line
    for each request that nobody would write (measured: 40 of 200 microseconds)."""

    access_log_enabled = False


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by us alone: it reads no file and no environment but systemd's.

    Where systemd hands sockets over (LISTEN_FDS), these are served and `bind` is not. At SIGHUP a new worker is made,
    and the one before it stops; meanwhile the kernel keeps connections. gunicorn tells systemd READY itself, as soon as
    there is a socket: what is sent from then on waits for the worker.
    """

    def __init__(
        self,
        bind: str,
        load_app: Callable[[], Any],
        logging: dict[str, Any],
        reload_logging: Callable[[], dict[str, Any]],
        early: Sequence[int],
    ) -> None:
        """`load_app` is called in each worker process, after the fork; `logging` is what `logs.set_up` returns, and
        `reload_logging` what it returns after a reload, in the process above the workers. It must not raise. `early`
        is not empty where a reload was asked for before gunicorn takes signals."""
        self._bind = bind
        self._early = early
        self._logging = logging
        self._load_app = load_app
        self._reload_logging = reload_logging
        super().__init__()

    def reload(self) -> None:
        """Called by gunicorn at SIGHUP, before it makes a new worker."""
        self._logging = self._reload_logging()
        super().reload()

    def _begin(self, arbiter: Any) -> None:
        """Called by gunicorn when it takes signals and has no worker yet: the first one has what is read here."""
        if self._early:
            self.reload()
            arbiter.setup(self)

    def load_config(self) -> None:
        """Sets what differs from gunicorn's defaults."""
        for name, value in {
            "bind": self._bind,
            "workers": 1,
            "worker_class": Worker,
            "proc_name": "tocsin-gateway",
            "asgi_loop": "asyncio",
            # Without the channel that is opened at the start nothing works.
            "asgi_lifespan": "on",
            "keepalive": IDLE_SECONDS,
            "graceful_timeout": STOP_SECONDS,
            # A sender that goes away does not call back what it has sent: let it be delivered.
            "asgi_disconnect_grace_period": STOP_SECONDS,
            "control_socket_disable": True,
            "when_ready": self._begin,
            "logger_class": Log,
            "logconfig_dict": self._logging,
            "limit_request_line": _HEADER_BYTES,
            "limit_request_field_size": _HEADER_BYTES,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The ASGI app."""
        return self._load_app()


def allow_long_numbers() -> None:
    """Lets a Content-Length have as many digits as a header has room for: gunicorn takes Python's refusal to read more
    than 4,300 for a defect of its own, and the sender would get no answer. It gets its 413."""
    sys.set_int_max_str_digits(_HEADER_BYTES + 1)


def raise_open_files_limit() -> None:
    """Allows as many connections as the system permits: Alertmanager opens one for each group, without limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError) as error:
        _log.warning("the limit of open files stays as it was", reason=str(error))
