"""The daemon's messages as OnCall's JSON: the same fields, with null only where there is no such thing here.

* Whoever did something is shown by name: there are no users with ids.
* `alerts_count` counts notifications, as OnCall's does for an Alertmanager.
* Secret URLs are there if the daemon shows them to the caller: to admins.
* Payloads are passed on byte for byte, if they are JSON; a sender's numbers keep all their digits.
"""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from tocsin.v1 import alert_groups_pb2, integrations_pb2, routes_pb2, templates_pb2
from tocsin_gateway.oncall import ids

_State = alert_groups_pb2.AlertGroup.State

_STATES: Final = {
    _State.FIRING: "firing",
    _State.ACKNOWLEDGED: "acknowledged",
    _State.SILENCED: "silenced",
    _State.RESOLVED: "resolved",
}

MODES: Final = {integrations_pb2.Maintenance.DEBUG: "debug", integrations_pb2.Maintenance.MAINTENANCE: "maintenance"}
"""What modes of a maintenance are called."""

_BUILT_IN: Final = "tocsin"
"""The type of the integration for what Tocsin reports about itself: nobody sends to it."""

_ROUTING_TYPES: Final[dict[str | None, str]] = {"jinja": "jinja2", "matchers": "labels"}

_raw = msgspec.json.Decoder(msgspec.Raw).decode


def alert_group(group: alert_groups_pb2.AlertGroup, last_alert: dict[str, Any] | None) -> dict[str, Any]:
    """One alert group; `last_alert` is a `last_alert` below, or None where the group has no payload."""
    integration = ids.of_integration(group.integration)
    resolved = group.state == _State.RESOLVED
    return {
        "id": str(group.number),
        "integration_id": integration,
        "team_id": None,
        "route_id": ids.of_route(group.route),
        "alerts_count": group.notification_count,
        "state": _STATES.get(group.state),
        "created_at": _time(group, "create_time"),
        "resolved_at": _time(group, "resolve_time"),
        "resolved_by": (group.state_actor or None) if resolved else None,
        "acknowledged_at": _time(group, "acknowledge_time"),
        "acknowledged_by": group.acknowledge_actor or None,
        "labels": [
            {"key": {"id": key, "name": key}, "value": {"id": value, "name": value}}
            for key, value in sorted(group.labels.items())
        ],
        "title": group.title,
        "permalinks": {"slack": None, "slack_app": None, "telegram": None, "web": None},
        "silenced_at": _time(group, "silence_time"),
        "last_alert": last_alert,
    }


def last_alert(
    group: alert_groups_pb2.AlertGroup, payload: alert_groups_pb2.Payload | None, content: msgspec.Raw | None
) -> dict[str, Any]:
    """What was received last for a group: its payload and, unless that is left out, the payload's content."""
    id_ = str(group.number)
    return {
        "id": f"{id_}-latest",
        "alert_group_id": id_,
        "created_at": _time(payload, "receive_time") if payload is not None else _time(group, "last_notification_time"),
        "payload": content,
    }


def content(payload: alert_groups_pb2.Payload) -> msgspec.Raw | None:
    """The body of a payload, to be put into JSON as it is; None if it is not JSON."""
    body = payload.body
    try:
        # The decoder looks over strings without reading them.
        str(body, "utf-8")
        return _raw(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def integration(message: integrations_pb2.Integration, default_route: routes_pb2.Route) -> dict[str, Any]:
    """One integration, with its default route."""
    id_ = ids.of_integration(message.name)
    return {
        "id": id_,
        "name": message.display_name,
        "description_short": message.description or None,
        "team_id": None,
        "link": message.url or None,
        "inbound_email": None,
        "type": message.type,
        "default_route": {
            "id": ids.default_route(id_),
            "escalation_chain_id": ids.of_chain(default_route.escalation_chain),
            **_chats(),
        },
        "templates": _templates(message.templates),
        "heartbeat": None if message.type == _BUILT_IN else {"link": message.heartbeat_url or None},
        **_maintenance(message),
    }


def in_maintenance(message: integrations_pb2.Integration) -> bool:
    """Whether a maintenance runs, not one that is planned: OnCall knows no plans."""
    return message.HasField("maintenance") and message.maintenance.start_time.ToDatetime(UTC) <= datetime.now(UTC)


def route(message: routes_pb2.Route) -> dict[str, Any]:
    """One route. Its type is OnCall's; what is of the type `labels`, OnCall's word for conditions on labels, has no
    expression that OnCall could make sense of."""
    condition = message.WhichOneof("condition")
    return {
        "id": ids.of_route(message.name),
        "integration_id": ids.integration_of_route(message.name),
        "escalation_chain_id": ids.of_chain(message.escalation_chain),
        "routing_type": _ROUTING_TYPES.get(condition, "regex"),
        "routing_regex": message.jinja if condition == "jinja" else None,
        "position": message.position,
        "is_the_last_route": ids.is_default_route(message.name),
        **_chats(),
    }


def _templates(templates: templates_pb2.Templates) -> dict[str, Any]:
    """The templates; null is the default. What is shown to people is OnCall's for the web."""
    return {
        "grouping_key": templates.grouping_id or None,
        "resolve_signal": templates.resolve_condition or None,
        "acknowledge_signal": templates.acknowledge_condition or None,
        "source_link": templates.source_link or None,
        "slack": {"title": None, "message": None, "image_url": None},
        "web": {"title": templates.title or None, "message": templates.message or None, "image_url": None},
        "sms": {"title": None},
        "phone_call": {"title": None},
        "telegram": {"title": None, "message": None, "image_url": None},
        "mobile_app": {"title": None, "message": None},
        "email": {"title": None, "message": None},
    }


def _maintenance(message: integrations_pb2.Integration) -> dict[str, str | None]:
    """The maintenance that runs, if one does."""
    running = message.maintenance if in_maintenance(message) else None
    return {
        "maintenance_mode": MODES.get(running.mode) if running else None,
        "maintenance_started_at": _time(running, "start_time") if running else None,
        "maintenance_end_at": _time(running, "end_time") if running else None,
    }


def _chats() -> dict[str, Any]:
    """Where else a route posts: nowhere."""
    nowhere = {"id": None, "enabled": False}
    return {
        "slack": {"channel_id": None, "enabled": False},
        "telegram": nowhere,
        "mobile_app": nowhere,
        "email": nowhere,
    }


def _time(message: Any, name: str) -> str | None:
    """A field with a time, in UTC, as OnCall writes it; None if it is not set."""
    if not message.HasField(name):
        return None
    timestamp: Timestamp = getattr(message, name)
    return timestamp.ToDatetime(UTC).isoformat().replace("+00:00", "Z")
