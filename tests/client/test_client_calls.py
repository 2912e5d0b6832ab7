"""What a call gets without being told, and what becomes of one that fails. Both clients are held to all of it."""

import json
import pickle
import subprocess
import sys
import uuid
from pathlib import Path

import grpc
import pytest
from contract_methods import SERVICES
from scripted_daemon import Hold, Refusal, ScriptedDaemon, page
from ways import Connect, Way

import tocsin
from tocsin import channel
from tocsin.errors import of_status
from tocsin.v1.alert_groups_pb2 import (
    AcknowledgeAlertGroupRequest,
    AlertGroup,
    GetAlertGroupRequest,
    ListAlertGroupsRequest,
)

ASKED = GetAlertGroupRequest(name="alertGroups/1")
ACKNOWLEDGE = AcknowledgeAlertGroupRequest(name="alertGroups/1")
GROUP = AlertGroup(name="alertGroups/1")


def test_a_call_returns_the_answer(way: Way, daemon: ScriptedDaemon) -> None:
    """A method of a stub is called with a request and returns the daemon's answer."""
    daemon.script["GetAlertGroup"].append(GROUP)
    assert way.call("GetAlertGroup", ASKED) == GROUP
    assert daemon.requests("GetAlertGroup") == [ASKED]


def test_a_call_has_a_deadline(connect: Connect, daemon: ScriptedDaemon) -> None:
    """It is the client's, ten seconds by default, and a call can have its own."""
    daemon.script["GetAlertGroup"].append(GROUP)
    connect(daemon.target).call("GetAlertGroup", ASKED)
    connect(daemon.target, timeout=60).call("GetAlertGroup", ASKED)
    connect(daemon.target).call("GetAlertGroup", ASKED, timeout=600)
    left = [call.time_left for call in daemon.calls]
    assert 5 < left[0] < 15 < 50 < left[1] < 70 < 500 < left[2] < 700  # gRPC rounds up on the wire


def test_silence_is_an_error(connect: Connect, daemon: ScriptedDaemon) -> None:
    """A daemon that does not answer in time is an error that says how long was waited."""
    daemon.script["GetAlertGroup"].append(Hold())
    with pytest.raises(tocsin.Error, match=r"^DEADLINE_EXCEEDED: no answer within 0.3 s$"):
        connect(daemon.target, timeout=0.3).call("GetAlertGroup", ASKED)


def test_a_daemon_that_is_away_is_waited_for(connect: Connect, daemon: ScriptedDaemon) -> None:
    """A call that finds nobody succeeds when the daemon comes before the deadline."""
    daemon.script["GetAlertGroup"].append(GROUP)
    daemon.stop()
    way = connect(daemon.target)
    with pytest.raises(tocsin.Error, match="UNAVAILABLE: failed to connect"):
        way.call("GetAlertGroup", ASKED, wait_for_ready=False)
    daemon.start()
    assert way.call("GetAlertGroup", ASKED) == GROUP


def test_where_nobody_is_the_error_says_why(connect: Connect, folder: Path) -> None:
    """A call that waited in vain says what connecting ended with."""
    with pytest.raises(tocsin.Error, match=r"DEADLINE_EXCEEDED: no answer within 0.2 s: .*No such file or directory"):
        connect(f"unix:{folder}/nobody.sock", timeout=0.2).call("GetAlertGroup", ASKED)


def test_calls_bear_the_token_and_the_actor(connect: Connect, daemon: ScriptedDaemon) -> None:
    """Both go along as metadata, the actor percent-encoded; metadata of a call comes on top, and wins."""
    daemon.script["GetAlertGroup"].append(GROUP)
    way = connect(daemon.target, token="s3cret", actor="Jörg 100%")
    way.call("GetAlertGroup", ASKED)
    way.call("GetAlertGroup", ASKED, metadata=(("tocsin-actor", "eve"), ("x-request-id", "abc")))
    first, second = (call.metadata for call in daemon.calls)
    assert (first["authorization"], first["tocsin-actor"]) == ("Bearer s3cret", "J%C3%B6rg 100%25")
    assert (second["authorization"], second["tocsin-actor"], second["x-request-id"]) == ("Bearer s3cret", "eve", "abc")


def test_without_token_and_actor_there_is_no_such_metadata(way: Way, daemon: ScriptedDaemon) -> None:
    """The daemon decides who somebody is that says nothing."""
    daemon.script["GetAlertGroup"].append(GROUP)
    way.call("GetAlertGroup", ASKED)
    assert not {"authorization", "tocsin-actor"} & set(daemon.calls[0].metadata)


@pytest.mark.parametrize("options", [{"token": ""}, {"token": "s3cret\n"}, {"token": "s3crét"}, {"timeout": 0}])
def test_what_cannot_work_is_refused_at_once(connect: Connect, options: dict[str, str]) -> None:
    """A token that no header can hold, or no time at all, is a ValueError that does not repeat the token."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # the type is what is promised, and the words are free
        connect("unix:/nowhere", **options)
    assert "s3cr" not in str(raised.value)


def test_changes_bear_an_id(way: Way, daemon: ScriptedDaemon) -> None:
    """A request that changes something gets a fresh id; the caller's message stays as it is, and so does its own id."""
    daemon.script["AcknowledgeAlertGroup"].append(GROUP)
    way.call("AcknowledgeAlertGroup", ACKNOWLEDGE)
    way.call("AcknowledgeAlertGroup", ACKNOWLEDGE)
    way.call("AcknowledgeAlertGroup", AcknowledgeAlertGroupRequest(name="alertGroups/1", request_id="mine"))
    first, second, third = (request.request_id for request in daemon.requests("AcknowledgeAlertGroup"))
    assert uuid.UUID(first) != uuid.UUID(second)
    assert third == "mine"
    assert ACKNOWLEDGE.request_id == ""


def test_unavailable_is_tried_again_under_the_same_id(way: Way, daemon: ScriptedDaemon) -> None:
    """A daemon that is unable just now is asked again, and can tell a repeat of a change by its id."""
    daemon.script["AcknowledgeAlertGroup"].extend([Refusal("UNAVAILABLE"), Refusal("UNAVAILABLE"), GROUP])
    assert way.call("AcknowledgeAlertGroup", ACKNOWLEDGE) == GROUP
    assert len({request.request_id for request in daemon.requests("AcknowledgeAlertGroup")}) == 1
    assert len(daemon.calls) == 3


def test_it_is_not_tried_again_for_ever(way: Way, daemon: ScriptedDaemon) -> None:
    """After five times it is an error."""
    daemon.script["GetAlertGroup"].append(Refusal("UNAVAILABLE", "the disk is full", "STORAGE", retry=1.5))
    with pytest.raises(tocsin.Error, match="the disk is full") as raised:
        way.call("GetAlertGroup", ASKED)
    assert len(daemon.calls) == 5
    assert raised.value.retry_delay is not None
    assert raised.value.retry_delay.total_seconds() == 1.5


@pytest.mark.parametrize("code", ["INTERNAL", "ABORTED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"])
def test_other_refusals_are_not_tried_again(way: Way, daemon: ScriptedDaemon, code: str) -> None:
    """Only UNAVAILABLE promises that the daemon did nothing wrong and will be able again."""
    daemon.script["GetAlertGroup"].append(Refusal(code))
    with pytest.raises(tocsin.Error):
        way.call("GetAlertGroup", ASKED)
    assert len(daemon.calls) == 1


def test_an_error_says_all_that_the_daemon_said(way: Way, daemon: ScriptedDaemon) -> None:
    """Code, message, reason and the fields at fault are plain attributes; what gRPC raised is the cause."""
    fields = {"page_size": "must not be negative", "filter": "no such field: x"}
    daemon.script["ListAlertGroups"].append(Refusal("INVALID_ARGUMENT", "page_size: no", "INVALID", fields=fields))
    with pytest.raises(tocsin.Error) as raised:
        way.call("ListAlertGroups", ListAlertGroupsRequest())
    error = raised.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (error.message, error.reason, dict(error.fields)) == ("page_size: no", "INVALID", fields)
    assert error.retry_delay is None
    assert str(error) == "INVALID_ARGUMENT: page_size: no"
    assert isinstance(error.__cause__, grpc.RpcError)
    assert not isinstance(error, grpc.RpcError)


def test_an_error_without_details_is_told_all_the_same(way: Way, daemon: ScriptedDaemon) -> None:
    """What a proxy answers has a code and a message, and nothing else."""
    daemon.script["GetAlertGroup"].append(Refusal("PERMISSION_DENIED", "go away"))
    with pytest.raises(tocsin.Error) as raised:
        way.call("GetAlertGroup", ASKED)
    assert (raised.value.message, raised.value.reason, raised.value.fields) == ("go away", "", {})


def test_an_error_survives_a_pickle() -> None:
    """It can be handed on by a pool of processes."""
    error = tocsin.Error(grpc.StatusCode.NOT_FOUND, "no", "GONE", {"name": "no"})
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, copy.message, copy.reason, copy.fields) == (error.code, "no", "GONE", {"name": "no"})


def test_errors_inside_answers_are_errors_too() -> None:
    """What a batch says of one group can be raised like any other error."""
    error = of_status(Refusal("FAILED_PRECONDITION", "it is resolved", "STATE").status)
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE")


def test_pages_follow_the_tokens(way: Way, daemon: ScriptedDaemon) -> None:
    """All pages come, one that is empty but not the last does not end it, and the caller's request stays as it is."""
    daemon.script["ListAlertGroups"].extend([page(3, 2, token="a"), page(token="b"), page(1)])
    request = ListAlertGroupsRequest(filter="state = FIRING", page_size=2)
    pages = way.pages("ListAlertGroups", request)
    assert [[group.number for group in found.alert_groups] for found in pages] == [[3, 2], [], [1]]
    asked = daemon.requests("ListAlertGroups")
    assert [found.page_token for found in asked] == ["", "a", "b"]
    assert {(found.filter, found.page_size) for found in asked} == {("state = FIRING", 2)}
    assert request.page_token == ""


def test_a_page_that_fails_raises(way: Way, daemon: ScriptedDaemon) -> None:
    """Pages are never cut off in silence."""
    daemon.script["ListAlertGroups"].extend([page(1, token="a"), Refusal("INTERNAL")])
    with pytest.raises(tocsin.Error):
        way.pages("ListAlertGroups", ListAlertGroupsRequest())


def test_all_services_are_there(way: Way) -> None:
    """Each service but the gateway's has its stub."""
    client = way.client  # type: ignore[attr-defined]
    assert client.access.GetCaller
    assert client.audit.ListAuditEntries
    assert client.heartbeats.ListHeartbeats
    assert client.integrations.ListIntegrations
    assert client.monitoring.GetMetrics
    assert client.notes.ListNotes
    assert client.routes.ListRoutes
    assert client.templates.PreviewTemplate


def test_a_future_is_not_waited_for(daemon: ScriptedDaemon) -> None:
    """`.future(...)` returns at once, bears the same defaults, and can be cancelled."""
    daemon.script["GetAlertGroup"].extend([Hold(), GROUP])
    with tocsin.connect(daemon.target, token="s3cret") as client:
        silent = client.alert_groups.GetAlertGroup.future(ASKED)
        assert daemon.came.get(timeout=10).metadata["authorization"] == "Bearer s3cret"
        assert not silent.done()
        silent.cancel()
        assert client.alert_groups.GetAlertGroup.future(ASKED).result() == GROUP


def python(code: str) -> str:
    """What a fresh Python prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_the_contract_comes_without_the_client() -> None:
    """The daemon and the gateway, which import messages, do not load what only clients need."""
    loaded = "import sys, tocsin.v1.intake_pb2; print([name for name in sys.modules if name.startswith('tocsin')])"
    assert python(loaded) == "['tocsin', 'tocsin.v1', 'tocsin.v1.intake_pb2']\n"


@pytest.mark.parametrize("name", tocsin.__all__)
def test_one_import_is_enough(name: str) -> None:
    """Everything that the guide names is there after `import tocsin`."""
    assert name in python(f"import tocsin; print(tocsin.{name})")


def test_what_is_not_there_is_missed() -> None:
    """A name that does not exist is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'conect'"):
        tocsin.conect  # type: ignore[attr-defined]  # noqa: B018


def test_calls_of_every_service_are_tried_again() -> None:
    """Of all that the contract has, but for the gateways' own."""
    configuration = json.loads(dict(channel.options("unix:x"))["grpc.service_config"])

    named = {name["service"] for method in configuration["methodConfig"] for name in method["name"]}

    assert named == SERVICES.keys() - {"tocsin.v1.IntakeService"}
