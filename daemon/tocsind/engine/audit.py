"""The audit log: every change that a caller of the API makes, written in the transaction that makes it.

Rules
- An entry says who, by which call, to what, and which fields differ, before and after. A change that changed nothing is
  not in it.
- It holds no secrets: of a token there is a fingerprint, which tells whether it was replaced; of a note its length, as
  its text is to be gone when the note is deleted. Of the address or a key of a contact point it says only that it
  differs: such a one may be a password, and a fingerprint would help to guess it. What sources send is not in it
  either: only what callers of the API do.
- It is read by people: times are written as RFC 3339, durations in seconds.
- Entries are kept for 400 days: a bit over a year, so that a yearly review finds all of it.
"""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from tocsind.domain.access import ApiToken, Caller
from tocsind.domain.alert_group import AlertGroup
from tocsind.domain.contact_point import Apprise, ContactPoint, OnCall, Settings, Webhook
from tocsind.domain.escalation_chain import (
    EscalationChain,
    MoreThan,
    Notify,
    Repeat,
    Resolve,
    Step,
    Wait,
    Within,
)
from tocsind.domain.heartbeat import Heartbeat
from tocsind.domain.integration import Integration
from tocsind.domain.maintenance import Maintenance
from tocsind.domain.message import Message, MessageState
from tocsind.domain.route import ConditionKind, DefaultRoute, Route
from tocsind.domain.units import DAY
from tocsind.domain.wording import rfc3339
from tocsind.sqlite import audit
from tocsind.sqlite.audit import AuditRow
from tocsind.sqlite.writer import Transaction

KEPT = 400 * DAY

Fields = Mapping[str, object]
NOTHING: Fields = {}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def record(transaction: Transaction, by: Caller, resource: str, before: Fields, after: Fields) -> None:
    """Writes an entry about `resource`, unless nothing differs. A new resource has no fields before, one that is gone
    none after."""
    record_all(transaction, by, [(resource, before, after)])


def record_all(transaction: Transaction, by: Caller, changes: Iterable[tuple[str, Fields, Fields]]) -> None:
    """Writes an entry about each of many resources, as `record` does for one."""
    entries = []
    for resource, before, after in changes:
        differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if differing:
            old, new = _json(before, differing), _json(after, differing)
            entries.append(AuditRow(0, transaction.now, by.actor, by.token, by.method, resource, old, new, by.trace_id))
    audit.insert(transaction.connection, entries)


def of_group(group: AlertGroup) -> Fields:
    """What is audited of an alert group."""
    return {
        "state": group.state.name,
        "state_actor": group.state_actor or None,
        "silence_until": rfc3339(group.silence_until),
        "resolve_reason": None if group.resolve_reason is None else group.resolve_reason.name,
    }


def of_integration(integration: Integration) -> Fields:
    """What is audited of an integration; durations in seconds. Templates are no secrets: they are shown to everybody
    who may read the integration."""
    return {
        "display_name": integration.display_name,
        "description": integration.description,
        "type": integration.type,
        "reopen_window": integration.reopen_window / 1e6,
        "stale_after": integration.stale_after / 1e6,
        "retention": integration.retention / 1e6,
        "rate_limit": integration.rate_limit,
        **{f"templates.{slot.value}": source for slot, source in integration.templates.items()},
        "token_fingerprint": hashlib.sha256(integration.token.encode()).hexdigest()[:8],
    }


def of_heartbeat(heartbeat: Heartbeat) -> Fields:
    """What is audited of a heartbeat; the interval in seconds."""
    return {"state": heartbeat.state.name, "interval": heartbeat.interval / 1e6}


def of_route(route: Route) -> Fields:
    """What is audited of a route."""
    return {
        "position": route.position,
        "matchers": route.condition if route.kind is ConditionKind.MATCHERS else None,
        "jinja": route.condition if route.kind is ConditionKind.JINJA else None,
        "description": route.description,
        **_of_told(route),
    }


def of_default_route(route: DefaultRoute) -> Fields:
    """What is audited of a default route."""
    return _of_told(route)


def of_escalation_chain(chain: EscalationChain, contacts: Mapping[int, str]) -> Fields:
    """What is audited of an escalation chain; durations in seconds. `contacts` are the resource names of the contact
    points that it names, by their ids."""
    return {
        "display_name": chain.display_name,
        "description": chain.description,
        "steps": [_of_step(step, contacts) for step in chain.steps],
        "is_default": chain.is_default,
    }


def of_maintenance(maintenance: Maintenance | None) -> Fields:
    """What is audited of the maintenance of an integration, under the integration's name."""
    if maintenance is None:
        return NOTHING
    return {
        "maintenance": maintenance.mode.name,
        "maintenance_start": rfc3339(maintenance.starts),
        "maintenance_end": rfc3339(maintenance.ends),
        "maintenance_actor": maintenance.actor,
    }


def of_message(message: Message) -> Fields:
    """What is audited of a message."""
    return {
        "state": message.state.name,
        "attempt_count": message.attempts,
        "next_attempt": rfc3339(message.due if message.state is MessageState.PENDING else None),
    }


def of_token(token: ApiToken) -> Fields:
    """What is audited of an API token."""
    return {"display_name": token.display_name, "role": token.role.name, "expires": rfc3339(token.expires)}


def _of_told(route: Route | DefaultRoute) -> Fields:
    chain = f"escalationChains/{route.chain}" if route.chain else None
    return {"escalation_chain": chain, "notify_on_resolve": route.notify_on_resolve}


def _of_step(step: Step, contacts: Mapping[int, str]) -> Mapping[str, object]:
    match step:
        case Wait(duration):
            return {"wait": duration / 1e6}
        case Notify(told):
            return {"notify": [contacts[contact] for contact in told]}
        case Resolve():
            return {"resolve": True}
        case Within(weekdays, start, end, zone):
            hours = "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (start, end))
            return {"within": hours, "weekdays": [_DAYS[day - 1] for day in weekdays], "time_zone": zone}
        case MoreThan(alerts, duration):
            return {"more_than": alerts, "duration": duration / 1e6}
        case Repeat(times):
            return {"repeat": times}


def of_contact_point(contact: ContactPoint) -> Fields:
    """What is audited of a contact point; durations in seconds. Templates are no secrets, as those of integrations."""
    return {
        "display_name": contact.display_name,
        "description": contact.description or None,
        "aliases": list(contact.aliases) or None,
        "kind": contact.kind.name,
        "target": contact.target,
        "title_template": contact.title_template or None,
        "body_template": contact.body_template or None,
        "bundle_window": contact.bundle_window / 1e6,
        **_of_settings(contact.settings),
    }


def of_secrets(before: ContactPoint, after: ContactPoint) -> Fields:
    """Which secrets of a contact point differ, without them."""
    old, new = _secrets(before.settings), _secrets(after.settings)
    return {f"{name}_changed": True for name in new if old.get(name) != new[name]}


def _of_settings(settings: Settings) -> Fields:
    if not isinstance(settings, Webhook):
        return {"apprise.service": settings.service} if isinstance(settings, Apprise) else NOTHING
    return {
        "webhook.method": settings.method.name,
        "webhook.headers": sorted(settings.headers) or None,
        "webhook.timeout": settings.timeout / 1e6,
        "webhook.is_signed": settings.signing_secret != "",
        "webhook.has_ca_certificates": settings.ca_certificates != "",
        "webhook.has_client_certificate": settings.client_certificate != "",
        "webhook.insecure_skip_verify": settings.insecure_skip_verify,
    }


def _secrets(settings: Settings) -> Fields:
    match settings:
        case Webhook():
            names = ("url", "headers", "signing_secret", "ca_certificates", "client_certificate", "client_key")
            return {f"webhook.{name}": getattr(settings, name) for name in names}
        case Apprise():
            return {"apprise.url": settings.url}
        case OnCall():
            return {"on_call.schedule": settings.schedule, "on_call.overrides": settings.overrides}


def _json(fields: Fields, names: list[str]) -> str:
    return msgspec.json.encode({name: fields[name] for name in names if fields.get(name) is not None}).decode()
