"""What happens in the courier: errands in, each in a thread of its own, and answers out in any order.

Rules
- It ends when its socket does, at once and whatever is under way: it never outlives the daemon.
- Whatever an errand does, it is answered, and the others go on. Where the system has no thread for it, it has not been
  tried.
- A signal to the whole process group is for the daemon to handle.
- It writes nothing anywhere, leaves no core file, and its answers hold no secrets (scrub.py).
- Sockets that nobody gave a timeout have one, so that no thread hangs forever by default.
"""

import contextlib
import os
import resource
import signal
import socket
import threading
from queue import SimpleQueue

import msgspec

from tocsind.courier import fetch, webhook
from tocsind.courier.addresses import NoThread
from tocsind.courier.deadline import Deadline
from tocsind.courier.wire import (
    READY,
    Answer,
    Bulletin,
    Errand,
    Fetch,
    Frames,
    HttpRequest,
    Outcome,
    Sent,
    frame,
    sent_of,
)

SOCKET_SECONDS = 60.0

NO_THREAD = "the courier has no thread for it"


def main() -> None:
    """Serves the socket that is its standard input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status = 1
    with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
        serve(socket.socket(fileno=os.dup(0)))
        status = 0
    # Not by returning: threads that hang would be waited for.
    os._exit(status)


def serve(link: socket.socket) -> None:
    """Serves until the socket ends. ValueError or MsgspecError where something else comes than errands."""
    link.settimeout(None)
    socket.setdefaulttimeout(SOCKET_SECONDS)
    threading.stack_size(1 << 20)
    writing = threading.Lock()
    # A thread that has done its errand waits for another by a queue of its own, which is here meanwhile. Measured: with
    # a new thread for each errand a tenth fewer were delivered per second.
    idle: list[SimpleQueue[Sent]] = []

    def work(given: "SimpleQueue[Sent]") -> None:
        while True:
            sent = given.get()
            answer(sent.number, run(sent.errand))
            idle.append(given)

    def give(sent: Sent) -> None:
        # None waits for a thread that is busy: its time has begun, and the daemon gives no more at once than there may
        # be threads.
        if idle:
            given = idle.pop()
        else:
            given = SimpleQueue()
            threading.Thread(target=work, args=(given,), name="errand", daemon=True).start()
        given.put(sent)

    def answer(number: int, made: Outcome) -> None:
        try:
            content = frame(Answer(number, made))
        except ValueError:
            content = frame(Answer(number, Outcome(False, "what came back is too long", seconds=made.seconds)))
        with writing, contextlib.suppress(OSError):
            link.sendall(content)

    link.sendall(frame(READY))
    frames = Frames()
    while content := link.recv(1 << 20):
        for body in frames.feed(content):
            sent = sent_of(body)
            try:
                give(sent)
            except RuntimeError:
                answer(sent.number, Outcome(False, NO_THREAD, tried=False))


def run(errand: Errand) -> Outcome:
    """Runs an errand; never raises."""
    begun = Deadline(0.0)
    try:
        made = _run(errand)
    except NoThread:
        made = Outcome(False, NO_THREAD, tried=False)
    except BaseException as error:
        # A defect, ours or a library's. Its text may hold anything.
        made = Outcome(False, f"it failed unexpectedly: {type(error).__name__}")
    made.seconds = begun.took()
    return made


def _run(errand: Errand) -> Outcome:
    if isinstance(errand, HttpRequest):
        return webhook.send(errand)
    if isinstance(errand, Fetch):
        return fetch.fetch(errand)
    # Only now, and only here: apprise takes a moment, and memory, that webhooks do not need.
    from tocsind.courier import services

    return services.send(errand) if isinstance(errand, Bulletin) else services.look(errand)
