"""Logs: one event a line, on standard error; for people on a terminal, JSON elsewhere. Never a secret.

A line about a request bears its `trace_id`, which the gateway or the caller of the API gave it. At the level `debug`
each commit is a line, with the trace ids of all that it made durable and the time that it took: so a request can be
followed from its HTTP header to the disk.

A log that cannot be written (its disk is full, its reader is gone) costs its lines and nothing else: the writer
logs too, and must outlive that.
"""

import contextlib
import logging
import sys
from typing import TextIO

import structlog

LEVELS = ("debug", "info")

_BY_LEVEL = {level: structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])
             for level in LEVELS}  # fmt: skip
# Of this class are all loggers, which are made once and kept. So a level that changes is a method of it that changes.
_Leveled = type("_Leveled", (_BY_LEVEL["debug"],), {})


def set_level(level: str) -> None:
    """Writes what is of one of `LEVELS` or above it, from now on."""
    _Leveled.debug = _BY_LEVEL[level].debug  # type: ignore[attr-defined]  # it has one


def configure(level: str) -> None:
    """Sets up structured logs for this process, from one of `LEVELS` upwards."""
    set_level(level)
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        # structlog's default shows the values of all variables with a traceback, secrets among them.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not sys.stderr.isatty() else _as_it_is,
            renderer,
        ],
        wrapper_class=_Leveled,
        logger_factory=structlog.PrintLoggerFactory(_Lenient(sys.stderr)),  # type: ignore[arg-type]  # it only prints
        cache_logger_on_first_use=True,
    )


class _Lenient:
    """A stream that loses what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Writes, or loses it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flushes, or tries again next time."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _as_it_is(
    logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return event
