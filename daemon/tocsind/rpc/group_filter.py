"""The filter of alert groups, from text to `domain/group_filter.py`.

The grammar is that of `filter_grammar.py`; docs/filters.md describes the fields to those who write filters. What
contradicts itself is no error: it wants nothing.
"""

import sqlite3
from dataclasses import replace
from functools import reduce

from tocsind.domain.alert_group import Source, State
from tocsind.domain.errors import TocsinError, not_found
from tocsind.domain.group_filter import GroupFilter, LabelCondition, LabelTest, fold
from tocsind.domain.route import DEFAULT, DEFAULT_ID, name_of
from tocsind.domain.span import ALWAYS
from tocsind.rpc import names
from tocsind.rpc.filter_grammar import Comparison, Token, comparisons, member, refusal, span
from tocsind.sqlite import integrations, routes
from tocsind.sqlite.group_list import AMBIGUOUS_NAMES, GroupList

_FIELDS = (
    "state, integration, route, source, collected, title, labels.NAME, create_time, resolve_time and "
    "last_notification_time are"
)
_LABEL_TESTS = {"=": LabelTest.EQUAL, "!=": LabelTest.DIFFERENT}


def parse(text: str) -> GroupFilter:
    """Reads a filter; TocsinError (INVALID) where it cannot be read. Filters that say the same with the same fields in
    another order are equal."""
    return reduce(_narrow, comparisons(text), GroupFilter())


def listed(connection: sqlite3.Connection, wanted: GroupFilter, *, newest_first: bool = True) -> GroupList:
    """Returns the list of the groups that are wanted. TocsinError (NOT_FOUND) where there never was the integration
    that the filter names, or where its route is not there."""
    if wanted.integration is None:
        return GroupList(wanted, None, newest_first)
    integration_id = integrations.any_id(connection, wanted.integration)
    if integration_id is None:
        raise not_found(f"integrations/{wanted.integration}")
    if wanted.route is None or not wanted.states:
        # What contradicts itself may name a route of another integration.
        return GroupList(wanted, integration_id, newest_first)
    if wanted.route == DEFAULT:
        # Without other routes each group is under the default one, and nothing needs to be compared.
        route_id = DEFAULT_ID if routes.count(connection, integration_id) else None
        return GroupList(wanted, integration_id, newest_first, route_id)
    route = routes.one(connection, integration_id, wanted.route)
    if route is None:
        raise not_found(name_of(wanted.integration, wanted.route))
    return GroupList(wanted, integration_id, newest_first, route.id)


def _narrow(wanted: GroupFilter, comparison: Comparison) -> GroupFilter:
    if comparison.path[0].text == "labels":
        return replace(wanted, labels=tuple(sorted({*wanted.labels, _label(comparison)})))
    match comparison.field:
        case "state":
            return _of_states(wanted, comparison)
        case "integration":
            comparison.demand("=")
            return _of_integration(wanted, _integration(comparison.value))
        case "route":
            comparison.demand("=")
            return _of_route(wanted, *_route(comparison.value))
        case "source":
            comparison.demand("=")
            source = member(comparison.value, Source, "a source")
            contradiction = wanted.source not in (None, source)
            return replace(wanted, source=source, states=() if contradiction else wanted.states)
        case "collected":
            comparison.demand("=")
            collected = _boolean(comparison.value)
            contradiction = wanted.collected not in (None, collected)
            return replace(wanted, collected=collected, states=() if contradiction else wanted.states)
        case "title":
            comparison.demand(":")
            return replace(wanted, titles=tuple(sorted({*wanted.titles, fold(comparison.value.text)})))
        case "create_time":
            return replace(wanted, created=wanted.created & span(comparison))
        case "resolve_time":
            return replace(wanted, resolved=(wanted.resolved or ALWAYS) & span(comparison))
        case "last_notification_time":
            return replace(wanted, notified=wanted.notified & span(comparison))
        case field:
            raise refusal(Token(comparison.path[0].place, field), f"is not a field; {_FIELDS}")


def _of_states(wanted: GroupFilter, comparison: Comparison) -> GroupFilter:
    comparison.demand("=", "!=")
    state = member(comparison.value, State, "a state")
    keep = comparison.operator.text == "="
    return replace(wanted, states=tuple(one for one in wanted.states if (one is state) is keep))


def _of_integration(wanted: GroupFilter, public_id: str) -> GroupFilter:
    contradiction = wanted.integration not in (None, public_id)
    return replace(wanted, integration=public_id, states=() if contradiction else wanted.states)


def _of_route(wanted: GroupFilter, integration: str, public_id: str) -> GroupFilter:
    contradiction = wanted.route not in (None, public_id)
    wanted = _of_integration(wanted, integration)
    return replace(wanted, route=public_id, states=() if contradiction else wanted.states)


def _label(comparison: Comparison) -> LabelCondition:
    path, operator, value = comparison.path, comparison.operator, comparison.value
    if len(path) == 1:
        if operator.text != ":":
            raise refusal(operator, 'which label? labels.NAME = "value" compares one, labels:NAME asks for any value')
        name, condition = value, LabelCondition(value.text, LabelTest.PRESENT)
    elif len(path) > 2:
        written = Token(path[1].place, ".".join(part.text for part in path[1:]))
        raise refusal(written, f'a name with a dot in it stands in double quotes: labels."{written.text[:40]}"')
    elif operator.text == ":":
        present = f"labels:{path[1].text[:40]} asks for any value"
        raise refusal(operator, f"cannot compare so; labels.NAME takes = and !=, {present}")
    else:
        comparison.demand(*_LABEL_TESTS)
        name, condition = path[1], LabelCondition(path[1].text, _LABEL_TESTS[operator.text], value.text)
    if name.text in AMBIGUOUS_NAMES:
        raise refusal(name, "is a name that cannot be asked for")
    return condition


def _boolean(token: Token) -> bool:
    if token.text not in ("true", "false"):
        raise refusal(token, "must be true or false")
    return token.text == "true"


def _integration(token: Token) -> str:
    try:
        return names.integration_id(token.text, "filter")
    except TocsinError:
        raise refusal(token, "must be of the form integrations/{id}") from None


def _route(token: Token) -> tuple[str, str]:
    try:
        return names.route_id(token.text, "filter")
    except TocsinError:
        raise refusal(token, "must be of the form integrations/{id}/routes/{id}") from None
