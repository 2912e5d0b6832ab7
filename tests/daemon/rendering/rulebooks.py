"""Rulebooks and payloads for tests of templates."""

import json
import zlib
from typing import Any

from tocsind.domain.integration import Integration
from tocsind.domain.route import ConditionKind, Route
from tocsind.domain.rulebook import Rulebook
from tocsind.domain.template import Slot

PAYLOAD: dict[str, Any] = {
    "status": "firing",
    "groupKey": '{}:{alertname="DiskFull"}',
    "groupLabels": {"alertname": "DiskFull", "disk": "sda"},
    "commonLabels": {"alertname": "DiskFull", "severity": "critical"},
    "externalURL": "http://am-1",
    "receiver": "tocsin",
    "alerts": [{"status": "firing", "labels": {"instance": "a"}}, {"status": "resolved", "labels": {"instance": "b"}}],
}

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
"""A template that takes for ever."""


def body(**changes: Any) -> bytes:
    """A payload as JSON."""
    return json.dumps(PAYLOAD | changes).encode()


def packed(**changes: Any) -> bytes:
    """The same as it is delivered."""
    return zlib.compress(body(**changes))


def rulebook(number: int = 1, *, conditions: tuple[str, ...] = (), **templates: str) -> Rulebook:
    """An integration's templates, by the names of their slots, and Jinja2 conditions of its routes, from 101."""
    integration = Integration(number, f"i{number}", "alertmanager", "prod", "", "secret")
    integration.templates = {Slot(name): source for name, source in templates.items()}
    routes = [
        Route(101 + n, number, f"r{n}", n, ConditionKind.JINJA, condition) for n, condition in enumerate(conditions)
    ]
    return Rulebook(integration, routes)
