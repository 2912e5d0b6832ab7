"""The load: an HTTP/1.1 client on raw sockets, in a process of its own.

`python -m bench.load [PARENT]` reads a `Spec` as JSON from its input and writes a `Result` as JSON to its output. It
has to cost far less than what it measures: requests are built before, a number is written into them in place, and of an
answer only status and length are looked at. Its own share of a core is part of the result. Linux only (epoll).

Closed loop (`rate` 0): every connection sends its next request when it has the answer to the last one. Open loop: so
many requests a second are due whatever the answers, and latency counts from the moment at which a request was due.
"""

import gc
import json
import os
import random
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.bodies import WIDTH, Template
from bench.dependent import die_with
from bench.report import quantile

_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: *(\d+)\r\n.*?\r\n\r\n", re.IGNORECASE | re.DOTALL)
_OK = b"HTTP/1.1 200 "
_PATIENCE = 10.0
"""Seconds without any answer after which the client gives up."""


@dataclass(frozen=True)
class Spec:
    """What to send. Either `text` with the places of a number in it, or `rotation`, requests to be sent in turn.

    The numbers count up from `first`, or are drawn from `span` numbers from there on. `requests`: stop after so many.
    """

    port: int
    connections: int
    seconds: float
    warm_up: float = 0.3
    text: str = ""
    offsets: tuple[int, ...] = ()
    first: int = 0
    span: int = 0
    rotation: tuple[str, ...] = ()
    requests: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Result:
    """What came of it, without the warm-up. Latencies in milliseconds, `cpu` as a share of one core.

    `sent`: all requests that were sent, so `first + sent` is the next fresh number. `other`: answers by status where
    that was not 200, and broken connections under `broken`.
    """

    rate: float
    p50: float
    p99: float
    worst: float
    answered: int
    sent: int
    seconds: float
    cpu: float
    cpu_us: float
    other: dict[str, int] = field(default_factory=dict)


def notifications(port: int, connections: int, seconds: float, request: Template, first: int, span: int = 0) -> Spec:
    """A spec for a request with a number in it."""
    return Spec(port, connections, seconds, text=request.text, offsets=request.offsets, first=first, span=span)


class Client:
    """A load generator under way, as seen from the process that started it."""

    def __init__(self, spec: Spec) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(spec)))
        self._process.stdin.close()
        self._process.stdin = None

    def result(self) -> Result:
        """Waits for its end."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError("the load generator failed")
        return Result(**json.loads(output))

    def stop(self) -> None:
        """Ends it, if it has not ended."""
        self._process.kill()
        self._process.wait()


@contextmanager
def offering(spec: Spec) -> Iterator[Client]:
    """Offers load from another process meanwhile."""
    client = Client(spec)
    try:
        yield client
    finally:
        client.stop()


def offer(spec: Spec) -> Result:
    """Offers load from another process, and waits for the result."""
    with offering(spec) as client:
        return client.result()


class _Connection:
    """One connection, with the request that it sends."""

    __slots__ = ("buffer", "recv", "request", "rest", "send", "since", "sock")

    def __init__(self, port: int, request: bytearray) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.send = self.sock.send
        self.recv = self.sock.recv
        self.request = request
        self.buffer = b""
        self.rest = b""
        self.since = 0.0


class _Load:
    """One run, inside the process of the client."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._epoll = select.epoll()
        self._sent = 0
        self._other: dict[str, int] = {}
        self._fill = self._filler()
        self._connections: dict[int, _Connection] = {}
        for _ in range(spec.connections):
            self._connect()

    def run(self) -> Result:
        spec = self._spec
        clock = time.perf_counter
        latencies: list[float] = []
        note = latencies.append
        connections = self._connections
        poll = self._epoll.poll
        idle = list(connections.values())
        usual = -1
        gc.disable()
        begin = clock()
        measured_from = begin + spec.warm_up
        end = measured_from + spec.seconds
        pace = 1.0 / spec.rate if spec.rate else 0.0
        due = begin
        cpu_from = 0.0
        warm = False
        in_flight = 0
        now = begin
        while True:
            stop = now >= end or (spec.requests > 0 and self._sent >= spec.requests)
            while idle and not stop and due <= now:
                connection = idle.pop()
                self._send(connection, due if pace else now)
                in_flight += 1
                due += pace
                stop = spec.requests > 0 and self._sent >= spec.requests
            if stop and (not in_flight or now >= end + _PATIENCE):
                break
            wait = _PATIENCE if not pace or not idle else max(0.0, due - now)
            ready = poll(wait)
            now = clock()
            if not warm and now >= measured_from:
                warm = True
                cpu_from = time.process_time()
                measured_from = now
                latencies.clear()
            if not ready and wait == _PATIENCE:
                self._count("unanswered", in_flight)
                break
            for number, events in ready:
                connection = connections[number]
                if connection.rest:
                    if events & select.EPOLLOUT:
                        self._send_rest(connection)
                    if not events & ~select.EPOLLOUT:
                        continue
                try:
                    data = connection.recv(65536)
                except ConnectionError:
                    data = b""
                if len(data) != usual or connection.buffer or not data.startswith(_OK):
                    if data:
                        data = connection.buffer + data
                        answer = _ANSWER.match(data)
                        if answer is None or len(data) < answer.end() + int(answer[2]):
                            connection.buffer = data
                            continue
                        connection.buffer = b""
                        if answer[1] == b"200":
                            usual = len(data)
                        else:
                            self._count(answer[1].decode(), 1)
                    else:
                        self._count("broken", 1)
                        connection = self._reconnect(number)
                    if not data or not data.startswith(_OK):
                        in_flight -= 1
                        idle.append(connection)
                        continue
                if now < end:
                    note(now - connection.since)
                if pace or stop or now >= end or (spec.requests and self._sent >= spec.requests):
                    in_flight -= 1
                    idle.append(connection)
                else:
                    self._send(connection, now)
        seconds = max(min(clock(), end) - measured_from, 1e-9)
        return self._result(latencies, seconds, time.process_time() - cpu_from)

    def _result(self, latencies: list[float], seconds: float, cpu: float) -> Result:
        latencies.sort()
        count = len(latencies)

        def milliseconds(share: float) -> float:
            return round(quantile(latencies, share) * 1e3, 3) if count else 0.0

        return Result(
            rate=round(count / seconds, 1),
            p50=milliseconds(0.5),
            p99=milliseconds(0.99),
            worst=milliseconds(1.0),
            answered=count,
            sent=self._sent,
            seconds=round(seconds, 3),
            cpu=round(cpu / seconds, 3),
            cpu_us=round(cpu / max(count, 1) * 1e6, 1),
            other=self._other,
        )

    def _filler(self) -> Callable[[_Connection], None]:
        """What puts the next request into a connection."""
        spec = self._spec
        if spec.rotation:
            requests = [bytearray(request.encode()) for request in spec.rotation]

            def rotate(connection: _Connection) -> None:
                connection.request = requests[self._sent % len(requests)]

            return rotate
        offsets = [(offset, offset + WIDTH) for offset in spec.offsets]
        draw = random.Random(spec.first).random

        def patch(connection: _Connection) -> None:
            number = spec.first + (int(draw() * spec.span) if spec.span else self._sent)
            digits = b"%012d" % number
            request = connection.request
            for start, stop in offsets:
                request[start:stop] = digits

        return patch

    def _send(self, connection: _Connection, since: float) -> None:
        self._fill(connection)
        self._sent += 1
        connection.since = since
        request = connection.request
        try:
            sent = connection.send(request)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            return  # epoll tells, and there it is counted
        if sent < len(request):
            connection.rest = bytes(request[sent:])
            self._epoll.modify(connection.sock, select.EPOLLIN | select.EPOLLOUT)

    def _send_rest(self, connection: _Connection) -> None:
        try:
            sent = connection.send(connection.rest)
        except BlockingIOError:
            return
        except ConnectionError:
            sent = len(connection.rest)
        connection.rest = connection.rest[sent:]
        if not connection.rest:
            self._epoll.modify(connection.sock, select.EPOLLIN)

    def _connect(self) -> _Connection:
        connection = _Connection(self._spec.port, bytearray(self._spec.text.encode()))
        self._connections[connection.sock.fileno()] = connection
        self._epoll.register(connection.sock, select.EPOLLIN)
        return connection

    def _reconnect(self, number: int) -> _Connection:
        self._epoll.unregister(number)
        self._connections.pop(number).sock.close()
        return self._connect()

    def _count(self, what: str, times: int) -> None:
        self._other[what] = self._other.get(what, 0) + times


def main() -> None:
    """Runs the load that the input asks for."""
    if len(sys.argv) > 1:
        die_with(int(sys.argv[1]))
    spec = json.load(sys.stdin)
    spec["offsets"] = tuple(spec["offsets"])
    spec["rotation"] = tuple(spec["rotation"])
    print(json.dumps(asdict(_Load(Spec(**spec)).run())))


if __name__ == "__main__":
    main()
