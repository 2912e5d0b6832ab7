"""How deliveries travel: combining, limits, deadlines and failures, without a network."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc
import pytest

from tocsin.v1 import intake_pb2
from tocsin_gateway import dispatcher as module
from tocsin_gateway.delivery_stream import Broken
from tocsin_gateway.dispatcher import BATCH_COUNT, BATCH_WEIGHT, Dispatcher, NotDelivered
from tocsin_gateway.metrics import Metrics

Request = intake_pb2.DeliverRequest
Response = intake_pb2.DeliverResponse
Receipt = intake_pb2.Receipt


def failure(code: grpc.StatusCode) -> Broken:
    return Broken(code)


class Daemon:
    """Answers calls when it is let, and keeps what they carried."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.poisonous: set[str] = set()

    async def deliver(self, request: Request, timeout: float) -> Response:
        names = [delivery.credential for delivery in request.deliveries]
        self.calls.append(names)
        await asyncio.wait_for(self.gate.wait(), timeout)
        if self.poisonous & set(names):
            raise failure(grpc.StatusCode.INVALID_ARGUMENT)
        return Response(receipts=[Receipt(outcome=Receipt.APPLIED, alert_group=name) for name in names])


def run(scenario: Callable[[Daemon, Dispatcher], Awaitable[None]]) -> None:
    async def main() -> None:
        daemon = Daemon()
        dispatcher = Dispatcher(daemon.deliver, Metrics())
        await scenario(daemon, dispatcher)
        await dispatcher.close()

    asyncio.run(main())


def submit(dispatcher: Dispatcher, name: str, weight: int = 100, patience: float = 5.0) -> "asyncio.Task[Receipt]":
    now = time.monotonic()
    delivery = intake_pb2.Delivery(credential=name)
    return asyncio.create_task(dispatcher.submit(delivery, weight=weight, arrived_at=now, deadline=now + patience))


async def outcomes(tasks: "list[asyncio.Task[Receipt]]") -> list[str]:
    """For each, the name on its receipt or the text of its failure."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [str(result) if isinstance(result, BaseException) else result.alert_group for result in results]


def test_everyone_gets_their_own_receipt() -> None:
    """However deliveries are combined, each gets the receipt that the daemon gave for it."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        names = [str(i) for i in range(1000)]
        assert await outcomes([submit(dispatcher, name) for name in names]) == names
        assert [name for call in daemon.calls for name in call] == names
        assert max(map(len, daemon.calls)) == BATCH_COUNT

    run(scenario)


def test_one_call_at_a_time() -> None:
    """While a call is in flight, what arrives waits for it and then goes together."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        daemon.gate.clear()
        first = submit(dispatcher, "first")
        while not daemon.calls:
            await asyncio.sleep(0)
        rest = [submit(dispatcher, str(i)) for i in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert daemon.calls == [["first"]]
        daemon.gate.set()
        await asyncio.gather(first, *rest)
        assert daemon.calls == [["first"], ["0", "1", "2"]]

    run(scenario)


def test_a_batch_is_limited_in_size() -> None:
    """Beyond its first delivery a batch carries a limited weight, so that one call does not grow without end."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        weights = [32 << 20, BATCH_WEIGHT // 2, BATCH_WEIGHT // 2, 1]
        await asyncio.gather(*[submit(dispatcher, str(i), weight) for i, weight in enumerate(weights)])
        assert daemon.calls == [["0", "1", "2"], ["3"]]

    run(scenario)


def test_a_poisonous_delivery_fails_alone() -> None:
    """If a batch is refused for its content, its deliveries go once more one by one: only the culprit fails."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        daemon.poisonous = {"2"}
        got = await outcomes([submit(dispatcher, str(i)) for i in range(4)])
        assert [got[0], got[1], got[3]] == ["0", "1", "3"]
        assert "INVALID_ARGUMENT" in got[2]
        assert daemon.calls == [["0", "1", "2", "3"], ["0"], ["1"], ["2"], ["3"]]

    run(scenario)


@pytest.mark.parametrize("receipts", [0, 1, 3])
def test_a_wrong_number_of_receipts_is_no_success(receipts: int) -> None:
    """If the daemon sends more or fewer receipts than deliveries, nobody is told that theirs was taken."""

    async def main() -> None:
        async def deliver(request: Request, timeout: float) -> Response:
            return Response(
                receipts=[Receipt(outcome=Receipt.APPLIED)] * (receipts if len(request.deliveries) > 1 else 0)
            )

        dispatcher = Dispatcher(deliver, Metrics())
        got = await outcomes([submit(dispatcher, str(i)) for i in range(2)])
        assert all("try again" in text for text in got)
        await dispatcher.close()

    asyncio.run(main())


def test_each_by_its_own_deadline() -> None:
    """In a call that hangs, and in the queue behind it, each delivery fails at its own deadline, the shortest first."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        daemon.gate.clear()
        tasks = [submit(dispatcher, str(patience), patience=patience) for patience in (0.5, 0.1, 0.3)]
        ended: list[str] = []
        for task, name in zip(tasks, ("long", "short", "middle"), strict=True):
            task.add_done_callback(lambda _, name=name: ended.append(name))  # type: ignore[misc]
        got = await outcomes(tasks)
        assert ended == ["short", "middle", "long"]
        assert all("in time" in text for text in got)

    run(scenario)


def test_a_cancelled_sender_is_left_out() -> None:
    """A delivery whose sender has gone before it was sent is not sent, and the others of its batch are."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        daemon.gate.clear()
        first = submit(dispatcher, "first")
        while not daemon.calls:
            await asyncio.sleep(0)
        gone, stays = submit(dispatcher, "gone"), submit(dispatcher, "stays")
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
        await asyncio.sleep(0)
        daemon.gate.set()
        assert (await stays).alert_group == "stays"
        assert daemon.calls == [["first"], ["stays"]]

    run(scenario)


def test_too_much_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits of number and size a delivery is refused without waiting; one alone is never too large."""
    monkeypatch.setattr(module, "PENDING_COUNT", 2)
    monkeypatch.setattr(module, "PENDING_WEIGHT", 1000)

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        daemon.gate.clear()
        huge = submit(dispatcher, "huge", weight=5000)
        await asyncio.sleep(0)
        with pytest.raises(NotDelivered, match="too much"):
            await submit(dispatcher, "small", weight=1)
        daemon.gate.set()
        await huge
        daemon.gate.clear()
        two = [submit(dispatcher, str(i)) for i in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NotDelivered, match="too much"):
            await submit(dispatcher, "third")
        daemon.gate.set()
        await asyncio.gather(*two, submit(dispatcher, "later"), return_exceptions=True)

    run(scenario)


def test_closing_fails_what_waits() -> None:
    """Closing answers everyone who waits, and refuses whoever comes after."""

    async def scenario(daemon: Daemon, dispatcher: Dispatcher) -> None:
        daemon.gate.clear()
        waiting = submit(dispatcher, "waiting")
        while not daemon.calls:
            await asyncio.sleep(0)
        await dispatcher.close()
        for task in (waiting, submit(dispatcher, "late")):
            with pytest.raises(NotDelivered, match="stopping"):
                await task

    run(scenario)


def test_a_defect_in_the_call_is_a_failure_like_others() -> None:
    """An exception of another kind than gRPC's is answered too, and the next delivery goes through."""

    async def main() -> None:
        errors: list[Exception] = [ValueError("odd")]

        async def deliver(request: Request, timeout: float) -> Response:
            if errors:
                raise errors.pop()
            return Response(receipts=[Receipt(alert_group="fine") for _ in request.deliveries])

        dispatcher = Dispatcher(deliver, Metrics())
        assert "ValueError" in (await outcomes([submit(dispatcher, "a")]))[0]
        assert await outcomes([submit(dispatcher, "b")]) == ["fine"]
        await dispatcher.close()

    asyncio.run(main())
