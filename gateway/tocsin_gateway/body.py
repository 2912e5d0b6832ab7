"""The body of one request, read within limits.

The rules:

* A body that is too large is refused without being read: by its Content-Length before the first byte, else as soon as
  the limit is passed.
* A body has a limited time to arrive. Its sender holds up nobody else meanwhile.
* What arrives is in memory before anybody knows whether its sender may send at all. So all bodies have room together,
  from their first bytes until they are answered. One may take as much of it as it leaves free: where many arrive the
  largest are refused, and have to come again, and who needs less is taken. Small ones are neither counted nor refused.
* What is left unread when the answer is out is discarded, for a limited time and up to a limited size. Closing a
  connection on unread data makes the kernel reset it, and the sender would see the reset in place of the answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

ARRIVAL_LIMIT: Final = 30.0
"""Seconds that a body may take to arrive."""

DISCARD_SECONDS: Final = 5.0
"""Seconds that are spent on discarding what nobody reads."""

DISCARD_BYTES: Final = 128 * 1024 * 1024
"""Bytes that are discarded at most."""

SMALL: Final = 64 * 1024
"""Bytes that a body may have without being counted. Nearly all notifications have less."""

ROOM: Final = 256 * 1024 * 1024
"""Bytes that all others have together: seven bodies of 32 MiB at once, or hundreds of 1 MiB. It is a quarter of the
memory that docs/sizing.md advises."""

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]


class BodyTooLarge(Exception):
    """The body is larger than the limit."""


class BodyCut(Exception):
    """The body did not arrive in full: the sender went away or took too long."""


class NoRoom(Exception):
    """Too much is being received at once for a body of this size."""


class Room:
    """How many bytes of bodies are in memory, but for small ones."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0


class Body:
    """The body of one request."""

    __slots__ = ("_declared", "_receive", "_room", "_taken", "arrived_at", "ended")

    def __init__(self, receive: Receive, headers: Mapping[bytes, bytes], room: Room) -> None:
        """`room` is that of all requests."""
        self._receive = receive
        self._room = room
        self._taken = 0
        declared = headers.get(b"content-length", b"")
        # The server has checked the header; a body without one comes in chunks.
        self._declared = int(declared) if declared.isdigit() else None
        self.ended = not self._declared and b"transfer-encoding" not in headers
        """Whether nothing is left of it to be read."""
        self.arrived_at = time.monotonic()
        """When the head of the request came in, by the monotonic clock."""

    async def read(self, limit: int) -> bytes:
        """All of it. Raises `BodyTooLarge` when it is over `limit` bytes, `BodyCut` when it does not come in full,
        `NoRoom` when it is to come again. Give its room back by `release`."""
        if self.ended:
            return b""
        if self._declared is not None and self._declared > limit:
            raise BodyTooLarge
        # Most bodies came in together with the head: no timer for those. (The server limits a single wait.)
        event = await self._receive()
        first = self._part(event)
        if self.ended:
            return first
        # Not a list of parts: chunks of two bytes would take thirty times of what is counted.
        content = bytearray(first)
        try:
            async with asyncio.timeout(self.arrived_at + ARRIVAL_LIMIT - time.monotonic()):
                while not self.ended:
                    self._take(len(content), limit)
                    content += self._part(await self._receive())
        except TimeoutError:
            raise BodyCut from None
        self._take(len(content), limit)
        return bytes(content)

    def release(self) -> None:
        """Gives its room back to others; for when nobody has its content any more."""
        self._room.taken -= self._taken
        self._taken = 0

    def _take(self, size: int, limit: int) -> None:
        """Takes room for as much as has come."""
        if size > limit:
            raise BodyTooLarge
        if size <= SMALL:
            return
        others = self._room.taken - self._taken
        # By itself one at the limit must fit, whatever the limit is.
        if size > (max(ROOM, 4 * limit) - others) // 2:
            raise NoRoom
        self._room.taken = others + size
        self._taken = size

    async def discard(self) -> None:
        """Reads what is left and forgets it, up to the limits of this module."""
        size = 0
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self.ended and size < DISCARD_BYTES:
                    size += len(self._part(await self._receive()))
        except (TimeoutError, BodyCut):
            return

    def _part(self, event: Event) -> bytes:
        if event["type"] != "http.request":
            self.ended = True
            raise BodyCut
        self.ended = not event.get("more_body", False)
        part: bytes = event.get("body", b"")
        return part
