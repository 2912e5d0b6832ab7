"""What happens in a process that renders: a task in, its results out, until the pipe ends.

Rules
- Its time for a task is limited by the kernel, which kills it (SIGPROF) wherever it is, in Python or in C. What is
  limited is the time that it computes, not the time that passes: where the machine is busy, a good template is not
  taken for a bad one. The daemon limits the time that passes, more generously.
- Reading the payload has a limit of its own: a large one is no template's fault, and leaves them their time.
- Its memory is limited too: what a template cannot have is a MemoryError, which is that template's failure.
- It has no file but its pipe and its journal, nothing in its environment, and ends with the daemon, which closes the
  pipe. A signal to the whole process group is for the daemon to handle.
- It logs nothing: what went wrong with a template is part of the answer.
"""

import os
import resource
import signal
from copy import deepcopy
from types import TracebackType
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError

from tocsind.domain.template import is_true
from tocsind.rendering.sandbox import FILE, Sandbox
from tocsind.rendering.variables import CONTROL, variables, variables_of_message
from tocsind.rendering.wire import HEAD, READ, READY, Made, Piece, Task, frame, task_of

CPU_SECONDS = 0.25
"""What all templates of one task may compute for together."""

READ_SECONDS = 1.0
"""What reading the payload may take: 32 MiB, the most that a gateway takes, are about 0.5 s."""

MEMORY = 512 * 1024 * 1024
"""Bytes of address space; without any template it has about 60 million of them."""

_PIPE, _JOURNAL = 0, 1
_MOST_ERROR = 300


def main() -> None:
    """Serves until the pipe ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sandbox = Sandbox()
    _send(frame(READY))
    while (body := _receive()) is not None:
        signal.setitimer(signal.ITIMER_PROF, READ_SECONDS)
        answer = frame(_done(sandbox, task_of(body)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(answer)


def _done(sandbox: Sandbox, task: Task) -> list[Made]:
    sandbox.now = task.now
    own: dict[str, Any] = {}
    if not task.about:
        own = {"integration": task.integration, "integration_name": task.integration.get("display_name", "")}
    link: dict[str, str] = {}
    given: dict[str, Any] | None = None
    unreadable: Exception | None = None
    if not task.check:
        try:
            given = _given(task)
        except Exception as error:
            unreadable = error
    results: list[Made] = []
    at = os.pwrite(_JOURNAL, READ, 0)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    for piece in task.pieces:
        sandbox.touched = sandbox.varying = False
        try:
            if task.check:
                sandbox.compiled(piece.source)
                made = Made()
            elif unreadable is not None:
                raise unreadable
            else:
                if given is None:
                    given = _given(task)
                made = _rendered(sandbox, piece, {**given, **deepcopy(own), **link})
        except Exception as error:
            lasting = not isinstance(error, MemoryError)
            made = Made(error=_told(error), line=_line(error), lasting=lasting, undefined=_is_missing(error))
            if isinstance(error, MemoryError):
                sandbox.forget()
        made.lasting = made.lasting and not sandbox.varying
        if sandbox.touched:
            given = None
        if piece.name == "source_link" and made.text:
            link["source_link"] = made.text
        results.append(made)
        noted = frame(made)
        os.pwrite(_JOURNAL, noted, at)
        at += len(noted)
    return results


def _given(task: Task) -> dict[str, Any]:
    """What the templates of a task see, fresh."""
    if task.about:
        return variables_of_message(task.about, task.payload)
    return variables(task.payload, compressed=task.compressed)


def _rendered(sandbox: Sandbox, piece: Piece, variables: dict[str, Any]) -> Made:
    text = sandbox.compiled(piece.source).render(variables)
    if piece.condition:
        return Made(is_true=is_true(text))
    if piece.line:
        # A cut before the costly part: what is split into words may be millions of characters.
        text = " ".join(text[: 8 * piece.most].split())
        text = CONTROL.sub(" ", text)
    shortened = len(text) > piece.most
    if shortened:
        text = text[: piece.most - 2] + ".."
    # Half of a pair of surrogates can be written in JSON, but nowhere else.
    text = text.encode("utf-8", "replace").decode()
    return Made(text, is_true(text), shortened)


def _told(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = " ".join(str(said).split()) or type(error).__name__
    return text.encode("utf-8", "replace").decode()[:_MOST_ERROR]


def _is_missing(error: Exception) -> bool:
    """Whether something went wrong because something is not there. Filters that are given it say so in their way."""
    return isinstance(error, UndefinedError) or (isinstance(error, TypeError) and "Undefined" in str(error))


def _line(error: Exception) -> int:
    """The line of the template where it went wrong, or 0."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    line = 0
    at: TracebackType | None = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == FILE:
            line = at.tb_lineno
        at = at.tb_next
    return line


def _receive() -> bytes | None:
    head = _read(HEAD)
    return None if head is None else _read(int.from_bytes(head, "big"))


def _read(size: int) -> bytes | None:
    """So many bytes, or None where the pipe ended before."""
    parts = []
    while size:
        part = os.read(_PIPE, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(_PIPE, view) :]
