"""A span of time, both ends inclusive.

Comparisons of times become spans, because stored times are whole microseconds: "before 12:00:00.0000005" and "at most
12:00:00.000000" are then the same, and several comparisons of one time are one span.
"""

from dataclasses import dataclass

_FIRST = -(2**63)
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `first` to `last`, in microseconds since 1970; without limits where nothing is given, and empty where `last`
    is before `first`."""

    first: int = _FIRST
    last: int = _LAST

    def __and__(self, other: "Span") -> "Span":
        """What both have in common."""
        return Span(max(self.first, other.first), min(self.last, other.last))

    def __contains__(self, time: int) -> bool:
        """Whether a time is within."""
        return self.first <= time <= self.last

    @property
    def is_empty(self) -> bool:
        """Whether no time is within."""
        return self.last < self.first


ALWAYS = Span()
"""All of time."""
