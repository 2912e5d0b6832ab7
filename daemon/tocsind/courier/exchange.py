"""One request over HTTP and what comes back, within one deadline for all of it.

Rules
- The deadline holds for the look-up, the connection, TLS, sending, and every byte of the answer: a receiver that drips
  gains nothing.
- It connects to an address that was checked (addresses.py), and to no other. The next one is tried where the
  connection cannot be made; once it stands, nothing is sent twice.
- A proxy of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) is used, and may itself be anywhere: whoever started
  the daemon chose it. What the receiver's name means is then for the proxy to find out; but where it can be looked up
  here too, that must be an address that is allowed.
- What comes before the answer (1xx; RFC 9110, 15.2) is read over: it is no failure. 101 is one, as nobody asked for it.
- Redirects are not followed here.
- Failures are told in words; they may hold secrets, which the caller takes out.
"""

import base64
import contextlib
import http.client
import io
import os
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from tocsind.courier.addresses import Refused, Unresolved, resolve
from tocsind.courier.deadline import Deadline

_CHUNK = 1 << 16

# A receiver that has much to say has taken the message all the same; the library's own limit is 100 lines of headers.
http.client._MAXHEADERS = 500  # type: ignore[attr-defined]

# What decides where a request ends is not for others to set.
_NOT_TO_SET = frozenset({"content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"})

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
"""RFC 9110, 5.6.2."""


class Failed(Exception):
    """There was no answer. The text says why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS: certificates and key as PEM, or empty."""

    ca_certificates: str = ""
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True


@dataclass(slots=True)
class Reply:
    """What came back. `complete` is false where there was more than was to be read, or it broke off."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    complete: bool


def exchange(
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    networks: Sequence[str],
    deadline: Deadline,
    most: int,
    tls: Tls = Tls(),
    patience: float | None = None,
) -> Reply:
    """Sends a request and reads at most so many bytes of the answer. `patience` is how many seconds reading them may
    take, where they are not what it is about: then what came until then will do. Raises Failed."""
    begun = "no answer"
    connection: _Connection | None = None
    try:
        parts = _parts(url)
        connection = _Connection(parts, networks, deadline, tls)
        connection.connect()
        _send(connection, parts, method, headers, body)
        response = connection.getresponse()
        begun = "no complete answer"
        content, complete = _read(response, connection, most, patience)
        return Reply(response.status, response.headers, content, complete)
    except TimeoutError:
        raise Failed(f"{begun} within {deadline.seconds:g} s") from None
    except (Refused, Unresolved, OSError, ValueError, http.client.HTTPException) as error:
        raise Failed(_told(error)) from None
    finally:
        if connection is not None:
            connection.end()


def _parts(url: str) -> SplitResult:
    """Raises Failed where an address is none."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # it raises where it is no number
    except ValueError:
        raise Failed("the address is malformed") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failed("the address must begin with https:// or http:// and a host")
    return parts


def _send(
    connection: "_Connection", parts: SplitResult, method: str, headers: Mapping[str, str], body: bytes | None
) -> None:
    sent = {name.strip(): value.strip() for name, value in headers.items()}
    known = {name.lower() for name in sent}
    if not all(_NAME.fullmatch(name) for name in known):
        raise Failed("the name of a header is none")
    refused = sorted(known & _NOT_TO_SET)
    if refused:
        raise Failed(f"the header {refused[0]} cannot be set")
    if parts.username is not None and "authorization" not in known:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        sent["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    sent["Connection"] = "close"
    sent.update(connection.more_headers)
    encoded: dict[str, Any] = {name: value.encode() for name, value in sent.items()}
    connection.request(method, connection.target, body, encoded)


def _read(
    response: http.client.HTTPResponse, connection: "_Connection", most: int, patience: float | None
) -> tuple[bytes, bool]:
    content = bytearray()
    if patience is not None:
        connection.hurry(patience)
    try:
        while len(content) <= most:
            part = response.read1(min(_CHUNK, most + 1 - len(content)))
            if not part:
                whole = response.length in (None, 0)
                return bytes(content), whole
            content += part
    except (OSError, http.client.HTTPException):
        if patience is None:
            raise
    return bytes(content[:most]), False


class _Response(http.client.HTTPResponse):
    """An answer, whatever comes before it."""

    def begin(self) -> None:
        """Reads status and headers. The library reads over 100 alone."""
        super().begin()
        while 100 <= self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            # It reads them once, where there are none yet.
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


class _Connection(http.client.HTTPConnection):
    """A connection to where an address leads, perhaps through a proxy."""

    response_class = _Response

    def __init__(self, parts: SplitResult, networks: Sequence[str], deadline: Deadline, tls: Tls) -> None:
        host = (parts.hostname or "").rstrip(".")
        with contextlib.suppress(UnicodeError):
            host = host.encode("idna").decode() if not host.isascii() else host
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        # Written as in the address, with its port where that is not the usual one.
        super().__init__(host, port)
        self.default_port = 443 if secure else 80
        self._secure = secure
        self._networks = networks
        self._deadline = deadline
        self._tls = tls
        self._proxy = _proxy(parts.scheme, f"{host}:{port}")
        self._io: _Within | None = None
        self.more_headers: dict[str, str] = {}
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
        self.target = f"{path}?{query}" if query else path
        if self._proxy is not None and not secure:
            name = f"[{host}]" if ":" in host else host
            self.target = f"http://{name}:{port}{self.target}"
            self.more_headers = _login(self._proxy)

    def connect(self) -> None:
        """Looks up, checks and connects."""
        if self._proxy is None:
            plain = _connected(resolve(self.host, self.port, self._networks, self._deadline), self.port, self._deadline)
        else:
            plain = self._through_proxy(self._proxy)
        try:
            self._wrap(plain)
            if self._secure:
                if self._proxy is not None:
                    self._ask_for_tunnel(self._proxy)
                context = _context(self._tls)
                plain.settimeout(self._deadline.left())
                self._wrap(context.wrap_socket(plain, server_hostname=self.host))
        except BaseException:
            plain.close()
            raise

    def hurry(self, patience: float) -> None:
        """Gives what is still to be read at most so many seconds."""
        if self._io is not None:
            self._io.deadline = self._deadline.at_most(patience)

    def end(self) -> None:
        """Closes the socket."""
        self.close()
        if self._io is not None:
            self._io.end()

    def _wrap(self, plain: socket.socket) -> None:
        self._io = _Within(plain, self._deadline)
        self.sock = self._io  # the library needs of it what it has

    def _through_proxy(self, proxy: SplitResult) -> socket.socket:
        with contextlib.suppress(Unresolved, TimeoutError):
            resolve(self.host, self.port, self._networks, self._deadline.at_most(self._deadline.seconds / 4))
        everywhere = ["0.0.0.0/0", "::/0"]
        port = proxy.port or 80
        try:
            found = resolve(proxy.hostname or "", port, everywhere, self._deadline)
            return _connected(found, port, self._deadline)
        except TimeoutError:
            raise
        except (OSError, Unresolved) as error:
            raise Failed(f"the proxy: {_told(error)}") from None

    def _ask_for_tunnel(self, proxy: SplitResult) -> None:
        name = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"CONNECT {name}:{self.port} HTTP/1.1", f"Host: {name}:{self.port}"]
        lines += [f"{header}: {value}" for header, value in _login(proxy).items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        response = _Response(self.sock, method="CONNECT")
        response.begin()
        if response.status != 200:
            raise Failed(f"the proxy refused: HTTP {response.status}")


class _Within:
    """A socket, as far as http.client needs one, of which all is within a deadline."""

    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._socket = plain
        self.deadline = deadline

    def sendall(self, content: bytes) -> None:
        """Sends in pieces: TLS counts its time anew for each."""
        view = memoryview(content)
        while view:
            self._socket.settimeout(self.deadline.left())
            view = view[self._socket.send(view[:_CHUNK]) :]

    def makefile(self, mode: str = "rb", *_: object) -> io.BufferedReader:
        """A file to read from."""
        return io.BufferedReader(_Reader(self))

    def receive(self, into: Any) -> int:
        """Reads what there is."""
        self._socket.settimeout(self.deadline.left())
        return self._socket.recv_into(into)

    def close(self) -> None:
        """Nothing: the library closes what it will not write to any more, and goes on to read."""

    def end(self) -> None:
        """Closes the socket."""
        self._socket.close()


class _Reader(io.RawIOBase):
    """Reads from a socket within its deadline."""

    def __init__(self, source: _Within) -> None:
        self._source = source

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, into: Any) -> int:
        """Reads what there is."""
        return self._source.receive(into)


def _connected(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Connects to the first address that takes it; each has its share of the time."""
    failure: OSError = TimeoutError()
    for at, address in enumerate(addresses):
        share = deadline.left() / (len(addresses) - at)
        try:
            made = socket.create_connection((address, port), timeout=share)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError as error:
            failure = error
    raise failure


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=tls.ca_certificates or None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_certificate:
        # The library reads certificates and keys from files only: one in memory, which nobody else has.
        number = os.memfd_create("tocsin-client", os.MFD_CLOEXEC)
        try:
            with open(number, "wb", closefd=False) as file:
                file.write(f"{tls.client_certificate.strip()}\n{tls.client_key.strip()}\n".encode())
            # A key with a password is refused: nobody is there to be asked for it.
            context.load_cert_chain(f"/proc/self/fd/{number}", password="")
        except ssl.SSLError:
            raise Failed("TLS: the client certificate and its key cannot be used") from None
        finally:
            os.close(number)
    return context


def _proxy(scheme: str, host: str) -> SplitResult | None:
    proxies = getproxies_environment()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or proxy_bypass_environment(host, proxies):
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if parts.scheme != "http" or not parts.hostname:
        raise Failed("the proxy of the environment must begin with http://")
    return parts


def _login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _told(error: Exception) -> str:
    """Why there was no answer."""
    if isinstance(error, Unresolved):
        return f"its name cannot be resolved: {error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, http.client.HTTPException) and not isinstance(error, http.client.InvalidURL):
        return "its answer is not HTTP" if not isinstance(error, http.client.IncompleteRead) else "its answer broke off"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return str(error) or type(error).__name__
