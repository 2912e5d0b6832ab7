"""Resource names as people type them.

The daemon knows `alertGroups/42`, `alertGroups/42/notes/7`, `integrations/ID`, `integrations/ID/heartbeat`,
`integrations/ID/routes/ID` and `apiTokens/ID`. People may leave out what is clear from the command: `42` or `#42` for
a group, `42/7` for a note, the bare id for an integration or a token, the integration for its heartbeat, and `ID/ID`
for a route. What cannot be such a name is refused before the daemon is asked.

An integration may also be given by what people call it, which is unique. The daemon is asked for it, so whoever writes
`integrations/ID` saves a call. An id wins over a display name that reads the same.
"""

import re

import click

from tocsin.v1.integrations_pb2 import ListIntegrationsRequest

from .commands import Settings
from .connection import NOT_FOUND, CommandError


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
        return self._template.format(*self._match(value, param, ctx).groups())

    def _match(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> re.Match[str]:
        match = self._pattern.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no {self.name}: write {self._advice}", param, ctx)
        return match


ALERT_GROUP = ResourceName(
    name="alert group",
    pattern=r"(?:alertGroups/|#)?([0-9]+)",
    template="alertGroups/{}",
    advice="alertGroups/42, 42 or '#42'",
)


class OfIntegration(ResourceName):
    """A command-line value that ends up as the resource name of an integration, or of something that belongs to it.
    The groups of its pattern have names, and that of the integration is asked for where it has to be."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the full resource name; a value that cannot be one ends as wrong usage."""
        parts = self._match(value, param, ctx).groupdict()
        integration = parts["integration"]
        if _FULL.fullmatch(integration) is None:
            if ctx is None or ctx.resilient_parsing:  # a shell completes the line: nobody is asked for anything
                return value
            integration = _found(ctx.ensure_object(Settings), integration)
        return self._template.format(**{**parts, "integration": integration})


_FULL = re.compile(r"integrations/[A-Za-z0-9_-]+")
_ID = re.compile(r"[a-z0-9]{1,32}")  # what the daemon takes for the id of an integration


def _found(settings: Settings, given: str) -> str:
    """Return the resource name of the integration that has this id, or is called this."""
    with settings.connect() as daemon:
        request = ListIntegrationsRequest(page_size=1000)
        there = daemon.all_pages(daemon.integrations.ListIntegrations, request).integrations
    name = f"integrations/{given}"
    if any(integration.name == name for integration in there):
        return name
    for integration in there:
        if integration.display_name == given:
            return integration.name
    if _ID.fullmatch(given) is None:
        raise CommandError(f"no integration is called {given!r}: `tocsin integrations list` shows them", NOT_FOUND)
    return name  # of one that was deleted, whose groups are still there; or the daemon says that it does not exist


INTEGRATION = OfIntegration(
    name="integration",
    pattern=r"(?P<integration>integrations/[A-Za-z0-9_-]+|(?!integrations/).+)",
    template="{integration}",
    advice="integrations/ID, the ID alone or the display name (`tocsin integrations list` shows them)",
)

HEARTBEAT = OfIntegration(
    name="heartbeat",
    pattern=r"(?P<integration>integrations/[A-Za-z0-9_-]+|(?!integrations/).+?)(?:/heartbeat)?",
    template="{integration}/heartbeat",
    advice="integrations/ID, integrations/ID/heartbeat, the ID alone or the integration's display name "
    "(`tocsin heartbeats list` shows them)",
)

ROUTE = OfIntegration(
    name="route",
    pattern=r"(?P<integration>integrations/[A-Za-z0-9_-]+(?=/routes/)|(?!integrations/).+?)(?:/routes)?"
    r"/(?P<route>[A-Za-z0-9_-]+)",
    template="{integration}/routes/{route}",
    advice="integrations/ID/routes/ID, or ID/ID (`tocsin routes list INTEGRATION` shows them)",
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
