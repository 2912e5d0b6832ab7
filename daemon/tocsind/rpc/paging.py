"""Pages by key (https://google.aip.dev/158): a token says after which key the next page begins, never how many to skip.

A token belongs to one list, one filter and one order; with another it is refused rather than answered wrongly.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec

from tocsind.domain.errors import invalid

T = TypeVar("T")
DEFAULT_SIZE = 50
MOST = 1_000

# What SQLite can hold: a token that somebody made up must not go further than this module.
_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Key = int | str | tuple[int, int]


def size(asked: int) -> int:
    """Returns how many a page is to hold: 0 is the default, more than the most is the most."""
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked or DEFAULT_SIZE, MOST)


def newest_first(order_by: str) -> bool:
    """Returns which of the two orders by time is asked for (https://google.aip.dev/132#ordering); newest first is the
    default."""
    match order_by.split():
        case [] | ["create_time", "desc"]:
            return True
        case ["create_time"]:
            return False
        case _:
            raise invalid("order_by", f"must be 'create_time desc' or 'create_time', not {order_by[:80]!r}")


def token(scope: str, key: _Key) -> str:
    """Returns the token of the page after `key` in the list `scope`."""
    return base64.urlsafe_b64encode(msgspec.json.encode([_digest(scope), key])).decode().rstrip("=")


def cut(scope: str, found: Sequence[T], size: int, key: Callable[[T], _Key]) -> tuple[Sequence[T], str]:
    """Returns the page in `found`, which holds one more than `size` where there is another page, and the token of that
    next page, empty on the last."""
    page = found[:size]
    return page, token(scope, key(page[-1])) if len(found) > size else ""


def number_after(scope: str, page_token: str, start: int) -> int:
    """Returns the key that a token names, `start` where there is none; for lists with numbers as keys."""
    return start if not page_token else _read(scope, page_token, _Number)


def text_after(scope: str, page_token: str) -> str:
    """Returns the key that a token names, "" where there is none; for lists with strings as keys."""
    return "" if not page_token else _read(scope, page_token, str)


def pair_after(scope: str, page_token: str) -> tuple[int, int] | None:
    """Returns the key that a token names, None where there is none; for lists with two numbers as keys."""
    return None if not page_token else _read(scope, page_token, tuple[_Number, _Number])


def _read(scope: str, page_token: str, kind: type[T]) -> T:
    try:
        raw = base64.b64decode(page_token + "=" * (-len(page_token) % 4), altchars=b"-_", validate=True)
        digest, key = msgspec.json.decode(raw, type=tuple[str, kind])  # type: ignore[valid-type]
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise invalid("page_token", "is not one that a list gave out") from None
    if digest != _digest(scope):
        raise invalid("page_token", "belongs to another list or filter")
    return key


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:8]
