"""The id of a request in the daemon's log, whoever holds the pen when its change is made."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import structlog
from notices import notice
from running_daemon import Integration, RunningDaemon

from tocsin.v1 import integrations_pb2
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction

log = structlog.get_logger()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What is logged, at whatever level."""
    usual = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        yield lines
    structlog.configure(wrapper_class=usual)


def traced(daemon: RunningDaemon, integration: Integration, trace_id: str, key: str = "k", **fields: Any) -> Any:
    """A delivery with an id."""
    delivery = daemon.delivery(integration, notice("a", key=key), **fields)
    delivery.trace_id = trace_id
    return delivery


def of(lines: list[Any], event: str) -> list[Any]:
    """The lines of one event."""
    return [line for line in lines if line["event"] == event]


def test_a_commit_names_all_that_it_made_durable(daemon: RunningDaemon, lines: list[Any]) -> None:
    """The whole batch in one line, but for what was refused or came too late: these have lines of their own."""
    integration = daemon.integration()
    stranger = Integration(token="nobody")
    daemon.deliver(
        [
            traced(daemon, integration, "one"),
            traced(daemon, stranger, "two"),
            traced(daemon, integration, "three", key="l"),
            traced(daemon, integration, "four", left=-1),
        ]
    )

    (commit,) = [line for line in of(lines, "committed") if "one" in line["trace_ids"]]
    assert commit["trace_ids"][:2] == ["one", "three"]  # Then the id of the call that brought them.
    assert not {"two", "four"} & set(commit["trace_ids"])
    assert commit["log_level"] == "debug"
    refused = {line["outcome"]: line["trace_ids"] for line in of(lines, "deliveries refused")}
    assert refused == {"CREDENTIAL_UNKNOWN": ["two"], "EXPIRED": ["four"]}


def test_a_delivery_that_fails_is_logged_with_its_id(daemon: RunningDaemon, lines: list[Any]) -> None:
    """With the exception; its neighbours are in commits, it is not."""
    integration = daemon.integration()
    bad = traced(daemon, integration, "bad")
    bad.notification.alerts[0].start_time.seconds = 2**63 - 1

    daemon.deliver([bad, traced(daemon, integration, "good", key="l")])

    (failed,) = of(lines, "a delivery cannot be applied")
    assert failed["trace_id"] == "bad"
    assert failed["exc_info"] is not None
    committed = [trace_id for line in of(lines, "committed") for trace_id in line["trace_ids"]]
    assert ("good" in committed, "bad" in committed) == (True, False)


def test_an_id_that_is_too_long_is_cut(daemon: RunningDaemon, lines: list[Any]) -> None:
    """Whatever a gateway sends, a line stays a line."""
    daemon.deliver([traced(daemon, daemon.integration(), "x" * 5_000)])

    ids = [trace_id for line in of(lines, "committed") for trace_id in line["trace_ids"] if trace_id.startswith("x")]
    assert ids == ["x" * 128]


def test_a_call_has_its_id_in_each_line(daemon: RunningDaemon, lines: list[Any]) -> None:
    """The caller's, if it is fit, in the line of the call and in that of the commit; else one that is made."""
    wanted = integrations_pb2.Integration(display_name="x", type="alertmanager")
    request = integrations_pb2.CreateIntegrationRequest(integration=wanted)
    daemon.integrations.CreateIntegration(request, metadata=[("x-request-id", "mine")])
    with pytest.raises(grpc.RpcError):
        daemon.integrations.CreateIntegration(request, metadata=[("x-request-id", "y" * 200)])

    assert [line["trace_ids"] for line in of(lines, "committed") if "mine" in line["trace_ids"]] == [["mine"]]
    first, second = of(lines, "call")
    assert (first["trace_id"], first["code"]) == ("mine", "OK")
    assert (len(second["trace_id"]), second["code"]) == (32, "ALREADY_EXISTS")


def test_a_change_that_another_thread_makes_keeps_its_id(daemon: RunningDaemon, lines: list[Any]) -> None:
    """Who has the pen writes for all who wait; what their changes log is theirs, not the writer's."""
    begun, go, asked = threading.Event(), threading.Event(), threading.Event()

    def hold(transaction: Transaction, memory: Memory) -> None:
        begun.set()
        assert go.wait(20)

    def tell(transaction: Transaction, memory: Memory, who: str) -> None:
        log.info("told", who=who)

    def change(who: str) -> None:
        with structlog.contextvars.bound_contextvars(trace_id=who):
            future = daemon.engine.submit(tell, who)
            asked.set()
            future.result(20)

    def write() -> None:
        with structlog.contextvars.bound_contextvars(trace_id="writer"):
            daemon.engine.change(hold)

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(20)
    other = threading.Thread(target=change, args=("other",))
    other.start()
    assert asked.wait(20)
    go.set()
    other.join()
    writer.join()

    assert [(line["who"], line["trace_id"]) for line in of(lines, "told")] == [("other", "other")]
    assert all("trace_id" not in line for line in of(lines, "committed"))
