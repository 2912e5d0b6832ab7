"""What Tocsin reports about itself: that no gateway attends.

While none does, nothing can be received and heartbeat deadlines stand still. After `PATIENCE` one alert group under the
built-in integration says so, instead of hundreds of missing heartbeats; it is resolved when a gateway attends again. An
installation without any integration expects nothing, and is told nothing. A person who resolves the group meanwhile is
told again after the reopen window.
"""

from tocsind.domain.alert_group import AlertGroup, Source
from tocsind.domain.identity import identity
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.domain.units import SECOND
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import integrations
from tocsind.sqlite.writer import Transaction

PATIENCE = 60 * SECOND
KEY = "gateway"
_LABELS = {"alertname": "NoGateway"}


def report_gateway(transaction: Transaction, memory: Memory, *, absent: bool) -> None:
    """Opens or resolves the group that tells that no gateway attends; does nothing where that is known already."""
    own = memory.by_public_id(transaction.connection, BUILT_IN)
    assert own is not None
    if absent and not integrations.any_created(transaction.connection):
        return
    key = identity(own.id, Source.SELF, KEY)
    ledger = Ledger(transaction, memory)
    known = ledger.by_identity(key)
    told = known is not None and known.is_open
    if told == absent:
        return
    if known is not None and absent and _just_dismissed(known, own, transaction.now):
        return
    summary = "No gateway is connected: no alert and no heartbeat can be received"
    alert = ReportedAlert(
        fingerprint=key.hex()[:16],
        firing=absent,
        labels=_LABELS,
        annotations={"summary": summary, "description": f"{summary}. Heartbeat deadlines stand still meanwhile."},
        started=transaction.now if absent else None,
        ended=None if absent else transaction.now,
    )
    notification = Notification(
        grouping_key=KEY,
        firing=absent,
        title="No gateway is connected",
        labels=_LABELS,
        alerts=[alert],
        digest=f"{absent} {transaction.now}".encode(),
        reason=summary if absent else "a gateway is connected",
    )
    ledger.receive(key, own, Source.SELF, notification)
    ledger.write()


def _just_dismissed(known: AlertGroup, own: Integration, now: int) -> bool:
    return known.is_dismissed and abs(now - known.state_since) < own.reopen_window
