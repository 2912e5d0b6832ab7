"""The way of somebody who runs Grafana OnCall: an export, `tocsin import oncall`, and the sender with another host.

The files are as OnCall's public API returns them, written by hand with made-up ids. The real program, daemon and
gateway; what the import says of each case is tested against a fake daemon in tests/cli.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from neighbours import NEEDS_ALERTMANAGER, Alertmanager, webhook
from processes import Processes, until
from senders import notification
from stacks import Stack

from tocsin.v1.alert_groups_pb2 import AlertGroup
from tocsin.v1.integrations_pb2 import Integration, ListIntegrationsRequest
from tocsin.v1.routes_pb2 import ListRoutesRequest

PATHS = {
    "Production": "/integrations/v1/alertmanager/mReAoNwDm0eMwKo1mTeTwYo/",
    "Staging": "/integrations/v1/alertmanager/pQ8sT1vW4yaB3dE6gH9jK2m/",
}
TITLE = (
    "{{ payload.commonLabels.alertname }} ({{ payload.alerts | length }}) since "
    '{{ payload.alerts[0].startsAt | iso8601_to_time | datetimeformat("%Y") }}'
)
MESSAGE = (
    '{% for alert in payload.alerts %}{{ alert.labels.instance | regex_replace(":.*", "") }} {% endfor %}'
    "{{ grafana_oncall_link }}"
)


def integration(id_: str, name: str, link: str, type_: str = "alertmanager", **fields: Any) -> dict[str, Any]:
    """An integration as OnCall tells of it."""
    return {
        "id": id_,
        "name": name,
        "description_short": None,
        "team_id": None,
        "link": f"https://oncall.example/oncall{link}",
        "type": type_,
        "default_route": {"id": f"R{id_}", "escalation_chain_id": None},
        "templates": {"grouping_key": None, "web": {"title": None, "message": None}},
        "heartbeat": None,
        "maintenance_mode": None,
    } | fields


def route(id_: str, of: str, kind: str, condition: str | None, position: int) -> dict[str, Any]:
    """A route as OnCall tells of it; without a condition it is the default one."""
    return {
        "id": id_,
        "integration_id": of,
        "escalation_chain_id": "FCHAIN" if position == 0 else None,
        "routing_type": kind,
        "routing_regex": condition,
        "position": position,
        "is_the_last_route": condition is None,
    }


@pytest.fixture
def export(folder: Path) -> list[str]:
    """Files with pages that follow one another, as the loop in docs/moving-from-oncall.md leaves them."""
    templates = {
        "grouping_key": "{{ payload.groupKey }}",
        "acknowledge_signal": '{{ payload.commonLabels.acked == "yes" }}',
        "web": {"title": TITLE, "message": MESSAGE, "image_url": None},
        "slack": {"title": "{{ web_title }}", "message": None, "image_url": None},
    }
    integrations = [
        integration("CPROD", "Production", PATHS["Production"], templates=templates),
        integration("CHOOK", "Hook", "/integrations/v1/webhook/hookhookhookhookhookhook/", "webhook"),
        integration("CSTAG", "Staging", PATHS["Staging"]),
    ]
    routes = [
        route("RONE", "CPROD", "jinja2", '{{ payload.commonLabels.instance == "a:1" }}', 0),
        route("RTWO", "CPROD", "regex", r'"instance": "(b|c):\d"', 1),
        route("RBAD", "CPROD", "regex", "(", 2),
        route("RDEF", "CPROD", "jinja2", None, 3),
        route("RSTG", "CSTAG", "jinja2", None, 0),
    ]
    files = []
    for name, results in (("integrations", integrations), ("routes", routes)):
        pages = [results[:2], results[2:]]
        file = folder / f"{name}.json"
        file.write_text("".join(json.dumps({"count": len(results), "results": page}) for page in pages))
        files.append(str(file))
    return files


def imported(stack: Stack, *arguments: str) -> dict[str, Any]:
    """Runs the import; what it says of each integration, by name."""
    command = [sys.executable, "-m", "tocsin_cli", "--target", stack.target, "import", "oncall", "-o", "json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1, done.stderr  # not everything can be taken over
    report = json.loads(done.stdout)
    assert report["missing"] == []
    return {each["displayName"]: each for each in report["integrations"]}


def there(stack: Stack) -> dict[str, Integration]:
    """The integrations, by name."""
    found = stack.client.call(stack.client.integrations.ListIntegrations, ListIntegrationsRequest())
    return {each.display_name: each for each in found.integrations}


def descriptions(stack: Stack, integration: Integration) -> dict[str, str]:
    """Which of OnCall's routes each route was, by name."""
    request = ListRoutesRequest(parent=integration.name)
    routes = stack.client.call(stack.client.routes.ListRoutes, request).routes
    return {each.name: each.description for each in routes}


def test_groups_take_the_routes_and_titles_that_they_had(stack: Stack, export: list[str]) -> None:
    """After the import, a notification to the old path opens the group that it opened in OnCall."""
    assert imported(stack, "--dry-run", *export)["Production"]["outcome"] == "created"
    assert "Production" not in there(stack)

    said = imported(stack, *export)
    assert {name: each["outcome"] for name, each in said.items()} == {
        "Production": "created",
        "Staging": "created",
        "Hook": "notTaken",
    }
    for beginning in ("template slack.title", "escalation chain FCHAIN of route 1", "route 3 (RBAD)"):
        assert any(line.startswith(beginning) for line in said["Production"]["notTaken"]), beginning

    found = there(stack)
    assert "Hook" not in found
    for name, path in PATHS.items():
        assert found[name].url.endswith(path)
    routes = descriptions(stack, found["Production"])

    sender = stack.sender()
    for instance in ("a:1", "b:2", "d:4"):
        labels = {"alertname": "Load", "instance": instance, "acked": "yes" if instance == "d:4" else "no"}
        assert sender.post(PATHS["Production"], body(instance, labels)) == 200
    assert sender.post(PATHS["Staging"], body("a:1", {"alertname": "Load"})) == 200
    sender.close()

    groups = {each.labels["instance"]: each for each in stack.client.groups(found["Production"])}
    taken = {instance: routes[group.route] for instance, group in groups.items()}
    assert taken["a:1"].startswith("from OnCall: route RONE, escalation chain FCHAIN")
    assert taken["b:2"].startswith("from OnCall: route RTWO")
    assert groups["d:4"].route == f"{found['Production'].name}/routes/default"
    assert groups["d:4"].state == AlertGroup.ACKNOWLEDGED
    assert {group.title for group in groups.values()} == {"Load (1) since 2026"}
    assert groups["b:2"].message.strip() == "b"
    (plain,) = stack.client.groups(found["Staging"])
    assert (plain.title, plain.message) == ("Load (a:1)", "")

    again = imported(stack, *export)
    assert {each["outcome"] for each in again.values()} == {"exists", "notTaken"}
    assert there(stack) == found
    assert descriptions(stack, found["Production"]) == routes


@NEEDS_ALERTMANAGER
def test_alertmanager_needs_another_host_only(
    stack: Stack, export: list[str], processes: Processes, folder: Path
) -> None:
    """Alertmanager's old URL with our host before /integrations/v1/ delivers."""
    imported(stack, *export)
    url = f"http://127.0.0.1:{stack.port}{PATHS['Production']}"
    Alertmanager(processes, folder, webhook(url)).start().fire("Load", "b:2")
    until(lambda: stack.client.groups(), "the group is there")
    (group,) = stack.client.groups()
    assert group.title.startswith("Load (1) since ")
    production = there(stack)["Production"]
    assert descriptions(stack, production)[group.route] == "from OnCall: route RTWO"


def body(instance: str, labels: dict[str, str]) -> bytes:
    """A notification of one alert."""
    made: dict[str, Any] = json.loads(notification(instance))
    made["commonLabels"] = labels
    made["alerts"] = made["alerts"][:1]
    made["alerts"][0] |= {"labels": labels, "startsAt": "2026-11-01T00:00:00Z"}
    return json.dumps(made).encode()
