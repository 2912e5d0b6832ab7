"""What can go wrong in a request.

The domain raises these; `rpc/error_details.py` turns them into gRPC statuses. The reason is for machines and comes from
one table; the message is for people and says what and where. Nothing was changed when one is raised.
"""

from collections.abc import Sequence

from tocsind.domain.reasons import Code, Reason

__all__ = [
    "Code",
    "Reason",
    "TocsinError",
    "Violation",
    "invalid",
    "name_taken",
    "not_found",
    "not_in_time",
    "refuse",
    "too_many",
    "unavailable",
]


Violation = tuple[str, str]
"""The path of a value in the request, and what it must be."""


MOST_TOLD = 12
"""Violations that one refusal tells: an error goes back in the trailer of an answer, of which clients take 8 KiB."""


class TocsinError(Exception):
    """A refusal: why, and a message for people.

    `field` is the path of what is wrong in the request message, such as `integration.display_name`, or the name of the
    metadata; where several values are wrong, it is the first, and `violations` are all, each with what it must be.
    `resource` is the resource name of what the refusal is about. What else machines are told is named in the
    table beside the reason.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str = "",
        resource: str = "",
        violations: Sequence[Violation] = (),
        **metadata: str,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.resource = resource
        self.violations = violations
        self.metadata = metadata

    @property
    def code(self) -> Code:
        """What kind of refusal it is."""
        return self.reason.code


def invalid(field: str, message: str) -> TocsinError:
    """A value in the request is not what it must be; `field` is its path."""
    return TocsinError(Reason.INVALID_FIELD, f"{field}: {message}", field=field)


def refuse(violations: Sequence[Violation]) -> None:
    """Raises TocsinError (INVALID) where values in a request are not what they must be; of many it tells the first."""
    if violations:
        told = violations[:MOST_TOLD]
        message = "; ".join(f"{field}: {wanted}" for field, wanted in told)
        if len(violations) > len(told):
            message += f"; and {len(violations) - len(told):,} more"
        raise TocsinError(Reason.INVALID_FIELD, message, field=told[0][0], violations=told)


def too_many(field: str, most: int) -> TocsinError:
    """A list in the request has more than `most` items; `field` is its path."""
    return TocsinError(Reason.TOO_MANY, f"{field}: must be at most {most}", field=field, most=str(most))


def not_found(name: str) -> TocsinError:
    """Nothing bears this resource name."""
    return TocsinError(Reason.NOT_FOUND, f"{name} does not exist", resource=name)


def name_taken(other: str, display_name: str, field: str) -> TocsinError:
    """The display name at `field` is that of another resource, whose name is `other`."""
    message = f"{other} is already called {display_name!r}"
    return TocsinError(Reason.NAME_TAKEN, message, field=field, resource=other)


def not_in_time(message: str) -> TocsinError:
    """It took too long, or the caller no longer waits. Nothing was committed."""
    return TocsinError(Reason.NOT_IN_TIME, message)


def unavailable(message: str) -> TocsinError:
    """Nothing was committed, and trying again later may help."""
    return TocsinError(Reason.STORE_UNAVAILABLE, message)
