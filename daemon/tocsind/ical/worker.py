"""What happens in a process that reads a calendar: a task in, an answer out, and the process ends.

Rules
- Its time to compute and its memory are limited by the kernel. A rule that repeats every second for years, or a text
  that is made to take long, costs these and nothing else. It says so itself while it can: the kernel's first signal
  (SIGXCPU) is an exception here, which no library takes for one of its own; the second one kills.
- It reads and writes nothing but its task and its answer.
"""

import resource
import signal
import sys
from types import FrameType

import msgspec

from tocsind.ical.wire import Answer, Task

MEMORY = 512 * 1024 * 1024
"""Bytes of address space; a calendar of 4 MiB needs about a third of it."""

_GRACE = 2


class OutOfTime(BaseException):
    """It has computed for as long as it may."""


def main() -> None:
    """Answers what is on the standard input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(msgspec.json.encode(_answer(sys.stdin.buffer.read())))
    sys.stdout.buffer.flush()


def _answer(asked: bytes) -> Answer:
    task = msgspec.json.decode(asked, type=Task)
    signal.signal(signal.SIGXCPU, _out_of_time)
    resource.setrlimit(resource.RLIMIT_CPU, (task.seconds, task.seconds + _GRACE))
    where: list[str] = []
    try:
        # Within the limits too: what is imported is large.
        from tocsind.ical.reading import CalendarError, read

        try:
            return read(task, where)
        except CalendarError as error:
            return Answer(error=str(error))
    except OutOfTime:
        return Answer(error=f"{_at(where)}takes over {task.seconds} s to work out; does a rule repeat too often?")
    except MemoryError:
        return Answer(error=f"{_at(where)}takes too much memory; does a rule repeat too often?")


def _at(where: list[str]) -> str:
    """What was being worked out: `where` holds it as its last item."""
    return where[-1] if where else ""


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime
