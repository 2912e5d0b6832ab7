"""What a route is, which one a group takes, and why.

Rules
- Routes are looked at in their order when a group opens; the first that matches is the group's, and stays it.
- The default route is not one of them: it is what is left where none matches. It has no condition and no other place,
  and cannot be deleted; only whom it tells can be changed.
- Who is told is the escalation chain that a route names, or that which is the default, or nobody where none is.
- A route that is deleted leaves its groups to the default route.
- Matchers are compared with the labels of the notification. What a Jinja2 condition says is not known here: it was
  rendered before (`rulebook.py`), or it does not match. Nothing that a route says can keep a group from being opened.
- Routes are compared where changes are written, so what their expressions can take for one group is limited, all of
  them together. What is beyond that is not compared, and does not match; those after it that take less still are.
- Positions count from 0 without gaps.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from tocsind.domain import matchers
from tocsind.domain.errors import Reason, TocsinError, invalid
from tocsind.domain.etag import etag
from tocsind.domain.matchers import Matchers
from tocsind.domain.template import check_source

DEFAULT = "default"
DEFAULT_ID = 0
"""The id of the default route, for people and in the database."""

MAX_MATCHERS = 2_000
"""Characters; a Jinja2 condition may be as long as any template."""

MAX_DESCRIPTION = 2_000
MOST_ROUTES = 200

MAX_EFFORT = 50_000_000
"""Steps (`Matchers.effort`) for one group: 0.1 s at worst, though expressions seldom take a tenth of their worst. With
200 routes of 2,000 characters each, values of 250 characters are within it; without it, values of 16,384 characters
could take half a minute."""


class ConditionKind(IntEnum):
    """How a condition is written. The numbers are those of the database."""

    MATCHERS = 1
    JINJA = 2

    @property
    def field(self) -> str:
        """Its field of `tocsin.v1.Route`."""
        return self.name.lower()


@dataclass(slots=True)
class Route:
    """One way that groups can take. Times in microseconds since 1970; `id` and `chain_id` are the database's. Without
    a chain it takes the one that is the default; `chain` is the public id of its own, or empty."""

    id: int
    integration_id: int
    public_id: str
    position: int
    kind: ConditionKind
    condition: str
    description: str = ""
    chain_id: int | None = None
    notify_on_resolve: bool = False
    created: int = 0
    updated: int = 0
    chain: str = ""

    @property
    def etag(self) -> str:
        """Differs once its place, its condition, its description or whom it tells does."""
        told = (self.chain_id, self.notify_on_resolve)
        return etag(self.public_id, self.position, int(self.kind), self.condition, self.description, *told)


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """The default route of an integration; `chain` and `chain_id` are as those of `Route`."""

    position: int
    chain_id: int | None
    chain: str
    notify_on_resolve: bool

    @property
    def etag(self) -> str:
        """Differs once its place or whom it tells does."""
        return etag(DEFAULT, self.position, self.chain_id, self.notify_on_resolve)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one route says to a notification, and why, in one line; None is the default route. `error`: why its
    condition failed, where it did."""

    route: Route | None
    matched: bool
    reason: str
    error: str = ""


def name_of(integration: str, public_id: str = DEFAULT) -> str:
    """Returns the resource name of a route; `integration` is the public id."""
    return f"integrations/{integration}/routes/{public_id}"


def check(route: Route) -> None:
    """Raises TocsinError (INVALID, with the field) where a route is not what it may be. Whether a Jinja2 condition can
    be compiled is not known here."""
    field = f"route.{route.kind.field}"
    if len(route.description) > MAX_DESCRIPTION:
        raise invalid("route.description", f"must be at most {MAX_DESCRIPTION:,} characters")
    if not route.condition.strip():
        raise invalid(field, "must not be empty: a route has a condition")
    if route.kind is ConditionKind.JINJA:
        check_source(route.condition, field)
    elif len(route.condition) > MAX_MATCHERS:
        raise invalid(field, f"must be at most {MAX_MATCHERS:,} characters")
    else:
        matchers.parse(route.condition)


def refuse_default(integration: str, public_id: str) -> None:
    """TocsinError (DEFAULT_ROUTE) where the route is the default one; `integration` is its public id."""
    if public_id == DEFAULT:
        name = name_of(integration)
        message = (
            f"{name} is the default route, of which only the escalation chain and notify_on_resolve can be changed"
        )
        raise TocsinError(Reason.DEFAULT_ROUTE, message, resource=name)


def readable(routes: Iterable[Route]) -> dict[int, Matchers]:
    """Returns the matchers of routes by id. What is stored was read when it was saved; should another version have
    written what this one cannot read, then the route is not among them, and does not match."""
    found: dict[int, Matchers] = {}
    for route in routes:
        if route.kind is ConditionKind.MATCHERS:
            try:
                found[route.id] = matchers.parse(route.condition)
            except TocsinError:
                continue
    return found


def choose(
    routes: Iterable[Route], compiled: Mapping[int, Matchers], labels: Mapping[str, str], matched: Mapping[int, bool]
) -> tuple[int, list[Route]]:
    """Returns the id of the route that a group takes, and the routes before it whose matchers were not compared because
    that would have taken too long. `compiled` are the matchers by the id of the route, `matched` what the Jinja2
    conditions said, by the same; one that is missing does not match."""
    allowance = _Allowance()
    passed_over: list[Route] = []
    for route in routes:
        if route.kind is ConditionKind.JINJA:
            if matched.get(route.id):
                return route.id, passed_over
            continue
        condition = compiled.get(route.id)
        if condition is None:
            continue
        if not allowance.covers(condition, labels):
            passed_over.append(route)
        elif condition.hold(labels):
            return route.id, passed_over
    return DEFAULT_ID, passed_over


def judge(
    routes: Iterable[Route],
    compiled: Mapping[int, Matchers],
    labels: Mapping[str, str],
    matched: Mapping[int, bool],
    failures: Mapping[int, str],
) -> Iterator[Verdict]:
    """Yields what each route says, up to the one that `choose` would return. `failures` are the Jinja2 conditions that
    failed, by the id of the route, and why."""
    allowance = _Allowance()
    for route in routes:
        if route.kind is ConditionKind.JINJA:
            verdict = _of_jinja(route, matched.get(route.id), failures.get(route.id, ""))
        elif (condition := compiled.get(route.id)) is not None and not allowance.covers(condition, labels):
            verdict = Verdict(route, False, "its matchers were not compared", TOO_MUCH)
        elif condition is not None:
            verdict = Verdict(route, condition.hold(labels), condition.explain(labels))
        else:
            verdict = Verdict(route, False, "its matchers cannot be read", "saved by another version of Tocsin")
        yield verdict
        if verdict.matched:
            return
    yield Verdict(None, True, "the default route takes what no other takes")


class _Allowance:
    """What the expressions of routes may still take for one group."""

    def __init__(self) -> None:
        self._left = MAX_EFFORT

    def covers(self, condition: Matchers, labels: Mapping[str, str]) -> bool:
        """Whether a condition may be compared; what that takes is then taken off."""
        effort = condition.effort(labels)
        if effort > self._left:
            return False
        self._left -= effort
        return True


TOO_MUCH = "it and the routes before it take too long for labels as long as these"


def _of_jinja(route: Route, outcome: bool | None, failure: str) -> Verdict:
    if failure:
        return Verdict(route, False, "its condition failed", failure)
    if outcome is None:
        return Verdict(route, False, "its condition was not rendered: no notification made the group")
    says = "its condition says 1, true or ok" if outcome else "its condition says something else than 1, true or ok"
    return Verdict(route, outcome, says)
