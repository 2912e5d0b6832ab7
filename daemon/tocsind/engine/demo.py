"""Demo alerts: made-up notifications that take the way of real ones, so that somebody can see what happens to those.

Rules
- One looks like what Alertmanager sends: a body in its format, with two alerts that fire, kept as the group's payload.
  Everything in it says that it is a demo.
- It is read with the integration's templates and takes one of its routes; a maintenance collects it; whoever watches
  sees it. It does not come in through a gateway, so it is neither refused by a rate limit nor counted for it.
- Each opens a group of its own, whatever the templates say: its source is a part of the identity, so no notification
  can reach it and it can reach no real group, and its grouping key is never used twice. A template that makes a
  grouping id or resolves is therefore not obeyed; what it would make shows in a preview.
- It can be sent to one contact point alone: then that is told at once, and nobody else, whatever the route says. During
  a debug maintenance nobody is told all the same, and while a maintenance collects only once that is over.
- Nothing resolves it but people (or what resolves all groups, such as the end of its integration).
"""

import zlib
from dataclasses import replace
from hashlib import sha256

import msgspec

from tocsind.domain import reading
from tocsind.domain.access import Caller
from tocsind.domain.alert_group import AlertGroup, Source
from tocsind.domain.errors import invalid
from tocsind.domain.escalation_chain import Notify
from tocsind.domain.identity import identity, new_public_id
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.wording import moment
from tocsind.engine import audit
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import contact_points, escalation_chains, escalations
from tocsind.sqlite.writer import Transaction

ALERTNAME = "DemoAlert"
_GROUP_LABELS = {"alertname": ALERTNAME, "severity": "warning"}
_COMMON_LABELS = {**_GROUP_LABELS, "job": "demo"}
_ANNOTATIONS = {
    "summary": "This is a demo alert",
    "description": "Somebody asked Tocsin for a demo alert. Nothing is wrong, and nothing needs to be done.",
}
_INSTANCES = ("demo-1.example:9100", "demo-2.example:9100")
_ALERTMANAGER = "http://alertmanager.example:9093"
_PROMETHEUS = "http://prometheus.example:9090/graph?g0.expr=demo"


def rulebook(transaction: Transaction, memory: Memory, public_id: str) -> Rulebook | None:
    """Returns what a demo alert of an integration is to be read with, if there is something; that the integration is
    none is for `send` to say, which may have done so already where a request is repeated."""
    found = memory.by_public_id(transaction.connection, public_id)
    read_with = memory.rulebook(transaction.connection, found) if found is not None else None
    return read_with if read_with is not None and read_with.needs_rendering else None


def alert(now: int) -> Notification:
    """Returns a new demo alert; `now` in microseconds since 1970."""
    grouping_key = f'{{}}/{{demo="{new_public_id()}"}}:{{alertname="{ALERTNAME}", severity="warning"}}'
    reported = [_reported(instance, now) for instance in _INSTANCES]
    return Notification(
        grouping_key=grouping_key,
        firing=True,
        title=f"{ALERTNAME} (warning)",
        labels=_COMMON_LABELS,
        alerts=reported,
        digest=grouping_key.encode(),
        receiver="tocsin",
        external_url=_ALERTMANAGER,
        reason="somebody asked for a demo alert",
        payload=zlib.compress(_body(grouping_key, reported, now)),
    )


def read(alert: Notification, rendered: Rendered) -> Notification:
    """Returns a demo alert as its integration's templates have it, but for what would let it meet other groups or have
    it open none."""
    return replace(reading.read(alert, rendered), grouping_key=alert.grouping_key, resolves=None)


def send(
    transaction: Transaction,
    memory: Memory,
    public_id: str,
    alert: Notification,
    rendered: Rendered | None,
    contact: str = "",
    *,
    by: Caller,
) -> AlertGroup:
    """Applies a demo alert, with what came of its integration's templates and conditions; returns the group that it
    opened. `contact` is the public id of the one contact point that is told. TocsinError: NOT_FOUND, BUILT_IN,
    INVALID."""
    alert = alert if rendered is None else read(alert, rendered)
    integration = memory.not_built_in(transaction.connection, public_id, ": nothing is sent to it")
    told = contact_points.by_public_id(transaction.connection, contact) if contact else None
    if contact and told is None:
        raise invalid("contact_point", f"there is no contactPoints/{contact}")
    ledger = Ledger(transaction, memory)
    key = identity(integration.id, Source.DEMO, alert.grouping_key)
    group = ledger.receive(key, integration, Source.DEMO, alert, rendered).group
    assert group is not None
    if told is not None:
        steps = [Notify((told.id,))]
        version_id = escalation_chains.insert_version(transaction.connection, "", told.display_name, steps)
        escalations.choose_version(transaction.connection, group.id, version_id)
    ledger.write()
    audit.record(transaction, by, f"alertGroups/{group.id}", audit.NOTHING, audit.of_group(group))
    return group


def _reported(instance: str, now: int) -> ReportedAlert:
    labels = {**_COMMON_LABELS, "instance": instance}
    annotations = {**_ANNOTATIONS, "summary": f"{_ANNOTATIONS['summary']}, as if of {instance}"}
    fingerprint = sha256(instance.encode()).hexdigest()[:16]
    return ReportedAlert(fingerprint, True, labels, annotations, started=now, generator_url=_PROMETHEUS)


def _body(grouping_key: str, reported: list[ReportedAlert], now: int) -> bytes:
    """What Alertmanager would send (webhook format, version 4)."""
    body = {
        "receiver": "tocsin",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": each.labels,
                "annotations": each.annotations,
                "startsAt": moment(now),
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": each.generator_url,
                "fingerprint": each.fingerprint,
            }
            for each in reported
        ],
        "groupLabels": _GROUP_LABELS,
        "commonLabels": _COMMON_LABELS,
        "commonAnnotations": {"description": _ANNOTATIONS["description"]},
        "externalURL": _ALERTMANAGER,
        "version": "4",
        "groupKey": grouping_key,
        "truncatedAlerts": 0,
        "notification_reason": "first notification",
    }
    return msgspec.json.encode(body)
