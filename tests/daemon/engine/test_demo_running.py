"""Demo alerts of a running daemon."""

import json
from typing import Any

import grpc
import pytest
from changing import by
from fake_clock import HOUR
from google.protobuf import json_format
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, Start, duration, reason

from tocsin.v1 import alert_groups_pb2, intake_pb2, integrations_pb2, templates_pb2
from tocsin_gateway.alertmanager import read_notification
from tocsind.domain.rulebook import Rendered
from tocsind.domain.template import Slot
from tocsind.engine import demo


def send(daemon: RunningDaemon, integration: Integration, **fields: Any) -> str:
    """Sends a demo alert; returns the name of its group."""
    request = integrations_pb2.SendDemoAlertRequest(name=integration.name, **fields)
    return str(daemon.integrations.SendDemoAlert(request, metadata=by("ada")).alert_group)


def payload(daemon: RunningDaemon, name: str) -> bytes:
    """The payload of a group."""
    request = alert_groups_pb2.GetPayloadRequest(name=f"{name}/payloads/latest")
    return daemon.groups.GetPayload(request).body


def test_it_opens_a_group_that_says_that_it_is_a_demo(daemon: RunningDaemon) -> None:
    """With two alerts that fire, as if an Alertmanager had sent them."""
    integration = daemon.integration()
    name = send(daemon, integration)
    group = daemon.group(name)

    assert (group.integration, group.source, group.state) == (integration.name, AlertGroup.DEMO, AlertGroup.FIRING)
    assert (group.title, group.labels["alertname"]) == ("DemoAlert (warning)", "DemoAlert")
    assert group.firing_alert_count == 2
    for alert in daemon.alerts(name):
        assert {"alertname", "severity", "instance"} <= alert.labels.keys()
        assert "demo alert" in alert.annotations["summary"]
        assert "Nothing is wrong" in alert.annotations["description"]
    assert daemon.kinds(name) == ["OPENED"]


def test_its_payload_is_one_that_the_gateway_would_read_the_same(daemon: RunningDaemon) -> None:
    """So that what templates make of it is what they would make of a real one."""
    name = send(daemon, daemon.integration())
    group, read = daemon.group(name), intake_pb2.Notification()
    read_notification(payload(daemon, name), read)

    assert (read.firing, read.title, dict(read.labels)) == (True, group.title, dict(group.labels))
    assert (read.grouping_key, read.receiver, read.external_url) == (
        group.grouping_key,
        group.receiver,
        group.external_url,
    )
    told = {alert.fingerprint: alert for alert in daemon.alerts(name)}
    for alert in read.alerts:
        same = told[alert.fingerprint]
        assert (dict(alert.labels), dict(alert.annotations)) == (dict(same.labels), dict(same.annotations))
        assert (alert.start_time, alert.generator_url) == (same.start_time, same.generator_url)
    assert len(told) == len(read.alerts)


def test_each_is_a_group_of_its_own(daemon: RunningDaemon) -> None:
    """Two demo alerts do not meet."""
    integration = daemon.integration()

    assert send(daemon, integration) != send(daemon, integration)
    assert len(daemon.list_groups('state = "FIRING"')) == 2


def test_no_notification_reaches_it_nor_it_a_real_group(daemon: RunningDaemon) -> None:
    """Not even one that bears its grouping key."""
    integration = daemon.integration()
    name = send(daemon, integration)
    key = daemon.group(name).grouping_key
    assert json.loads(payload(daemon, name))["groupKey"] == key

    real = daemon.fire(integration, key=key)
    daemon.send(integration, notice("", "a", key=key))

    assert real != name
    assert [daemon.group(each).state for each in (real, name)] == [AlertGroup.RESOLVED, AlertGroup.FIRING]


def test_it_is_not_limited_and_does_not_count(start: Start) -> None:
    """It takes nothing of what real ones may send."""
    daemon = start(rate_limit=1, total_rate_limit=1)
    integration = daemon.integration()
    for _ in range(5):
        send(daemon, integration)

    assert daemon.fire(integration)
    assert send(daemon, integration)


def test_people_act_on_it_and_it_stays_until_they_do(daemon: RunningDaemon) -> None:
    """It is a group like others; staleness is for what somebody goes on to send."""
    name = send(daemon, daemon.integration(stale_after=duration(HOUR)))
    daemon.pass_time(2 * HOUR)
    assert daemon.group(name).state == AlertGroup.FIRING
    daemon.act("Acknowledge", name)

    assert daemon.act("Resolve", name).state == AlertGroup.RESOLVED


def test_templates_show_in_it_but_do_not_move_it() -> None:
    """Title, message and link are what they made; where it belongs is not theirs to say, nor whether it fires."""
    alert = demo.alert(0)
    made = {Slot.TITLE: "T", Slot.MESSAGE: "M", Slot.SOURCE_LINK: "L", Slot.GROUPING_ID: "all"}
    read = demo.read(alert, Rendered(b"", {**made, Slot.RESOLVE_CONDITION: "true"}))

    assert (read.title, read.message, read.source_link) == ("T", "M", "L")
    assert (read.grouping_key, read.report) == (alert.grouping_key, alert.report)


def test_an_integration_with_templates_sends_one_too(daemon: RunningDaemon) -> None:
    """Its title is rendered, and its grouping id is not obeyed."""
    title = "{{ 1 + 1 }} {{ labels.alertname }} {{ payload.alerts | length }}"
    integration = daemon.integration(templates=templates_pb2.Templates(title=title, grouping_id="all"))
    first, second = send(daemon, integration), send(daemon, integration)

    assert first != second
    assert daemon.group(first).title == "2 DemoAlert 2"


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("integrations/none", grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
        ("integrations/tocsin", grpc.StatusCode.FAILED_PRECONDITION, "BUILT_IN"),
        ("integrations/A", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
    ],
)
def test_there_must_be_an_integration(daemon: RunningDaemon, name: str, code: grpc.StatusCode, expected: str) -> None:
    """And one that is not built in."""
    with pytest.raises(grpc.RpcError) as refusal:
        daemon.integrations.SendDemoAlert(integrations_pb2.SendDemoAlertRequest(name=name))

    assert (refusal.value.code(), reason(refusal.value)) == (code, expected)
    assert daemon.list_groups() == []


def test_a_repeat_is_answered_even_when_the_integration_is_gone(daemon: RunningDaemon) -> None:
    """It names the group that the first one opened."""
    integration = daemon.integration()
    name = send(daemon, integration, request_id="once")
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))

    assert send(daemon, integration, request_id="once") == name
    assert json_format.MessageToDict(daemon.group(name))["resolveReason"] == "INTEGRATION_DELETED"
