"""Contact points as tests ask for them, and stand-ins for what goes out over the network."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import grpc
import pytest
from changing import by
from running_daemon import RunningDaemon, details

from tocsin.v1 import contact_points_pb2, contact_points_pb2_grpc
from tocsind.courier.wire import Bulletin, Errand, HttpRequest, Look, Outcome
from tocsind.domain.contact_point import Apprise, CalendarSource, ContactPoint, Webhook
from tocsind.domain.shift import Shift
from tocsind.engine.engine import Engine
from tocsind.engine.telling import bulletins, calendars
from tocsind.engine.telling.bulletins import Composed
from tocsind.engine.telling.calendars import CalendarCopy

Contact = contact_points_pb2.ContactPoint
URL = "https://hooks.example/services/T0001/B0002/wxyz"
KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
ICAL = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"

_count = itertools.count(1)


def service(daemon: RunningDaemon) -> contact_points_pb2_grpc.ContactPointServiceStub:
    """Its contact points."""
    return contact_points_pb2_grpc.ContactPointServiceStub(daemon.channel)


def webhook(url: str = URL, **fields: Any) -> contact_points_pb2.Webhook:
    """What is particular to a webhook."""
    return contact_points_pb2.Webhook(url=url, **fields)


def make_contact(daemon: RunningDaemon, display_name: str = "", request_id: str = "", **fields: Any) -> Contact:
    """A new contact point; a webhook unless it is said."""
    if not {"webhook", "apprise", "on_call"} & set(fields):
        fields["webhook"] = webhook()
    asked = Contact(display_name=display_name or f"contact {next(_count)}", **fields)
    request = contact_points_pb2.CreateContactPointRequest(contact_point=asked, request_id=request_id)
    return service(daemon).CreateContactPoint(request, metadata=by())


def get(daemon: RunningDaemon, name: str) -> Contact:
    """A contact point."""
    return service(daemon).GetContactPoint(contact_points_pb2.GetContactPointRequest(name=name))


def edit(daemon: RunningDaemon, name: str, *paths: str, request_id: str = "", **fields: Any) -> Contact:
    """A contact point with other settings; `paths` is the mask."""
    asked = Contact(name=name, **fields)
    request = contact_points_pb2.UpdateContactPointRequest(contact_point=asked, request_id=request_id)
    request.update_mask.paths.extend(paths)
    return service(daemon).UpdateContactPoint(request, metadata=by())


def remove(daemon: RunningDaemon, name: str, **fields: Any) -> None:
    """No contact point."""
    request = contact_points_pb2.DeleteContactPointRequest(name=name, **fields)
    service(daemon).DeleteContactPoint(request, metadata=by())


def try_out(daemon: RunningDaemon, name: str, timeout: float = 30) -> list[contact_points_pb2.TestOutcome]:
    """What comes of a test message."""
    request = contact_points_pb2.TestContactPointRequest(name=name)
    return list(service(daemon).TestContactPoint(request, timeout=timeout).outcomes)


def listed(daemon: RunningDaemon) -> list[Contact]:
    """All contact points."""
    request = contact_points_pb2.ListContactPointsRequest(page_size=1000)
    return list(service(daemon).ListContactPoints(request).contact_points)


def stored(daemon: RunningDaemon, contact: Contact) -> Any:
    """What the file holds of what is particular to its kind."""
    found = daemon.sql("SELECT settings FROM contact_points WHERE public_id = ?", contact.name.partition("/")[2])
    return found[0][0]


def wrong(call: Callable[[], Any]) -> dict[str, str]:
    """The fields that are refused, each with what it must be."""
    with pytest.raises(grpc.RpcError) as refusal:
        call()
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT, refusal.value
    violations = details(refusal.value)[1].field_violations
    return {violation.field: violation.description for violation in violations}


class StandInCourier:
    """Knows two services, and answers as it is told to."""

    def __init__(self) -> None:
        self.errands: list[Errand] = []
        self.answer: Callable[[Errand], Outcome | None] = lambda errand: Outcome(True, "202 Accepted", seconds=0.25)

    def send(self, errand: Errand) -> "Future[Outcome]":
        """Answers, or never does where the answer is None."""
        self.errands.append(errand)
        done: Future[Outcome] = Future()
        outcome = self._look(errand.url) if isinstance(errand, Look) else self.answer(errand)
        if outcome is not None:
            done.set_result(outcome)
        return done

    def run(self, errand: Errand) -> Outcome:
        """The same, and waits."""
        return self.send(errand).result()

    def _look(self, url: str) -> Outcome:
        scheme, _, rest = url.partition("://")
        services = {"mailto": "E-Mail", "slack": "Slack"}
        if scheme not in services:
            return Outcome(False, f"unsupported: {url}")
        return Outcome(True, "", target=f"{scheme}://****@{rest.rpartition('@')[2]}", service=services[scheme])

    def pids(self) -> list[int]:
        """No processes."""
        return []

    def close(self) -> None:
        """Nothing to end."""


def stand_in(daemon: RunningDaemon) -> StandInCourier:
    """Gives a daemon a courier that goes nowhere."""
    courier = StandInCourier()
    daemon.engine.courier = courier  # type: ignore[assignment]  # it does what the daemon asks of one
    return courier


def stand_in_calendars(patch: pytest.MonkeyPatch) -> list[tuple[str, CalendarSource, str]]:
    """Has calendars taken as they are, with one shift; returns what is asked to be read."""
    asked: list[tuple[str, CalendarSource, str]] = []

    def admit(engine: Engine, field: str, source: CalendarSource, text: str) -> CalendarCopy:
        asked.append((field, source, text))
        return CalendarCopy(text or f"read from {source.target}", (Shift(0, 1, ()),), engine.clock.wall(), 0)

    patch.setattr(calendars, "admit", admit)
    return asked


def stand_in_bulletins(patch: pytest.MonkeyPatch, failures: Sequence[str] = ()) -> None:
    """Has test messages composed in the simplest way."""

    def compose_test(renderer: Any, contact: ContactPoint, now: int) -> Composed:
        settings = contact.settings
        if isinstance(settings, Webhook):
            request = HttpRequest(settings.url, settings.method.name, {}, b"{}", "test", now // 1_000_000)
            return Composed(request, tuple(failures))
        assert isinstance(settings, Apprise)
        return Composed(Bulletin(settings.url, "A test", "It works.", "info"), tuple(failures))

    patch.setattr(bulletins, "compose_test", compose_test)
