"""Ids: what the REST API calls things, and what the daemon does.

An alert group's id is its number, the one that people say to one another and that `tocsin groups` takes. An
integration's is its own. There are no routes yet, and each integration has its default one: `{integration}-default`.
"""

import re
from typing import Final

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_INTEGRATION: Final = re.compile(r"[a-z0-9]{1,32}")
_DEFAULT: Final = "-default"


def group_name(id_: str) -> str | None:
    """`alertGroups/{number}`, or None where no group can have this id."""
    return f"alertGroups/{id_}" if _NUMBER.fullmatch(id_) else None


def is_integration(id_: str) -> bool:
    """Whether an integration can have this id."""
    return _INTEGRATION.fullmatch(id_) is not None


def integration_name(id_: str) -> str:
    """`integrations/{id}`."""
    return f"integrations/{id_}"


def of_integration(name: str) -> str:
    """The id in `integrations/{id}`."""
    return name.rpartition("/")[2]


def default_route(integration: str) -> str:
    """The id of an integration's default route."""
    return integration + _DEFAULT


def integration_of_route(id_: str) -> str | None:
    """The id of the integration whose default route has this id, or None where no route can have it."""
    integration = id_.removesuffix(_DEFAULT)
    return integration if integration != id_ and is_integration(integration) else None
