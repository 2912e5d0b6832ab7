"""Threads that do what they are given, also where the system has no more of them (a limit of tasks, no memory).

Rules
- A thread is started when there is something to do and none is idle, as `ThreadPoolExecutor` has it. Where the system
  refuses it, that waits for one of those that there are.
- Where there is none yet, `submit` raises RuntimeError, and what it was given is never done. The library's own raises
  whenever a thread is refused, with the work queued all the same: it is done later, once more than who asked expects.
"""

from concurrent.futures import ThreadPoolExecutor


class Threads(ThreadPoolExecutor):
    """A pool with these rules."""

    def _adjust_thread_count(self) -> None:
        # `submit` calls it with its lock held, when it has queued what it was given.
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                # Without a thread nothing else was left in the queue.
                self._work_queue.get_nowait()
                raise
