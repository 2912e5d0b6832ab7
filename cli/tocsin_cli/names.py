"""Resource names as people type them.

The daemon knows `alertGroups/42`, `integrations/ID` and `integrations/ID/heartbeat`. People may leave out what is
clear from the command: `42` or `#42` for a group, the bare id for an integration, and the integration's name for
its heartbeat. What cannot be such a name is refused before the daemon is asked.
"""

import re

import click


class ResourceName(click.ParamType[str]):
    """A command-line value that ends up as the resource name of one kind of thing."""

    def __init__(self, name: str, pattern: str, template: str, advice: str) -> None:
        """Accept what `pattern` matches, and return `template` filled with its first group."""
        self.name = name
        self._pattern = re.compile(pattern)
        self._template = template
        self._advice = advice

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the full resource name; a value that cannot be one ends as wrong usage."""
        match = self._pattern.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no {self.name}: write {self._advice}", param, ctx)
        return self._template.format(match.group(1))


ALERT_GROUP = ResourceName(
    name="alert group",
    pattern=r"(?:alertGroups/|#)?([0-9]+)",
    template="alertGroups/{}",
    advice="alertGroups/42, 42 or '#42'",
)

INTEGRATION = ResourceName(
    name="integration",
    pattern=r"(?:integrations/)?([A-Za-z0-9_-]+)",
    template="integrations/{}",
    advice="integrations/ID, or the ID alone (`tocsin integrations list` shows them)",
)

HEARTBEAT = ResourceName(
    name="heartbeat",
    pattern=r"(?:integrations/)?([A-Za-z0-9_-]+)(?:/heartbeat)?",
    template="integrations/{}/heartbeat",
    advice="integrations/ID, integrations/ID/heartbeat or the ID alone (`tocsin heartbeats list` shows them)",
)
