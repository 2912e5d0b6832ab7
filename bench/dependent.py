"""Children that do not outlive the benchmark, however that ends: the kernel sends them SIGTERM."""

import ctypes
import functools
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> "functools.partial[None]":
    """What a child calls before it becomes its program. It must be started in the main thread: Linux takes the end of
    the starting thread for ours."""
    # Loaded here and not in the child, where little is safe between fork and exec.
    return functools.partial(_ask_kernel, ctypes.CDLL(None), os.getpid())


def die_with(parent: int) -> None:
    """The same, called by a program of ours itself. (A child that calls anything before its program is made by a real
    fork, and gRPC complains of one while it is busy.)"""
    _ask_kernel(ctypes.CDLL(None), parent)


def _ask_kernel(libc: ctypes.CDLL, parent: int) -> None:
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before the kernel knew
        os.kill(os.getpid(), signal.SIGTERM)
