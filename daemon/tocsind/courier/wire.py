"""What the daemon and its courier say to each other, over one stream socket.

A frame is four bytes with the length of what follows (big-endian), and a message as MessagePack. The courier says
`READY` when it can take errands; the daemon sends a `Sent` for each, and the courier answers with an `Answer`. Many
errands are under way at once; answers come in any order, and bear the number of their errand. Whoever reads something
that is no such frame closes the socket: nothing after it could be trusted.
"""

from collections.abc import Iterator

import msgspec

HEAD = 4
"""Bytes of the length before a frame."""

MOST = 16 * 1024 * 1024
"""Bytes of the longest frame: a calendar of 4 MiB, or a webhook's body, with room to spare."""

MOST_UNDER_WAY = 512
"""Errands that are under way at once; each has a thread of the courier's for itself."""

READY = b"courier 1"
"""What the courier says first, in a frame."""


class _Secretive(msgspec.Struct, array_like=True):
    """Holds secrets: neither a traceback nor a failed assertion shows them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class HttpRequest(_Secretive, tag="http", array_like=True):
    """A webhook. `body` is None where there is none. `timestamp`, in seconds since 1970, and `key` are told to the
    receiver, who knows a repeat by the key; `secret` signs them and the body, unless empty: base64, `whsec_` before it.
    `timeout` is in seconds, for all of it. `networks` are the private networks that it may reach, as CIDR; whoever
    gives it to the courier's process sets them."""

    url: str
    method: str
    headers: dict[str, str]
    body: bytes | None
    key: str
    timestamp: int
    secret: str = ""
    timeout: float = 10.0
    ca_certificates: str = ""
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True
    networks: list[str] = []


class Bulletin(_Secretive, tag="bulletin", array_like=True):
    """A message over apprise. `mood` is what it is about: `failure`, `success` or `info`."""

    url: str
    title: str
    body: str
    mood: str = "failure"
    timeout: float = 30.0


class Look(_Secretive, tag="look", array_like=True):
    """Is this an address that apprise knows?"""

    url: str


class Fetch(_Secretive, tag="fetch", array_like=True):
    """Read what is there, at most so many bytes. `networks` as for a webhook."""

    url: str
    most: int
    timeout: float = 20.0
    networks: list[str] = []


Errand = HttpRequest | Bulletin | Look | Fetch


class Outcome(msgspec.Struct, array_like=True):
    """What came of an errand.

    `answer` says what the other side answered, or why it failed, in one line and without secrets. `retry_after`: what
    the other side asked to wait, in seconds, or 0. `seconds` is how long it took. `body`: what was fetched. `target`
    and `service`: an address masked, and what its service is called, for Look. `tried`: false where it never left this
    machine, as there is no courier: that says nothing about the other side.
    """

    done: bool
    answer: str
    retry_after: float = 0.0
    seconds: float = 0.0
    body: bytes = b""
    target: str = ""
    service: str = ""
    tried: bool = True


class Sent(msgspec.Struct, array_like=True):
    """An errand on its way to the courier."""

    number: int
    errand: Errand


class Answer(msgspec.Struct, array_like=True):
    """What came of the errand with a number."""

    number: int
    outcome: Outcome


_encoder = msgspec.msgpack.Encoder()
sent_of = msgspec.msgpack.Decoder(Sent).decode
answer_of = msgspec.msgpack.Decoder(Answer).decode


def frame(message: object) -> bytes:
    """Returns a message in a frame; bytes are taken as they are. ValueError where it is too long."""
    body = message if isinstance(message, bytes) else _encoder.encode(message)
    if len(body) > MOST:
        raise ValueError("it is too long for a frame")
    return len(body).to_bytes(HEAD, "big") + body


class Frames:
    """Takes frames out of what was read, as it comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Returns what is complete now. ValueError where no such frame is ever sent."""
        buffer = self._buffer
        buffer += content
        while len(buffer) >= HEAD:
            size = int.from_bytes(buffer[:HEAD], "big")
            if size > MOST:
                raise ValueError("no such frame is ever sent")
            if len(buffer) < HEAD + size:
                return
            body = bytes(buffer[HEAD : HEAD + size])
            del buffer[: HEAD + size]
            yield body
