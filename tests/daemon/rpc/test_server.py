"""The server itself: its health, its socket, its beginning and its end."""

import contextlib
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract_methods
import grpc
import pytest
from fake_clock import SECOND, FakeClock
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from notices import notice
from running_daemon import AlertGroup, Receipt, RunningDaemon, details, reason

from tocsin.v1 import alert_groups_pb2, alert_groups_pb2_grpc, intake_pb2, intake_pb2_grpc
from tocsind import config
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction

SERVICES = set(contract_methods.SERVICES)


def fill_disk(transaction: Transaction, memory: Memory) -> None:
    """From now on SQLite has no page to spare."""
    count = transaction.connection.execute("PRAGMA page_count").fetchone()[0]
    transaction.connection.execute(f"PRAGMA max_page_count = {count}")


def test_it_says_so_while_the_file_cannot_be_written(daemon: RunningDaemon) -> None:
    """A full disk: deliveries are UNAVAILABLE as a whole and nothing of them stays; reading goes on, and once there is
    room again the daemon notices by itself."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.pass_time(10 * SECOND)  # What a daemon does once after its start is done: nothing else will write.
    daemon.engine.change(fill_disk)
    large = notice("b", key="large")
    large.payload = os.urandom(200_000)
    assert daemon.serving()

    with pytest.raises(grpc.RpcError, match="disk is full") as refusal:
        daemon.deliver([daemon.delivery(integration, notice("c", key="small")), daemon.delivery(integration, large)])

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    retry = details(refusal.value)[1]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.seconds == 1
    assert not any(daemon.serving(service) for service in ("", *SERVICES))
    assert [group.name for group in daemon.list_groups()] == [name]
    watching = daemon.health.Watch(health_pb2.HealthCheckRequest(service="tocsin.v1.IntakeService"))
    assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING

    daemon.engine.store.writer.execute("PRAGMA max_page_count = 1000000")
    daemon.clock.advance(2 * SECOND)

    assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
    watching.cancel()
    receipt = daemon.send(integration, large)
    assert receipt.outcome == Receipt.APPLIED
    assert daemon.list_groups()[0].grouping_key == "large"


def test_timers_that_were_due_while_the_disk_was_full_are_not_lost(daemon: RunningDaemon) -> None:
    """A silence that could not be ended is ended when it can be."""
    name = daemon.fire(daemon.integration())
    daemon.act("Silence", name, duration={"seconds": 60})
    connection = sqlite3.connect(daemon.engine.store.path, isolation_level=None)
    daemon.engine.store.writer.execute("PRAGMA busy_timeout = 0")
    connection.execute("BEGIN IMMEDIATE")  # Somebody else holds the file: no transaction can begin.
    with pytest.raises(Exception, match="database is locked"):
        daemon.pass_time(61 * SECOND)
    assert daemon.group(name).state == AlertGroup.SILENCED

    connection.execute("ROLLBACK")
    daemon.pass_time(2 * SECOND)
    daemon.settle()

    assert daemon.group(name).state == AlertGroup.FIRING
    connection.close()


def test_reflection_knows_every_service(daemon: RunningDaemon) -> None:
    """A client without our files can ask what there is."""
    stub = reflection_pb2_grpc.ServerReflectionStub(daemon.channel)
    (answer,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))

    listed = {service.name for service in answer.list_services_response.service}
    assert listed == SERVICES | {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    ask = reflection_pb2.ServerReflectionRequest(file_containing_symbol="tocsin.v1.AlertGroupService")
    (answer,) = stub.ServerReflectionInfo(iter([ask]))
    assert answer.file_descriptor_response.file_descriptor_proto


def test_every_service_is_healthy(daemon: RunningDaemon) -> None:
    """Each is known to the health service, and one that does not exist is not."""
    assert all(daemon.serving(service) for service in ("", *SERVICES))
    with pytest.raises(grpc.RpcError) as refusal:
        daemon.serving("tocsin.v1.NoSuchService")
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_socket_is_for_owner_and_group(daemon: RunningDaemon) -> None:
    """Whoever is not in the group cannot even connect."""
    mode = (daemon.folder / "d.sock").stat().st_mode

    assert (stat.S_ISSOCK(mode), oct(stat.S_IMODE(mode))) == (True, "0o660")
    assert (daemon.folder / "tocsin.db").stat().st_mode & 0o077 == 0


def test_a_clock_is_all_that_a_daemon_in_a_test_needs(daemon: RunningDaemon, clock: FakeClock) -> None:
    """Times that are answered are those of the clock that it was given."""
    assert daemon.integration().create_time.ToMicroseconds() == clock.wall()


# Processes


class Process:
    """A daemon as it is run."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsind", "--data", str(folder), *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.target = f"unix:{folder}/tocsind.sock"

    def ready(self) -> None:
        """Waits until it says that it is."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if '"ready"' in line:
                return
        pytest.fail("it ended before it was ready")

    def end(self) -> tuple[int, str]:
        """Exit status, and what it said."""
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@pytest.fixture
def process(folder: Path) -> Iterator[Process]:
    """A daemon process that is ready."""
    process = Process(folder)
    process.ready()
    yield process
    if process.process.poll() is None:
        process.process.kill()
    process.process.communicate()


def test_a_second_daemon_on_a_folder_is_refused(process: Process) -> None:
    """It says who has the folder, ends with status 1, and the first one serves on."""
    second = Process(process.folder, "--listen", f"unix:{process.folder}/other.sock")

    status, said = second.end()

    assert status == 1
    assert f"is in use by process {process.process.pid}: another tocsind is running on it" in said
    with grpc.insecure_channel(process.target) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_while_streams_are_open(process: Process, number: signal.Signals) -> None:
    """Watchers and gateways do not keep it: their streams end, it says so and leaves with status 0."""
    done = threading.Event()

    def pulses() -> Iterator[Any]:
        yield intake_pb2.AttendRequest(gateway="gw:1")
        done.wait(30)

    with grpc.insecure_channel(process.target) as channel:
        attending = intake_pb2_grpc.IntakeServiceStub(channel).Attend(pulses())
        next(attending)
        watching = alert_groups_pb2_grpc.AlertGroupServiceStub(channel).WatchAlertGroups(
            alert_groups_pb2.WatchAlertGroupsRequest()
        )
        next(watching)

        process.process.send_signal(number)
        status, said = process.end()

        done.set()
        assert status == 0
        assert '"stopped"' in said
        assert "Traceback" not in said
        for stream in (attending, watching):
            with contextlib.suppress(grpc.RpcError):
                assert list(stream) == []
            ended = (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
            assert stream.code() in ended


def test_a_file_of_a_newer_version_is_refused(folder: Path) -> None:
    """With a message for people, and status 1."""
    connection = sqlite3.connect(folder / "tocsin.db")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()

    status, said = Process(folder).end()

    assert status == 1
    assert "it was written by a newer version" in said
    assert "Traceback" not in said


def test_a_file_that_is_no_database_is_refused(folder: Path) -> None:
    """With a message for people, and status 1."""
    (folder / "tocsin.db").write_bytes(b"something else, and long enough to be looked at" * 100)

    status, said = Process(folder).end()

    assert status == 1
    assert "the file is damaged" in said
    assert "Traceback" not in said


def test_an_address_that_is_taken_is_refused(folder: Path) -> None:
    """With a message for people, and status 1; the folder is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, said = Process(folder, "--listen", address).end()

    assert status == 1
    assert f"cannot listen on {address}" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "unix:/" + "x" * 200], "must be 1 to 107 bytes long"),
        (["--listen", "localhost"], "must be unix:PATH or HOST:PORT"),
        (["--listen", "unix:/x,role=king"], "after the comma must come one of role=admin"),
        (["--listen", "127.0.0.1:9095,role=admin"], "over TCP every call needs a token"),
        (["--tls-key", "key.pem"], "tls_certificate and tls_key go together"),
        (["--tls-client-ca", "ca.pem"], "needs tls_certificate and tls_key"),
        (["--external-url", "tocsin.example"], "must begin with http:// or https://"),
        (["--rate-limit", "-1"], "must be 0 to 1000000"),
        (["--rate-limit", "many"], "must be 0 to 1000000"),
        (["--total-rate-limit", "1000001"], "must be 0 to 1000000"),
        (["--no-such-flag"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With status 2, and nothing is begun."""
    with pytest.raises(SystemExit) as end:
        config.parse(arguments)

    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_rate_limits_are_oncalls_unless_they_are_set() -> None:
    """300 for an integration and 900 over all; 0 is none."""
    default = config.parse([])
    none = config.parse(["--rate-limit", "0", "--total-rate-limit", "0"])

    assert (default.rate_limit, default.total_rate_limit) == (300, 900)
    assert (none.rate_limit, none.total_rate_limit) == (0, 0)
