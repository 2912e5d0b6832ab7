"""The alert groups that tell of heartbeats: missing ones, and those that are back.

They go the way of every notification, with the integration's own identity rules, so that a heartbeat that comes and
goes within the reopen window is one group. Their source is a part of their identity: no sender can reach them.
"""

from dataclasses import replace

from tocsind.domain.alert_group import Source
from tocsind.domain.heartbeat import Heartbeat
from tocsind.domain.identity import identity
from tocsind.domain.integration import Integration
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.domain.snapshot import Effect
from tocsind.domain.wording import moment, span
from tocsind.engine.ledger import Ledger

KEY = "heartbeat"
ALERTNAME = "HeartbeatMissing"


def missing(ledger: Ledger, integration: Integration, heartbeat: Heartbeat, now: int, *, again: bool) -> Effect:
    """Raises the group of a heartbeat that is missing; `again`, after a person resolved it, always a new one."""
    last = "never" if heartbeat.last_beat is None else moment(heartbeat.last_beat)
    interval = span(heartbeat.interval)
    description = (
        f"Tocsin expects a heartbeat from the integration {integration.display_name} every {interval}; "
        f"the last one came at {last}."
    )
    annotations = {
        "summary": f"No heartbeat from {integration.display_name} for {interval}",
        "description": description,
        "interval": interval,
        "last_beat": last,
    }
    policy = replace(integration, reopen_window=0) if again else integration
    return _report(ledger, policy, now, firing=True, reason=description, annotations=annotations)


def restored(ledger: Ledger, integration: Integration, heartbeat: Heartbeat, now: int) -> Effect:
    """Resolves the group of a heartbeat that is back."""
    assert heartbeat.last_beat is not None
    reason = f"a heartbeat came at {moment(heartbeat.last_beat)}"
    return _report(ledger, integration, now, firing=False, reason=reason, annotations={"summary": reason})


def group_key(integration_id: int) -> bytes:
    """Returns the identity of the group of an integration's heartbeat."""
    return identity(integration_id, Source.HEARTBEAT, KEY)


def _report(
    ledger: Ledger,
    integration: Integration,
    now: int,
    *,
    firing: bool,
    reason: str,
    annotations: dict[str, str],
) -> Effect:
    labels = {"alertname": ALERTNAME, "integration": integration.display_name}
    key = group_key(integration.id)
    alert = ReportedAlert(
        fingerprint=key.hex()[:16],
        firing=firing,
        labels=labels,
        annotations=annotations,
        started=now if firing else None,
        ended=None if firing else now,
    )
    notification = Notification(
        grouping_key=KEY,
        firing=firing,
        title=f"Heartbeat missing: {integration.display_name}",
        labels=labels,
        alerts=[alert],
        digest=f"{firing} {now}".encode(),
        reason=reason,
    )
    return ledger.receive(key, integration, Source.HEARTBEAT, notification)
