"""What arrives: a snapshot of one of Alertmanager's groups.

Alertmanager computes `status` over the alerts that it lists, after cutting the list to `max_alerts`; so a truncated
notification may say "resolved" while alerts that were cut off fire, and the one that reports the real end looks the
same. Only `notification_reason` (Alertmanager 0.32 and newer) tells the two apart. Its rules for sending (the sender's
`needsUpdate`) say more: every reason but "all alerts resolved" means that something still fires. Where a truncated
notification gives no reason, nothing is known, and `Report.UNCERTAIN` says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

ALL_RESOLVED = "all alerts resolved"
_SOMETHING_FIRES = frozenset(
    {"first notification", "new alerts added", "some alerts resolved", "repeat interval elapsed"}
)


class Report(Enum):
    """What a notification says of its group as a whole."""

    FIRING = auto()
    RESOLVED = auto()
    UNCERTAIN = auto()


@dataclass(slots=True)
class ReportedAlert:
    """One alert as the source reports it; times in microseconds since 1970, None where there is none."""

    fingerprint: str
    firing: bool
    labels: dict[str, str]
    annotations: dict[str, str]
    started: int | None = None
    ended: int | None = None
    generator_url: str = ""


@dataclass(slots=True)
class Notification:
    """A snapshot of one group at its source. `digest` is equal exactly where all but `external_url` is equal;
    `payload` is the body as it came, compressed with zlib.

    The rest is what templates made of it (`domain/reading.py`): texts, or empty; whether it resolves its group, None
    where the source decides; whether it acknowledges it; a line for each template that failed, and why conditions of
    routes did, by route.
    """

    grouping_key: str
    firing: bool
    title: str
    labels: dict[str, str]
    alerts: Sequence[ReportedAlert]
    digest: bytes
    receiver: str = ""
    external_url: str = ""
    truncated: int = 0
    reason: str = ""
    payload: bytes = b""
    message: str = ""
    source_link: str = ""
    resolves: bool | None = None
    acknowledges: bool = False
    failures: Sequence[str] = ()
    condition_failures: Mapping[int, str] = field(default_factory=dict)

    @property
    def report(self) -> Report:
        """What it says of its group as a whole."""
        if self.resolves:
            return Report.RESOLVED
        if self.resolves is False and self._of_source is Report.RESOLVED:
            return Report.UNCERTAIN
        return self._of_source

    @property
    def _of_source(self) -> Report:
        if self.firing:
            return Report.FIRING
        if self.truncated == 0 or self.reason == ALL_RESOLVED:
            return Report.RESOLVED
        if self.reason in _SOMETHING_FIRES:
            return Report.FIRING
        return Report.UNCERTAIN
