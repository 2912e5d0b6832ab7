"""The jobs of routes: creating, changing, moving and deleting them.

Rules
- Positions stay 0 to n-1. A route that comes, moves or goes shifts those behind it, in the same transaction; only what
  was asked for is in the audit log.
- The next group that opens takes its route by what was committed. Groups that are open keep theirs.
- The default route is no row of its own: whom it tells is stored with its integration.
- An escalation chain must exist when a route is to name it.
- The integration for what Tocsin reports about itself has routes too: who is to hear of that is not less of a question.
"""

from dataclasses import replace
from typing import Any

from tocsind.domain import etag
from tocsind.domain import route as rules
from tocsind.domain.access import Caller
from tocsind.domain.errors import Reason, TocsinError, invalid, not_found
from tocsind.domain.identity import new_public_id
from tocsind.domain.integration import Integration
from tocsind.domain.route import DEFAULT, MOST_ROUTES, DefaultRoute, Route
from tocsind.engine import audit
from tocsind.engine.memory import Memory
from tocsind.sqlite import escalation_chains, integrations, routes
from tocsind.sqlite.writer import Transaction

CHANGEABLE = ("description", "matchers", "jinja", "escalation_chain", "notify_on_resolve")
OF_THE_DEFAULT = frozenset(["chain", "notify_on_resolve"])
"""What can be changed of a default route, by the names of the domain."""


def create(
    transaction: Transaction, memory: Memory, integration: str, wanted: Route, position: int | None, *, by: Caller
) -> Route:
    """Creates a route of the integration with this public id, at a place, or as the last; `chain` says which chain it
    names. TocsinError: NOT_FOUND, INVALID, FORBIDDEN_NOW (there are too many)."""
    rules.check(wanted)
    owner = _owner(transaction, integration)
    connection = transaction.connection
    wanted = replace(wanted, chain_id=_chain_id(transaction, wanted.chain))
    last = routes.count(connection, owner.id)
    if last >= MOST_ROUTES:
        message = f"{owner.name} has {MOST_ROUTES} routes, as many as it may have"
        raise TocsinError(Reason.TOO_MANY_ROUTES, message, resource=owner.name, most=str(MOST_ROUTES))
    new = replace(
        wanted,
        integration_id=owner.id,
        public_id=new_public_id(),
        position=last if position is None else min(position, last),
        created=transaction.now,
        updated=transaction.now,
    )
    routes.shift(connection, owner.id, new.position, last, 1)
    new.id = routes.insert(connection, new)
    audit.record(transaction, by, _name(owner, new), audit.NOTHING, audit.of_route(new))
    memory.forget()
    return new


def update(
    transaction: Transaction,
    memory: Memory,
    integration: str,
    public_id: str,
    changes: dict[str, Any],
    given: str,
    *,
    by: Caller,
) -> Route | DefaultRoute:
    """Changes what a route says; `changes` are fields of it, `given` an etag, or nothing. The same again changes
    nothing. TocsinError: NOT_FOUND, INVALID, ABORTED, FORBIDDEN_NOW (it is the default one, and something else than
    whom it tells is to be changed)."""
    if public_id == DEFAULT and changes.keys() <= OF_THE_DEFAULT:
        return _update_default(transaction, memory, integration, changes, given, by)
    owner, before = _find(transaction, integration, public_id, given)
    changed = replace(before, **changes)
    if "chain" in changes:
        changed.chain_id = _chain_id(transaction, changed.chain)
    rules.check(changed)
    if changed == before:
        return before
    changed.updated = transaction.now
    routes.update(transaction.connection, changed)
    audit.record(transaction, by, _name(owner, changed), audit.of_route(before), audit.of_route(changed))
    memory.forget()
    return changed


def move(
    transaction: Transaction,
    memory: Memory,
    integration: str,
    public_id: str,
    position: int,
    given: str,
    *,
    by: Caller,
) -> Route:
    """Moves a route to another place; beyond the last is the last. TocsinError: NOT_FOUND, ABORTED, FORBIDDEN_NOW (it
    is the default one)."""
    owner, before = _find(transaction, integration, public_id, given)
    connection = transaction.connection
    place = min(position, routes.count(connection, owner.id) - 1)
    if place == before.position:
        return before
    if place < before.position:
        routes.shift(connection, owner.id, place, before.position - 1, 1)
    else:
        routes.shift(connection, owner.id, before.position + 1, place, -1)
    changed = replace(before, position=place, updated=transaction.now)
    routes.update(connection, changed)
    audit.record(transaction, by, _name(owner, changed), audit.of_route(before), audit.of_route(changed))
    memory.forget()
    return changed


def delete(
    transaction: Transaction, memory: Memory, integration: str, public_id: str, given: str, *, by: Caller
) -> None:
    """Deletes a route. TocsinError: NOT_FOUND, ABORTED, FORBIDDEN_NOW (it is the default one)."""
    owner, gone = _find(transaction, integration, public_id, given)
    routes.delete(transaction.connection, gone.id)
    routes.shift(transaction.connection, owner.id, gone.position + 1, MOST_ROUTES, -1)
    audit.record(transaction, by, _name(owner, gone), audit.of_route(gone), audit.NOTHING)
    memory.forget()


def _update_default(
    transaction: Transaction, memory: Memory, integration: str, changes: dict[str, Any], given: str, by: Caller
) -> DefaultRoute:
    connection = transaction.connection
    owner = _owner(transaction, integration)
    name = rules.name_of(integration)
    before = routes.default(connection, owner)
    etag.check(given, before.etag, name)
    changed = replace(before, **changes)
    if "chain" in changes:
        changed = replace(changed, chain_id=_chain_id(transaction, changed.chain))
    if changed == before:
        return before
    integrations.set_default_route(connection, owner.id, changed.chain_id, changed.notify_on_resolve)
    audit.record(transaction, by, name, audit.of_default_route(before), audit.of_default_route(changed))
    memory.forget()
    return changed


def _chain_id(transaction: Transaction, public_id: str) -> int | None:
    if not public_id:
        return None
    found = escalation_chains.by_public_id(transaction.connection, public_id)
    if found is None:
        raise invalid("route.escalation_chain", f"escalationChains/{public_id} does not exist")
    return found.id


def _owner(transaction: Transaction, integration: str) -> Integration:
    found = integrations.by_public_id(transaction.connection, integration)
    if found is None:
        raise not_found(f"integrations/{integration}")
    return found


def _find(transaction: Transaction, integration: str, public_id: str, given: str) -> tuple[Integration, Route]:
    owner = _owner(transaction, integration)
    rules.refuse_default(integration, public_id)
    name = rules.name_of(integration, public_id)
    found = routes.one(transaction.connection, owner.id, public_id)
    if found is None:
        raise not_found(name)
    etag.check(given, found.etag, name)
    return owner, found


def _name(owner: Integration, route: Route) -> str:
    return rules.name_of(owner.public_id, route.public_id)
