"""The alert groups that tell of rate limits: one for each limit that refuses, so that somebody hears of it.

They stand under the built-in integration. One opens with the first refusal in a while, and is resolved when nothing was
refused for five minutes. They go the way of every notification: a person who resolves one meanwhile is told again after
the reopen window, and what begins again within it reopens the group.
"""

import structlog

from tocsind.domain.alert_group import Source
from tocsind.domain.identity import identity
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.engine.ledger import Ledger
from tocsind.engine.limits import Limited, Scope, key_of
from tocsind.engine.memory import Memory
from tocsind.sqlite import integrations
from tocsind.sqlite.writer import Transaction

ALERTNAME = "RateLimited"
_NAMED = 3

log = structlog.get_logger()


def report(transaction: Transaction, memory: Memory, limited: Limited, *, refuses: bool) -> None:
    """Opens or resolves the group that tells of a limit; does nothing where that is so already."""
    transaction.after_commit(lambda: memory.limits.told(limited, transaction.steady, refuses=refuses))
    own = memory.by_public_id(transaction.connection, BUILT_IN)
    assert own is not None
    grouping_key = key_of(limited)
    key = identity(own.id, Source.SELF, grouping_key)
    ledger = Ledger(transaction, memory)
    known = ledger.by_identity(key)
    if (known is not None and known.is_open) == refuses:
        return
    notification = _notification(transaction, memory, limited, key, refuses=refuses)
    effect = ledger.receive(key, own, Source.SELF, notification)
    ledger.write()
    if refuses and (effect.opened or effect.moved):
        log.warning("a rate limit refuses", scope=limited.scope.value, integration=limited.public_id or None)


def _notification(
    transaction: Transaction, memory: Memory, limited: Limited, key: bytes, *, refuses: bool
) -> Notification:
    labels = {"alertname": ALERTNAME, "limit": limited.scope.value}
    if limited.scope is Scope.TOTAL:
        what, limit, hint = "Notifications", memory.limits.total, _who(transaction, memory)
    else:
        name = integrations.any_display_name(transaction.connection, limited.public_id) or limited.public_id
        labels |= {"integration": name, "integration_id": limited.public_id}
        what, hint = f"{limited.scope.value.capitalize()} of {name}", ""
        integration = memory.by_public_id(transaction.connection, limited.public_id)
        limit = memory.limits.of(integration) if integration is not None else 0
    summary = f"{what} are over their rate limit"
    flag = "--total-rate-limit" if limited.scope is Scope.TOTAL else "rate_limit of the integration, or --rate-limit"
    # An integration that is deleted has no limit any more.
    many = f"More than {limit:,}" if limit else "Too many"
    description = (
        f"{many} came within 5 minutes. What is above is answered 503 with Retry-After and not applied; "
        f"a sender like Alertmanager tries again.{hint} The limit is the {flag}."
    )
    alert = ReportedAlert(
        fingerprint=key.hex()[:16],
        firing=refuses,
        labels=labels,
        annotations={"summary": summary, "description": description},
        started=transaction.now if refuses else None,
        ended=None if refuses else transaction.now,
    )
    return Notification(
        grouping_key=key_of(limited),
        firing=refuses,
        title=summary,
        labels=labels,
        alerts=[alert],
        digest=f"{refuses} {transaction.now}".encode(),
        reason=summary if refuses else "nothing was refused for 5 minutes",
    )


def _who(transaction: Transaction, memory: Memory) -> str:
    """Names the integrations of which most was taken."""
    named = []
    for integration_id, count in memory.limits.busiest(transaction.steady, _NAMED):
        integration: Integration | None = memory.by_id(transaction.connection, integration_id)
        if integration is not None:
            named.append(f"{integration.display_name} ({count:,})")
    return f" Most came from: {', '.join(named)}." if named else ""
