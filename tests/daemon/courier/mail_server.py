"""A real mail server on loopback."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

PASSWORD = "p0stPa55word"


class MailServer(Controller):
    """Takes mails for everybody whose address does not say what to answer: those with `gone` and `grey` are refused."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        options: dict[str, Any] = {"auth_require_tls": False, "auth_required": True, "authenticator": self._checked}
        super().__init__(self, hostname="127.0.0.1", port=0, **options)

    @property
    def url(self) -> str:
        """An address of apprise for it, without recipients."""
        return f"mailto://tocsin:{PASSWORD}@127.0.0.1:{self.port}?from=tocsin@x.example"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """A recipient."""
        if "gone" in address:
            return f"550 5.1.1 no such user, dear {PASSWORD}"
        if "grey" in address:
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """A mail."""
        if b"too big" in envelope.content:
            return "552 5.3.4 too big"
        self.mails.append(message_from_bytes(envelope.content))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"

    def _checked(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    def _trigger_server(self) -> None:
        # The library does not know that 0 is any port.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Runs one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = MailServer()
        server.start()
        try:
            yield server
        finally:
            server.stop()
