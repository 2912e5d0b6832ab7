"""Groups and alerts, for tests of what people are told of them."""

from typing import Any

from fake_clock import MINUTE, START

from tocsind.domain.alert_group import AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.bulletin import Listed, Told, body, title
from tocsind.domain.message import Kind
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.snapshot import AlertState

BEGAN = START - 12 * MINUTE
DOWN = {"alertname": "InstanceDown", "severity": "critical"}


def group(**changes: Any) -> AlertGroup:
    """A group that fires for 12 minutes."""
    known: dict[str, Any] = {
        "id": 7,
        "integration_id": 1,
        "source": Source.ALERTMANAGER,
        "state": State.FIRING,
        "created": BEGAN,
        "state_since": BEGAN,
        "state_event": EventKind.OPENED,
        "firing_count": 1,
    }
    return AlertGroup(**known | changes)


def over(**changes: Any) -> AlertGroup:
    """The same, resolved now by its source."""
    known = {"state": State.RESOLVED, "resolve_reason": ResolveReason.SOURCE, "state_since": START}
    return group(**known | {"firing_count": 0, "resolved_count": 1} | changes)


def listed(instance: str, state: AlertState = AlertState.FIRING, **annotations: str) -> Listed:
    """An alert of an instance."""
    labels = {**DOWN, "instance": instance}
    return state, ReportedAlert(instance, state is AlertState.FIRING, labels, annotations, BEGAN)


def told(kind: Kind = Kind.FIRING, known: AlertGroup | None = None, **changes: Any) -> Told:
    """What is known of InstanceDown."""
    fields = {"title": "InstanceDown (web-1)", "integration": "prod", "labels": DOWN, "source_link": "http://am-1"}
    return Told(kind, known or (group() if kind is Kind.FIRING else over()), **fields | changes)


def shown(what: Told) -> str:
    """All of a message, the title first."""
    return f"{title(what, START)}\n\n{body(what, START)}\n"
