"""Messages of a running daemon, with a courier and a composer that tests write the script of."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
from fake_clock import DAY, SECOND
from running_daemon import RunningDaemon

from tocsin.v1 import messages_pb2, messages_pb2_grpc
from tocsind.courier.wire import Errand, HttpRequest, Outcome
from tocsind.domain.contact_point import Apprise, ContactPoint, Webhook
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.engine import engine as engine_module
from tocsind.engine.memory import Memory
from tocsind.engine.telling import bulletins, outbox
from tocsind.sqlite import contact_points
from tocsind.sqlite import messages as rows
from tocsind.sqlite.writer import Transaction

PATIENCE = 20.0
TAKEN = Outcome(True, "200 OK")
REFUSED = Outcome(False, "500 Internal Server Error")

Answer = Callable[[HttpRequest], Outcome | None]
"""What the script answers; None for nothing yet."""


def taken(errand: HttpRequest) -> Outcome:
    """A receiver that works."""
    return TAKEN


def refused(errand: HttpRequest) -> Outcome:
    """A receiver that does not."""
    return REFUSED


def hung(errand: HttpRequest) -> None:
    """A receiver that hangs."""


class ScriptedCourier:
    """Takes errands and answers them as `answer` says. `sent`: what it got, in order; what has no answer yet is in
    `open`. It takes the place of every courier of the test's daemons, one after the other."""

    def __init__(self) -> None:
        self.answer: Answer = taken
        self.sent: list[HttpRequest] = []
        self.open: list[tuple[HttpRequest, Future[Outcome]]] = []
        self.most: dict[str, int] = {}
        self._changed = threading.Condition()

    def send(self, errand: Errand) -> "Future[Outcome]":
        """Takes an errand."""
        assert isinstance(errand, HttpRequest)
        future: Future[Outcome] = Future()
        with self._changed:
            self.sent.append(errand)
            answer = self.answer(errand)
            if answer is None:
                self.open.append((errand, future))
                under_way = sum(other.url == errand.url for other, _ in self.open)
                self.most[errand.url] = max(under_way, self.most.get(errand.url, 0))
            self._changed.notify_all()
        if answer is not None:
            future.set_result(answer)
        return future

    def resolve(self, outcome: Outcome = TAKEN, count: int | None = None) -> None:
        """Answers what is under way, the oldest first."""
        with self._changed:
            count = len(self.open) if count is None else count
            done, self.open = self.open[:count], self.open[count:]
        for _, future in done:
            future.set_result(outcome)

    def wait_for(self, count: int) -> list[HttpRequest]:
        """Waits until it has got that many errands in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent) >= count, PATIENCE), self.sent
            return list(self.sent)

    def said(self) -> list[str]:
        """What it got: to which receiver, and of which groups."""
        return [f"{errand.url} {errand.body.decode()}" for errand in list(self.sent)]

    def pids(self) -> list[int]:
        """There are no processes."""
        return []

    def close(self) -> None:
        """What is under way is answered, and there is time to hear of it."""
        self.resolve(Outcome(False, "the courier was stopped"))
        time.sleep(0.01)


def compose(
    connection: Any, renderer: Any, contact: ContactPoint, messages: Sequence[Message], now: int
) -> bulletins.Composed:
    """Says which groups messages are about, and of what kind they are: `7! 8.`, the second one resolved."""
    marks = {Kind.FIRING: "!", Kind.RESOLVED: "."}
    body = " ".join(f"{each.group_id}{marks[each.kind]}" for each in messages)
    assert isinstance(contact.settings, Webhook | Apprise)
    return bulletins.Composed(HttpRequest(contact.settings.url, "POST", {}, body.encode(), messages[0].key, now))


@contextmanager
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCourier]:
    """Daemons that start from now on have this courier, and do not wait long for it when they stop."""
    courier = ScriptedCourier()
    monkeypatch.setattr(engine_module, "Courier", lambda *_: courier)
    monkeypatch.setattr(bulletins, "compose", compose)
    monkeypatch.setattr("tocsind.engine.telling.postman.Postman.stop.__defaults__", (0.05,))
    yield courier


def add_contact(daemon: RunningDaemon, name: str, window: int | None = None, **fields: Any) -> int:
    """A new contact point, by its id in the database: a webhook, or one that bundles within `window`."""
    settings = Webhook(name) if window is None else Apprise(name)
    new = ContactPoint(0, f"c{name}", name, "", (), settings, bundle_window=window or 0, **fields)
    return daemon.engine.change(lambda transaction, memory: contact_points.insert(transaction.connection, new))


def fire_many(daemon: RunningDaemon, count: int) -> list[str]:
    """New groups that fire; returns their names."""
    integration = daemon.integration(f"i{len(daemon.list_groups())}")
    return [daemon.fire(integration, key=f"k{number}") for number in range(count)]


def put(daemon: RunningDaemon, groups: Sequence[str], *contacts: int, kind: Kind = Kind.FIRING) -> list[str]:
    """New messages of each group to each contact point; returns their names."""
    numbers = [int(name.removeprefix("alertGroups/")) for name in groups]
    made = [outbox.message(group, contact, kind) for group in numbers for contact in contacts]
    daemon.engine.change(outbox.put, made)
    return [each.name for each in made]


def add_given_up(daemon: RunningDaemon, group: str) -> str:
    """A message that was given up, to a contact point that bundles what comes within a year: so it is not sent yet when
    it is retried. Returns its name."""
    contact = add_contact(daemon, "ops", window=365 * DAY)
    dead = outbox.message(int(group.removeprefix("alertGroups/")), contact, Kind.FIRING)

    def add(transaction: Transaction, memory: Memory) -> None:
        dead.created = dead.set = dead.due = dead.ended = transaction.now
        dead.state, dead.attempts, dead.answer = MessageState.DEAD, 12, "500 Internal Server Error"
        rows.insert(transaction.connection, [dead])

    daemon.engine.change(add)
    return dead.name


def withdraw(daemon: RunningDaemon, verb: str, group: str) -> None:
    """Has a person act on a group, and its messages withdrawn, as the ledger does it."""
    daemon.act(verb, group)

    def take_back(transaction: Transaction, memory: Memory) -> None:
        gone = outbox.withdraw(transaction, memory, [int(group.removeprefix("alertGroups/"))], "somebody is on it")
        outbox.tell(transaction, gone)

    daemon.engine.change(take_back)


def quiet(daemon: RunningDaemon) -> None:
    """Returns when the postman has done all that can be done now."""
    daemon.settle()
    room = daemon.engine.memory.outbox
    for _ in range(int(PATIENCE * 1_000)):
        with room._bell:
            # It is heard when what it rang for is done.
            if room._rung == room._heard:
                return
        time.sleep(0.001)
    raise AssertionError("the postman does not come to rest")


def pass_time(daemon: RunningDaemon, span: int) -> None:
    """Lets time pass, and what is due then be sent."""
    daemon.pass_time(span)
    quiet(daemon)


def service(daemon: RunningDaemon) -> messages_pb2_grpc.MessageServiceStub:
    """Its messages."""
    return messages_pb2_grpc.MessageServiceStub(daemon.channel)


def messages(daemon: RunningDaemon, parent: str = "alertGroups/-", **fields: Any) -> list[messages_pb2.Message]:
    """A page of messages, oldest first."""
    request = messages_pb2.ListMessagesRequest(parent=parent, page_size=1000, **fields)
    return list(service(daemon).ListMessages(request).messages)[::-1]


def states(daemon: RunningDaemon, parent: str = "alertGroups/-") -> list[str]:
    """Where messages stand, oldest first."""
    return [messages_pb2.Message.State.Name(message.state) for message in messages(daemon, parent)]


def story(daemon: RunningDaemon, group: str) -> list[str]:
    """What the timeline of a group says of messages."""
    events = [(daemon.kinds(group)[index], event.reason) for index, event in enumerate(daemon.events(group))]
    return [f"{kind} {reason}" for kind, reason in events if kind.startswith(("DELIVER", "TEMPLATE"))]


LONG = 15 * SECOND
"""Longer than the first and the second backoff of a message, and than the rest of its receiver."""
