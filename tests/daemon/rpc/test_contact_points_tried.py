"""Trying out contact points: one message, now, and what came of it."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from changing import audit_log, by, make_token
from contact_samples import (
    URL,
    make_contact,
    remove,
    service,
    stand_in,
    stand_in_bulletins,
    stand_in_calendars,
    try_out,
    webhook,
)
from fake_clock import SECOND
from mutations import contents
from running_daemon import RunningDaemon, duration

from tocsin.v1 import contact_points_pb2
from tocsind.courier.wire import MOST_UNDER_WAY, Errand, HttpRequest, Outcome
from tocsind.engine.telling import bulletins, on_call
from tocsind.engine.telling.on_call import OnDuty
from tocsind.rpc.contact_point_trial import MOST_AT_ONCE
from tocsind.rpc.server import THREADS


@pytest.fixture(autouse=True)
def _bulletins(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_bulletins(monkeypatch)


def until(true: Callable[[], object]) -> None:
    """Waits for what another thread does."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_a_message_that_is_taken_is_told_so(daemon: RunningDaemon) -> None:
    """With the answer, and how long it took; nothing is written."""
    courier = stand_in(daemon)
    made = make_contact(daemon)
    before = contents(daemon)

    (outcome,) = try_out(daemon, made.name)

    assert outcome == contact_points_pb2.TestOutcome(
        contact_point=made.name, delivered=True, answer="202 Accepted", duration=duration(SECOND // 4)
    )
    assert [errand.url for errand in courier.errands] == [URL]
    assert contents(daemon) == before
    assert audit_log(daemon)[-1].method == "ContactPointService.CreateContactPoint"


def test_a_message_that_is_not_taken_is_told_so(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the secrets that the receiver repeats; and what is wrong with the templates."""
    stand_in_bulletins(monkeypatch, ["body_template: line 1: it took too long"])
    courier = stand_in(daemon)
    courier.answer = lambda errand: Outcome(False, f"404 Not Found: no service at {URL}, nor wxyz")
    made = make_contact(daemon)

    (outcome,) = try_out(daemon, made.name)

    assert (outcome.delivered, outcome.answer) == (False, "404 Not Found: no service at ****, nor ****")
    assert outcome.template_error == "body_template: line 1: it took too long"


def test_a_receiver_that_hangs_is_given_up_before_the_caller_gives_up(daemon: RunningDaemon) -> None:
    """So the caller learns why; the courier is told how long it may take at most."""
    courier = stand_in(daemon)
    courier.answer = lambda errand: None
    made = make_contact(daemon, webhook=webhook(timeout=duration(60 * SECOND)))

    (outcome,) = try_out(daemon, made.name, timeout=1)

    assert not outcome.delivered
    assert outcome.answer.startswith("no answer within 0.")
    (errand,) = courier.errands
    assert isinstance(errand, HttpRequest)
    assert 0 < errand.timeout < 1


def test_what_is_not_ready_in_time_is_not_sent(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would wait for what comes of it."""
    courier = stand_in(daemon)
    made = make_contact(daemon)
    compose_test = bulletins.compose_test

    def slow(*args: Any) -> Any:
        daemon.clock.advance(30 * SECOND)
        return compose_test(*args)

    monkeypatch.setattr(bulletins, "compose_test", slow)

    (outcome,) = try_out(daemon, made.name, timeout=20)

    assert (outcome.delivered, outcome.answer.partition(":")[0]) == (False, "not sent")
    assert courier.errands == []


def test_what_comes_late_is_lost_and_harms_nothing(daemon: RunningDaemon) -> None:
    """The courier answers long after nobody waits any more."""
    courier = stand_in(daemon)
    courier.answer = lambda errand: None
    late: list[Any] = []
    send = courier.send
    courier.send = lambda errand: late.append(send(errand)) or late[-1]  # type: ignore[method-assign,func-returns-value]
    made = make_contact(daemon)
    try_out(daemon, made.name, timeout=0.5)

    late[0].set_result(Outcome(True, "at last"))

    courier.answer = lambda errand: Outcome(True, "202")
    assert try_out(daemon, made.name)[0].delivered


def test_receivers_that_hang_hold_up_no_other_call(daemon: RunningDaemon) -> None:
    """More of them than there are threads."""
    courier = stand_in(daemon)
    courier.answer = lambda errand: None
    made = make_contact(daemon)
    request = contact_points_pb2.TestContactPointRequest(name=made.name)
    stub = service(daemon)
    hanging = [stub.TestContactPoint.future(request, timeout=60) for _ in range(THREADS + 4)]
    with ThreadPoolExecutor(1) as pool:
        while len(courier.errands) < len(hanging):
            pool.submit(daemon.integration, f"i{len(courier.errands)}-{id(object())}").result(20)

    daemon.fire(daemon.integration("after"))

    assert not any(call.done() for call in hanging)
    for call in hanging:
        call.cancel()


def test_tests_leave_the_courier_room_for_alerts(daemon: RunningDaemon) -> None:
    """An editor who tries out what hangs again and again, without waiting for it, takes a part of it at most."""
    courier = stand_in(daemon)
    hanging: list[Future[Outcome]] = []
    send = courier.send
    courier.send = lambda errand: hanging.append(send(errand)) or hanging[-1]  # type: ignore[method-assign,func-returns-value]
    courier.answer = lambda errand: None
    made = make_contact(daemon)
    request = contact_points_pb2.TestContactPointRequest(name=made.name)
    calls = []
    for number in range(MOST_AT_ONCE):
        calls.append(service(daemon).TestContactPoint.future(request, timeout=60))
        until(lambda number=number: len(hanging) == number + 1)
    for call in calls:
        call.cancel()

    (outcome,) = try_out(daemon, made.name)

    assert (outcome.delivered, outcome.answer) == (False, "not sent: too many other tests are under way")
    assert len(hanging) == MOST_AT_ONCE < MOST_UNDER_WAY / 4
    hanging[0].set_result(Outcome(False, "no answer"))
    courier.answer = lambda errand: Outcome(True, "202")
    assert try_out(daemon, made.name)[0].delivered
    assert try_out(daemon, made.name)[0].delivered


def test_all_who_are_on_call_are_told(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each for itself; not those that were deleted, and nobody where nobody is on call."""
    stand_in_calendars(monkeypatch)
    courier = stand_in(daemon)
    people = [make_contact(daemon, webhook=webhook(f"https://{name}.example")) for name in ("anna", "bob", "gone")]
    remove(daemon, people[2].name)
    duty = make_contact(daemon, on_call={"schedule": {"ical": "x"}})
    on_duty = [OnDuty((1, 2, 3, 4)), OnDuty(problems=("nobody is on call",))]
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(
        on_call, "now", lambda connection, contact, now: asked.append((contact.name, now)) or on_duty.pop(0)
    )

    def answer(errand: Errand) -> Outcome:
        return Outcome(errand.url == "https://bob.example", errand.url)

    courier.answer = answer

    outcomes = try_out(daemon, duty.name)
    assert [(outcome.contact_point, outcome.delivered) for outcome in outcomes] == [
        (people[0].name, False),
        (people[1].name, True),
    ]
    assert try_out(daemon, duty.name) == []
    assert asked == [(duty.name, daemon.clock.wall())] * 2


def test_what_is_not_there_cannot_be_tried(daemon: RunningDaemon) -> None:
    """Nor with a name that is none."""
    for name, code in (
        ("contactPoints/none", grpc.StatusCode.NOT_FOUND),
        ("alertGroups/1", grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            try_out(daemon, name)
        assert refusal.value.code() is code


@pytest.mark.parametrize(("role", "may"), [("VIEWER", False), ("EDITOR", True)])
def test_editors_may_try_contact_points(daemon: RunningDaemon, role: str, may: bool) -> None:
    """Viewers not: they could fill people's phones."""
    stand_in(daemon)
    made = make_contact(daemon)
    metadata = by("ada", make_token(daemon, "key", role).secret)
    request = contact_points_pb2.TestContactPointRequest(name=made.name)

    call = service(daemon).TestContactPoint.with_call
    if may:
        assert call(request, metadata=metadata)[0].outcomes[0].delivered
    else:
        with pytest.raises(grpc.RpcError) as refusal:
            call(request, metadata=metadata)
        assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
