"""The jobs of heartbeats: setting them, pausing, resuming and resetting them, and noticing that they are missing."""

from collections.abc import Sequence

from tocsind.domain import etag as etags
from tocsind.domain import heartbeat as rules
from tocsind.domain.access import Caller
from tocsind.domain.alert_group import Action
from tocsind.domain.errors import not_found
from tocsind.domain.heartbeat import Heartbeat, HeartbeatState
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.engine import audit, heartbeat_alerts
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import heartbeats
from tocsind.sqlite.writer import Transaction


def set_interval(
    transaction: Transaction, memory: Memory, public_id: str, interval: int, etag: str = "", *, by: Caller
) -> Heartbeat:
    """Sets the interval of a heartbeat, in microseconds. TocsinError: NOT_FOUND, INVALID, ABORTED."""
    integration, heartbeat = _find(transaction, memory, public_id)
    etags.check(etag, heartbeat.etag, f"{integration.name}/heartbeat")
    before = audit.of_heartbeat(heartbeat)
    rules.set_interval(heartbeat, interval)
    return _change(transaction, memory, integration, heartbeat, before, by)


def pause(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> Heartbeat:
    """Expects nothing any more, and resolves the heartbeat's group."""
    integration, heartbeat = _find(transaction, memory, public_id)
    before = audit.of_heartbeat(heartbeat)
    rules.pause(heartbeat, transaction.now)
    _close_group(transaction, memory, integration, by.actor, "the heartbeat was paused")
    return _change(transaction, memory, integration, heartbeat, before, by)


def resume(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> Heartbeat:
    """Expects beats again."""
    integration, heartbeat = _find(transaction, memory, public_id)
    before = audit.of_heartbeat(heartbeat)
    rules.resume(heartbeat, memory.presence.read(transaction.steady), transaction.now)
    return _change(transaction, memory, integration, heartbeat, before, by)


def reset(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> Heartbeat:
    """Forgets the beats, and resolves the heartbeat's group."""
    integration, heartbeat = _find(transaction, memory, public_id)
    before = audit.of_heartbeat(heartbeat)
    rules.reset(heartbeat, transaction.now)
    _close_group(transaction, memory, integration, by.actor, "the heartbeat was reset")
    return _change(transaction, memory, integration, heartbeat, before, by)


def notice(transaction: Transaction, memory: Memory, integration_ids: Sequence[int]) -> None:
    """Looks at heartbeats whose timers ended, and raises the groups of those that are missing."""
    ledger = Ledger(transaction, memory)
    known = heartbeats.load(transaction.connection, integration_ids)
    for heartbeat in known.values():
        integration = memory.by_id(transaction.connection, heartbeat.integration_id)
        again = heartbeat.state is HeartbeatState.MISSING
        if integration is not None and rules.expire(heartbeat, ledger.reading, transaction.now):
            heartbeat_alerts.missing(ledger, integration, heartbeat, transaction.now, again=again)
    ledger.write()
    heartbeats.store(transaction.connection, known.values())
    transaction.after_commit(lambda: memory.expect(known.values()))


def dismissed(transaction: Transaction, memory: Memory, integration_ids: Sequence[int]) -> None:
    """A person resolved or removed the open groups of the heartbeats of these integrations."""
    known = heartbeats.load(transaction.connection, integration_ids)
    for heartbeat in known.values():
        rules.dismiss(heartbeat, memory.presence.read(transaction.steady))
    _store(transaction, memory, *known.values())


def _find(transaction: Transaction, memory: Memory, public_id: str) -> tuple[Integration, Heartbeat]:
    integration = memory.by_public_id(transaction.connection, public_id)
    if integration is None or integration.type == BUILT_IN:
        raise not_found(f"integrations/{public_id}/heartbeat")
    return integration, heartbeats.load(transaction.connection, [integration.id])[integration.id]


def _change(
    transaction: Transaction,
    memory: Memory,
    integration: Integration,
    heartbeat: Heartbeat,
    before: audit.Fields,
    by: Caller,
) -> Heartbeat:
    audit.record(transaction, by, f"{integration.name}/heartbeat", before, audit.of_heartbeat(heartbeat))
    _store(transaction, memory, heartbeat)
    return heartbeat


def _store(transaction: Transaction, memory: Memory, *changed: Heartbeat) -> None:
    memory.keep_time(transaction)
    heartbeats.store(transaction.connection, changed)
    transaction.after_commit(lambda: memory.expect(changed))


def _close_group(transaction: Transaction, memory: Memory, integration: Integration, actor: str, reason: str) -> None:
    ledger = Ledger(transaction, memory)
    group = ledger.by_identity(heartbeat_alerts.group_key(integration.id))
    if group is not None and group.is_open:
        ledger.act(group, Action.TURN_HEARTBEAT_OFF, actor=actor, reason=reason)
        ledger.write()
