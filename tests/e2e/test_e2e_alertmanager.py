"""A real Alertmanager in front of the real gateway and daemon."""

from pathlib import Path
from typing import Any

from early import early
from neighbours import NEEDS_ALERTMANAGER, Alertmanager, webhook
from processes import Processes, free_port, until
from stacks import Stack, running_stack

from tocsin.v1.alert_groups_pb2 import Alert, AlertGroup

pytestmark = NEEDS_ALERTMANAGER


def counts(group: AlertGroup) -> tuple[int, int, int]:
    """How many alerts fire, are resolved, and are no longer reported."""
    return group.firing_alert_count, group.resolved_alert_count, group.unreported_alert_count


def the_group(stack: Stack, integration: Any) -> AlertGroup | None:
    """The only group of an integration, or None while there is none."""
    groups = stack.client.groups(integration)
    assert len(groups) < 2, groups
    return groups[0] if groups else None


def in_state(stack: Stack, integration: Any, state: AlertGroup.State) -> AlertGroup | None:
    """The only group of an integration, or None while it is not in this state."""
    group = the_group(stack, integration)
    return group if group is not None and group.state == state else None


def test_from_firing_to_resolved(shared_stack: Stack, processes: Processes, folder: Path) -> None:
    """Alerts that fire open one group with their title and labels, it stays open while one of them fires, and is
    resolved by its source with the last one."""
    integration = shared_stack.client.create("from firing to resolved")
    alertmanager = Alertmanager(processes, folder, webhook(integration.url)).start()
    alertmanager.fire("HighLoad", "a", "b", summary="Überlast <&>")
    group = until(lambda: in_state(shared_stack, integration, AlertGroup.FIRING), "the group fires")
    assert group.title == "HighLoad"
    assert dict(group.labels) == {"alertname": "HighLoad"}
    assert group.grouping_key == '{}:{alertname="HighLoad"}'
    assert group.receiver == "tocsin"
    assert group.source == AlertGroup.ALERTMANAGER
    assert group.integration == integration.name
    assert group.source_firing
    assert counts(group) == (2, 0, 0)
    alerts = {alert.labels["instance"]: alert for alert in shared_stack.client.alerts(group)}
    assert sorted(alerts) == ["a", "b"]
    assert alerts["a"].state == Alert.FIRING
    assert dict(alerts["a"].labels) == {"alertname": "HighLoad", "instance": "a"}
    assert dict(alerts["a"].annotations) == {"summary": "Überlast <&>"}
    assert alerts["a"].HasField("start_time")
    assert not alerts["a"].HasField("end_time")

    alertmanager.fire("HighLoad", "a", ended=True)
    until(lambda: counts(the_group(shared_stack, integration)) == (1, 1, 0), "one of two alerts is resolved")
    group = the_group(shared_stack, integration)
    assert group.state == AlertGroup.FIRING
    alerts = {alert.labels["instance"]: alert for alert in shared_stack.client.alerts(group)}
    assert [alerts[instance].state for instance in "ab"] == [Alert.RESOLVED, Alert.FIRING]
    assert alerts["a"].HasField("end_time")

    alertmanager.fire("HighLoad", "b", ended=True)
    group = until(lambda: in_state(shared_stack, integration, AlertGroup.RESOLVED), "the group is resolved")
    assert group.resolve_reason == AlertGroup.SOURCE
    assert not group.source_firing
    assert counts(group) == (0, 2, 0)
    assert shared_stack.client.timeline(group) == ["OPENED", "RESOLVED"]


def test_the_token_as_a_bearer(shared_stack: Stack, processes: Processes, folder: Path) -> None:
    """Alertmanager may send the token in the Authorization header, to a URL without it."""
    integration = shared_stack.client.create("bearer")
    assert integration.token not in integration.bearer_url
    http = {"authorization": {"credentials": integration.token}}
    alertmanager = Alertmanager(processes, folder, webhook(integration.bearer_url, http_config=http)).start()
    alertmanager.fire("HighLoad", "a")
    until(lambda: in_state(shared_stack, integration, AlertGroup.FIRING), "the group fires")


def test_a_wrong_bearer_token(shared_stack: Stack, processes: Processes, folder: Path) -> None:
    """A wrong token is refused, Alertmanager logs the reason, and no group comes of it."""
    integration = shared_stack.client.create("wrong bearer")
    http = {"authorization": {"credentials": integration.token[:-1]}}
    alertmanager = Alertmanager(processes, folder, webhook(integration.bearer_url, http_config=http)).start()
    alertmanager.fire("HighLoad", "a")
    until(lambda: "status code 401" in alertmanager.process.log, "Alertmanager logs the refusal")
    assert shared_stack.client.groups(integration) == []


@early
def test_the_daemon_comes_back() -> None:
    """What Alertmanager has to say while the daemon is away is refused with 503 and arrives, once, when it is back."""
    with running_stack() as stack:
        integration = stack.client.create("dead daemon")
        alertmanager = Alertmanager(stack.processes, stack.folder, webhook(integration.url)).start()
        stack.daemon.kill()
        alertmanager.fire("HighLoad", "a")
        until(lambda: alertmanager.failures() > 0, "Alertmanager was refused")
        assert stack.status("/-/ready") == 503
        assert stack.status("/-/healthy") == 200
        stack.start_daemon()
        group = until(lambda: in_state(stack, integration, AlertGroup.FIRING), "the group fires")
        alertmanager.fire("HighLoad", "a", ended=True)
        group = until(lambda: in_state(stack, integration, AlertGroup.RESOLVED), "the group is resolved")
        assert stack.client.timeline(group) == ["OPENED", "RESOLVED"]


def test_the_gateway_comes_back(stack: Stack, processes: Processes, folder: Path) -> None:
    """What Alertmanager has to say while nobody listens arrives, once, when the gateway is back."""
    integration = stack.client.create("dead gateway")
    alertmanager = Alertmanager(processes, folder, webhook(integration.url)).start()
    stack.gateway.kill()
    alertmanager.fire("HighLoad", "a")
    until(lambda: alertmanager.failures() > 1, "Alertmanager found nobody, twice")
    stack.start_gateway()
    group = until(lambda: in_state(stack, integration, AlertGroup.FIRING), "the group fires")
    assert stack.client.timeline(group) == ["OPENED"]


def test_a_cluster_of_two(shared_stack: Stack, processes: Processes, folder: Path) -> None:
    """Two Alertmanagers in a cluster that report the same make one group, whichever of them is there to end it."""
    integration = shared_stack.client.create("cluster")
    ports = [free_port(), free_port()]
    nodes = []
    for number in (0, 1):
        node = Alertmanager(processes, folder, webhook(integration.url), f"node{number}")
        nodes.append(
            node.start(
                f"--cluster.listen-address=127.0.0.1:{ports[number]}",
                f"--cluster.peer=127.0.0.1:{ports[1 - number]}",
                "--cluster.peer-timeout=100ms",
                "--cluster.settle-timeout=1s",
                "--cluster.gossip-interval=50ms",
                "--cluster.reconnect-interval=500ms",
            )
        )
    until(lambda: [node.members() for node in nodes] == [2, 2], "the two know one another")
    for node in nodes:
        node.fire("HighLoad", "a", "b")
    until(lambda: in_state(shared_stack, integration, AlertGroup.FIRING), "the group fires")
    for node in nodes:
        node.fire("HighLoad", "a", ended=True)
    until(lambda: counts(the_group(shared_stack, integration))[:2] == (1, 1), "one of two alerts is resolved")
    nodes[0].process.kill()
    nodes[1].fire("HighLoad", "b", ended=True)
    group = until(lambda: in_state(shared_stack, integration, AlertGroup.RESOLVED), "the group is resolved")
    assert group.resolve_reason == AlertGroup.SOURCE
    assert shared_stack.client.timeline(group).count("OPENED") == 1
