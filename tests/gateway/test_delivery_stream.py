"""Calls over one stream, against a real server in this process."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import grpc.aio
import pytest

from tocsin.v1 import intake_pb2, intake_pb2_grpc
from tocsin_gateway.daemon_link import DaemonLink
from tocsin_gateway.delivery_stream import Broken, DeliveryStream

Request = intake_pb2.DeliverRequest
Response = intake_pb2.DeliverResponse


def batch(*names: str) -> Request:
    """A request that can be told from others."""
    return Request(deliveries=[intake_pb2.Delivery(credential=name) for name in names])


class Echo(intake_pb2_grpc.IntakeServiceServicer):
    """Answers each batch with as many receipts as it has deliveries, each naming its own."""

    def __init__(self) -> None:
        self.streams = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def DeliverStream(self, request_iterator: Iterator[Request], context: grpc.ServicerContext) -> Iterator[Response]:
        self.streams += 1
        for request in request_iterator:
            asked = [delivery.credential for delivery in request.deliveries]
            if "refuse" in asked:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "as the test says")
            self.go_on.wait(20)
            yield Response(receipts=[intake_pb2.Receipt(alert_group=name) for name in asked])


def names(response: Response) -> list[str]:
    """What a batch was answered."""
    return [receipt.alert_group for receipt in response.receipts]


def run(folder: Path, scene: Callable[[Echo, DeliveryStream], Awaitable[None]]) -> None:
    """Plays a scene between a server and a stream."""
    server = grpc.server(ThreadPoolExecutor(4))
    echo = Echo()
    intake_pb2_grpc.add_IntakeServiceServicer_to_server(echo, server)
    server.add_insecure_port(f"unix:{folder}/s")
    server.start()

    async def play() -> None:
        async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
            stub: intake_pb2_grpc.IntakeServiceAsyncStub = intake_pb2_grpc.IntakeServiceStub(channel)
            stream = DeliveryStream(stub, DaemonLink("unix:unused", None))
            await scene(echo, stream)
            await stream.close()

    try:
        asyncio.run(play())
    finally:
        echo.go_on.set()
        server.stop(None).wait()


def test_answers_belong_to_their_requests(tmp_path: Path) -> None:
    """Calls that are made together are answered each with its own, over one stream."""

    async def scene(echo: Echo, stream: DeliveryStream) -> None:
        answers = await asyncio.gather(*(stream.deliver(batch(f"{n}a", f"{n}b"), 10) for n in range(20)))
        assert [names(answer) for answer in answers] == [[f"{n}a", f"{n}b"] for n in range(20)]
        assert echo.streams == 1

    run(tmp_path, scene)


def test_a_refusal_breaks_the_stream_and_the_next_call_opens_another(tmp_path: Path) -> None:
    """Who waits on a stream that breaks is told why; who comes later is served."""

    async def scene(echo: Echo, stream: DeliveryStream) -> None:
        with pytest.raises(Broken) as broken:
            await stream.deliver(batch("refuse"), 10)
        assert broken.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert names(await stream.deliver(batch("later"), 10)) == ["later"]
        assert echo.streams == 2

    run(tmp_path, scene)


def test_a_call_that_is_given_up_breaks_the_stream(tmp_path: Path) -> None:
    """Where an answer does not come in time, those behind it need not wait for it either, and the next is served."""

    async def scene(echo: Echo, stream: DeliveryStream) -> None:
        await stream.deliver(batch("first"), 10)
        echo.go_on.clear()
        waiting = asyncio.gather(
            stream.deliver(batch("hangs"), 0.05), stream.deliver(batch("behind"), 10), return_exceptions=True
        )
        hung, behind = await waiting
        assert isinstance(hung, TimeoutError)
        assert isinstance(behind, Broken)
        assert behind.code is grpc.StatusCode.CANCELLED
        echo.go_on.set()
        assert names(await stream.deliver(batch("last"), 10)) == ["last"]

    run(tmp_path, scene)


def test_nobody_there(tmp_path: Path) -> None:
    """Without a server a call fails as unavailable."""

    async def play() -> None:
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/nobody") as channel:
            stub: intake_pb2_grpc.IntakeServiceAsyncStub = intake_pb2_grpc.IntakeServiceStub(channel)
            stream = DeliveryStream(stub, DaemonLink("unix:unused", None))
            with pytest.raises(Broken) as broken:
                await stream.deliver(batch("x"), 10)
            assert broken.value.code is grpc.StatusCode.UNAVAILABLE
            await stream.close()

    asyncio.run(play())
