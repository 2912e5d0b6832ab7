"""What a webhook receives where no template makes it: JSON of version "1".

Rules
- docs/webhooks.md documents it, and receivers are programs: nothing is renamed, removed or given another meaning
  without another version. Something may be added.
- Every field is always there; what does not apply is null, or empty.
- Names of resources and of enumerations are those of `tocsin.v1`; times are RFC 3339, in UTC.
- It holds no secret, neither of the contact point nor of the integration.
- It stays within what receivers take: `MOST_ALERTS`, `MOST_CHARACTERS` of labels and annotations together (one alert is
  always listed), and `MOST_VALUE` of each. Texts of senders are cut, but not cleaned: they are data here.
"""

import msgspec

from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.message import Kind
from tocsind.domain.plain_text import cut
from tocsind.domain.wording import rfc3339
from tocsind.engine.telling.facts import Facts
from tocsind.sqlite.alerts import AlertRow

VERSION = "1"
MOST_ALERTS = 100
MOST_CHARACTERS = 500_000
MOST_VALUE = 5_000


class Named(msgspec.Struct):
    """Something that has a resource name, and what people call it."""

    name: str
    display_name: str


class Receiver(msgspec.Struct):
    """The contact point; `on_call` is the one by whose calendar it is told, or null."""

    name: str
    display_name: str
    on_call: Named | None


class Group(msgspec.Struct):
    """The alert group, as it is when the request is sent."""

    name: str
    number: int
    title: str
    state: str
    state_time: str | None
    state_actor: str
    labels: dict[str, str]
    message: str
    source_link: str
    external_url: str
    integration: Named
    route: str
    source: str
    create_time: str | None
    resolve_time: str | None
    resolve_reason: str | None
    firing_alert_count: int
    resolved_alert_count: int
    unreported_alert_count: int
    truncated_alert_count: int
    grouping_key: str


class Alert(msgspec.Struct):
    """An alert of the group."""

    fingerprint: str
    state: str
    labels: dict[str, str]
    annotations: dict[str, str]
    start_time: str | None
    end_time: str | None
    generator_url: str


class WebhookBody(msgspec.Struct):
    """The whole of it. `truncated_alerts` is how many alerts the group has that are not listed."""

    version: str
    event: str
    idempotency_key: str
    message: str
    step: int
    contact_point: Receiver
    group: Group
    alerts: list[Alert]
    truncated_alerts: int


def webhook_body(facts: Facts, contact: ContactPoint, *, event: str = "", most: int = MOST_ALERTS) -> WebhookBody:
    """Returns what a message says, to be encoded as JSON. `event` is that of the message where it is not given."""
    listed = _listed(facts.alerts[:most])
    group = facts.row.group
    known = group.firing_count + group.resolved_count + group.unreported_count + facts.row.truncated
    return WebhookBody(
        version=VERSION,
        event=event or ("firing" if facts.message.kind is Kind.FIRING else "resolved"),
        idempotency_key=facts.message.key,
        message=facts.message.name if facts.message.id else "",
        step=facts.message.step,
        contact_point=receiver(contact, facts.via),
        group=_group(facts),
        alerts=listed,
        truncated_alerts=max(0, known - len(listed)),
    )


def receiver(contact: ContactPoint, via: ContactPoint | None) -> Receiver:
    """Returns a contact point as others may see it."""
    on_call = None if via is None else Named(via.name, via.display_name)
    return Receiver(contact.name, contact.display_name, on_call)


def _group(facts: Facts) -> Group:
    row, group = facts.row, facts.row.group
    resolved = group.resolve_reason
    return Group(
        name=f"alertGroups/{group.id}",
        number=group.id,
        title=row.title,
        state=group.state.name,
        state_time=rfc3339(group.state_since),
        state_actor=group.state_actor,
        labels=_values(row.labels),
        message=row.message,
        source_link=row.source_link,
        external_url=row.external_url,
        integration=Named(row.integration, facts.integration),
        route=row.route,
        source=group.source.name,
        create_time=rfc3339(group.created),
        resolve_time=None if resolved is None else rfc3339(group.state_since),
        resolve_reason=None if resolved is None else resolved.name,
        firing_alert_count=group.firing_count,
        resolved_alert_count=group.resolved_count,
        unreported_alert_count=group.unreported_count,
        truncated_alert_count=row.truncated,
        grouping_key=row.grouping_key,
    )


def _listed(rows: tuple[AlertRow, ...]) -> list[Alert]:
    found: list[Alert] = []
    room = MOST_CHARACTERS
    for row in rows:
        reported = row.alert
        labels, annotations = _values(reported.labels), _values(reported.annotations)
        room -= sum(len(key) + len(value) for texts in (labels, annotations) for key, value in texts.items())
        if found and room < 0:
            break
        found.append(
            Alert(
                fingerprint=reported.fingerprint,
                state=row.state.name,
                labels=labels,
                annotations=annotations,
                start_time=rfc3339(reported.started),
                end_time=rfc3339(reported.ended),
                generator_url=reported.generator_url,
            )
        )
    return found


def _values(texts: dict[str, str]) -> dict[str, str]:
    return {key: cut(value, MOST_VALUE) for key, value in texts.items()}
