"""Telling watchers that there is something new: they wait here, and read the file for what it is."""

import threading


class Changes:
    """Counts commits that wrote events."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._commits = 0
        self._closed = False

    def commits(self) -> int:
        """Returns how many there were; to be asked before the file is read."""
        with self._condition:
            return self._commits

    def announce(self) -> None:
        """There was another one."""
        with self._condition:
            self._commits += 1
            self._condition.notify_all()

    def wait(self, commits: int, seconds: float) -> bool:
        """Waits until there were more than `commits`, at most so long; returns whether to go on at all."""
        with self._condition:
            self._condition.wait_for(lambda: self._commits > commits or self._closed, seconds)
            return not self._closed

    def close(self) -> None:
        """Sends every watcher home."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
