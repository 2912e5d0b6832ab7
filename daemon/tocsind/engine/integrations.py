"""The jobs of integrations: creating, changing and deleting them."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from tocsind.domain import integration as rules
from tocsind.domain.access import Caller
from tocsind.domain.alert_group import Action
from tocsind.domain.errors import Reason, TocsinError, invalid, not_found
from tocsind.domain.heartbeat import Heartbeat
from tocsind.domain.identity import new_public_id
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.engine import audit
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups, heartbeats, integrations
from tocsind.sqlite.writer import Transaction

CHANGEABLE = ("display_name", "description", "reopen_window", "stale_after", "retention")
CLOSED_AT_ONCE = 200


def create(transaction: Transaction, memory: Memory, wanted: Integration, *, by: Caller) -> Integration:
    """Creates an integration with a new id and token, and its heartbeat. TocsinError: INVALID, EXISTS."""
    rules.check(wanted)
    _refuse_taken_name(transaction, wanted)
    new = replace(
        wanted,
        public_id=new_public_id(),
        token=rules.new_token(),
        created=transaction.now,
        updated=transaction.now,
    )
    new.id = integrations.insert(transaction.connection, new)
    heartbeats.store(transaction.connection, [Heartbeat(new.id, state_since=transaction.now)])
    audit.record(transaction, by, new.name, audit.NOTHING, audit.of_integration(new))
    memory.forget()
    return new


def create_built_in(transaction: Transaction) -> None:
    """Creates the integration under which Tocsin reports about itself, if it is not there."""
    if integrations.by_public_id(transaction.connection, BUILT_IN) is None:
        now = transaction.now
        tocsin = Integration(0, BUILT_IN, BUILT_IN, "Tocsin", "", rules.new_token(), created=now, updated=now)
        integrations.insert(transaction.connection, tocsin)


def update(
    transaction: Transaction, memory: Memory, public_id: str, changes: dict[str, Any], *, by: Caller
) -> Integration:
    """Changes settings. TocsinError: NOT_FOUND, INVALID, EXISTS."""
    for field in changes:
        if field not in CHANGEABLE:
            raise invalid("update_mask", f"{field!r} cannot be changed; what can: {', '.join(CHANGEABLE)}")
    before = _find(transaction, public_id)
    changed = replace(before, **changes, updated=transaction.now)
    rules.check(changed)
    _refuse_taken_name(transaction, changed)
    integrations.update(transaction.connection, changed)
    audit.record(transaction, by, changed.name, audit.of_integration(before), audit.of_integration(changed))
    memory.forget()
    if "stale_after" in changes:
        candidates = list(alert_groups.stale_candidates(transaction.connection, changed.id))
        transaction.after_commit(lambda: _watch(memory, candidates))
    return changed


def rotate_token(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> Integration:
    """Replaces the token. TocsinError: NOT_FOUND."""
    before = _find(transaction, public_id)
    changed = replace(before, token=rules.new_token(), updated=transaction.now)
    integrations.update(transaction.connection, changed)
    audit.record(transaction, by, changed.name, audit.of_integration(before), audit.of_integration(changed))
    memory.forget()
    return changed


def delete(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> None:
    """Deletes an integration and its heartbeat, and resolves its open groups: the first of them now, so that a small
    integration is gone when this is answered, the rest by housekeeping. TocsinError: NOT_FOUND."""
    gone = _find(transaction, public_id)
    integrations.delete(transaction.connection, gone.id, transaction.now)
    heartbeats.delete(transaction.connection, gone.id)
    memory.forget()
    if close_groups(transaction, memory, gone.id, by.actor):
        transaction.after_commit(lambda: setattr(memory, "sweep_now", True))
    audit.record(transaction, by, gone.name, audit.of_integration(gone), audit.NOTHING)
    for wheel in (memory.heartbeats, memory.maintenances):
        transaction.after_commit(partial(wheel.cancel, gone.id))


def close_groups(transaction: Transaction, memory: Memory, integration_id: int, actor: str = "") -> bool:
    """Resolves some open groups of a deleted integration; returns whether there may be more."""
    ledger = Ledger(transaction, memory)
    groups = alert_groups.open_of_integration(transaction.connection, integration_id, CLOSED_AT_ONCE)
    for group in groups:
        ledger.act(group, Action.DELETE_INTEGRATION, actor=actor, reason="its integration was deleted")
    ledger.write()
    return len(groups) == CLOSED_AT_ONCE


def _find(transaction: Transaction, public_id: str) -> Integration:
    found = integrations.by_public_id(transaction.connection, public_id)
    if found is None:
        raise not_found(f"integrations/{public_id}")
    if found.type == BUILT_IN:
        message = f"{found.name} is built in and cannot be changed"
        raise TocsinError(Reason.BUILT_IN, message, resource=found.name)
    return found


def _refuse_taken_name(transaction: Transaction, wanted: Integration) -> None:
    other = integrations.by_display_name(transaction.connection, wanted.display_name)
    if other is not None and other.id != wanted.id:
        message = f"{other.name} is already called {wanted.display_name!r}"
        raise TocsinError(Reason.NAME_TAKEN, message, field="integration.display_name", resource=other.name)


def _watch(memory: Memory, candidates: Iterable[tuple[int, int]]) -> None:
    for group_id, deadline in candidates:
        memory.stale.schedule(group_id, deadline)
