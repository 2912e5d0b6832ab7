"""Resource names as people type them.

The daemon knows `alertGroups/42`, `alertGroups/42/notes/7`, `alertGroups/42/messages/7`, `integrations/ID`,
`integrations/ID/heartbeat`, `integrations/ID/routes/ID`, `contactPoints/ID`, `escalationChains/ID` and `apiTokens/ID`.
People may leave out what is clear from the command: `42` or `#42` for a group, `42/7` for a note or a message, the bare
id for an integration, a contact point, a chain or a token, the integration for its heartbeat, and `ID/ID` for a route.
What cannot be such a name is refused before the daemon is asked.

Integrations, contact points and chains may also be given by what people call them, which is unique. The daemon is asked
for it, so whoever writes `integrations/ID` saves a call. An id wins over a display name that reads the same.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import click

from tocsin.v1.contact_points_pb2 import ContactPoint, ListContactPointsRequest
from tocsin.v1.escalation_chains_pb2 import EscalationChain, ListEscalationChainsRequest
from tocsin.v1.integrations_pb2 import Integration, ListIntegrationsRequest

from .commands import Settings
from .connection import NOT_FOUND, CommandError, Connection


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


class Named(Protocol):
    """What has a resource name and is called something."""

    name: str
    display_name: str


@dataclass(frozen=True)
class Collection:
    """Things that people call something. `noun` is for people, `command` lists them, `fetch` returns them all."""

    noun: str
    prefix: str
    command: str
    fetch: Callable[[Connection], Iterable[Named]]

    def find(self, given: str, there: Iterable[Named]) -> str | None:
        """Return the resource name of what has this resource name or id, or is called this; None if nothing is."""
        there = list(there)
        for name in (given, f"{self.prefix}/{given}"):
            if any(thing.name == name for thing in there):
                return name
        return next((thing.name for thing in there if thing.display_name == given), None)

    def resolve(self, given: str, there: Iterable[Named]) -> str:
        """The same, but what can only be a name of one that is gone is taken as it is: the daemon knows more.

        Raises CommandError for what nothing is called.
        """
        if (found := self.find(given, there)) is not None:
            return found
        if _ID.fullmatch(given) is None:
            message = f"no {self.noun} is called {given!r}: `{self.command}` shows them"
            raise CommandError(message, NOT_FOUND)
        return f"{self.prefix}/{given}"


_ID = re.compile(r"[a-z0-9]{1,32}")  # what the daemon takes for an id


def all_integrations(daemon: Connection) -> Iterable[Integration]:
    """Return every integration."""
    request = ListIntegrationsRequest(page_size=1000)
    return daemon.all_pages(daemon.integrations.ListIntegrations, request).integrations


def all_contact_points(daemon: Connection) -> Iterable[ContactPoint]:
    """Return every contact point."""
    request = ListContactPointsRequest(page_size=1000)
    return daemon.all_pages(daemon.contacts.ListContactPoints, request).contact_points


def all_chains(daemon: Connection) -> Iterable[EscalationChain]:
    """Return every escalation chain."""
    request = ListEscalationChainsRequest(page_size=1000)
    return daemon.all_pages(daemon.chains.ListEscalationChains, request).escalation_chains


INTEGRATIONS = Collection("integration", "integrations", "tocsin integrations list", all_integrations)
CONTACT_POINTS = Collection("contact point", "contactPoints", "tocsin contacts list", all_contact_points)
CHAINS = Collection("escalation chain", "escalationChains", "tocsin chains list", all_chains)


class Called(ResourceName):
    """A command-line value that ends up as the resource name of something that people call something, or of what
    belongs to it. The groups of its pattern have names, and `owner` is asked for where it has to be."""

    def __init__(self, name: str, pattern: str, template: str, advice: str, collection: Collection) -> None:
        """As ResourceName; `collection` is where the owner is looked for."""
        super().__init__(name, pattern, template, advice)
        self._collection = collection
        self._full = re.compile(rf"{collection.prefix}/[A-Za-z0-9_-]+")

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the full resource name; a value that cannot be one ends as wrong usage."""
        parts = self._match(value, param, ctx).groupdict()
        owner = parts["owner"]
        if self._full.fullmatch(owner) is None:
            if ctx is None or ctx.resilient_parsing:  # a shell completes the line: nobody is asked for anything
                return value
            with ctx.ensure_object(Settings).connect() as daemon:
                owner = self._collection.resolve(owner, self._collection.fetch(daemon))
        return self._template.format(**{**parts, "owner": owner})


def _advice(collection: Collection, command: str) -> str:
    return f"{collection.prefix}/ID, the ID alone or the display name (`tocsin {command} list` shows them)"


def _pattern(collection: Collection) -> str:
    return rf"(?P<owner>{collection.prefix}/[A-Za-z0-9_-]+|(?!{collection.prefix}/).+)"


INTEGRATION = Called(
    name="integration",
    pattern=_pattern(INTEGRATIONS),
    template="{owner}",
    advice=_advice(INTEGRATIONS, "integrations"),
    collection=INTEGRATIONS,
)

HEARTBEAT = Called(
    name="heartbeat",
    pattern=r"(?P<owner>integrations/[A-Za-z0-9_-]+|(?!integrations/).+?)(?:/heartbeat)?",
    template="{owner}/heartbeat",
    advice="integrations/ID, integrations/ID/heartbeat, the ID alone or the integration's display name "
    "(`tocsin heartbeats list` shows them)",
    collection=INTEGRATIONS,
)

ROUTE = Called(
    name="route",
    pattern=r"(?P<owner>integrations/[A-Za-z0-9_-]+(?=/routes/)|(?!integrations/).+?)(?:/routes)?"
    r"/(?P<route>[A-Za-z0-9_-]+)",
    template="{owner}/routes/{route}",
    advice="integrations/ID/routes/ID, or ID/ID (`tocsin routes list INTEGRATION` shows them)",
    collection=INTEGRATIONS,
)

CONTACT_POINT = Called(
    name="contact point",
    pattern=_pattern(CONTACT_POINTS),
    template="{owner}",
    advice=_advice(CONTACT_POINTS, "contacts"),
    collection=CONTACT_POINTS,
)

CHAIN = Called(
    name="escalation chain",
    pattern=_pattern(CHAINS),
    template="{owner}",
    advice=_advice(CHAINS, "chains"),
    collection=CHAINS,
)


class ChainOrNone(Called):
    """A chain, or nothing for none."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the full resource name, or the empty text."""
        return super().convert(value, param, ctx) if value else ""


CHAIN_OR_NONE = ChainOrNone(
    name="escalation chain",
    pattern=_pattern(CHAINS),
    template="{owner}",
    advice="escalationChains/ID, the ID alone, the display name (`tocsin chains list` shows them), or '' for none",
    collection=CHAINS,
)

NOTE = ResourceName(
    name="note",
    pattern=r"(?:alertGroups/|#)?([0-9]+)/(?:notes/)?([0-9]+)",
    template="alertGroups/{}/notes/{}",
    advice="alertGroups/42/notes/7 or 42/7 (`tocsin notes list 42` shows them)",
)

MESSAGE = ResourceName(
    name="message",
    pattern=r"(?:alertGroups/|#)?([0-9]+)/(?:messages/)?([0-9]+)",
    template="alertGroups/{}/messages/{}",
    advice="alertGroups/42/messages/7 or 42/7 (`tocsin messages list --group 42` shows them)",
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
