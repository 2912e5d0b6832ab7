"""Contact points and messages for tests of what is said, and what is composed of them."""

from typing import Any

import msgspec
from running_daemon import RunningDaemon

from tocsind.courier.wire import Bulletin, HttpRequest
from tocsind.domain.contact_point import Apprise, ContactPoint, OnCall, Webhook
from tocsind.domain.message import Kind, Message
from tocsind.engine.memory import Memory
from tocsind.engine.telling.bulletins import Composed, compose
from tocsind.sqlite import contact_points
from tocsind.sqlite.writer import Transaction

SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"


def mail(**fields: Any) -> ContactPoint:
    """A contact point that apprise reaches; its password is s3cr3t."""
    return _contact("Ops", Apprise("mailto://tocsin:s3cr3t@mail.example"), fields)


def hook(body_template: str = "", **settings: Any) -> ContactPoint:
    """A webhook, with an address and a header that are secret too."""
    known = {"url": "https://hook.example/s3cr3t", "headers": {"X-Key": "s3cr3t"}, "signing_secret": SECRET}
    return _contact("Pager", Webhook(**known | settings), {"body_template": body_template})


def _contact(name: str, settings: Any, fields: dict[str, Any]) -> ContactPoint:
    return ContactPoint(3, "c1", name, "", (), settings, **fields)


def message(group: str, kind: Kind = Kind.FIRING, number: int = 1, **fields: Any) -> Message:
    """A message about a group, given by its name."""
    return Message(number, int(group.removeprefix("alertGroups/")), 3, kind, f"msg_{number:024}", **fields)


def composed(daemon: RunningDaemon, contact: ContactPoint, *messages: Message) -> Composed:
    """What is sent."""
    engine = daemon.engine
    with engine.store.reading() as connection:
        return compose(connection, engine.renderer, contact, messages, daemon.clock.wall())


def bulletin(daemon: RunningDaemon, contact: ContactPoint, *messages: Message) -> Bulletin:
    """The same over apprise; AssertionError where a template failed."""
    made = composed(daemon, contact, *messages)
    assert made.failures == ()
    assert isinstance(made.errand, Bulletin)
    return made.errand


def request(daemon: RunningDaemon, contact: ContactPoint, *messages: Message) -> HttpRequest:
    """The same to a webhook."""
    made = composed(daemon, contact, *messages)
    assert made.failures == ()
    assert isinstance(made.errand, HttpRequest)
    return made.errand


def said(daemon: RunningDaemon, contact: ContactPoint, *messages: Message) -> Any:
    """The default body of a webhook, parsed."""
    return msgspec.json.decode(request(daemon, contact, *messages).body)


def on_call(daemon: RunningDaemon, display_name: str) -> int:
    """Stores a contact point of whoever is on call; returns its number."""

    def job(transaction: Transaction, memory: Memory) -> int:
        settings = msgspec.convert({"schedule": {"file": "rota.ics"}}, OnCall)
        return contact_points.insert(
            transaction.connection, ContactPoint(0, "rota1", display_name, "", (), settings, created=1, updated=1)
        )

    return daemon.engine.change(job)
