"""What the daemon defers goes by calls of its own: limits, fairness, deadlines, repeats; and through a real gateway."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from gateway_harness import NOTIFY, FakeDaemon, Gateway, capture

from tocsin.v1 import intake_pb2
from tocsin_gateway import deferral as module
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.deferral import BATCH, Deferral
from tocsin_gateway.dispatcher import Dispatcher, NotDelivered
from tocsin_gateway.metrics import Metrics

Receipt = intake_pb2.Receipt
Request = intake_pb2.DeliverRequest
Response = intake_pb2.DeliverResponse
BODY = capture("firing_partly_resolved_one_of_three")


class Daemon:
    """Defers over the stream what it is told to, and answers calls of their own when it is let."""

    def __init__(self) -> None:
        self.deferred: set[str] = set()
        self.calls: list[tuple[str, int]] = []
        self.under_way: Counter[str] = Counter()
        self.most = 0
        self.gates: dict[str, asyncio.Event] = {}
        self.failures: list[grpc.StatusCode] = []
        self.answer = Receipt.APPLIED

    async def stream(self, request: Request, timeout: float) -> Response:
        outcomes = [Receipt.DEFERRED if d.credential in self.deferred else Receipt.APPLIED for d in request.deliveries]
        return Response(receipts=[Receipt(outcome=outcome, alert_group="stream") for outcome in outcomes])

    async def Deliver(self, request: Request, timeout: float, metadata: object) -> Response:
        (whose,) = {delivery.credential for delivery in request.deliveries}
        self.calls.append((whose, len(request.deliveries)))
        self.under_way[whose] += 1
        self.most = max(self.most, self.under_way[whose])
        try:
            if whose in self.gates:
                await asyncio.wait_for(self.gates[whose].wait(), timeout)
            if self.failures:
                raise grpc.aio.AioRpcError(self.failures.pop(), grpc.aio.Metadata(), grpc.aio.Metadata())
        finally:
            self.under_way[whose] -= 1
        return Response(receipts=[Receipt(outcome=self.answer, alert_group="own call") for _ in request.deliveries])


def run(scenario: Callable[[Daemon, Deferral], Awaitable[None]]) -> None:
    async def main() -> None:
        daemon, metrics = Daemon(), Metrics()
        dispatcher = Dispatcher(daemon.stream, metrics)
        await scenario(daemon, Deferral(dispatcher, daemon, DaemonLink("unix:/nowhere", None), metrics))  # type: ignore[arg-type]
        await dispatcher.close()

    asyncio.run(main())


def submit(deferral: Deferral, name: str, patience: float = 10.0) -> "asyncio.Task[Receipt]":
    now = time.monotonic()
    delivery = intake_pb2.Delivery(credential=name)
    return asyncio.create_task(deferral.submit(delivery, weight=1, arrived_at=now, deadline=now + patience))


def test_only_what_is_deferred_goes_alone() -> None:
    """Everything else has its receipt from the stream, also while something deferred hangs."""

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"slow"}
        daemon.gates["slow"] = asyncio.Event()
        slow = submit(deferral, "slow")
        for number in range(100):
            assert (await submit(deferral, str(number))).alert_group == "stream"
        assert not slow.done()
        daemon.gates["slow"].set()
        assert (await slow).alert_group == "own call"
        assert daemon.calls == [("slow", 1)]

    run(scenario)


def test_a_slow_one_does_not_keep_others_waiting() -> None:
    """For each URL one call is under way; what gathers meanwhile goes together, a few at a time."""

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"slow", "quick"}
        daemon.gates["slow"] = asyncio.Event()
        slow = [submit(deferral, "slow") for _ in range(30)]
        while not daemon.under_way["slow"]:
            await asyncio.sleep(0)
        for _ in range(10):
            assert (await submit(deferral, "quick")).alert_group == "own call"
        assert len([whose for whose, _ in daemon.calls if whose == "slow"]) == 1
        daemon.gates["slow"].set()
        await asyncio.gather(*slow)
        assert daemon.most == 1
        assert max(count for _, count in daemon.calls) == BATCH
        assert sum(count for whose, count in daemon.calls if whose == "slow") == 30

    run(scenario)


def test_only_so_many_calls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many URLs there are; who waited for a call has aged meanwhile."""
    monkeypatch.setattr(module, "AT_ONCE", 2)

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        names = [str(number) for number in range(9)]
        daemon.deferred = set(names)
        gate = asyncio.Event()
        daemon.gates = dict.fromkeys(names, gate)
        waiting = [submit(deferral, name) for name in names]
        while daemon.under_way.total() < 2:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert daemon.under_way.total() == 2
        gate.set()
        assert [receipt.outcome for receipt in await asyncio.gather(*waiting)] == [Receipt.APPLIED] * 9

    run(scenario)


def test_closing_fails_what_waits() -> None:
    """And whatever is deferred after it."""

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"slow"}
        daemon.gates["slow"] = asyncio.Event()
        waiting = submit(deferral, "slow")
        while not daemon.calls:
            await asyncio.sleep(0)
        await deferral.close()
        for task in (waiting, submit(deferral, "slow")):
            with pytest.raises(NotDelivered, match="stopping"):
                await task

    run(scenario)


def test_each_by_its_own_deadline() -> None:
    """In a call that hangs, and waiting for one, each fails at its own deadline."""

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"slow"}
        daemon.gates["slow"] = asyncio.Event()
        patient = [submit(deferral, "slow") for _ in range(3)]
        impatient = [submit(deferral, "slow", patience=0.2) for _ in range(5)]
        for task in impatient:
            with pytest.raises(NotDelivered, match="in time"):
                await task
        daemon.gates["slow"].set()
        assert [receipt.outcome for receipt in await asyncio.gather(*patient)] == [Receipt.APPLIED] * len(patient)

    run(scenario)


def test_unavailable_is_repeated_and_other_failures_are_not() -> None:
    """The daemon may just be restarting; what it cannot take it cannot take the next time either."""

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"a"}
        daemon.failures = [grpc.StatusCode.UNAVAILABLE] * 3
        assert (await submit(deferral, "a")).alert_group == "own call"
        assert len(daemon.calls) == 4
        daemon.failures = [grpc.StatusCode.INTERNAL]
        with pytest.raises(NotDelivered, match="INTERNAL"):
            await submit(deferral, "a")
        assert len(daemon.calls) == 5

    run(scenario)


def test_too_much_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is limited in number."""
    monkeypatch.setattr(module, "MOST_WAITING", 2)

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"slow"}
        daemon.gates["slow"] = asyncio.Event()
        waiting = [submit(deferral, "slow") for _ in range(2)]
        while not daemon.calls:
            await asyncio.sleep(0)
        with pytest.raises(NotDelivered, match="too much"):
            await submit(deferral, "slow")
        daemon.gates["slow"].set()
        await asyncio.gather(*waiting)
        assert (await submit(deferral, "slow")).alert_group == "own call"

    run(scenario)


def test_an_answer_that_is_none_is_no_success() -> None:
    """A daemon that defers again has not taken it."""

    async def scenario(daemon: Daemon, deferral: Deferral) -> None:
        daemon.deferred = {"a"}
        daemon.answer = Receipt.DEFERRED
        with pytest.raises(NotDelivered, match="try again"):
            await submit(deferral, "a")

    run(scenario)


class DeferringDaemon(FakeDaemon):
    """Defers every notification over the stream."""

    def DeliverStream(self, request_iterator: Any, context: Any) -> Iterator[Response]:
        for request in request_iterator:
            yield Response(receipts=[Receipt(outcome=Receipt.DEFERRED) for _ in request.deliveries])


def test_through_a_gateway(runtime_directory: Path) -> None:
    """Senders are answered as ever, also when the daemon restarts meanwhile; it is counted."""
    daemon = DeferringDaemon(str(runtime_directory / "deferring.sock"))
    daemon.start()
    gateway = Gateway(daemon.target)
    try:
        daemon.wait_for(lambda: bool(daemon.pulses))
        assert gateway.ask("POST", NOTIFY, BODY, {"X-Request-Id": "one"}).status == 200
        assert [delivery.trace_id for delivery in daemon.deliveries] == ["one"]
        assert gateway.metric("tocsin_gateway_deferred_total") == 1
        assert gateway.metric("tocsin_gateway_deferred_pending") == 0
        daemon.go_on.clear()
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(gateway.ask, "POST", NOTIFY, BODY) for _ in range(3)]
            daemon.wait_for(lambda: len(daemon.calls) >= 2)
            daemon.stop()
            daemon.start()
            assert [answer.result().status for answer in waiting] == [200] * 3
        assert json.loads(BODY)["groupKey"] == daemon.deliveries[0].notification.grouping_key
    finally:
        gateway.stop()
        daemon.stop()
