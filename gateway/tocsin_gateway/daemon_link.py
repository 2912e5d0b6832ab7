"""The way to the daemon: where it is, what is encrypted, and as whom the gateway calls it.

The rules:

* A unix socket needs no more than its file mode; give the gateway one of its own (`role=gateway`). Over TCP it needs a
  token with the role `gateway`, and TLS unless it is loopback (`tocsin.channel` has these rules).
* The files for TLS are read by the process above the workers, at the start and at a reload (command.py): a worker that
  is made while a renewal replaces them has what they held before.
* The token stands in a file, which is read again each time a stream is opened: a new one is used without a restart.
  While it cannot be used, the last good one is.
* The token is the gateway's own: what callers of the REST API ask for is asked for with theirs, over a channel of its
  own (`oncall/caller.py`).
* Channels are opened after the fork: gRPC does not survive one.
"""

from pathlib import Path
from typing import Final

import grpc.aio
import structlog

from tocsin import channel as channels
from tocsin.tls import Tls
from tocsin_gateway import token_file as token_files

_MESSAGE_LIMIT: Final = 256 * 1024 * 1024

_OPTIONS: Final = {
    # One body can be 32 MiB, and gRPC's default is 4 MiB.
    "grpc.max_send_message_length": _MESSAGE_LIMIT,
    "grpc.max_receive_message_length": _MESSAGE_LIMIT,
    # The dispatcher repeats calls by its own rules.
    "grpc.enable_retries": 0,
}

_log = structlog.get_logger("tocsin_gateway")


class DaemonLink:
    """How a gateway reaches its daemon."""

    def __init__(self, target: str, tls: Tls | None, token_file: Path | None = None, token: str = "") -> None:
        """`target` is a gRPC target, and plain where `tls` is None; `token` is what was last read from `token_file`,
        or empty."""
        self.target = target
        self._tls = tls
        self._token_file = token_file
        self._token = token
        self._complaint = ""

    def channel(self, options: dict[str, int] | None = None) -> grpc.aio.Channel:
        """Returns a new channel, with these options besides."""
        merged = tuple({**channels.link_options(self.target), **_OPTIONS, **(options or {})}.items())
        credentials = channels.credentials_of(self._tls)
        if credentials is None:
            return grpc.aio.insecure_channel(self.target, merged)
        return grpc.aio.secure_channel(self.target, credentials, merged)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of a call in the gateway's own name."""
        if self._token_file is None:
            return ()
        try:
            self._token = token_files.read(self._token_file)
            self._complaint = ""
        except (OSError, ValueError) as error:
            self._complain(str(error))
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()

    def _complain(self, reason: str) -> None:
        """Logs it once: without a daemon, streams are opened three times a second."""
        if reason != self._complaint:
            self._complaint = reason
            _log.error("the token file cannot be used", reason=reason, last_one_used=bool(self._token))
