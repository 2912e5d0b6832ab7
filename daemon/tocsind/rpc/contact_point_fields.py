"""Contact points between the contract's messages and the daemon's own types.

Rules
- A mask may name a field, a field of the kind, or the kind as a whole, which is then replaced: what the message leaves
  out is at its default. Without a mask it is what the message sets.
- What is shown holds no secret: neither addresses nor the values of headers, keys or calendars.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from tocsin.v1 import contact_points_pb2
from tocsind.domain import contact_point as rules
from tocsind.domain.contact_point import Apprise, CalendarRole, CalendarSource, ContactPoint, Kind, Method, Webhook
from tocsind.domain.errors import invalid
from tocsind.domain.masking import MASK, scrub
from tocsind.engine.contact_points import Shown
from tocsind.rpc import decode, encode
from tocsind.sqlite.calendars import State

Message = contact_points_pb2.ContactPoint


def _text(name: str) -> Callable[[Message], str]:
    return lambda message: getattr(message, name)


def _of_webhook(name: str) -> Callable[[Message], Any]:
    return lambda message: getattr(message.webhook, name)


def _bundle_window(message: Message) -> int | None:
    if not message.HasField("bundle_window"):
        return None
    return decode.microseconds(message.bundle_window, "contact_point.bundle_window")


def _method(message: Message) -> Method:
    number = message.webhook.method or Method.POST
    if number not in [int(method) for method in Method]:
        known = ", ".join(method.name for method in Method)
        raise invalid("contact_point.webhook.method", f"must be one of: {known}")
    return Method(number)


def _timeout(message: Message) -> int:
    if not message.webhook.HasField("timeout"):
        return rules.DEFAULT_TIMEOUT
    return decode.microseconds(message.webhook.timeout, "contact_point.webhook.timeout")


def _source(message: contact_points_pb2.Calendar, role: CalendarRole) -> CalendarSource:
    if not getattr(message, message.WhichOneof("source") or "ical"):
        raise invalid(role.path, "must have one of: ical, url, file")
    return CalendarSource(rules.calendar_url(message.url), message.file)


def _schedule(message: Message) -> CalendarSource:
    return _source(message.on_call.schedule, CalendarRole.SCHEDULE)


def _overrides(message: Message) -> CalendarSource | None:
    if not message.on_call.HasField("overrides"):
        return None
    return _source(message.on_call.overrides, CalendarRole.OVERRIDES)


_PLAIN: Mapping[str, Callable[[Message], Any]] = {
    "display_name": _text("display_name"),
    "description": _text("description"),
    "aliases": lambda message: tuple(message.aliases),
    "title_template": _text("title_template"),
    "body_template": _text("body_template"),
    "bundle_window": _bundle_window,
}
_OF_KIND: Mapping[Kind, Mapping[str, Callable[[Message], Any]]] = {
    Kind.WEBHOOK: {
        "webhook.url": _of_webhook("url"),
        "webhook.method": _method,
        "webhook.headers": lambda message: dict(message.webhook.headers),
        "webhook.signing_secret": _of_webhook("signing_secret"),
        "webhook.timeout": _timeout,
        "webhook.ca_certificates": _of_webhook("ca_certificates"),
        "webhook.client_certificate": _of_webhook("client_certificate"),
        "webhook.client_key": _of_webhook("client_key"),
        "webhook.insecure_skip_verify": _of_webhook("insecure_skip_verify"),
    },
    Kind.APPRISE: {"apprise.url": lambda message: message.apprise.url},
    Kind.ON_CALL: {"on_call.schedule": _schedule, "on_call.overrides": _overrides},
}

EVERY: Collection[str] = [*_PLAIN, *(path for own in _OF_KIND.values() for path in own)]
"""The paths of all that can be set."""


def created(message: Message) -> ContactPoint:
    """Returns the contact point that a message describes. TocsinError (INVALID)."""
    set_kind = message.WhichOneof("kind")
    if set_kind is None:
        kinds = ", ".join(kind.field for kind in Kind)
        raise invalid("contact_point", f"must have one of: {kinds}")
    kind = Kind[set_kind.upper()]
    blank = ContactPoint(0, "", "", "", (), rules.NO_SETTINGS[kind])
    return _applied(blank, message, [*_PLAIN, *_OF_KIND[kind]])


def updated(before: ContactPoint, message: Message, paths: Collection[str]) -> tuple[ContactPoint, Collection[str]]:
    """Returns what a message makes of a contact point, and the paths of all that it may have changed. TocsinError
    (INVALID)."""
    own = _OF_KIND[before.kind]
    set_kind = message.WhichOneof("kind")
    named: set[str] = set()
    for path in paths or _set(message):
        head = path.partition(".")[0]
        if head in [kind.field for kind in Kind] and head != before.kind.field:
            raise invalid(f"contact_point.{head}", f"is not its kind, which cannot be changed: {before.kind.field}")
        if path == head == before.kind.field:
            named.update(own)
        elif path in _PLAIN or path in own:
            named.add(path)
        else:
            known = ", ".join([*_PLAIN, before.kind.field, *own])
            raise invalid("update_mask", f"{path[:80]!r} cannot be changed; what can: {known}")
    if (not paths or named & set(own)) and set_kind not in (None, before.kind.field):
        raise invalid(f"contact_point.{set_kind}", f"is not its kind, which cannot be changed: {before.kind.field}")
    return _applied(before, message, named), named


def text_of(message: Message, role: CalendarRole) -> str:
    """Returns the calendar that is given as a text, or ""."""
    given: contact_points_pb2.Calendar = getattr(message.on_call, role.name.lower())
    return given.ical


def shown(found: Shown, standing: tuple[int, str]) -> Message:
    """Returns a contact point as it is shown. `standing` is how many messages wait for it, and why the last attempt
    failed."""
    contact = found.contact
    pending, last_error = standing
    secrets = rules.secrets(contact.settings)
    message = Message(
        name=contact.name,
        display_name=contact.display_name,
        description=contact.description,
        aliases=contact.aliases,
        title_template=contact.title_template,
        body_template=contact.body_template,
        target=contact.target,
        pending_message_count=pending,
        last_error=scrub(last_error, secrets),
        etag=contact.etag,
        create_time=encode.timestamp(contact.created),
        update_time=encode.timestamp(contact.updated),
    )
    match contact.settings:
        case Webhook() as webhook:
            message.webhook.CopyFrom(_webhook(webhook))
        case Apprise(service=service):
            message.apprise.service = service
            message.bundle_window.CopyFrom(encode.duration(contact.bundle_window))
        case rules.OnCall() as on_call:
            for role, source in on_call.calendars.items():
                calendar: contact_points_pb2.Calendar = getattr(message.on_call, role.name.lower())
                calendar.CopyFrom(_calendar(source, found.calendars.get(role), secrets))
    return message


def _set(message: Message) -> list[str]:
    """Returns the paths of all that a message sets and that can be set. A calendar without a source is one that was
    read, and says only how it stands."""
    paths = [field.name for field, _ in message.ListFields() if field.name in _PLAIN]
    kind = message.WhichOneof("kind")
    if kind is not None:
        own = _OF_KIND[Kind[kind.upper()]]
        for field, value in getattr(message, kind).ListFields():
            path = f"{kind}.{field.name}"
            if path in own and not (kind == Kind.ON_CALL.field and value.WhichOneof("source") is None):
                paths.append(path)
    return paths


def _applied(before: ContactPoint, message: Message, paths: Collection[str]) -> ContactPoint:
    own = _OF_KIND[before.kind]
    plain = {path: _PLAIN[path](message) for path in paths if path in _PLAIN}
    if plain.get("bundle_window", 0) is None:
        plain["bundle_window"] = rules.default_bundle_window(before.kind)
    settings = {path.partition(".")[2]: own[path](message) for path in paths if path in own}
    return replace(before, **plain, settings=replace(before.settings, **settings))


def _webhook(webhook: Webhook) -> contact_points_pb2.Webhook:
    return contact_points_pb2.Webhook(
        method=int(webhook.method),  # type: ignore[arg-type]
        headers=dict.fromkeys(webhook.headers, MASK),
        is_signed=webhook.signing_secret != "",
        timeout=encode.duration(webhook.timeout),
        ca_certificates=webhook.ca_certificates,
        client_certificate=webhook.client_certificate,
        insecure_skip_verify=webhook.insecure_skip_verify,
    )


def _calendar(source: CalendarSource, state: State | None, secrets: Collection[str]) -> contact_points_pb2.Calendar:
    message = contact_points_pb2.Calendar(target=source.target)
    if source.file:
        message.file = source.file
    if state is not None:
        message.read_time.CopyFrom(encode.timestamp(state.read))
        message.error = scrub(state.error, secrets)
    return message
