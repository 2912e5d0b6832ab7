"""One courier process, as the daemon sees it: started or found at a socket, given errands, listened to, ended.

Rules
- A `Process` is a child of the daemon's. A `Connection` is to one that the listener (listener.py) starts at the other
  end of a unix socket, which systemd may open before there is a listener: it is the same program, and ends with its
  connection as a child ends with its socket.
- It inherits (`child.py`) the environment only where that is about reaching others: proxies and certificate
  authorities, the language and the time zone (mails have a date). It has no file but its socket.
  Nothing secret is in its command line or its environment, but a proxy's password if the daemon's own holds one.
- It is never waited for: its socket does not block, what it does not take yet is kept.
- All that is under way has a deadline, by the system's clock whichever the daemon goes by: waits for others are real.
- One thread at a time, which is the courier's (courier.py).
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tocsind import child
from tocsind.courier.deadline import Deadline
from tocsind.courier.wire import READY, Answer, Errand, Frames, Outcome, Sent, answer_of, frame

START_SECONDS = 20.0
"""How long a process may take until it is ready."""

GRACE = 5.0
"""Seconds that an errand may take longer than it says, before it counts as stuck."""

USUAL_SECONDS = 30.0
"""How long an errand may take that says nothing about it."""

_PASSED_ON = ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Broken(Exception):
    """The process, or what it says, is of no more use. The text says why."""


@dataclass(eq=False, slots=True)
class UnderWay:
    """An errand that was given to the courier. `begun` is by the daemon's clock."""

    errand: Errand
    future: "Future[Outcome]"
    begun: int = 0
    deadline: Deadline | None = None

    def begin(self) -> None:
        """From now on it is waited for."""
        self.deadline = Deadline(getattr(self.errand, "timeout", USUAL_SECONDS) + GRACE)


class Connection:
    """A connection to a process at a socket. `stuck` is how many of its errands were given up and have not ended since.
    `mute`: one was given up, and it has answered nothing at all since that was given to it.

    Nothing is said about who may be at the other end: the modes of the socket and of its folder are the gate.
    """

    def __init__(self, path: Path) -> None:
        """Connects, without waiting until it is ready; OSError where there is none."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        made.setblocking(False)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            raise
        self._set_up(made)

    def _set_up(self, link: socket.socket) -> None:
        link.setblocking(False)
        self.link = link
        self.ready = False
        self.mute = False
        self._heard = Deadline(0.0)
        self._deadline = Deadline(START_SECONDS)
        self._frames = Frames()
        self._out = bytearray()
        self._under_way: dict[int, UnderWay] = {}
        self._given_up: set[int] = set()

    @property
    def pid(self) -> int | None:
        """Its process id, where it is a child."""
        return None

    @property
    def stuck(self) -> int:
        """How many threads of it hang in an errand that nobody waits for any more."""
        return len(self._given_up)

    @property
    def busy(self) -> int:
        """How many errands it is still waited for."""
        return len(self._under_way)

    @property
    def has_to_write(self) -> bool:
        """Whether there is something that it did not take yet."""
        return bool(self._out)

    def give(self, number: int, content: bytes, under_way: UnderWay) -> None:
        """Gives it an errand, in its frame."""
        if self.ready:
            under_way.begin()
        self._under_way[number] = under_way
        self._out += content

    def write(self) -> None:
        """Writes what it takes now. Raises Broken."""
        try:
            while self._out:
                del self._out[: self.link.send(self._out[: 1 << 20])]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Broken("it ended") from error

    def read(self) -> Iterator[tuple[UnderWay, Outcome]]:
        """Returns what it has answered by now. Raises Broken."""
        while True:
            try:
                content = self.link.recv(1 << 20)
            except BlockingIOError:
                return
            except OSError as error:
                raise Broken("it ended") from error
            if not content:
                raise Broken("it ended")
            try:
                for body in self._frames.feed(content):
                    yield from self._understood(body)
            except (ValueError, msgspec.MsgspecError) as error:
                raise Broken("it answered what is no answer") from error

    def overdue(self) -> Iterator[tuple[UnderWay, Outcome]]:
        """Gives up what takes too long. Raises Broken where it takes too long to start."""
        if not self.ready and self._is_over(self._deadline):
            raise Broken("it did not become ready")
        for number, under_way in list(self._under_way.items()):
            if under_way.deadline is not None and self._is_over(under_way.deadline):
                del self._under_way[number]
                self._given_up.add(number)
                seconds = under_way.deadline.seconds
                self.mute |= self._heard.took() >= under_way.deadline.took()
                yield under_way, Outcome(False, f"no answer within {seconds - GRACE:g} s", seconds=seconds)

    def left(self) -> list[UnderWay]:
        """Takes away what it has not answered."""
        left = list(self._under_way.values())
        self._under_way.clear()
        return left

    def end(self) -> str:
        """Ends it; returns how it ended."""
        self.link.close()
        return "disconnected"

    def _understood(self, body: bytes) -> Iterator[tuple[UnderWay, Outcome]]:
        self._heard = Deadline(0.0)
        if not self.ready:
            if body != READY:
                raise ValueError("it does not say that it is ready")
            self.ready = True
            for waiting in self._under_way.values():
                waiting.begin()
            return
        answer: Answer = answer_of(body)
        under_way = self._under_way.pop(answer.number, None)
        if under_way is not None:
            yield under_way, answer.outcome
        elif answer.number in self._given_up:
            self._given_up.discard(answer.number)
        else:
            raise ValueError("nobody asked for this")

    @staticmethod
    def _is_over(deadline: Deadline) -> bool:
        return deadline.took() >= deadline.seconds


class Process(Connection):
    """A child."""

    def __init__(self) -> None:
        """Starts it, without waiting until it is ready; OSError where the system refuses."""
        ours, its = socket.socketpair()
        try:
            self._popen = start_child(its)
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        self._set_up(ours)

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return int(self._popen.pid)

    def end(self) -> str:
        """Ends it; returns how it ended."""
        self.link.close()
        # It ends with its socket; but one that does not is not waited for.
        with contextlib.suppress(OSError):
            self._popen.kill()
        status = self._popen.wait()
        return signal.Signals(-status).name if status < 0 else f"status {status}"


def start_child(link: socket.socket) -> "subprocess.Popen[bytes]":
    """Starts a courier at the other end of a socket. OSError where the system refuses."""
    return child.start("tocsind.courier", stdin=link.fileno(), stdout=subprocess.DEVNULL, environment=environment())


def errand_frame(number: int, errand: Errand) -> bytes:
    """An errand in its frame. ValueError where it is too long, or cannot be written."""
    try:
        return frame(Sent(number, errand))
    except (TypeError, UnicodeError, msgspec.MsgspecError) as error:
        raise ValueError("it cannot be written") from error


def environment() -> dict[str, str]:
    """What the process has in its environment beside where its modules are."""
    # A .netrc would have passwords of the user's sent along that nobody meant (requests reads it).
    found = {"LANG": "C.UTF-8", "NETRC": os.devnull}
    for name in (*_PASSED_ON, *_PROXIES, *map(str.lower, _PROXIES)):
        if name in os.environ:
            found[name] = os.environ[name]
    if "REQUESTS_CA_BUNDLE" not in found:
        # requests, and with it apprise, has a list of authorities of its own. Whom the machine trusts is for the
        # machine to say: many who run things on their own premises have an authority of their own.
        usual = ssl.get_default_verify_paths()
        for place in (found.get("SSL_CERT_FILE"), found.get("SSL_CERT_DIR"), usual.cafile, usual.capath):
            if place and (Path(place).is_file() or (Path(place).is_dir() and any(Path(place).iterdir()))):
                found["REQUESTS_CA_BUNDLE"] = place
                break
    return found
