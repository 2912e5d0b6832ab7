"""Etags (https://google.aip.dev/154): whether what somebody wants to change is still what he has read.

Rules
- An etag is a hash of what can be changed: equal where nothing differs, whoever changed it meanwhile and back.
- An empty one asks for no check.
"""

import base64
import hashlib

from tocsind.domain.errors import Reason, TocsinError


def etag(*parts: object) -> str:
    """Returns the etag of a resource with this content: 16 characters that need no escaping in a URL."""
    digest = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def check(given: str, current: str, resource: str) -> None:
    """TocsinError (ETAG_MISMATCH) where the etag that a request gives is not that of the resource as it is."""
    if given and given != current:
        message = f"{resource} was changed since it was read: its etag is no longer {given[:40]!r}"
        raise TocsinError(Reason.ETAG_MISMATCH, message, resource=resource)
