"""The jobs of maintenances: starting, moving and ending them, and releasing what they collected.

A maintenance that ends is gone from the file in the transaction that resolves its collecting group, in which it is also
written down that what it collected is to be released. From then on nothing more is collected, and the releasing is
nobody's to forget: it is done in steps (`engine/ticker.py`), and each step is only over when it is on disk. How many
groups there were is said as it was when the maintenance ended.

What became due while the daemon was down happens at the start before anything is received: a maintenance that was to
start and end meanwhile starts and ends then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from tocsind.domain import maintenance as rules
from tocsind.domain.access import Caller
from tocsind.domain.alert_group import Action, AlertGroup, Source
from tocsind.domain.errors import Reason, TocsinError
from tocsind.domain.identity import identity, new_public_id
from tocsind.domain.integration import Integration
from tocsind.domain.maintenance import Maintenance, Mode
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.domain.wording import moment
from tocsind.engine import audit
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import alert_groups, maintenances
from tocsind.sqlite.writer import Transaction

ALERTNAME = "Maintenance"


def start(
    transaction: Transaction,
    memory: Memory,
    public_id: str,
    mode: Mode,
    duration: int,
    starts: int | None,
    *,
    by: Caller,
) -> Integration:
    """Starts or plans a maintenance in the place of the one that there is, and returns the integration with it.

    `duration` in microseconds; `starts` is a time of day, None for now. TocsinError: NOT_FOUND, INVALID, FORBIDDEN_NOW
    (BUILT_IN, OTHER_MAINTENANCE).
    """
    integration = memory.not_built_in(transaction.connection, public_id, " and has no maintenance")
    known = integration.maintenance
    new = rules.plan(
        known, integration.id, mode, duration, starts, resource=integration.name, actor=by.actor, now=transaction.now
    )
    if new.running:
        ledger = Ledger(transaction, memory)
        _collect(transaction, ledger, integration, new)
        ledger.write()
    _store(transaction, memory, new)
    audit.record(transaction, by, integration.name, audit.of_maintenance(known), audit.of_maintenance(new))
    return replace(integration, maintenance=new)


def stop(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> Integration:
    """Ends the maintenance that runs, or cancels the one that is planned, and returns the integration without it.
    TocsinError: NOT_FOUND, FORBIDDEN_NOW (BUILT_IN, NO_MAINTENANCE)."""
    integration = memory.not_built_in(transaction.connection, public_id, " and has no maintenance")
    known = integration.maintenance
    if known is None:
        message = f"no maintenance of {integration.name} runs or is planned"
        raise TocsinError(Reason.NO_MAINTENANCE, message, resource=integration.name)
    ledger = Ledger(transaction, memory)
    _end(transaction, memory, ledger, known, actor=by.actor)
    ledger.write()
    audit.record(transaction, by, integration.name, audit.of_maintenance(known), audit.NOTHING)
    return replace(integration, maintenance=None)


def come_due(transaction: Transaction, memory: Memory, integration_ids: Sequence[int]) -> None:
    """Starts and ends the maintenances whose timers ended."""
    ledger = Ledger(transaction, memory)
    overdue: list[int] = []
    for integration_id in integration_ids:
        integration = memory.by_id(transaction.connection, integration_id)
        due = integration.maintenance if integration is not None else None
        if integration is None or due is None:
            continue
        if due.changed == transaction.now:
            # It was moved in this very transaction: the timer that ended was that of the old time.
            transaction.after_commit(partial(memory.await_maintenance, due))
            continue
        if not due.running:
            due = replace(due, running=True)
            _collect(transaction, ledger, integration, due)
            maintenances.store(transaction.connection, due)
            if due.left(memory.no_later_than()) <= 0:
                overdue.append(integration_id)
            else:
                transaction.after_commit(partial(memory.await_maintenance, due))
        else:
            _end(transaction, memory, ledger, due)
    ledger.write()
    memory.forget_integrations()
    if overdue:
        come_due(transaction, memory, overdue)


def end_with(transaction: Transaction, memory: Memory, groups: Iterable[AlertGroup], *, by: Caller) -> None:
    """Ends the maintenances for which these groups collected, which a person has resolved or removed."""
    for group in groups:
        integration = _collecting_for(transaction, memory, group)
        if integration is not None and integration.maintenance is not None:
            before = audit.of_maintenance(integration.maintenance)
            group.source_firing = False
            group.resolved_count, group.firing_count = group.resolved_count + group.firing_count, 0
            _forget(transaction, memory, integration.maintenance)
            audit.record(transaction, by, integration.name, before, audit.NOTHING)


def summary_of(transaction: Transaction, memory: Memory, group: AlertGroup, closed: Iterable[AlertGroup]) -> str:
    """Returns what became of what a group collected, or "" where it does not collect for a maintenance that runs.
    `closed` are resolved together with it, and not yet written."""
    if _collecting_for(transaction, memory, group) is None:
        return ""
    still_open, resolved = maintenances.count_collected(transaction.connection, group.id)
    together = sum(each.collected_by == group.id for each in closed)
    return rules.summary(still_open - together, resolved + together)


def release(transaction: Transaction, memory: Memory, limit: int) -> None:
    """Releases some of the groups that maintenances collected which have ended, at most `limit`. Those of an
    integration that was deleted meanwhile are left to be resolved with it."""
    ledger = Ledger(transaction, memory)
    done: set[int] = set()
    for collected_by in sorted(memory.releasing):
        groups = alert_groups.open_collected(transaction.connection, collected_by, limit)
        if groups and memory.by_id(transaction.connection, groups[0].integration_id) is None:
            groups = []
        for group in groups:
            ledger.release(group)
        limit -= len(groups)
        if limit <= 0:
            break
        maintenances.end_release(transaction.connection, collected_by)
        done.add(collected_by)
    ledger.write()
    transaction.after_commit(lambda: memory.releasing.difference_update(done))


def _collecting_for(transaction: Transaction, memory: Memory, group: AlertGroup) -> Integration | None:
    """Returns the integration for whose maintenance a group collects, or None."""
    if group.source is not Source.SELF:
        return None
    found = memory.by_id(transaction.connection, group.integration_id)
    known = found.maintenance if found is not None else None
    return found if known is not None and known.running and known.group_id == group.id else None


def _collect(transaction: Transaction, ledger: Ledger, integration: Integration, running: Maintenance) -> None:
    """Opens the group that collects, or has it say the new end; notes its number in `running`."""
    if running.mode is Mode.DEBUG:
        return
    if running.group_id is None:
        key = rules.grouping_key(new_public_id())
    else:
        key = alert_groups.grouping_key(transaction.connection, running.group_id)
    until = moment(running.ends)
    summary = f"Alert groups of {integration.display_name} that open until {until} are collected, and nobody is told"
    labels = {"alertname": ALERTNAME, "integration": integration.display_name}
    identified = identity(integration.id, Source.SELF, key)
    alert = ReportedAlert(
        fingerprint=identified.hex()[:16],
        firing=True,
        labels=labels,
        annotations={"summary": summary, "actor": running.actor},
        started=running.starts,
    )
    notification = Notification(
        grouping_key=key,
        firing=True,
        title=f"Maintenance of {integration.display_name} until {until}",
        labels=labels,
        alerts=[alert],
        digest=f"{running.ends} {running.actor}".encode(),
        reason=f"{running.actor} started a maintenance" if running.actor else "a maintenance started",
    )
    effect = ledger.receive(identified, integration, Source.SELF, notification)
    assert effect.group is not None
    running.group_id = effect.group.id


def _store(transaction: Transaction, memory: Memory, new: Maintenance) -> None:
    maintenances.store(transaction.connection, new)
    memory.forget_integrations()
    transaction.after_commit(partial(memory.await_maintenance, new))


def _end(transaction: Transaction, memory: Memory, ledger: Ledger, known: Maintenance, *, actor: str = "") -> None:
    """Ends a maintenance, and resolves the group that collected for it."""
    if known.running and known.group_id is not None:
        reason = rules.summary(*maintenances.count_collected(transaction.connection, known.group_id))
        ledger.act(ledger.group(known.group_id), Action.END_MAINTENANCE, actor=actor, reason=reason)
    _forget(transaction, memory, known)


def _forget(transaction: Transaction, memory: Memory, known: Maintenance) -> None:
    """Removes a maintenance, and has released what it collected."""
    maintenances.delete(transaction.connection, known.integration_id)
    transaction.after_commit(partial(memory.maintenances.cancel, known.integration_id))
    if known.group_id is not None:
        maintenances.settle(transaction.connection, known.group_id, transaction.now)
        maintenances.begin_release(transaction.connection, known.group_id)
        transaction.after_commit(partial(memory.releasing.add, known.group_id))
    memory.forget_integrations()
