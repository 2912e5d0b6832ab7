"""Resource names (https://google.aip.dev/122): from strings to ids, or a clear refusal."""

import re

from tocsind.domain.errors import invalid

_INTEGRATION = re.compile(r"integrations/([a-z0-9]{1,32})")
_HEARTBEAT = re.compile(r"integrations/([a-z0-9]{1,32})/heartbeat")
_ROUTE = re.compile(r"integrations/([a-z0-9]{1,32})/routes/([a-z0-9]{1,32})")
_GROUP = re.compile(r"alertGroups/([1-9][0-9]{0,17})")
_CHAIN = re.compile(r"escalationChains/([a-z0-9]{1,32})")
_CONTACT = re.compile(r"contactPoints/([a-z0-9]{1,32})")
_MESSAGE = re.compile(r"alertGroups/([1-9][0-9]{0,17})/messages/([1-9][0-9]{0,17})")
_TOKEN = re.compile(r"apiTokens/([a-z0-9]{1,32})")
_NOTE = re.compile(r"alertGroups/([1-9][0-9]{0,17})/notes/([1-9][0-9]{0,17})")
_PAYLOAD = re.compile(r"alertGroups/([1-9][0-9]{0,17})/payloads/(first|latest)")


def integration_id(name: str, field: str = "name") -> str:
    """Returns the public id in `integrations/{id}`."""
    return _match(_INTEGRATION, name, field, "integrations/{id}")[1]


def heartbeat_id(name: str, field: str = "name") -> str:
    """Returns the public id of the integration in `integrations/{id}/heartbeat`."""
    return _match(_HEARTBEAT, name, field, "integrations/{id}/heartbeat")[1]


def route_id(name: str, field: str = "name") -> tuple[str, str]:
    """Returns the public ids of the integration and of the route in `integrations/{id}/routes/{id}`."""
    found = _match(_ROUTE, name, field, "integrations/{id}/routes/{id}")
    return found[1], found[2]


def chain_id(name: str, field: str = "name") -> str:
    """Returns the public id in `escalationChains/{id}`."""
    return _match(_CHAIN, name, field, "escalationChains/{id}")[1]


def contact_id(name: str, field: str = "name") -> str:
    """Returns the public id in `contactPoints/{id}`."""
    return _match(_CONTACT, name, field, "contactPoints/{id}")[1]


def message_of(name: str, field: str = "name") -> tuple[int, int]:
    """Returns the number of the group and that of the message."""
    found = _match(_MESSAGE, name, field, "alertGroups/{number}/messages/{number}")
    return int(found[1]), int(found[2])


def token_id(name: str, field: str = "name") -> str:
    """Returns the public id in `apiTokens/{id}`."""
    return _match(_TOKEN, name, field, "apiTokens/{id}")[1]


def group_number(name: str, field: str = "name") -> int:
    """Returns the number in `alertGroups/{number}`."""
    return int(_match(_GROUP, name, field, "alertGroups/{number}")[1])


def note_of(name: str, field: str = "name") -> tuple[int, int]:
    """Returns the number of the group and that of the note."""
    found = _match(_NOTE, name, field, "alertGroups/{number}/notes/{number}")
    return int(found[1]), int(found[2])


def payload_of(name: str, field: str = "name") -> tuple[int, bool]:
    """Returns the number of the group, and whether its latest payload is meant."""
    found = _match(_PAYLOAD, name, field, "alertGroups/{number}/payloads/first or .../latest")
    return int(found[1]), found[2] == "latest"


def _match(pattern: re.Pattern[str], name: str, field: str, form: str) -> re.Match[str]:
    found = pattern.fullmatch(name)
    if found is None:
        shown = name if len(name) <= 80 else name[:80] + "..."
        raise invalid(field, f"must be of the form {form}, not {shown!r}")
    return found
