"""As whom the gateway calls the daemon, and that it notices when it is gone."""

import asyncio
from pathlib import Path

import grpc.aio
import structlog

from tocsin.v1 import intake_pb2, intake_pb2_grpc
from tocsin_gateway.daemon_link import DaemonLink


def test_a_token_file_that_cannot_be_used_leaves_the_last_token(tmp_path: Path) -> None:
    """What was read last is used, by a new process too; the log says so once for each reason, and the file counts again
    as soon as it can be used."""
    file = tmp_path / "token"
    daemon = DaemonLink("127.0.0.1:1", None, file, "first")
    with structlog.testing.capture_logs() as said:
        assert daemon.metadata() == daemon.metadata() == (("authorization", "Bearer first"),)
        file.write_text("second\n")
        assert daemon.metadata() == (("authorization", "Bearer second"),)
        file.write_text("two words\n")
        assert daemon.metadata() == (("authorization", "Bearer second"),)
    assert [(line["event"], line["last_one_used"]) for line in said] == [("the token file cannot be used", True)] * 2
    assert said[1]["reason"] == f"{file} does not hold a token"


def test_without_any_token_a_call_has_none(tmp_path: Path) -> None:
    """The daemon refuses it, and says why."""
    with structlog.testing.capture_logs() as said:
        assert DaemonLink("127.0.0.1:1", None, tmp_path / "token").metadata() == ()
    assert [line["last_one_used"] for line in said] == [False]


class Silent(intake_pb2_grpc.IntakeServiceServicer):
    """A daemon that answers nothing."""

    async def DeliverStream(self, request_iterator: object, context: object) -> None:
        await asyncio.Event().wait()


def test_a_silent_stream_is_looked_after_for_ever() -> None:
    """gRPC by itself stops its pings after two: a daemon that went away without a word would be noticed late."""
    ping = b"\0\0\x08\x06\0\0\0\0\0"  # the head of its frame (RFC 9113, 6.7)

    async def main() -> None:
        server = grpc.aio.server(options=[("grpc.http2.min_ping_interval_without_data_ms", 1)])
        intake_pb2_grpc.add_IntakeServiceServicer_to_server(Silent(), server)
        address = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        pings = 0
        enough = asyncio.Event()

        async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            nonlocal pings
            while data := await source.read(65536):
                pings += data.count(ping)
                if pings >= 5:
                    enough.set()
                sink.write(data)
            sink.close()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", address)
            async with asyncio.TaskGroup() as both:
                both.create_task(carry(reader, far_writer))
                both.create_task(carry(far_reader, writer))

        between = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = between.sockets[0].getsockname()[1]
        async with DaemonLink(f"127.0.0.1:{port}", None).channel({"grpc.keepalive_time_ms": 20}) as channel:
            stub: intake_pb2_grpc.IntakeServiceAsyncStub = intake_pb2_grpc.IntakeServiceStub(channel)
            stream = stub.DeliverStream()
            await stream.write(intake_pb2.DeliverRequest())
            async with asyncio.timeout(20):
                await enough.wait()
            assert not stream.done()
        between.close()
        await server.stop(None)

    asyncio.run(main())
