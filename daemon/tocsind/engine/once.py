"""Requests that bear an id of their own are done once, however often they arrive (https://google.aip.dev/155).

Rules
- The answer to a request with a `request_id` is kept, in the transaction that did it, for 24 hours: after a crash
  either both are there or none.
- The same request again, by the same caller, gets the kept answer, and nothing is done.
- The same id with another request is refused: a client that reuses ids would believe that something was done.
- A request that failed changed nothing, and is not kept: its repeat is tried anew.
"""

import hashlib
import sqlite3
from collections.abc import Callable

from tocsind.domain.access import Caller
from tocsind.domain.errors import Reason, TocsinError
from tocsind.domain.units import DAY
from tocsind.sqlite import requests
from tocsind.sqlite.writer import Transaction

KEPT = DAY


def once(
    transaction: Transaction, by: Caller, request_id: str, request: bytes, do: Callable[[], bytes]
) -> bytes | None:
    """Does what a request asks for unless that was done, and keeps the answer that `do` returns.

    Returns the kept answer to an earlier request, or None where it was done now. `request` is the request in a form
    that is the same for the same request. TocsinError: INVALID (REQUEST_ID_REUSED), and what `do` raises.
    """
    known = find(transaction.connection, by, request_id, request, transaction.now)
    if known is not None:
        return known
    requests.keep(transaction.connection, *_keys(by, request_id, request), do(), transaction.now)
    return None


def find(connection: sqlite3.Connection, by: Caller, request_id: str, request: bytes, now: int) -> bytes | None:
    """Returns the kept answer to a request, or None where it was not done. `now` in microseconds since 1970.
    TocsinError: INVALID (REQUEST_ID_REUSED)."""
    key, digest = _keys(by, request_id, request)
    known = requests.find(connection, key, now - KEPT)
    if known is None:
        return None
    if known[0] != digest:
        message = f"{request_id!r} was used for another request within the last 24 hours"
        raise TocsinError(Reason.REQUEST_ID_REUSED, f"request_id: {message}", field="request_id")
    return known[1]


def _keys(by: Caller, request_id: str, request: bytes) -> tuple[bytes, bytes]:
    # Who has no token chooses its name, and may choose that of somebody's token.
    who = f"token {by.token}" if by.token else f"actor {by.actor}"
    key = hashlib.sha256(f"{who}\n{request_id}".encode()).digest()
    return key, hashlib.sha256(by.method.encode() + b"\n" + request).digest()
