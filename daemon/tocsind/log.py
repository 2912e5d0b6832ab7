"""Logs: one event a line, on standard error; for people on a terminal, JSON elsewhere. Never a secret.

A log that cannot be written (its disk is full, its reader is gone) costs its lines and nothing else: the writer
logs too, and must outlive that.
"""

import contextlib
import sys
from typing import TextIO

import structlog


def configure() -> None:
    """Sets up structured logs for this process."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not sys.stderr.isatty() else _as_it_is,
            renderer,
        ],
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
