"""What a route is.

Rules
- Routes are looked at in their order when a group opens; the first that matches is the group's, and stays it.
- The default route is not one of them: it is what is left where none matches. It cannot be changed, moved or deleted.
- A route that is deleted leaves its groups to the default route.
"""

from dataclasses import dataclass
from enum import IntEnum

DEFAULT = "default"
DEFAULT_ID = 0
"""The id of the default route, for people and in the database."""

MAX_CONDITION = 2_000
MAX_DESCRIPTION = 2_000
MOST_ROUTES = 200


class ConditionKind(IntEnum):
    """How a condition is written. The numbers are those of the database."""

    MATCHERS = 1
    JINJA = 2


@dataclass(slots=True)
class Route:
    """One way that groups can take. Times in microseconds since 1970; `id` is the database's."""

    id: int
    integration_id: int
    public_id: str
    position: int
    kind: ConditionKind
    condition: str
    description: str = ""
    created: int = 0
    updated: int = 0
