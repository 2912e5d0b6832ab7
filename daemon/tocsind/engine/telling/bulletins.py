"""What messages say: from groups and messages to errands for the courier.

Rules
- What is said is what groups say when it is sent. Whether that they fire or are resolved is the message's.
- The default texts (`domain/bulletin.py`) and the default body of webhooks (`webhook_body.py`) are made here and
  need no process. Templates are rendered by the process that does so for integrations, where the contact point has any.
- A template that fails has made nothing: the default is sent, and a line says so. Nobody is told nothing, or later,
  because of a template. A webhook's body that is too long has failed too: half of a JSON text is none.
- Templates see no secret: of the contact point its names alone.
- Messages over apprise may be bundled; of a group that is in there twice, only what was decided last is said. Each
  webhook is one message.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from tocsind.courier.wire import Bulletin, HttpRequest
from tocsind.domain import bulletin
from tocsind.domain.contact_point import Apprise, ContactPoint, Webhook
from tocsind.domain.errors import not_in_time
from tocsind.domain.identity import new_message_key
from tocsind.domain.message import Kind, Message
from tocsind.domain.plain_text import block, line
from tocsind.domain.template import MAX_RESULT, MAX_TITLE, TOO_LONG, too_long
from tocsind.domain.units import SECOND
from tocsind.engine import demo
from tocsind.engine.telling import facts
from tocsind.engine.telling.facts import Facts
from tocsind.engine.telling.webhook_body import MOST_ALERTS, receiver, webhook_body
from tocsind.rendering.renderer import NO_FAULT_OF_ITS_OWN, TITLE_TEMPLATE, Renderer
from tocsind.rendering.wire import Made
from tocsind.sqlite import alerts

BODY = "body_template"

_MOST_READ = 50
"""Alerts that are read of a group for a message over apprise."""

_MOST_READ_BUNDLED = 10
"""The same where it is one of several groups."""

_CONTENT_TYPE = "Content-Type"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Composed:
    """An errand that says what messages have to. `failures`: a line for each template that failed, for the timelines;
    the default was taken."""

    errand: HttpRequest | Bulletin
    failures: tuple[str, ...] = field(default=())


def compose(
    connection: sqlite3.Connection,
    renderer: Renderer,
    contact: ContactPoint,
    messages: Sequence[Message],
    now: int,
) -> Composed:
    """Returns the errand for messages to one contact point, in their order; more than one where they are bundled, which
    those to a webhook are not. Reads what groups say now; must not be called by who has the pen. `now` in microseconds
    since 1970."""
    said = _last_of_each(messages)
    several = len(said) > 1
    most = MOST_ALERTS if isinstance(contact.settings, Webhook) else _MOST_READ_BUNDLED if several else _MOST_READ
    found = [facts.read(connection, message, most) for message in said]
    if several:
        assert not isinstance(contact.settings, Webhook), "webhooks are not bundled"
        told = [each.told for each in found]
        title, text = bulletin.bundle_title(told), bulletin.bundle_body(told, now)
    else:
        title, text = _texts(found[0], now)

    def payload() -> bytes:
        stored = alerts.payload(connection, found[0].message.group_id, latest=True)
        return b"" if stored is None else stored[1]

    firing = any(message.kind is Kind.FIRING for message in said)
    mood = "failure" if firing else "success"
    draft = _Draft(contact, found, title, text, "", messages[0].key, mood, payload)
    return _composed(renderer, draft, now)


def compose_test(renderer: Renderer, contact: ContactPoint, now: int) -> Composed:
    """The same for a message that somebody tries out a contact point with; it says that it is a test. Templates see a
    made-up group."""
    sample = _sample(contact, now)
    name = line(contact.display_name)
    text = f"This is a test of the contact point {name}. Nothing is wrong, and nothing needs to be done."
    title = f"[TEST] Tocsin reaches {name}"
    key = sample.facts.message.key
    draft = _Draft(contact, [sample.facts], title, text, "test", key, "info", lambda: sample.payload)
    return _composed(renderer, draft, now)


def try_templates(renderer: Renderer, contact: ContactPoint, now: int = 0) -> list[tuple[str, str]]:
    """Renders the templates of a contact point with a made-up group that fires and is resolved, before they are saved;
    returns the path of each that cannot be used, and why. What fails because something is not there is not refused: it
    may be there another time. TocsinError (UNAVAILABLE) where they cannot be rendered now."""
    wrong: list[tuple[str, str]] = []
    for name, source in _sources(contact).items():
        path = f"contact_point.{name}"
        if too_long(source):
            wrong.append((path, TOO_LONG))
            continue
        for kind in Kind:
            sample = _sample(contact, now, kind)
            draft = _Draft(contact, [sample.facts], *_texts(sample.facts, now), "", sample.facts.message.key)
            # One at a time: none is at fault because another takes long.
            made = renderer.render_message(None, {name: source}, draft.about(), sample.payload)[name]
            if made.error in NO_FAULT_OF_ITS_OWN:
                raise not_in_time(f"templates cannot be checked now: {made.error}")
            why = "" if made.undefined else _failure(name, made)
            if why:
                wrong.append((path, f"cannot be used: {why}"))
                break
    return wrong


@dataclass
class _Draft:
    """What a message says without templates, and what those see. `text` is what people are told. `event` is that of
    each message where it is empty."""

    contact: ContactPoint
    found: Sequence[Facts]
    title: str
    text: str
    event: str
    key: str
    mood: str = "failure"
    payload: Callable[[], bytes] = bytes

    def about(self) -> bytes:
        """What templates see but for the payload, as JSON."""
        return msgspec.json.encode(
            {
                "messages": [self._seen(each) for each in self.found],
                "contact_point": receiver(self.contact, self.found[0].via),
                "title": self.title,
                "text": self.text,
                "body": self.body.decode(),
            }
        )

    @cached_property
    def body(self) -> bytes:
        """What is sent where no template makes something else of it."""
        if not isinstance(self.contact.settings, Webhook):
            return self.text.encode()
        return msgspec.json.encode(webhook_body(self.found[0], self.contact, event=self.event))

    def _seen(self, each: Facts) -> dict[str, object]:
        said = webhook_body(each, self.contact, event=self.event)
        return {
            "event": said.event,
            "message": said.message,
            "step": said.step,
            "group": said.group,
            "alerts": said.alerts,
            "labels": said.group.labels,
            "integration": {
                "name": each.row.integration,
                "id": each.row.integration.removeprefix("integrations/"),
                "display_name": each.integration,
                "type": each.type,
            },
            "integration_name": each.integration,
            "source_link": each.row.source_link,
        }


def _composed(renderer: Renderer, draft: _Draft, now: int) -> Composed:
    settings = draft.contact.settings
    if isinstance(settings, Webhook):
        texts, failures = _rendered(renderer, draft)
        body = None
        if settings.method.has_body:
            body = texts[BODY].encode() if BODY in texts else draft.body
        return Composed(_request(settings, draft.key, body, now), failures)
    assert isinstance(settings, Apprise), "whoever is on call was looked up when the message was decided on"
    texts, failures = _rendered(renderer, draft)
    title = line(texts.get(TITLE_TEMPLATE, draft.title), MAX_TITLE)
    text = block(texts.get(BODY, ""), MAX_RESULT) or draft.text
    return Composed(Bulletin(settings.url, title, text, draft.mood), failures)


def _rendered(renderer: Renderer, draft: _Draft) -> tuple[dict[str, str], tuple[str, ...]]:
    """Returns what templates made, by their names, and a line for each that failed."""
    sources = _sources(draft.contact)
    if not sources:
        return {}, ()
    payload = draft.payload() if any("payload" in source for source in sources.values()) else b""
    texts: dict[str, str] = {}
    failures: list[str] = []
    for name, made in renderer.render_message(draft.contact.id, sources, draft.about(), payload).items():
        whole = name == BODY and isinstance(draft.contact.settings, Webhook)
        why = _failure(name, made) if made.error or whole else ""
        if why:
            failures.append(f"{name}: {why}")
        elif made.text.strip() != "None":
            texts[name] = made.text
    return texts, tuple(failures)


def _failure(name: str, made: Made) -> str:
    """Why a template cannot be used, or nothing."""
    if made.error:
        return f"line {made.line}: {made.error}" if made.line else made.error
    most = MAX_TITLE if name == TITLE_TEMPLATE else MAX_RESULT
    return f"what it makes is longer than {most:,} characters" if made.shortened else ""


def _request(settings: Webhook, key: str, body: bytes | None, now: int) -> HttpRequest:
    headers = dict(settings.headers)
    if body is not None and not _has(headers, _CONTENT_TYPE):
        headers[_CONTENT_TYPE] = _JSON
    return HttpRequest(
        url=settings.url,
        method=settings.method.name,
        headers=headers,
        body=body,
        key=key,
        timestamp=now // SECOND,
        secret=settings.signing_secret,
        timeout=settings.timeout / SECOND,
        ca_certificates=settings.ca_certificates,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
        verify=not settings.insecure_skip_verify,
    )


def _has(headers: Mapping[str, str], name: str) -> bool:
    return any(each.lower() == name.lower() for each in headers)


def _sources(contact: ContactPoint) -> dict[str, str]:
    """The templates that a contact point has, by their names."""
    settings = contact.settings
    if isinstance(settings, Webhook):
        return {BODY: contact.body_template} if contact.body_template and settings.method.has_body else {}
    both = {TITLE_TEMPLATE: contact.title_template, BODY: contact.body_template}
    return {name: source for name, source in both.items() if source}


def _last_of_each(messages: Sequence[Message]) -> list[Message]:
    """The last message of each group."""
    return list({message.group_id: message for message in messages}.values())


@dataclass(frozen=True, slots=True)
class _Sample:
    """A made-up group, and the payload that would have made it, compressed."""

    facts: Facts
    payload: bytes


def _texts(found: Facts, now: int) -> tuple[str, str]:
    return bulletin.title(found.told, now), bulletin.body(found.told, now)


def _sample(contact: ContactPoint, now: int, kind: Kind = Kind.FIRING) -> _Sample:
    alert = demo.alert(now)
    message = Message(0, 0, contact.id, kind, new_message_key())
    return _Sample(facts.made_up(message, alert, now), alert.payload)
