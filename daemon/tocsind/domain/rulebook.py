"""What an integration has to say about how its notifications are read: its templates and its routes, as one.

Rules
- Templates are not rendered where changes are written: that happens before, somewhere else (`tocsind/rendering`), and
  what came of it travels with the notification as `Rendered`.
- `Rendered` bears the digest of the rulebook that it was made by. Where that is no longer the integration's, it is not
  used, and the notification is rendered anew.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tocsind.domain.integration import Integration
from tocsind.domain.matchers import Matchers
from tocsind.domain.route import DEFAULT_ID, TOO_MUCH, ConditionKind, Route, choose, name_of, readable
from tocsind.domain.template import Slot

_OF_PAYLOAD = re.compile(r"\bpayload\b(?:\s*\.\s*(\w+))?")
_COVERED = frozenset(
    {
        "status",
        "groupKey",
        "alerts",
        "numFiring",
        "numResolved",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "receiver",
        "truncatedAlerts",
        "notification_reason",
    }
)
"""What follows from the content of a notification. A payload that is used as a whole is not among them."""


@dataclass(frozen=True)
class Rulebook:
    """The templates and the routes of one integration, the routes in their order."""

    integration: Integration
    routes: Sequence[Route]

    @property
    def templates(self) -> Mapping[Slot, str]:
        """The sources of the templates that are not the default."""
        return self.integration.templates

    @cached_property
    def by_id(self) -> Mapping[int, Route]:
        """The routes by their ids in the database."""
        return {route.id: route for route in self.routes}

    @cached_property
    def conditions(self) -> Mapping[int, str]:
        """The sources of the Jinja2 conditions, by the id of the route in the database."""
        return {route.id: route.condition for route in self.routes if route.kind is ConditionKind.JINJA}

    @cached_property
    def matchers(self) -> Mapping[int, Matchers]:
        """The compiled matchers, by the id of the route in the database."""
        return readable(self.routes)

    def choose(self, labels: Mapping[str, str], rendered: "Rendered | None") -> tuple[int, list[str]]:
        """Returns the id of the route that a new group with these labels takes, and a line for each route that was
        passed over because comparing it takes too long. Without `rendered`, no Jinja2 condition matches."""
        if not self.routes:
            return DEFAULT_ID, []
        matched = rendered.matched if rendered is not None else {}
        route_id, passed_over = choose(self.routes, self.matchers, labels, matched)
        owner = self.integration.public_id
        return route_id, [f"{name_of(owner, route.public_id)}: {TOO_MUCH}" for route in passed_over]

    @cached_property
    def needs_rendering(self) -> bool:
        """Whether there is anything to render."""
        return bool(self.templates or self.conditions)

    @cached_property
    def looks_beyond_content(self) -> bool:
        """Whether anything to render may see of the payload what the digest of the content does not cover."""
        sources = (*self.templates.values(), *self.conditions.values())
        seen = [name for source in sources for name in _OF_PAYLOAD.findall(source)]
        return not _COVERED.issuperset(seen) or any(
            name in source for source in sources for name in ("external_url", "source_link")
        )

    @cached_property
    def digest(self) -> bytes:
        """Equal where the same would be rendered."""
        parts = [repr(sorted((slot.value, source) for slot, source in self.templates.items()))]
        parts.append(repr(sorted(self.conditions.items())))
        parts.append(repr((self.integration.public_id, self.integration.display_name, self.integration.type)))
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).digest()


@dataclass(slots=True)
class Rendered:
    """What came of rendering a rulebook's templates for one notification.

    `texts`: the results by slot, without those that failed. `matched`: whether each Jinja2 condition held, by the id of
    its route; those that failed did not. `failures`: a line for each template that failed, which it was and why.
    `condition_failures`: the same for conditions, by the id of the route. `lasting`: the same notification would give
    the same again: nothing failed that another time would not, and nothing depends on the time.
    """

    rulebook: bytes
    texts: dict[Slot, str] = field(default_factory=dict)
    matched: dict[int, bool] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    condition_failures: dict[int, str] = field(default_factory=dict)
    lasting: bool = True
