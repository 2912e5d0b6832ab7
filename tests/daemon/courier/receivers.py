"""Receivers of webhooks that do whatever a receiver may do, over real sockets."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import msgspec

from tocsind.courier.wire import HttpRequest

LOOPBACK = ["127.0.0.0/8", "::1/128"]

SECRET = "s3cr3tPath77"
PASSWORD = "pa55/w0rd+"
QUERY = "qu3ryT0ken99"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BEARER = "h3aderT0ken11"
SECRETS = (SECRET, PASSWORD, "pa55%2Fw0rd%2B", QUERY, KEY, KEY[6:], BEARER)


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. Names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    line: str


Does = Callable[["Receiver", socket.socket], object]


class Receiver:
    """Does the same with every connection, each in a thread; what it read is in `received`."""

    def __init__(self, does: Does, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=600)
        self.port: int = self._listener.getsockname()[1]
        self.received: SimpleQueue[Received] = SimpleQueue()
        self.connections: SimpleQueue[socket.socket] = SimpleQueue()
        self.closing = threading.Event()
        self._does = does
        self._tls = tls
        self._host = f"[{host}]" if ":" in host else host
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/", host: str = "", scheme: str = "") -> str:
        """An address of it."""
        scheme = scheme or ("https" if self._tls else "http")
        return f"{scheme}://{host or self._host}:{self.port}{path}"

    def close(self) -> None:
        """Ends it, and whatever it is hanging in."""
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def read(self, connection: socket.socket) -> Received:
        """Reads a request."""
        file = connection.makefile("rb")
        line = file.readline().decode()
        method, target, _ = line.split()
        headers = {}
        while (header := file.readline().decode().strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        received = Received(method, target, headers, body, line.strip())
        self.received.put(received)
        return received

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            self.connections.put(connection)
            with connection:
                self._does(self, connection)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)


def answers(status: str = "200 OK", body: bytes = b"", headers: Iterable[str] = ()) -> Does:
    """Reads a request and answers it."""

    def does(receiver: Receiver, connection: socket.socket) -> None:
        receiver.read(connection)
        connection.sendall(whole(status, body, headers))

    return does


def whole(status: str = "200 OK", body: bytes = b"", headers: Iterable[str] = ()) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(*parts: bytes, reset: bool = False) -> Does:
    """Reads a request, says something, and closes the connection, or resets it."""

    def does(receiver: Receiver, connection: socket.socket) -> None:
        receiver.read(connection)
        for part in parts:
            connection.sendall(part)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

    return does


def hangs(after: bytes = b"") -> Does:
    """Reads a request, says the beginning of an answer, and nothing more."""

    def does(receiver: Receiver, connection: socket.socket) -> None:
        receiver.read(connection)
        connection.sendall(after)
        receiver.closing.wait()

    return does


def drips(content: bytes, pause: float = 0.05) -> Does:
    """Reads a request, and answers with a byte now and then."""

    def does(receiver: Receiver, connection: socket.socket) -> None:
        receiver.read(connection)
        for byte in content:
            connection.sendall(bytes([byte]))
            if receiver.closing.wait(pause):
                return

    return does


def deaf(receiver: Receiver, connection: socket.socket) -> None:
    """Reads nothing and says nothing."""
    receiver.closing.wait()


def request(url: str, **fields: Any) -> HttpRequest:
    """A webhook to a receiver on this machine."""
    usual = HttpRequest(
        url=url,
        method="POST",
        headers={},
        body=b'{"test": 2432232314}',
        key="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        timeout=5.0,
        networks=LOOPBACK,
    )
    return msgspec.structs.replace(usual, **fields)


def secretive(receiver: Receiver, **fields: Any) -> HttpRequest:
    """A webhook with every kind of secret."""
    login = "tocsin:pa55%2Fw0rd%2B@"
    url = receiver.url(f"/hooks/{SECRET}?token={QUERY}").replace("://", f"://{login}")
    headers = {"Authorization": f"Bearer {BEARER}", "X-Key": f"{BEARER};x"}
    return request(url, headers=headers, secret=KEY, **fields)


Opens = Callable[..., Receiver]
"""Starts a receiver that ends with the test."""


@contextlib.contextmanager
def opening() -> Iterator[Opens]:
    """For a fixture."""
    with contextlib.ExitStack() as stack:

        def opens(does: Does, **options: Any) -> Receiver:
            receiver = Receiver(does, **options)
            stack.callback(receiver.close)
            return receiver

        yield opens
