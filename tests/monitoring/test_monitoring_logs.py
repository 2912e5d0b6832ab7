"""The logs of two real processes: one id from the header to the commit, and no secret in any line."""

import pytest
from chatty_stack import TRACE, WORD, ChattyStack
from processes import Processes, until
from senders import notification

from tocsin.v1 import integrations_pb2


def test_an_id_leads_from_the_header_to_the_commit(chatty: ChattyStack) -> None:
    """What the sender calls its request is in the line of the commit that made it durable."""
    (commit,) = (line for line in chatty.lines("daemon", "committed") if TRACE in line["trace_ids"])

    assert commit["jobs"] >= 1
    assert commit["milliseconds"] > 0
    assert [line["status"] for line in chatty.lines("gateway", "answered") if line.get("trace_id") == TRACE] == [200]


def test_a_refusal_has_the_same_id_in_both_logs(chatty: ChattyStack) -> None:
    """Whom the daemon refuses is found in either log, and told the id."""
    sender = chatty.sender()
    answer = sender.ask("POST", "/integrations/v1/alertmanager/nobody/", notification("x"))
    sender.close()
    trace_id = answer.headers["x-request-id"]

    refused = [line for line in chatty.lines("daemon", "deliveries refused") if trace_id in line["trace_ids"]]
    until(lambda: trace_id in chatty.gateway.log, "the gateway logs its answer")
    answered = [line for line in chatty.lines("gateway", "answered with an error") if line["trace_id"] == trace_id]

    assert [line["outcome"] for line in refused] == ["CREDENTIAL_UNKNOWN"]
    assert [line["status"] for line in answered] == [404]
    assert not any(trace_id in line["trace_ids"] for line in chatty.lines("daemon", "committed"))


def test_an_id_leads_from_a_call_to_the_commit(chatty: ChattyStack) -> None:
    """A caller of the API is followed by its metadata; a call that changes nothing is in no commit."""
    stub, name = chatty.client.integrations, chatty.integration.name
    rename = integrations_pb2.UpdateIntegrationRequest(
        integration=integrations_pb2.Integration(name=name, display_name="renamed")
    )
    stub.UpdateIntegration(rename, metadata=(("x-request-id", "trace-of-a-change"),))
    stub.GetIntegration(
        integrations_pb2.GetIntegrationRequest(name=name), metadata=(("x-request-id", "trace-of-a-look"),)
    )

    commits = [line["trace_ids"] for line in chatty.lines("daemon", "committed")]
    until(lambda: "trace-of-a-look" in chatty.daemon.log, "the call is logged")
    calls = {line["trace_id"]: line["method"] for line in chatty.lines("daemon", "call")}

    assert ["trace-of-a-change"] in commits
    assert not any("trace-of-a-look" in ids for ids in commits)
    assert calls["trace-of-a-change"] == "IntegrationService.UpdateIntegration"
    assert calls["trace-of-a-look"] == "IntegrationService.GetIntegration"


def test_no_line_holds_a_secret(chatty: ChattyStack) -> None:
    """Whatever went right or wrong: no token, no body and no path is in either log, at its most talkative."""
    assert chatty.statuses == [200, 200, 200, 401, 404, 400, 400, 405, 200, 200]
    logs = chatty.daemon.log + chatty.gateway.log
    assert len(chatty.secrets) == 3
    assert all(len(secret) > 20 for secret in chatty.secrets)
    assert len(chatty.refusals()) >= 5

    for secret in (*chatty.secrets, WORD, "/integrations/v1"):
        assert secret not in logs


def test_without_the_daemon_its_metrics_are_a_503(processes: Processes, chatty: ChattyStack) -> None:
    """So Prometheus sees that it is down; the gateway's own metrics go on, and each answer is logged with its id."""
    chatty.daemon.stop()
    try:
        until(lambda: chatty.status("/metrics/daemon") == 503, "the daemon's metrics are away")
        assert chatty.status("/metrics") == 200
        sender = chatty.sender()
        answer = sender.ask("POST", chatty.integration.url, notification("late"), {"X-Request-Id": "in-the-dark"})
        sender.close()
        assert (answer.status, answer.headers["x-request-id"]) == (503, "in-the-dark")
        until(lambda: '"in-the-dark"' in chatty.gateway.log, "the gateway logs its answer")
    finally:
        chatty.start_daemon()
        chatty.wait_ready()
    until(lambda: chatty.status("/metrics/daemon") == 200, "the daemon's metrics are back")


@pytest.mark.parametrize("module", ["tocsind", "tocsin_gateway"])
def test_another_level_is_refused(processes: Processes, chatty: ChattyStack, module: str) -> None:
    """A level that does not exist is wrong usage, and the message says which do."""
    process = processes.python(module, "--log-level", "loud", log=chatty.folder / f"{module}.refused")

    assert process.wait() == 2
    assert "debug" in process.log
    assert "info" in process.log
