"""The filter of audit entries."""

from tocsind.domain.errors import invalid
from tocsind.sqlite.audit import AuditFilter


def parse(text: str) -> AuditFilter:
    """Reads a filter; TocsinError (INVALID) where it cannot be read."""
    if text:
        raise invalid("filter", "cannot be read")
    return AuditFilter()
