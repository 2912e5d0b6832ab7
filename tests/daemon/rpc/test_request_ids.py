"""Requests with an id of their own: done once, however often they arrive."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from changing import audit_log, batch, by, make_token
from fake_clock import HOUR, SECOND
from mutations import MUTATIONS, call, contents, with_id
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, details, reason

from tocsin.v1 import alert_groups_pb2, integrations_pb2
from tocsind.rpc.access import NEEDED

KEPT = 24 * HOUR


def test_the_table_names_every_call_that_changes_something() -> None:
    """So that no new one goes untested, here and in the tests of the audit log."""
    methods = {method.removeprefix("/tocsin.v1.").replace("/", ".") for method in NEEDED}
    reads = ("Get", "List", "Watch", "BatchGet", "Test", "Preview")
    changing = {m for m in methods if not m.split(".")[1].startswith(reads) and not m.startswith("IntakeService")}

    assert set(MUTATIONS) == changing


@pytest.mark.parametrize("end", ["", "crash"])
@pytest.mark.parametrize("method", MUTATIONS)
def test_a_repeat_gets_the_same_answer_and_nothing_happens_twice(daemon: RunningDaemon, method: str, end: str) -> None:
    """Right after, and by a daemon that was started after a crash."""
    request = with_id(MUTATIONS[method](daemon), "id-1")
    answer = call(daemon, method, request, by("ada"))
    if end:
        daemon = daemon.crash(downtime=HOUR)
    before = contents(daemon)

    again = call(daemon, method, request, by("ada"))

    if method == "AccessService.CreateApiToken":
        assert answer.secret
        answer.secret = ""  # It is told once.
    assert again == answer
    assert contents(daemon) == before


@pytest.mark.parametrize("method", MUTATIONS)
def test_an_id_used_for_another_request_is_refused(daemon: RunningDaemon, method: str) -> None:
    """Nothing is done: the caller would believe that it was. The first request can still be repeated."""
    request = with_id(MUTATIONS[method](daemon), "id-1")
    other = integrations_pb2.CreateIntegrationRequest(
        integration=Integration(display_name="other", type="alertmanager"), request_id="id-1"
    )
    answer = call(daemon, method, request, by("ada"))
    before = contents(daemon)

    with pytest.raises(grpc.RpcError, match="'id-1' was used for another request") as refusal:
        call(daemon, "IntegrationService.CreateIntegration", other, by("ada"))

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert details(refusal.value)[1].field_violations[0].field == "request_id"
    assert contents(daemon) == before
    again = call(daemon, method, request, by("ada"))
    assert type(again) is type(answer)


def test_the_same_fields_in_another_call_are_another_request(daemon: RunningDaemon) -> None:
    """Acknowledging and resolving a group look alike, and are not."""
    name = daemon.fire(daemon.integration())
    daemon.act("Acknowledge", name, request_id="id-1")

    with pytest.raises(grpc.RpcError, match="was used for another request"):
        daemon.act("Resolve", name, request_id="id-1")

    assert daemon.group(name).state == AlertGroup.ACKNOWLEDGED


def test_the_ids_of_different_callers_do_not_meet(daemon: RunningDaemon) -> None:
    """Neither those of two names nor those of two tokens, nor those of a token and a name that is like it."""
    tokens = [make_token(daemon, name).secret for name in ("robot", "other")]
    callers = [by("ada"), by("bob"), by("robot"), by("ada", tokens[0]), by("ada", tokens[1])]
    names = [daemon.fire(daemon.integration(f"i{n}")) for n in range(len(callers))]

    for name, caller in zip(names, callers, strict=True):
        request = alert_groups_pb2.AcknowledgeAlertGroupRequest(name=name, request_id="id-1")
        assert daemon.groups.AcknowledgeAlertGroup(request, metadata=caller).name == name

    assert {daemon.group(name).state for name in names} == {AlertGroup.ACKNOWLEDGED}


def test_the_name_beside_a_token_does_not_change_whose_ids_they_are(daemon: RunningDaemon) -> None:
    """The token is the caller, whoever it says that it acts for."""
    token = make_token(daemon, "robot").secret
    name = daemon.fire(daemon.integration())
    request = alert_groups_pb2.AcknowledgeAlertGroupRequest(name=name, request_id="id-1")
    answer = daemon.groups.AcknowledgeAlertGroup(request, metadata=by("ada", token))

    assert daemon.groups.AcknowledgeAlertGroup(request, metadata=by("bob", token)) == answer


def test_an_answer_is_kept_for_a_day(daemon: RunningDaemon) -> None:
    """Until then it is the answer, whatever happened since; after that the request is a new one, and what was kept is
    removed."""
    name = daemon.fire(daemon.integration())
    answer = daemon.act("Acknowledge", name, request_id="id-1")
    daemon.act("Unacknowledge", name, request_id="id-2")
    daemon.pass_time(KEPT)
    assert daemon.act("Acknowledge", name, request_id="id-1") == answer
    assert daemon.group(name).state == AlertGroup.FIRING

    daemon.pass_time(SECOND)
    assert daemon.act("Acknowledge", name, request_id="id-1") != answer
    assert daemon.group(name).state == AlertGroup.ACKNOWLEDGED
    for _ in range(3):
        daemon.pass_time(60 * SECOND)
        daemon.settle()
    assert daemon.sql("SELECT count(*) FROM requests") == [(1,)]


def test_a_request_that_failed_is_tried_anew(daemon: RunningDaemon) -> None:
    """It changed nothing, and may succeed later."""
    name = daemon.fire(daemon.integration())
    daemon.act("Acknowledge", name, actor="bob")
    with pytest.raises(grpc.RpcError, match="it is acknowledged by bob"):
        daemon.act("Acknowledge", name, request_id="id-1")
    daemon.act("Unacknowledge", name, actor="bob")

    assert daemon.act("Acknowledge", name, request_id="id-1").state_actor == "ada"


def test_a_request_that_comes_twice_at_once_is_done_once(daemon: RunningDaemon) -> None:
    """Whichever comes first is done, and all get its answer."""
    name = daemon.fire(daemon.integration())

    def acknowledge(_: int) -> Any:
        return daemon.act("Acknowledge", name, request_id="id-1")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(acknowledge, range(32)))

    assert answers == [answers[0]] * 32
    assert daemon.kinds(name) == ["OPENED", "ACKNOWLEDGED"]


def test_a_large_batch_is_repeated(daemon: RunningDaemon) -> None:
    """A thousand results, refusals among them, are the same the second time, though the groups are not."""
    integration = daemon.integration()
    stories = [notice("a", key=f"k{n}") for n in range(999)]
    sent = daemon.deliver([daemon.delivery(integration, story) for story in stories])
    names = [receipt.alert_group for receipt in sent] + ["alertGroups/5000"]
    daemon.act("Resolve", names[500])
    results = batch(daemon, "Acknowledge", names, request_id="id-1")
    assert [r.name for r in results if r.HasField("error")] == [names[500], names[999]]
    batch(daemon, "Resolve", names)
    daemon = daemon.crash()
    before = contents(daemon)

    assert batch(daemon, "Acknowledge", names, request_id="id-1") == results

    assert contents(daemon) == before
    with pytest.raises(grpc.RpcError, match="was used for another request"):
        batch(daemon, "Acknowledge", names[:-1], request_id="id-1")


@pytest.mark.parametrize("request_id", ["x" * 65, "two words", "ünd", "a/b", "a\n"])
def test_an_id_has_a_form(daemon: RunningDaemon, request_id: str) -> None:
    """It is refused rather than cut off, and nothing is done."""
    name = daemon.fire(daemon.integration())

    with pytest.raises(grpc.RpcError, match="request_id: must be 1 to 64 letters") as refusal:
        daemon.act("Acknowledge", name, request_id=request_id)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert daemon.group(name).state == AlertGroup.FIRING
    assert audit_log(daemon)[-1].method != "AlertGroupService.AcknowledgeAlertGroup"


def test_a_repeat_tells_the_secrets_of_an_integration_as_they_are_now(daemon: RunningDaemon) -> None:
    """They are not kept with the answer: those of then may be dead."""
    asked = Integration(display_name="prod", type="alertmanager")
    request = integrations_pb2.CreateIntegrationRequest(integration=asked, request_id="id-1")
    first = daemon.integrations.CreateIntegration(request)
    rotate = integrations_pb2.RotateIntegrationTokenRequest(name=first.name)
    rotated = daemon.integrations.RotateIntegrationToken(rotate)
    assert rotated.token != first.token

    again = daemon.integrations.CreateIntegration(request)
    assert (again.token, again.url, again.heartbeat_url) == (rotated.token, rotated.url, rotated.heartbeat_url)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=first.name))

    gone = daemon.integrations.CreateIntegration(request)
    assert (gone.name, gone.token, gone.url) == (first.name, "", "")
