"""What the daemon and its courier say to each other.

A frame is four bytes with the length of what follows (big-endian), and a message as MessagePack. Many errands are under
way at once; answers come in any order, and bear the number of their errand.
"""

import msgspec


class HttpRequest(msgspec.Struct, tag="http", array_like=True):
    """A webhook. `networks` are the private networks that it may reach, as CIDR. `secret` signs it, unless empty.
    `timeout` is in seconds, for all of it."""

    url: str
    method: str
    headers: dict[str, str]
    body: bytes
    key: str
    timestamp: int
    secret: str = ""
    timeout: float = 10.0
    ca_certificates: str = ""
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True
    networks: list[str] = []


class Bulletin(msgspec.Struct, tag="bulletin", array_like=True):
    """A message over apprise. `mood` is what it is about: `failure`, `success` or `info`."""

    url: str
    title: str
    body: str
    mood: str = "failure"
    timeout: float = 30.0


class Look(msgspec.Struct, tag="look", array_like=True):
    """Is this an address that apprise knows?"""

    url: str


class Fetch(msgspec.Struct, tag="fetch", array_like=True):
    """Read what is there, at most so many bytes."""

    url: str
    most: int
    timeout: float = 20.0
    networks: list[str] = []


Errand = HttpRequest | Bulletin | Look | Fetch


class Outcome(msgspec.Struct, array_like=True):
    """What came of an errand.

    `answer` says what the other side answered, or why it failed, in one line and without secrets. `retry_after`: what
    the other side asked to wait, in seconds, or 0. `seconds` is how long it took. `body`: what was fetched. `target`
    and `service`: an address masked, and what its service is called, for Look.
    """

    done: bool
    answer: str
    retry_after: float = 0.0
    seconds: float = 0.0
    body: bytes = b""
    target: str = ""
    service: str = ""
