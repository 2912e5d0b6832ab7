"""Tocsin for Python: `tocsin.connect` and, for asyncio, `tocsin.aio.connect`. docs/client.md is the guide.

The messages are in `tocsin.v1`. Beside them the daemon and the gateway import the table of their settings
(`tocsin.settings`), what reads it (`tocsin.configuration`), and the gateway what makes a channel (`tocsin.channel`,
`tocsin.tls`). They do not pay for the client: it is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["Client", "Error", "RevisionTooOld", "Watch", "aio", "connect", "errors"]

if TYPE_CHECKING:
    from . import aio, errors
    from .client import Client, Watch, connect
    from .errors import Error, RevisionTooOld
else:
    _HOMES = {"Client": "client", "Watch": "client", "connect": "client", "Error": "errors", "RevisionTooOld": "errors"}

    def __getattr__(name: str) -> object:
        """Load what was asked for."""
        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        if name in __all__:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
