"""What templates see, made of a payload alone: so a preview and the real thing cannot differ.

Rules
- `payload` is the body as JSON, with the two counts that OnCall adds to it.
- `labels` are the common labels and those of the group together. `group` is what Tocsin reads of the payload where
  there is no template (`tocsin_gateway/alertmanager.py` has the same rules; a test holds both to them).
- What is missing, or of another type than Alertmanager's, is empty: a template must not fail because of what it does
  not use.
- Templates of contact points see what the daemon says of the groups (`engine/telling/bulletins.py`), and the payload of
  the first beside it. Where there is none, or one that cannot be read, that is empty.
"""

import json
import re
import zlib
from typing import Any, Final

from tocsind.domain.template import MAX_TITLE

_UNTITLED: Final = "Alert group without labels"
CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
"""What a text of one line must not have."""


class NoPayload(Exception):
    """The payload is not what templates can be rendered with. The text says why."""


def variables(body: bytes, *, compressed: bool) -> dict[str, Any]:
    """Returns the variables for a payload, all of them fresh."""
    try:
        payload = json.loads(zlib.decompress(body) if compressed else body)
    except zlib.error:
        raise NoPayload("the payload cannot be unpacked") from None
    except ValueError:
        raise NoPayload("the payload is not JSON") from None
    if not isinstance(payload, dict):
        raise NoPayload("the payload is not a JSON object")
    firing, resolved = _counted(payload)
    own = _labels(payload.get("groupLabels"))
    labels = _labels(payload.get("commonLabels")) | own
    group = {
        "grouping_key": _text(payload.get("groupKey")),
        "title": _title(own, labels),
        "labels": labels,
        "receiver": _text(payload.get("receiver")),
        "external_url": _text(payload.get("externalURL")),
        "firing_count": firing,
        "resolved_count": resolved,
        "truncated_count": truncated if isinstance(truncated := payload.get("truncatedAlerts"), int) else 0,
    }
    return {"payload": payload, "labels": labels, "group": group, "source_link": group["external_url"]}


def variables_of_message(about: bytes, body: bytes) -> dict[str, Any]:
    """Returns the variables for a message, all of them fresh: those of the first group at the top. `body` is its
    payload, compressed, or empty."""
    given: dict[str, Any] = json.loads(about)
    try:
        payload = json.loads(zlib.decompress(body)) if body else {}
    except (zlib.error, ValueError):
        payload = {}
    if not isinstance(payload, dict):
        payload = {}
    _counted(payload)
    return {**given["messages"][0], **given, "payload": payload}


def _counted(payload: dict[str, Any]) -> tuple[int, int]:
    """How many alerts fire and are resolved, of those listed; as OnCall has it, they stand in the payload too."""
    alerts = payload.get("alerts")
    states = [alert.get("status") for alert in alerts if isinstance(alert, dict)] if isinstance(alerts, list) else []
    firing, resolved = states.count("firing"), states.count("resolved")
    if "numFiring" not in payload and isinstance(alerts, list):
        payload["numFiring"], payload["numResolved"] = firing, resolved
    return firing, resolved


def _labels(value: object) -> dict[str, str]:
    return {key: _text(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _title(own: dict[str, str], labels: dict[str, str]) -> str:
    name = labels.get("alertname")
    others = ", ".join(value for key, value in sorted(own.items()) if key != "alertname" and value)
    if name:
        text = f"{name} ({others})" if others else name
    else:
        text = others or ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or _UNTITLED
    return CONTROL.sub(" ", text)[:MAX_TITLE]
