"""The streams of gateways to a running daemon: what their time on the way means, and their pulse."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from fake_clock import MINUTE, SECOND, FakeClock
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, outcome

from tocsin.v1 import intake_pb2
from tocsind.domain.intake_clock import LEASE
from tocsind.domain.notification import Notification


def test_attended_time_comes_from_the_streams_of_gateways(daemon: RunningDaemon) -> None:
    """A real stream of pulses keeps the clock running, and its end stops it."""
    daemon.leave()
    pulses = threading.Semaphore(0)
    done = threading.Event()

    def stream() -> Any:
        while not done.is_set():
            pulses.acquire()
            yield intake_pb2.AttendRequest(gateway="gw:1")

    pulses.release()
    call = daemon.intake.Attend(stream())
    answer = next(iter(call))
    assert answer.start_time.ToMicroseconds() > 0
    before = daemon.engine.memory.presence.read(daemon.clock.steady())
    daemon.clock.advance(LEASE)
    assert daemon.engine.memory.presence.read(daemon.clock.steady()) == before + LEASE

    done.set()
    pulses.release()
    assert list(call) == []

    daemon.clock.advance(MINUTE)
    assert daemon.engine.memory.presence.read(daemon.clock.steady()) == before + LEASE
    assert daemon.engine.memory.presence.unattended_for(daemon.clock.steady()) == MINUTE


def over_a_stream(daemon: RunningDaemon) -> Callable[[Integration, Notification, int, int], str]:
    """Delivers one notification after another over one stream: sent when by the gateway's clock, and how old then."""
    requests: SimpleQueue[intake_pb2.DeliverRequest | None] = SimpleQueue()
    answers = daemon.intake.DeliverStream(iter(requests.get, None))

    def send(integration: Integration, content: Notification, sent: int, age: int) -> str:
        delivery = daemon.delivery(integration, content, age=age)
        requests.put(intake_pb2.DeliverRequest(deliveries=[delivery], sent_micros=sent))
        return outcome(next(answers).receipts[0])

    return send


def test_a_stall_on_the_way_makes_nothing_newer_late(daemon: RunningDaemon, clock: FakeClock) -> None:
    """A batch that was held up for seconds is not taken for newer than what came to the gateway meanwhile."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    send = over_a_stream(daemon)
    assert send(integration, notice("a"), 5 * SECOND, 0) == "UNCHANGED"

    clock.advance(4 * SECOND)
    assert send(integration, notice("a b"), 5 * SECOND, 0) == "APPLIED"
    assert send(integration, notice("", "a b"), 9 * SECOND, 3 * SECOND) == "APPLIED"
    assert daemon.group(name).state == AlertGroup.RESOLVED


def test_what_was_on_its_way_too_long_is_not_applied(daemon: RunningDaemon, clock: FakeClock) -> None:
    """The time on the way is taken from the time that the sender still waits."""
    integration = daemon.integration()
    send = over_a_stream(daemon)
    assert send(integration, notice("a", key="first"), SECOND, 0) == "APPLIED"

    clock.advance(6 * SECOND)
    assert send(integration, notice("a", key="second"), SECOND, 0) == "EXPIRED"
    assert send(integration, notice("a", key="third"), 7 * SECOND, 0) == "APPLIED"
