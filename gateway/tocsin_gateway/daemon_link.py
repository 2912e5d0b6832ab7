"""The way to the daemon: where it is, what is encrypted, and as whom the gateway calls it.

The rules:

* A unix socket needs no more than its file mode; give the gateway one of its own (`role=gateway`). Over TCP it needs a
  token with the role `gateway`, and TLS unless it is loopback (`tocsin.channel` has these rules).
* The token stands in a file, which is read again each time a stream is opened: a new one is used without a restart.
* The token is the gateway's own: what callers of the REST API ask for is asked for with theirs, over a channel of its
  own (`oncall/caller.py`).
* Channels are opened after the fork: gRPC does not survive one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc.aio
import structlog

from tocsin import channel as channels

_MESSAGE_LIMIT: Final = 256 * 1024 * 1024

_OPTIONS: Final = {
    # One body can be 32 MiB, and gRPC's default is 4 MiB.
    "grpc.max_send_message_length": _MESSAGE_LIMIT,
    "grpc.max_receive_message_length": _MESSAGE_LIMIT,
    # The dispatcher repeats calls by its own rules.
    "grpc.enable_retries": 0,
}

_log = structlog.get_logger("tocsin_gateway")


@dataclass(frozen=True)
class DaemonLink:
    """How a gateway reaches its daemon. `target` is a gRPC target; the files are PEM, but `token_file`."""

    target: str
    token_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_plaintext: bool = False

    def channel(self, options: dict[str, int] | None = None) -> grpc.aio.Channel:
        """Returns a new channel, with these options besides."""
        merged = tuple({**channels.link_options(self.target), **_OPTIONS, **(options or {})}.items())
        credentials = self._credentials()
        if credentials is None:
            return grpc.aio.insecure_channel(self.target, merged)
        return grpc.aio.secure_channel(self.target, credentials, merged)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of a call in the gateway's own name."""
        if self.token_file is None:
            return ()
        try:
            return (("authorization", f"Bearer {self._token(self.token_file)}"),)
        except (OSError, ValueError) as error:
            _log.error("the token file cannot be used", reason=str(error))
            return ()

    def _credentials(self) -> grpc.ChannelCredentials | None:
        return channels.credentials(
            self.target,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            insecure_plaintext=self.insecure_plaintext,
        )

    @staticmethod
    def _token(path: Path) -> str:
        token = path.read_text("ascii", "replace").strip()
        if not token or not token.isprintable() or not token.isascii() or " " in token:
            raise ValueError(f"{path} does not hold a token")
        return token
