"""Telling watchers that there is something new to read in the file.

A listener is called by whoever writes, right after a commit that wrote events: it must return at once and never raise.
What happened it has to read from the file; several commits may have come by then.
"""

import threading
from collections.abc import Callable


class Changes:
    """Who wants to hear of commits that wrote events."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], None], ...] = ()

    def listen(self, listener: Callable[[], None]) -> None:
        """Has `listener` called from now on, in the thread that writes."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def ignore(self, listener: Callable[[], None]) -> None:
        """No longer calls it; one call may be under way."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    def announce(self) -> None:
        """There was such a commit."""
        for listener in self._listeners:
            listener()
