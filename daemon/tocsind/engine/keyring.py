"""The API tokens in memory: who is asked for at every call.

Rules
- All tokens are held; there are few. What is created is known once it is on disk, what is revoked is refused from the
  moment in which its removal is on disk, and the streams that it opened are ended then. So are those of a token that
  expires, at the tick after.
- Uses are noted here and written to disk once a minute, and at the end: a write for each call would cost more than the
  call. A crash loses the last minute of them.
- gRPC's threads ask, the writer changes: a lock keeps them apart.
"""

import sqlite3
import threading
from collections.abc import Callable

from tocsind.domain.access import ApiToken, parts_of
from tocsind.domain.errors import Reason, TocsinError
from tocsind.sqlite import api_tokens

End = Callable[[TocsinError], None]
"""Ends one stream, with the reason for its caller; may be called from any thread."""


class Keyring:
    """Every token of the file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._lock = threading.Lock()
        self._tokens = {token.public_id: token for token in api_tokens.every(connection)}
        self._uses: dict[str, int] = {}
        self._streams: dict[str, set[End]] = {}

    def admit(self, text: str, now: int) -> ApiToken:
        """Returns the token with this text and notes its use; `now` is the time of day. TocsinError
        (UNAUTHENTICATED)."""
        parts = parts_of(text)
        token = self._tokens.get(parts[0]) if parts is not None else None
        if parts is None or token is None or not token.fits(parts[1]):
            raise TocsinError(Reason.TOKEN_INVALID, "the token is not known: wrong, or revoked")
        if token.has_expired(now):
            raise _expired(token)
        with self._lock:
            self._uses[token.public_id] = now
        return token

    def opened(self, name: str, end: End) -> None:
        """A stream was opened with the token of this resource name; `end` is called when the token stops working."""
        public_id = name.rpartition("/")[2]
        with self._lock:
            known = public_id in self._tokens
            if known:
                self._streams.setdefault(public_id, set()).add(end)
        if not known:
            end(_revoked(name))

    def closed(self, name: str, end: End) -> None:
        """The stream ended by itself."""
        public_id = name.rpartition("/")[2]
        with self._lock:
            streams = self._streams.get(public_id, set())
            streams.discard(end)
            if not streams:
                self._streams.pop(public_id, None)

    def add(self, token: ApiToken) -> None:
        """A token was created."""
        with self._lock:
            self._tokens[token.public_id] = token

    def remove(self, token: ApiToken) -> None:
        """A token was revoked."""
        with self._lock:
            self._tokens.pop(token.public_id, None)
            self._uses.pop(token.public_id, None)
        self._end(token, _revoked(token.name))

    def expire(self, now: int) -> None:
        """Ends the streams of tokens that have expired at the time of day `now`."""
        for token in [self._tokens[public_id] for public_id in list(self._streams) if public_id in self._tokens]:
            if token.has_expired(now):
                self._end(token, _expired(token))

    def take_uses(self) -> dict[str, int]:
        """Returns the uses since the last time: public ids and times of day."""
        with self._lock:
            uses, self._uses = self._uses, {}
        return uses

    def last_use(self, token: ApiToken) -> int | None:
        """Returns when a token was last used, as far as that is known here or in `token`."""
        return self._uses.get(token.public_id, token.last_used)

    def _end(self, token: ApiToken, error: TocsinError) -> None:
        with self._lock:
            streams = self._streams.pop(token.public_id, set())
        for end in streams:
            end(error)


def _expired(token: ApiToken) -> TocsinError:
    return TocsinError(Reason.TOKEN_EXPIRED, f"{token.name} has expired", resource=token.name)


def _revoked(name: str) -> TocsinError:
    return TocsinError(Reason.TOKEN_REVOKED, f"{name} was revoked", resource=name)
