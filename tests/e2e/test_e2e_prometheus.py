"""A real Prometheus and a real Alertmanager in front of the real gateway and daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from daemon_client import Client
from early import early
from neighbours import (
    NEEDS_ALERTMANAGER,
    NEEDS_PROMETHEUS,
    Alertmanager,
    Demo,
    prometheus,
    webhook_and_heartbeat,
)
from processes import Processes, until
from stacks import running_stack

from tocsin.v1.alert_groups_pb2 import AlertGroup
from tocsin.v1.heartbeats_pb2 import Heartbeat
from tocsin.v1.integrations_pb2 import Integration

pytestmark = [NEEDS_PROMETHEUS, NEEDS_ALERTMANAGER]


@dataclass
class Site:
    """A site that is watched: what it watches, by what, and where it is reported."""

    demo: Demo
    alertmanager: Alertmanager
    client: Client
    integration: Integration


@contextmanager
def running_site() -> Iterator[Site]:
    """A site with the configuration of a newcomer: alerts to one URL, the heartbeat to the other."""
    with running_stack() as stack, _site(stack.client) as site:
        yield site


@contextmanager
def _site(client: Client) -> Iterator[Site]:
    processes = Processes()
    demo = Demo()
    with TemporaryDirectory(prefix="tocsin-") as name:
        folder = Path(name)
        integration = client.create("Prometheus of the site")
        client.expect_beats(integration, 10)
        alertmanager = Alertmanager(processes, folder, webhook_and_heartbeat(integration))
        try:
            alertmanager.start()
            with prometheus(processes, folder, alertmanager, demo):
                yield Site(demo, alertmanager, client, integration)
        finally:
            processes.close()
            demo.close()


@early
def test_a_gauge_that_falls_and_rises() -> None:
    """A rule that begins to fire in Prometheus opens a group, and ends it when it fires no more."""
    with running_site() as site:

        def found(state: AlertGroup.State) -> AlertGroup | None:
            groups = [group for group in site.client.groups(site.integration) if group.title == "DemoDown"]
            return groups[0] if groups and groups[0].state == state else None

        site.demo.up = 0
        group = until(lambda: found(AlertGroup.FIRING), "the group fires")
        (alert,) = site.client.alerts(group)
        assert dict(alert.labels) == {"alertname": "DemoDown", "instance": site.demo.address, "job": "demo"}
        assert dict(alert.annotations) == {"summary": "the demo is down"}
        assert "demo_up" in alert.generator_url
        site.demo.up = 1
        group = until(lambda: found(AlertGroup.RESOLVED), "the group is resolved")
        assert group.resolve_reason == AlertGroup.SOURCE
        assert site.client.timeline(group) == ["OPENED", "RESOLVED"]


@early
def test_a_heartbeat_that_stops_and_comes_back() -> None:
    """The rule that always fires is a heartbeat; when Alertmanager stops, a group says whose beats are missing, and it
    is resolved when they come again."""
    with running_site() as site:

        def state_is(state: Heartbeat.State) -> bool:
            return site.client.heartbeat(site.integration).state == state

        def missing() -> list[AlertGroup]:
            groups = site.client.groups(site.integration)
            return [group for group in groups if group.source == AlertGroup.HEARTBEAT]

        until(lambda: state_is(Heartbeat.UP), "the heartbeat is up")
        assert missing() == []
        site.alertmanager.process.stop()
        (group,) = until(missing, "the heartbeat is missing")
        assert group.state == AlertGroup.FIRING
        assert group.title == "Heartbeat missing: Prometheus of the site"
        (alert,) = site.client.alerts(group)
        last_beat = site.client.heartbeat(site.integration).last_beat_time.ToDatetime()
        assert "Prometheus of the site" in alert.annotations["description"]
        assert "10s" in alert.annotations["description"]
        assert f"{last_beat:%Y-%m-%dT%H:%M:%SZ}" in alert.annotations["description"]
        assert state_is(Heartbeat.MISSING)

        site.alertmanager.start()
        until(lambda: missing()[0].state == AlertGroup.RESOLVED, "the group is resolved")
        (group,) = missing()
        assert group.resolve_reason == AlertGroup.SOURCE
        assert state_is(Heartbeat.UP)
        # Nothing but missing beats was told: a heartbeat alert is no alert.
        assert not [g for g in site.client.groups(site.integration) if g.title == "heartbeat"]
