"""Rulebooks and payloads for tests of templates, and what comes of them."""

import asyncio
import json
import zlib
from typing import Any

from tocsind.domain.integration import Integration
from tocsind.domain.route import ConditionKind, Route
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.template import Slot
from tocsind.rendering.renderer import Renderer

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


def message(renderer: Renderer, source: str, **changes: object) -> str:
    """What a template makes of the payload; AssertionError where it fails."""
    rendered = renderer.render_blocking(rulebook(message=source), body(**changes))
    assert rendered.failures == []
    return rendered.texts[Slot.MESSAGE]


def failure(renderer: Renderer, source: str) -> str:
    """Why a template fails."""
    rendered = renderer.render_blocking(rulebook(message=source), body())
    assert rendered.texts == {}
    (line,) = rendered.failures
    return line


def render(
    renderer: Renderer, *rulebooks: Rulebook, patience: float = 30.0, payload: bytes | None = None
) -> list[Rendered]:
    """What comes of deliveries that arrive together."""
    sent = packed() if payload is None else payload

    async def all_of_them() -> list[Rendered]:
        return list(await asyncio.gather(*(renderer.render(each, sent, patience) for each in rulebooks)))

    return asyncio.run(all_of_them())
