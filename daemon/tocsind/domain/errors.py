"""What can go wrong in a request, in a handful of codes.

The domain raises these; one table at the edge (`rpc/errors.py`) turns them into gRPC statuses. `reason` is for
machines and never changes; the message is for people and says what and where. Nothing was changed when one is raised.
"""

from enum import Enum, auto


class Code(Enum):
    """What kind of refusal it is."""

    INVALID = auto()
    NOT_FOUND = auto()
    EXISTS = auto()
    FORBIDDEN_NOW = auto()
    OUT_OF_RANGE = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    EXHAUSTED = auto()
    UNAVAILABLE = auto()


class TocsinError(Exception):
    """A refusal with a code, a reason for machines, a message for people and, where there is one, a field."""

    def __init__(self, code: Code, reason: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field


def invalid(field: str, message: str) -> TocsinError:
    """A value in the request is not what it must be; `field` is its path."""
    return TocsinError(Code.INVALID, "INVALID_FIELD", f"{field}: {message}", field)


def not_found(name: str) -> TocsinError:
    """Nothing bears this resource name."""
    return TocsinError(Code.NOT_FOUND, "NOT_FOUND", f"{name} does not exist")


def unavailable(message: str) -> TocsinError:
    """Nothing was committed, and trying again later may help."""
    return TocsinError(Code.UNAVAILABLE, "STORE_UNAVAILABLE", message)
