"""Tocsin for Python: `tocsin.connect` and, for asyncio, `tocsin.aio.connect`. docs/client.md is the guide.

The messages are in `tocsin.v1`. The daemon and the gateway import only that, and do not pay for the client: it is
loaded when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import aio, errors
    from .client import Client, Watch, connect
    from .errors import Error, RevisionTooOld

__all__ = ["Client", "Error", "RevisionTooOld", "Watch", "aio", "connect", "errors"]

_HOMES = {"Client": "client", "Watch": "client", "connect": "client", "Error": "errors", "RevisionTooOld": "errors"}


def __getattr__(name: str) -> Any:
    """Load what was asked for."""
    from importlib import import_module

    if name in ("aio", "errors"):
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
