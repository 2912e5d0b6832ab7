"""The job of intake: a batch of deliveries, one transaction, a receipt for each.

Rules
- Deliveries are applied in the order in which they arrived at the gateway, whatever their order in the batch.
- Who may deliver is decided here, by the owner of the truth, for each delivery anew.
- What the sender no longer waits for is not applied: it will send again, and by then may have something newer to say.
- A delivery that is refused changes nothing, and the others of the batch are applied.
- What is over a rate limit is refused; what is late or says nothing new was taken all the same, and counts.
- What has templates to be rendered first is deferred, and nothing of it is applied: rendering takes long compared to
  everything here. It comes again with what was made of it, by the very rulebook that holds then.
- What is resolved is so under the source's own key too, where a group is open there: it opened when the grouping id
  could not be made, or before there was a template for it, and nothing else would ever resolve it.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from tocsind.domain import heartbeat as heartbeat_rules
from tocsind.domain import reading
from tocsind.domain.alert_group import AlertGroup, Source
from tocsind.domain.identity import identity
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.notification import Notification, Report
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.snapshot import Result
from tocsind.engine import heartbeat_alerts
from tocsind.engine.ledger import Ledger
from tocsind.engine.limits import Quota, Scope
from tocsind.engine.memory import Memory
from tocsind.sqlite import heartbeats
from tocsind.sqlite.writer import Transaction


@dataclass(slots=True)
class Delivery:
    """One request that arrived at a gateway. `arrival` and `deadline` are microseconds of the daemon's monotonic clock.
    `notification` is None for a beat, and for a mere check of the credentials. `trace_id` is what logs call it.
    `rendered` is what templates made of the notification, once they were asked."""

    integration_type: str
    credential: str
    bearer_token: str
    arrival: int
    deadline: int
    notification: Notification | None = None
    is_beat: bool = False
    trace_id: str = ""
    rendered: Rendered | None = None


class Outcome(Enum):
    """What became of a delivery; `tocsin.v1.Receipt.Outcome` says what each means."""

    APPLIED = auto()
    UNCHANGED = auto()
    LATE = auto()
    NOTHING_KNOWN = auto()
    CREDENTIAL_ACCEPTED = auto()
    CREDENTIAL_UNKNOWN = auto()
    CREDENTIAL_REFUSED = auto()
    WRONG_TYPE = auto()
    EXPIRED = auto()
    FAILED = auto()
    RATE_LIMITED = auto()
    DEFERRED = auto()


@dataclass(slots=True)
class Receipt:
    """What became of a delivery. With it come the integration's own type where that was wrong, the group that it
    reached, in how many seconds it may be taken where it is too much, and what is to be rendered where it is
    deferred."""

    outcome: Outcome
    integration_type: str = ""
    group: AlertGroup | None = None
    retry_after: int = 0
    rulebook: Rulebook | None = None


_RESULTS = {
    Result.APPLIED: Outcome.APPLIED,
    Result.UNCHANGED: Outcome.UNCHANGED,
    Result.NOTHING_KNOWN: Outcome.NOTHING_KNOWN,
}


_ON_DISK = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.NOTHING_KNOWN)


def deliver(transaction: Transaction, memory: Memory, deliveries: Sequence[Delivery]) -> list[Receipt]:
    """Applies a batch; returns a receipt for each delivery, in the order of the batch."""
    ledger = Ledger(transaction, memory)
    quota = Quota(memory.limits, transaction, memory.metrics)
    receipts: list[Receipt] = [Receipt(Outcome.EXPIRED)] * len(deliveries)
    notified: list[tuple[int, bytes, Integration, Notification]] = []
    beaten: list[tuple[int, Integration]] = []
    for index in sorted(range(len(deliveries)), key=lambda index: deliveries[index].arrival):
        delivery = deliveries[index]
        if delivery.deadline < transaction.steady:
            continue
        admitted = _admit(transaction, memory, delivery)
        if isinstance(admitted, Receipt):
            receipts[index] = admitted
        elif delivery.notification is not None:
            if wait := quota.wait(Scope.NOTIFICATIONS, admitted):
                receipts[index] = Receipt(Outcome.RATE_LIMITED, retry_after=wait)
                continue
            notification = _read(transaction, memory, admitted, delivery, delivery.notification)
            if isinstance(notification, Receipt):
                receipts[index] = notification
                continue
            quota.take(Scope.NOTIFICATIONS, admitted)
            key = identity(admitted.id, Source.ALERTMANAGER, notification.grouping_key)
            notified.append((index, key, admitted, notification))
        elif delivery.is_beat:
            if wait := quota.wait(Scope.BEATS, admitted):
                receipts[index] = Receipt(Outcome.RATE_LIMITED, retry_after=wait)
                continue
            quota.take(Scope.BEATS, admitted)
            beaten.append((index, admitted))
        else:
            receipts[index] = Receipt(Outcome.CREDENTIAL_ACCEPTED)

    ledger.prefetch((key, notification) for _, key, _, notification in notified)
    for index, key, integration, notification in notified:
        if memory.order.is_late(key, deliveries[index].arrival, transaction.arrivals.get(key)):
            receipts[index] = Receipt(Outcome.LATE)
            continue
        rendered = deliveries[index].rendered
        effect = ledger.receive(key, integration, Source.ALERTMANAGER, notification, rendered)
        receipts[index] = Receipt(_RESULTS[effect.result], group=effect.group)
        if rendered is not None and notification.report is Report.RESOLVED:
            _resolve_ungrouped(ledger, key, integration, notification, deliveries[index].notification)
    if beaten:
        _beat(transaction, memory, ledger, [(deliveries[index], integration) for index, integration in beaten])
        for index, _ in beaten:
            receipts[index] = Receipt(Outcome.APPLIED)
    ledger.write()
    quota.close()
    for index, key, _, _ in notified:
        arrival = deliveries[index].arrival
        transaction.arrivals[key] = max(arrival, transaction.arrivals.get(key, arrival))
        transaction.after_commit(partial(memory.order.applied, key, arrival, transaction.steady))
    transaction.trace_ids += [d.trace_id for d, r in zip(deliveries, receipts, strict=True) if r.outcome in _ON_DISK]
    return receipts


def _admit(transaction: Transaction, memory: Memory, delivery: Delivery) -> Integration | Receipt:
    """Decides whose delivery it is, or why it is refused."""
    integration = memory.by_token(transaction.connection, delivery.credential)
    if integration is None:
        integration = memory.by_public_id(transaction.connection, delivery.credential)
        if integration is None or integration.type == BUILT_IN:
            return Receipt(Outcome.CREDENTIAL_UNKNOWN)
        if not hmac.compare_digest(delivery.bearer_token.encode(), integration.token.encode()):
            return Receipt(Outcome.CREDENTIAL_REFUSED)
    if integration.type == BUILT_IN:
        return Receipt(Outcome.CREDENTIAL_UNKNOWN)
    if integration.type != delivery.integration_type:
        return Receipt(Outcome.WRONG_TYPE, integration_type=integration.type)
    return integration


def _read(
    transaction: Transaction, memory: Memory, integration: Integration, delivery: Delivery, notification: Notification
) -> Notification | Receipt:
    """Reads a notification with what its integration's templates made of it; or returns that they are to be asked."""
    rulebook = memory.rulebook(transaction.connection, integration)
    if not rulebook.needs_rendering:
        return notification
    key = reading.key(rulebook, notification)
    rendered = delivery.rendered
    if rendered is None or rendered.rulebook != rulebook.digest:
        rendered = memory.readings.get(key, transaction.steady)
    elif rendered.lasting:
        memory.readings.keep(key, rendered, transaction.steady)
    if rendered is None:
        return Receipt(Outcome.DEFERRED, rulebook=rulebook)
    delivery.rendered = rendered
    return reading.read(notification, rendered)


def _resolve_ungrouped(
    ledger: Ledger, key: bytes, integration: Integration, notification: Notification, came: Notification | None
) -> None:
    """Resolves the group under the key with which a notification came, where that is another one and is open."""
    assert came is not None
    ungrouped = identity(integration.id, Source.ALERTMANAGER, came.grouping_key)
    known = ledger.by_identity(ungrouped) if ungrouped != key else None
    if known is not None and known.is_open:
        told = replace(notification, grouping_key=came.grouping_key)
        ledger.receive(ungrouped, integration, Source.ALERTMANAGER, told)


def _beat(
    transaction: Transaction, memory: Memory, ledger: Ledger, beaten: Sequence[tuple[Delivery, Integration]]
) -> None:
    """Counts beats, and resolves the groups of those that were missing."""
    known = heartbeats.load(transaction.connection, list({integration.id for _, integration in beaten}))
    for delivery, integration in beaten:
        age = max(0, transaction.steady - delivery.arrival)
        heartbeat = known[integration.id]
        back = heartbeat_rules.beat(heartbeat, transaction.now - age, ledger.reading - age, transaction.now)
        if back:
            heartbeat_alerts.restored(ledger, integration, heartbeat, transaction.now)
    heartbeats.store(transaction.connection, known.values())
    transaction.after_commit(lambda: memory.expect(known.values()))
