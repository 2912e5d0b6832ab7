"""Ids: what the REST API calls things, and what the daemon does.

An alert group's id is its number, the one that people say to one another and that `tocsin groups` takes. An
integration's is its own. A route's is that of its integration and its own, `{integration}-{route}`; the last one of
each integration is `{integration}-default`. An escalation chain's is its own.
"""

import re
from typing import Final

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_INTEGRATION: Final = re.compile(r"[a-z0-9]{1,32}")
_ROUTE: Final = re.compile(r"([a-z0-9]{1,32})-([a-z0-9]{1,32})")
_DEFAULT: Final = "default"


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
    return f"{integration}-{_DEFAULT}"


def is_default_route(name: str) -> bool:
    """Whether `integrations/{id}/routes/{id}` is a default route."""
    return name.rpartition("/")[2] == _DEFAULT


def of_route(name: str) -> str:
    """The id of the route `integrations/{id}/routes/{id}`."""
    _, integration, _, route = name.split("/")
    return f"{integration}-{route}"


def route_name(id_: str) -> str | None:
    """`integrations/{id}/routes/{id}`, or None where no route can have this id."""
    found = _ROUTE.fullmatch(id_)
    return f"integrations/{found[1]}/routes/{found[2]}" if found else None


def of_chain(name: str) -> str | None:
    """The id in `escalationChains/{id}`, or None where no chain is named."""
    return name.rpartition("/")[2] or None


def integration_of_route(name: str) -> str:
    """The id of the integration in `integrations/{id}/routes/{id}`."""
    return name.split("/")[1]
