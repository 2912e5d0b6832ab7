"""Whatever a caller sends, it gets an honest answer: never INTERNAL, never none, and nothing is half done."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract_methods
import grpc
import pytest
from chain_making import make_chain
from fake_clock import FakeClock
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_messages import messages
from running_daemon import RunningDaemon

PATIENCE = 20.0

HONEST = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}

# What must be true of the file at any time; each query finds what breaks it.
BROKEN = {
    "a group without the event of its state": """
        SELECT g.id FROM alert_groups AS g WHERE NOT EXISTS
        (SELECT 1 FROM events AS e WHERE e.group_id = g.id AND e.state = g.state)""",
    "an integration without a heartbeat, or a heartbeat without one": """
        SELECT i.id FROM integrations AS i LEFT JOIN heartbeats AS h ON h.integration_id = i.id
        WHERE (i.deleted_at IS NULL AND i.type <> 'tocsin') <> (h.integration_id IS NOT NULL)""",
    "a payload, an alert or a note of no group": """
        SELECT group_id FROM (SELECT group_id FROM payloads UNION SELECT group_id FROM alerts UNION
        SELECT group_id FROM notes) WHERE group_id NOT IN (SELECT id FROM alert_groups)""",
    "an event of no group that does not tell of its deletion": """
        SELECT id FROM events WHERE kind <> 15 AND group_id NOT IN (SELECT id FROM alert_groups)""",
    "a chain whose version is of another, or says something else": """
        SELECT c.id FROM escalation_chains AS c JOIN chain_versions AS v ON v.id = c.version_id
        WHERE v.chain <> c.public_id OR v.display_name <> c.display_name""",
    "a group that counts other alerts than it has": """
        SELECT g.id FROM alert_groups AS g WHERE g.firing_count + g.resolved_count + g.unreported_count <>
        (SELECT count(*) FROM alerts AS a WHERE a.group_id = g.id)""",
    "an acknowledged group that nobody acknowledged, or a silence without a beginning": """
        SELECT id FROM alert_groups WHERE (state = 2 AND acknowledged_at IS NULL) OR
        (state = 3) <> (silenced_at IS NOT NULL)""",
}


class Target:
    """A daemon with something in it, and a way to call any of its methods."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self.daemon = daemon
        self.integration = daemon.integration()
        self.stand_ins = {
            "integrations/KNOWN": self.integration.name,
            "escalationChains/KNOWN": make_chain(daemon).name,
        }
        for number in range(5):
            daemon.fire(self.integration, key=f"k{number}")

    def call(self, method: str, request: Message) -> grpc.StatusCode:
        """Sends a request and waits for the end of the call, or for the first answer of a stream."""
        described = contract_methods.METHODS[method]
        answer_class = GetMessageClass(described.output_type)
        requests: Any = iter([request]) if described.client_streaming else request
        kinds = {
            (False, False): self.daemon.channel.unary_unary,
            (False, True): self.daemon.channel.unary_stream,
            (True, True): self.daemon.channel.stream_stream,
        }
        kind: Any = kinds[described.client_streaming, described.server_streaming]
        call = kind(method, lambda message: message.SerializeToString(), answer_class.FromString)
        try:
            answer = call(requests, timeout=PATIENCE)
            if described.server_streaming:
                next(answer, None)
                answer.cancel()
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def known(self, request: Message) -> Message:
        """The request with the names of what there is in place of their stand-ins."""
        data = request.SerializeToString()
        for stand_in, known in self.stand_ins.items():
            if stand_in.encode() in data:
                _replace(request, stand_in, known)
        return request


def _replace(message: Message, old: str, new: str) -> None:
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, value.replace(old, new))
        elif field.type == field.TYPE_MESSAGE and not field.is_repeated:
            _replace(value, old, new)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One daemon for all: what one call leaves is what the next one finds."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
        daemon = RunningDaemon(Path(folder) / "d", FakeClock())
        yield Target(daemon)
        daemon.close()


@pytest.mark.parametrize("method", sorted(contract_methods.METHODS))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_message_gets_an_honest_answer(target: Target, method: str, data: st.DataObject) -> None:
    """Each method, with random messages: one of the statuses that are the caller's doing, in time."""
    request = target.known(data.draw(messages(contract_methods.METHODS[method].input_type)))

    status = target.call(method, request)

    assert status in HONEST, (status, request)


@pytest.mark.parametrize("what", BROKEN)
def test_nothing_is_half_done(target: Target, what: str) -> None:
    """After all of that, the file still keeps its promises (these tests run last in this module)."""
    assert target.daemon.sql(BROKEN[what]) == []


def test_the_daemon_still_works(target: Target) -> None:
    """It is healthy, and a notification opens a group."""
    assert target.daemon.serving()
    integration = target.daemon.integration("after all of that")
    assert target.daemon.fire(integration, key="fresh")


@pytest.mark.parametrize("method", ["ListAlertGroups", "CreateNote"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(garbage=st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused(target: Target, method: str, garbage: bytes) -> None:
    """gRPC itself refuses what cannot be parsed; the daemon goes on."""
    service = "NoteService" if method == "CreateNote" else "AlertGroupService"
    call = target.daemon.channel.unary_unary(f"/tocsin.v1.{service}/{method}", lambda data: data, lambda data: data)

    assert _code(call, garbage) not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert target.daemon.serving()


def _code(call: Any, garbage: bytes) -> grpc.StatusCode:
    try:
        call(garbage, timeout=PATIENCE)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK
