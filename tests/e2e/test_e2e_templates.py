"""Integrations with templates through the real gateway and the real daemon, good ones and a bad one."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from processes import until
from senders import notification
from stacks import Stack

from tocsin.v1 import alert_groups_pb2
from tocsin.v1.integrations_pb2 import Integration
from tocsin.v1.templates_pb2 import Templates

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def post(stack: Stack, integration: Integration, key: str, **fields: object) -> int:
    """Sends one notification on a connection of its own."""
    sender = stack.sender()
    try:
        return sender.post(integration.url, notification(key, **fields))  # type: ignore[arg-type]
    finally:
        sender.close()


def reasons(stack: Stack, group: alert_groups_pb2.AlertGroup) -> list[str]:
    """What the timeline of a group says of templates."""
    request = alert_groups_pb2.ListEventsRequest(parent=group.name, page_size=1000)
    events = stack.client.call(stack.client.alert_groups.ListEvents, request).events
    return [event.reason for event in events if event.kind == alert_groups_pb2.Event.TEMPLATE_FAILED]


def test_a_templated_integration(stack: Stack) -> None:
    """Grouped, titled, acknowledged and resolved as its templates say, after a kill of what renders too."""
    templates = Templates(
        grouping_id="{{ labels.alertname }}",
        title="{{ payload.numFiring }} of {{ labels.alertname }}",
        source_link="http://grafana/d/{{ labels.key }}",
        resolve_condition="{{ payload.numFiring == 0 }}",
        acknowledge_condition="{{ payload.numFiring > 2 }}",
    )
    integration = stack.client.create("templated", templates=templates)
    assert post(stack, integration, "one") == 200
    assert post(stack, integration, "two", firing=("a", "b")) == 200
    (group,) = stack.client.groups(integration)
    assert (group.title, group.source_link) == ("2 of Load", "http://grafana/d/two")
    assert stack.client.timeline(group) == ["OPENED", "NEW_ALERTS"]
    (pid,) = renderers(stack)
    os.kill(pid, signal.SIGKILL)
    assert post(stack, integration, "one", firing=("x", "y", "z")) == 200
    until(lambda: not Path(f"/proc/{pid}").exists(), "the process that rendered is gone")
    assert post(stack, integration, "one", firing=("x", "y", "z", "a")) == 200
    found = {each.title: each for each in stack.client.groups(integration)}
    assert found["4 of Load"].state == alert_groups_pb2.AlertGroup.ACKNOWLEDGED
    assert post(stack, integration, "one", firing=(), resolved=("a",)) == 200
    found = {each.name: each for each in stack.client.groups(integration)}
    assert found[group.name].state == alert_groups_pb2.AlertGroup.RESOLVED


def test_a_bad_one_harms_itself_only(stack: Stack) -> None:
    """While many of its deliveries are under way, others are taken; and in the end all of its own are there."""
    bad = stack.client.create("bad", templates=Templates(title=LOOPS))
    good = stack.client.create("good", templates=Templates(title="{{ labels.key }}"))
    plain = stack.client.create("plain")
    with ThreadPoolExecutor(16) as pool:
        under_way = [pool.submit(post, stack, bad, f"k{number}") for number in range(64)]
        for number in range(20):
            assert post(stack, good, f"k{number}") == 200
            assert post(stack, plain, f"k{number}") == 200
        assert {each.result() for each in under_way} == {200}
    assert {group.title for group in stack.client.groups(good)} == {f"k{number}" for number in range(20)}
    groups = stack.client.groups(bad)
    assert len(groups) == 64
    lines = [line for group in groups for line in reasons(stack, group)]
    assert len(lines) == 64
    assert set(lines) <= {
        "title: it took too long",
        "title: it took too long less than a minute ago, and rests",
        "title: its turn did not come in time",
    }


def test_stopping_while_a_template_loops(stack: Stack) -> None:
    """The daemon stops as quickly as ever, and leaves no process behind."""
    bad = stack.client.create("bad", templates=Templates(title=LOOPS))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(post, stack, bad, "k")
        pids = until(lambda: renderers(stack), "something renders")
        assert stack.daemon.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert under_way.result() in (200, 503)


def renderers(stack: Stack) -> list[int]:
    """The processes that render."""
    return stack.daemon.children()
