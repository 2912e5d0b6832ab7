"""Every request that was captured from a real Alertmanager, sent again to the real gateway and daemon."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from senders import Answer
from stacks import Stack

from tocsin.v1.alert_groups_pb2 import AlertGroup, GetPayloadRequest
from tocsin.v1.heartbeats_pb2 import Heartbeat
from tocsin.v1.integrations_pb2 import Integration

CAPTURES = Path(__file__).parents[1] / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.json") if path.stem != "MANIFEST")

HIGH_LOAD = (
    "firing_two_alerts_unicode_annotations_receiver_name_regex_escaped_bearer",
    "firing_updated_new_alert_added_with_changed_annotation",
    "firing_partly_resolved_one_of_three",
    "resolved_full_b_absent",
    "firing_again_same_groupkey_new_startsAt",
)
BEATS = (
    "prometheus_real_heartbeat_vector1_first",
    "prometheus_real_heartbeat_vector1_repeat",
    "prometheus_real_seed_config_heartbeat",
)


@dataclass
class Replay:
    """An integration of its own, to which captured requests are sent."""

    stack: Stack
    integration: Integration

    def send(self, name: str, *, to: str = "", **changes: Any) -> Answer:
        """Sends a capture as it came, with its headers, or with changes to its body; `to` is another URL."""
        request = json.loads((CAPTURES / f"{name}.json").read_text())
        headers = {key: value for key, value in request["headers"] if key not in ("Host", "Content-Length")}
        body = json.dumps(request["body"] | changes) if changes else request["body_raw"]
        sender = self.stack.sender()
        try:
            return sender.ask(request["method"], to or self.integration.url, body.encode() or None, headers)
        finally:
            sender.close()

    def take(self, *names: str) -> AlertGroup:
        """Sends captures, which must be taken; returns the only group that there is then."""
        for name in names:
            assert self.send(name).status == 200, name
        (group,) = self.groups()
        return group

    def groups(self) -> list[AlertGroup]:
        """The groups of the integration."""
        return self.stack.client.groups(self.integration)

    def timeline(self) -> Sequence[str]:
        """The events of the only group."""
        (group,) = self.groups()
        return self.stack.client.timeline(group)


@pytest.fixture
def replay(shared_stack: Stack, request: pytest.FixtureRequest) -> Replay:
    """A replay for one test."""
    return Replay(shared_stack, shared_stack.client.create(request.node.name[:150]))


def counts(group: AlertGroup) -> tuple[int, int, int]:
    """How many alerts fire, are resolved, and are no longer reported."""
    return group.firing_alert_count, group.resolved_alert_count, group.unreported_alert_count


@pytest.mark.parametrize("name", NAMES)
def test_each_alone(replay: Replay, name: str) -> None:
    """Each captured POST is taken, whatever its headers say, and opens a group with all that it lists if it fires; a
    GET, as after a redirect, is refused."""
    answer = replay.send(name)
    request = json.loads((CAPTURES / f"{name}.json").read_text())
    if request["method"] == "GET":
        assert answer.status == 405
        assert replay.groups() == []
        return
    assert answer.status == 200
    if request["body"]["status"] == "resolved":
        assert replay.groups() == []
        return
    (group,) = replay.groups()
    assert group.state == AlertGroup.FIRING
    assert group.grouping_key == request["body"]["groupKey"]
    assert group.receiver == request["body"]["receiver"]
    assert group.external_url == request["body"]["externalURL"]
    assert group.truncated_alert_count == request["body"]["truncatedAlerts"]
    alerts = {alert.fingerprint: alert for alert in replay.stack.client.alerts(group)}
    assert sorted(alerts) == sorted(alert["fingerprint"] for alert in request["body"]["alerts"])
    for sent in request["body"]["alerts"]:
        stored = alerts[sent["fingerprint"]]
        assert dict(stored.labels) == sent["labels"]
        assert dict(stored.annotations) == sent["annotations"]
        assert stored.HasField("end_time") == (sent["status"] == "resolved")
    payload = GetPayloadRequest(name=f"{group.name}/payloads/latest")
    assert replay.stack.client.call(replay.stack.client.alert_groups.GetPayload, payload).body == (
        request["body_raw"].encode()
    )


def test_the_story_of_a_group(replay: Replay) -> None:
    """Two alerts fire, a third joins them, one is resolved, all are, and one fires again: one group all the time, with
    the alert that the last resolved notification left out counted as resolved."""
    group = replay.take(HIGH_LOAD[0])
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (2, 0, 0))
    assert group.title == "HighLoad (node)"
    group = replay.take(HIGH_LOAD[1])
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (3, 0, 0))
    group = replay.take(HIGH_LOAD[2])
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (2, 1, 0))
    group = replay.take(HIGH_LOAD[3])
    assert (group.state, counts(group)) == (AlertGroup.RESOLVED, (0, 3, 0))
    assert group.resolve_reason == AlertGroup.SOURCE
    group = replay.take(HIGH_LOAD[4])
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (1, 2, 0))
    assert group.notification_count == 5
    assert replay.timeline() == ["OPENED", "NEW_ALERTS", "RESOLVED", "REOPENED"]


def test_the_story_told_twice(replay: Replay) -> None:
    """Each notification sent twice in a row makes the same story, but for the number of notifications."""
    group = replay.take(*(name for name in HIGH_LOAD for _ in range(2)))
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (1, 2, 0))
    assert group.notification_count == 10
    assert replay.timeline() == ["OPENED", "NEW_ALERTS", "RESOLVED", "REOPENED"]


def test_the_duplicates_of_a_cluster(replay: Replay) -> None:
    """The same notification from both Alertmanagers of a cluster is one group that was notified twice."""
    group = replay.take("ha_duplicate_1_of_2_from_node1", "ha_duplicate_2_of_2_from_node2")
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (1, 0, 0))
    assert group.notification_count == 2
    assert replay.timeline() == ["OPENED"]


def test_a_truncated_notification_does_not_resolve(replay: Replay) -> None:
    """Of a truncated notification the word `resolved` says nothing about the alerts that were cut off, unless its
    reason does."""
    name = "truncated_firing_max_alerts_2_of_5"
    group = replay.take(name)
    assert (group.state, counts(group), group.truncated_alert_count) == (AlertGroup.FIRING, (2, 0, 0), 3)
    ended = [
        alert | {"status": "resolved", "endsAt": "2026-11-23T04:00:00Z"}
        for alert in json.loads((CAPTURES / f"{name}.json").read_text())["body"]["alerts"]
    ]
    assert replay.send(name, status="resolved", alerts=ended).status == 200
    (group,) = replay.groups()
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (0, 2, 0))
    reason = "all alerts resolved"
    assert replay.send(name, status="resolved", alerts=ended, notification_reason=reason).status == 200
    (group,) = replay.groups()
    assert group.state == AlertGroup.RESOLVED
    assert replay.timeline() == ["OPENED", "RESOLVED"]


def test_two_webhooks_of_one_receiver(replay: Replay) -> None:
    """A receiver with the same URL twice says everything twice: one group, ended once."""
    group = replay.take(
        *["two_webhook_configs_one_receiver_firing"] * 2, *["two_webhook_configs_one_receiver_resolved"] * 2
    )
    assert (group.state, counts(group)) == (AlertGroup.RESOLVED, (0, 1, 0))
    assert replay.timeline() == ["OPENED", "RESOLVED"]


def test_a_resolved_alert_that_is_listed_again(replay: Replay) -> None:
    """Prometheus tells of resolved alerts again: they are counted as such, and the end of the last one ends the
    group."""
    group = replay.take("prometheus_real_defaults_older_resolved_alert_listed_again")
    assert (group.state, counts(group)) == (AlertGroup.FIRING, (1, 1, 0))
    group = replay.take("prometheus_real_defaults_FALSE_resolved_213s_after_prometheus_killed")
    assert (group.state, counts(group)) == (AlertGroup.RESOLVED, (0, 2, 0))


def test_an_odd_time(replay: Replay) -> None:
    """A time with an offset and nanoseconds is the same moment, to the microsecond."""
    group = replay.take("odd_startsAt_with_offset_and_nanoseconds")
    (alert,) = replay.stack.client.alerts(group)
    assert abs(alert.start_time.ToNanoseconds() - 1_795_145_582_123_456_789) < 1000


def test_heartbeats(replay: Replay) -> None:
    """Captured heartbeats are beats at the heartbeat URL, even byte for byte the same ones, and open no group."""
    for name in BEATS:
        before = replay.stack.client.heartbeat(replay.integration)
        assert replay.send(name, to=replay.integration.heartbeat_url).status == 200
        after = replay.stack.client.heartbeat(replay.integration)
        assert after.state == Heartbeat.UP
        assert after.last_beat_time.ToNanoseconds() > before.last_beat_time.ToNanoseconds()
    assert replay.groups() == []


def test_a_resolved_heartbeat_is_no_beat(replay: Replay) -> None:
    """A heartbeat that Alertmanager calls resolved has stopped: taken, and no beat."""
    name = "prometheus_real_defaults_FALSE_resolved_213s_after_prometheus_killed"
    assert replay.send(name, to=replay.integration.heartbeat_url).status == 200
    assert replay.stack.client.heartbeat(replay.integration).state == Heartbeat.WAITING
    assert replay.groups() == []
