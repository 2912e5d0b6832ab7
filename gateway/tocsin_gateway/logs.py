"""Logs: one JSON object a line, on stderr, gunicorn's lines included.

The rules:

* No line holds a path or a body: the token is in the one, and people's data in the other.
* A line about a request bears its `trace_id`: what the sender calls it in the header `X-Request-Id`, or else what the
  gateway does. A line about several names all of them.
* The level `debug` is for our own lines: of a library's nobody knows what they hold.
"""

import logging.config
from contextvars import ContextVar
from typing import Any, Final

import structlog

LEVELS: Final = ("debug", "info")

trace_id: Final[ContextVar[str]] = ContextVar("trace_id")
"""The id of the request that is being handled."""


def _add_trace_id(logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    found = trace_id.get("")
    if found:
        event.setdefault("trace_id", found)
    return event


_SHARED: Final[list[Any]] = [
    structlog.stdlib.add_log_level,
    _add_trace_id,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]

_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}


def set_up(level: str) -> dict[str, Any]:
    """Sends structlog's and the standard library's lines the same way, our own from one of `LEVELS` upwards; returns
    how, for gunicorn, in the form of `logging.config.dictConfig`."""
    ours = {"tocsin_gateway": {"level": level.upper()}}
    settings = _LOGGING | {"loggers": _LOGGING["loggers"] | ours}
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return settings
