"""The jobs of integrations: creating, changing and deleting them."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from tocsind.domain import etag as etags
from tocsind.domain import integration as rules
from tocsind.domain.access import Caller
from tocsind.domain.alert_group import Action
from tocsind.domain.errors import Reason, TocsinError, invalid, name_taken, refuse
from tocsind.domain.heartbeat import Heartbeat
from tocsind.domain.identity import new_public_id
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.template import Slot
from tocsind.engine import audit
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups, heartbeats, integrations
from tocsind.sqlite.writer import Transaction

CHANGEABLE = ("display_name", "description", "reopen_window", "stale_after", "retention", "rate_limit", "templates")
ONE_TEMPLATE = {f"templates.{slot.value}": slot for slot in Slot}
"""What names a single template among what can be changed."""
CLOSED_AT_ONCE = 200
_FIXED = " and cannot be changed"


def create(transaction: Transaction, memory: Memory, wanted: Integration, *, by: Caller) -> Integration:
    """Creates an integration with a new id, and its heartbeat; with a new token unless it brings one. TocsinError:
    INVALID, EXISTS."""
    refuse(list(rules.violations(wanted)))
    _refuse_taken_name(transaction, wanted)
    if wanted.token:
        _refuse_taken_token(transaction, wanted.token)
    new = replace(
        wanted,
        public_id=new_public_id(),
        token=wanted.token or rules.new_token(),
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
    transaction: Transaction, memory: Memory, public_id: str, changes: dict[str, Any], etag: str = "", *, by: Caller
) -> Integration:
    """Changes settings: those of `CHANGEABLE`, or single templates (`ONE_TEMPLATE`), of which an empty one is the
    default again. TocsinError: NOT_FOUND, INVALID, EXISTS, ABORTED."""
    for field in changes:
        if field not in CHANGEABLE and field not in ONE_TEMPLATE:
            what = f"{', '.join(CHANGEABLE)}, or one as {next(iter(ONE_TEMPLATE))}"
            raise invalid("update_mask", f"{field!r} cannot be changed; what can: {what}")
    before = memory.not_built_in(transaction.connection, public_id, _FIXED)
    etags.check(etag, before.etag, before.name)
    settings = {field: value for field, value in changes.items() if field in CHANGEABLE}
    single = {ONE_TEMPLATE[field]: value for field, value in changes.items() if field in ONE_TEMPLATE}
    templates = {**settings.pop("templates", before.templates), **single}
    templates = {slot: source for slot, source in templates.items() if source}
    changed = replace(before, **settings, templates=templates, updated=transaction.now)
    refuse(list(rules.violations(changed)))
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
    before = memory.not_built_in(transaction.connection, public_id, _FIXED)
    changed = replace(before, token=rules.new_token(), updated=transaction.now)
    integrations.update(transaction.connection, changed)
    audit.record(transaction, by, changed.name, audit.of_integration(before), audit.of_integration(changed))
    memory.forget()
    return changed


def delete(transaction: Transaction, memory: Memory, public_id: str, etag: str = "", *, by: Caller) -> None:
    """Deletes an integration and its heartbeat, and resolves its open groups: the first of them now, so that a small
    integration is gone when this is answered, the rest by housekeeping. TocsinError: NOT_FOUND, ABORTED."""
    gone = memory.not_built_in(transaction.connection, public_id, _FIXED)
    etags.check(etag, gone.etag, gone.name)
    integrations.delete(transaction.connection, gone.id, transaction.now)
    heartbeats.delete(transaction.connection, gone.id)
    memory.forget()
    if close_groups(transaction, memory, gone.id, by.actor):
        transaction.after_commit(lambda: setattr(memory, "sweep_now", True))
    audit.record(transaction, by, gone.name, audit.of_integration(gone), audit.NOTHING)
    for wheel in (memory.heartbeats, memory.maintenances):
        transaction.after_commit(partial(wheel.cancel, gone.id))
    transaction.after_commit(partial(memory.limits.forget, gone.id))


def close_groups(transaction: Transaction, memory: Memory, integration_id: int, actor: str = "") -> bool:
    """Resolves some open groups of a deleted integration; returns whether there may be more."""
    ledger = Ledger(transaction, memory)
    groups = alert_groups.open_of_integration(transaction.connection, integration_id, CLOSED_AT_ONCE)
    for group in groups:
        ledger.act(group, Action.DELETE_INTEGRATION, actor=actor, reason="its integration was deleted")
    ledger.write()
    return len(groups) == CLOSED_AT_ONCE


def _refuse_taken_name(transaction: Transaction, wanted: Integration) -> None:
    other = integrations.by_display_name(transaction.connection, wanted.display_name)
    if other is not None and other.id != wanted.id:
        raise name_taken(other.name, wanted.display_name, "integration.display_name")


def _refuse_taken_token(transaction: Transaction, token: str) -> None:
    """Who may ask for this may read the tokens of all integrations, but for those that are deleted and unreadable."""
    taken, owner = integrations.owner_of_token(transaction.connection, token)
    if taken:
        message = f"{owner} has this token already" if owner else "an integration that was deleted had this token"
        raise TocsinError(Reason.TOKEN_TAKEN, message, field="token", resource=owner)


def _watch(memory: Memory, candidates: Iterable[tuple[int, int]]) -> None:
    for group_id, deadline in candidates:
        memory.stale.schedule(group_id, deadline)
