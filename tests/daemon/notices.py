"""What Alertmanager might report, as the domain's own notifications."""

import hashlib
import zlib

from tocsind.domain.notification import Notification, ReportedAlert


def alert(fingerprint: str, firing: bool = True) -> ReportedAlert:
    """One alert, with labels that follow from its fingerprint."""
    return ReportedAlert(fingerprint, firing, {"instance": fingerprint}, {"summary": f"{fingerprint} is in trouble"})


def notice(
    firing: str = "",
    resolved: str = "",
    *,
    status: str = "",
    truncated: int = 0,
    reason: str = "",
    key: str = '{}:{alertname="DiskFull"}',
    external_url: str = "http://am-1",
) -> Notification:
    """A notification that lists the alerts with these fingerprints, given as words; its status as Alertmanager computes
    it, or `status`. Its digest is that of everything but the external URL, as the gateway makes it."""
    alerts = [alert(name) for name in firing.split()] + [alert(name, firing=False) for name in resolved.split()]
    fires = status == "firing" if status else any(reported.firing for reported in alerts)
    content = repr((key, fires, truncated, reason, alerts)).encode()
    return Notification(
        grouping_key=key,
        firing=fires,
        title="DiskFull",
        labels={"alertname": "DiskFull"},
        alerts=alerts,
        digest=hashlib.sha256(content).digest(),
        receiver="tocsin",
        external_url=external_url,
        truncated=truncated,
        reason=reason,
        payload=zlib.compress(content),
    )
