"""Etags: what a caller says it has read, so that nobody overwrites what somebody else changed meanwhile.

Rules
- An etag is a hash of what can be set (https://google.aip.dev/154), not a number of changes: a change that was taken
  back is none, and nothing needs to be stored. What moves by itself, such as the last beat, is no part of it.
- It is compared in the job that makes the change, so of two that come at once the later one is refused.
- A request without one takes what it finds.
"""

import hashlib

from tocsind.domain.errors import Reason, TocsinError


def etag(*parts: object) -> str:
    """Returns the etag of what these parts say: 16 hex digits. Their `repr` must be the same for the same content, so a
    mapping is to be given as a sorted list."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def check(given: str, current: str, resource: str) -> None:
    """Raises TocsinError (ABORTED) where `given` is not empty and no longer the etag of `resource`."""
    if given and given != current:
        message = f"{resource} was changed since it was read"
        raise TocsinError(Reason.ETAG_MISMATCH, message, resource=resource)
