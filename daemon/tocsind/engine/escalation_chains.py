"""The jobs of escalation chains: creating, changing and deleting them.

Rules
- What runs is left alone: a chain that has started for a group goes on by the version that it started with, whatever
  becomes of the chain.
- What is asked for keeps the rules of the domain already: whether a time zone exists is looked up in files, which is
  not for where changes are written. Only what the database knows is asked here.
- One chain is the default at most. Making one the default takes that from the other, in the same transaction; both are
  in the audit log.
- A contact point must exist when it is put into a chain. One that is deleted afterwards stays named, so that its
  absence is seen; what else is changed of the chain does not stumble over it.
- A chain that routes name is deleted only by force: these routes would tell others, or nobody. Being the default is not
  being named: when that chain is deleted, none is the default, and routes that name none tell nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tocsind.domain import etag as etags
from tocsind.domain.access import Caller
from tocsind.domain.errors import Reason, TocsinError, name_taken, not_found, refuse
from tocsind.domain.escalation_chain import (
    Asked,
    AskedStep,
    EscalationChain,
    Notify,
    NotifyNamed,
    Step,
    path_of_contact,
)
from tocsind.domain.identity import new_public_id
from tocsind.domain.wording import some
from tocsind.engine import audit
from tocsind.engine.memory import Memory
from tocsind.sqlite import escalation_chains as chains
from tocsind.sqlite.writer import Transaction

SHOWN_ROUTES = 3

Shown = tuple[EscalationChain, Mapping[int, str]]
"""A chain, and the resource names of the contact points that it names, by their ids."""


def create(transaction: Transaction, memory: Memory, asked: Asked, *, by: Caller) -> Shown:
    """Creates a chain. TocsinError: INVALID (a contact point is missing), EXISTS."""
    new = EscalationChain(
        0,
        new_public_id(),
        asked.display_name or "",
        asked.description or "",
        _existing(transaction, asked.steps or ()),
        asked.is_default or False,
        created=transaction.now,
        updated=transaction.now,
    )
    _refuse_taken_name(transaction, new)
    if new.is_default:
        _take_default(transaction, by)
    new.version_id = _version(transaction, new)
    new.id = chains.insert(transaction.connection, new)
    names = chains.contact_names(transaction.connection, [new])
    audit.record(transaction, by, new.name, audit.NOTHING, audit.of_escalation_chain(new, names))
    memory.forget()
    return new, names


def update(
    transaction: Transaction, memory: Memory, public_id: str, asked: Asked, etag: str = "", *, by: Caller
) -> Shown:
    """Changes a chain. The same again changes nothing. TocsinError: NOT_FOUND, INVALID (a contact point is missing),
    EXISTS, ABORTED."""
    before = _find(transaction, public_id, etag)
    changed = replace(before)
    if asked.display_name is not None:
        changed.display_name = asked.display_name
    if asked.description is not None:
        changed.description = asked.description
    if asked.steps is not None:
        changed.steps = _existing(transaction, asked.steps)
    if asked.is_default is not None:
        changed.is_default = asked.is_default
    names = chains.contact_names(transaction.connection, [before, changed])
    if changed == before:
        return before, names
    _refuse_taken_name(transaction, changed)
    if changed.is_default and not before.is_default:
        _take_default(transaction, by)
    changed.version_id = _version(transaction, changed)
    changed.updated = transaction.now
    chains.update(transaction.connection, changed)
    told = audit.of_escalation_chain(before, names), audit.of_escalation_chain(changed, names)
    audit.record(transaction, by, changed.name, *told)
    memory.forget()
    return changed, names


def delete(
    transaction: Transaction, memory: Memory, public_id: str, force: bool, etag: str = "", *, by: Caller
) -> None:
    """Deletes a chain; with `force` also where routes name it, which name none then. TocsinError: NOT_FOUND, ABORTED,
    FORBIDDEN_NOW (routes name it)."""
    gone = _find(transaction, public_id, etag)
    routes = chains.routes_naming(transaction.connection, gone.id)
    if routes and not force:
        message = f"{gone.name} is named by {some(routes, SHOWN_ROUTES)}"
        raise TocsinError(Reason.IN_USE, message, resource=gone.name)
    names = chains.contact_names(transaction.connection, [gone])
    chains.delete(transaction.connection, gone.id, transaction.now)
    audit.record(transaction, by, gone.name, audit.of_escalation_chain(gone, names), audit.NOTHING)
    named = {"escalation_chain": gone.name}
    audit.record_all(transaction, by, [(route, named, audit.NOTHING) for route in routes])
    memory.forget()


def _find(transaction: Transaction, public_id: str, etag: str) -> EscalationChain:
    found = chains.by_public_id(transaction.connection, public_id)
    if found is None:
        raise not_found(f"escalationChains/{public_id}")
    etags.check(etag, found.etag, found.name)
    return found


def _existing(transaction: Transaction, asked: Sequence[AskedStep]) -> tuple[Step, ...]:
    """Returns steps with the ids of the contact points that they name. TocsinError (INVALID) where there are not all
    of these."""
    wanted = {contact for step in asked if isinstance(step, NotifyNamed) for contact in step.contacts}
    ids = chains.contact_ids(transaction.connection, sorted(wanted))
    missing = [
        (path_of_contact(index, place), f"{contact} does not exist")
        for index, step in enumerate(asked)
        if isinstance(step, NotifyNamed)
        for place, contact in enumerate(step.contacts)
        if contact not in ids
    ]
    refuse(missing)
    steps: list[Step] = []
    for step in asked:
        if isinstance(step, NotifyNamed):
            steps.append(Notify(tuple(ids[contact] for contact in step.contacts)))
        elif step is not None:
            steps.append(step)
    return tuple(steps)


def _version(transaction: Transaction, chain: EscalationChain) -> int:
    return chains.insert_version(transaction.connection, chain.public_id, chain.display_name, chain.steps)


def _take_default(transaction: Transaction, by: Caller) -> None:
    """Has no chain be the default: another one is going to be."""
    before = chains.default(transaction.connection)
    if before is not None:
        changed = replace(before, is_default=False, updated=transaction.now)
        chains.update(transaction.connection, changed)
        audit.record(transaction, by, before.name, {"is_default": True}, {"is_default": False})


def _refuse_taken_name(transaction: Transaction, wanted: EscalationChain) -> None:
    other = chains.by_display_name(transaction.connection, wanted.display_name)
    if other is not None and other.id != wanted.id:
        raise name_taken(other.name, wanted.display_name, "escalation_chain.display_name")
