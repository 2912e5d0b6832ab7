"""Requests that bear an id of their own are done once, however often they arrive (https://google.aip.dev/155).

Rules
- The answer to a request with a `request_id` is kept, in the transaction that did it, for 24 hours: after a crash
  either both are there or none.
- The same request again, by the same caller, gets the kept answer, and nothing is done.
- The same id with another request is refused: a client that reuses ids would believe that something was done.
- A request that failed changed nothing, and is not kept: its repeat is tried anew.
"""

import hashlib
from collections.abc import Callable

from tocsind.domain.access import Caller
from tocsind.domain.errors import Reason, TocsinError
from tocsind.domain.units import DAY
from tocsind.engine.memory import Memory
from tocsind.sqlite import requests
from tocsind.sqlite.writer import Transaction

KEPT = DAY


def once(
    transaction: Transaction, memory: Memory, by: Caller, request_id: str, request: bytes, do: Callable[[], bytes]
) -> bytes | None:
    """Does what a request asks for unless that was done, and keeps the answer that `do` returns.

    Returns the kept answer to an earlier request, or None where it was done now. `request` is the request in a form
    that is the same for the same request. TocsinError: INVALID (REQUEST_ID_REUSED), and what `do` raises.
    """
    # Who has no token chooses its name, and may choose that of somebody's token.
    who = f"token {by.token}" if by.token else f"actor {by.actor}"
    key = hashlib.sha256(f"{who}\n{request_id}".encode()).digest()
    digest = hashlib.sha256(by.method.encode() + b"\n" + request).digest()
    known = requests.find(transaction.connection, key, transaction.now - KEPT)
    if known is not None:
        if known[0] != digest:
            message = f"{request_id!r} was used for another request within the last 24 hours"
            raise TocsinError(Reason.REQUEST_ID_REUSED, f"request_id: {message}", field="request_id")
        return known[1]
    requests.keep(transaction.connection, key, digest, do(), transaction.now)
    return None
