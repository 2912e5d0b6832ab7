"""Where Tocsin tells people, for tests: a mailbox behind an SMTP server, and a webhook receiver that can misbehave."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from processes import free_port, until


class Mailbox:
    """An SMTP server on loopback that keeps what it is given. `refuse` is answered instead, where it is set."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = ""
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Takes a mail."""
        if self.refuse:
            return self.refuse
        content = envelope.original_content
        assert content is not None
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    @property
    def url(self) -> str:
        """Its address as apprise has it."""
        return f"mailto://127.0.0.1:{self.port}/?from=tocsin@site.example&to=anna@site.example"

    def subjects(self) -> list[str]:
        """The subjects of all mails, oldest first."""
        return [str(mail["Subject"]) for mail in self.mails]

    def await_mails(self, count: int) -> list[EmailMessage]:
        """Waits until there are so many mails."""
        until(lambda: len(self.mails) >= count, f"{count} mails")
        return self.mails

    def close(self) -> None:
        """Stops."""
        self._controller.stop()


class Told(NamedTuple):
    """What a webhook received."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def key(self) -> str:
        """By which a repeat is known."""
        return self.headers["idempotency-key"]


Behaviour = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, text: str = "", **headers: str) -> Behaviour:
    """Answers with a status."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text.encode())

    return behave


class Receiver:
    """A webhook receiver on loopback. `behave` says what it does with a request, which it has noted by then."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.behave: Behaviour = answer(200, "thanks")
        self.released = threading.Event()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._server: ThreadingHTTPServer | None = None
        self.open()

    def open(self) -> None:
        """Listens."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.told.append(Told({name.lower(): value for name, value in self.headers.items()}, body))
                with contextlib.suppress(OSError):
                    receiver.behave(self)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Hears nothing any more: connections are refused."""
        self.released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        """Behaves by not answering, until it is released or closed."""
        self.released.wait()
        handler.close_connection = True

    def keys(self) -> list[str]:
        """The keys of all that it was told, repeats included."""
        return [told.key for told in self.told]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver, for a while."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox, for a while."""
    box = Mailbox()
    try:
        yield box
    finally:
        box.close()
