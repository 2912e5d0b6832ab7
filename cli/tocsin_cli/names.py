"""Resource names as people type them.

The daemon knows `alertGroups/42`, `alertGroups/42/notes/7`, `integrations/ID`, `integrations/ID/heartbeat` and
`apiTokens/ID`. People may leave out what is clear from the command: `42` or `#42` for a group, `42/7` for a note, the
bare id for an integration or a token, and the integration's name for its heartbeat. What cannot be such a name is
refused before the daemon is asked.
"""

import re

import click


class ResourceName(click.ParamType[str]):
    """A command-line value that ends up as the resource name of one kind of thing."""

    def __init__(self, name: str, pattern: str, template: str, advice: str) -> None:
        """Accept what `pattern` matches, and return `template` filled with its groups."""
        self.name = name
        self._pattern = re.compile(pattern)
        self._template = template
        self._advice = advice

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the full resource name; a value that cannot be one ends as wrong usage."""
        match = self._pattern.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no {self.name}: write {self._advice}", param, ctx)
        return self._template.format(*match.groups())


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

NOTE = ResourceName(
    name="note",
    pattern=r"(?:alertGroups/|#)?([0-9]+)/(?:notes/)?([0-9]+)",
    template="alertGroups/{}/notes/{}",
    advice="alertGroups/42/notes/7 or 42/7 (`tocsin notes list 42` shows them)",
)

API_TOKEN = ResourceName(
    name="token",
    pattern=r"(?:apiTokens/)?([A-Za-z0-9_-]+)",
    template="apiTokens/{}",
    advice="apiTokens/ID, or the ID alone (`tocsin tokens list` shows them)",
)

# A filter for "42" would find nothing, which reads as if nothing had happened.
ANY_RESOURCE = ResourceName(
    name="resource name",
    pattern=r"([A-Za-z]+/[^\s\"\\]+)",
    template="{}",
    advice="it in full: alertGroups/42, integrations/ID or apiTokens/ID",
)
