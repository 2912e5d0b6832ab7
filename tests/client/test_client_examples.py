"""The programs in docs/examples, as processes, against a real daemon."""

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat import Chat
from processes import Process, until
from scripted_daemon import Refusal, ScriptedDaemon, page
from senders import notification
from stacks import Stack

from tocsin.v1.alert_groups_pb2 import (
    AcknowledgeAlertGroupRequest,
    AlertGroup,
    BatchAcknowledgeAlertGroupsResponse,
    BatchResult,
    ListAlertGroupsResponse,
)
from tocsin.v1.integrations_pb2 import Integration

EXAMPLES = Path(__file__).parents[2] / "docs/examples"

# Remove it, and its uses, once the daemon knows `labels.NAME` in filters and BatchAcknowledgeAlertGroups.


def run(name: str, *arguments: str, target: str) -> "subprocess.CompletedProcess[str]":
    """Runs an example to its end."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    environment = {"TOCSIN_TARGET": target, "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def integration(stack: Stack) -> Integration:
    """Where alerts come from."""
    return stack.client.create("Production")


def send(stack: Stack, integration: Integration, key: str, *, team: str = "web", firing: bool = True) -> None:
    """Sends a notification for the group with this key."""
    labels = {"alertname": key, "team": team}
    firing_alerts, resolved_alerts = (["a"], []) if firing else ([], ["a"])
    body = notification(key, firing=firing_alerts, resolved=resolved_alerts, commonLabels=labels, groupLabels=labels)
    sender = stack.sender()
    assert sender.post(integration.url, body) == 200
    sender.close()


@pytest.fixture
def chat() -> Iterator[Chat]:
    """A chat."""
    chat = Chat()
    yield chat
    chat.close()


def test_everything_of_a_team_is_acknowledged(stack: Stack, integration: Integration) -> None:
    """Groups of the team that fire are acknowledged with the note, and others are left alone."""
    for key, team in (("one", "web"), ("two", "db"), ("three", "web")):
        send(stack, integration, key, team=team)
    program = run("acknowledge_team.py", "web", "on", "it", target=stack.target)
    assert (program.returncode, program.stderr) == (0, "")
    states = {group.labels["alertname"]: AlertGroup.State.Name(group.state) for group in stack.client.groups()}
    assert states == {"one": "ACKNOWLEDGED", "two": "FIRING", "three": "ACKNOWLEDGED"}


def test_a_group_that_cannot_be_acknowledged_is_told(daemon: ScriptedDaemon) -> None:
    """The program asks for the team's groups, acknowledges them in one batch, and says which of them failed and why."""
    daemon.script["ListAlertGroups"].extend([page(3, token="a"), page(token="b"), page(1)])
    daemon.script["BatchAcknowledgeAlertGroups"].append(
        BatchAcknowledgeAlertGroupsResponse(
            results=[
                BatchResult(name="alertGroups/3", alert_group=AlertGroup(title="Load")),
                BatchResult(name="alertGroups/1", error=Refusal("FAILED_PRECONDITION", "it is resolved").status),
            ]
        )
    )
    program = run("acknowledge_team.py", 'w"eb', "on", "it", target=daemon.target)
    assert program.stdout == "alertGroups/3  Load\n"
    assert (program.returncode, program.stderr) == (1, "alertGroups/1: FAILED_PRECONDITION: it is resolved\n")
    assert daemon.requests("ListAlertGroups")[0].filter == r'state = FIRING AND labels.team = "w\"eb"'
    (batch,) = daemon.requests("BatchAcknowledgeAlertGroups")
    assert (list(batch.names), batch.note) == (["alertGroups/3", "alertGroups/1"], "on it")
    assert batch.request_id


def test_a_chat_is_told_and_nothing_is_missed(stack: Stack, integration: Integration, chat: Chat) -> None:
    """The chat hears of all that happens, across restarts of the daemon and of the program."""
    file = stack.folder / "revision"
    file.write_text("0")

    def start() -> Process:
        arguments = [sys.executable, str(EXAMPLES / "forward_to_chat.py"), chat.url, str(file)]
        return stack.processes.start(arguments, stack.folder / "forward.log", env={"TOCSIN_TARGET": stack.target})

    send(stack, integration, "one")
    program = start()
    assert chat.texts.get(timeout=30) == "#1 opened: one (web)"

    stack.daemon.kill()
    stack.start_daemon()
    send_again = stack.client.groups(integration)  # waits for the daemon
    assert len(send_again) == 1
    stack.wait_ready()
    send(stack, integration, "two")
    assert chat.texts.get(timeout=30) == "#2 opened: two (web)"
    until(lambda: int(file.read_text()) >= 2, "the program kept the revision")

    program.kill()
    send(stack, integration, "one", firing=False)
    acknowledge = AcknowledgeAlertGroupRequest(name="alertGroups/2")
    stack.client.call(stack.client.alert_groups.AcknowledgeAlertGroup, acknowledge, actor="ada")
    start()
    assert chat.texts.get(timeout=30) == "#1 resolved: one (web)"
    assert chat.texts.get(timeout=30) == "#2 acknowledged by ada: two (web)"
    assert chat.texts.empty()


def test_groups_become_csv(stack: Stack, integration: Integration) -> None:
    """There is a line for each group that the filter wants, with its labels."""
    send(stack, integration, "one")
    send(stack, integration, "two", team="db")
    send(stack, integration, "two", team="db", firing=False)
    program = run("export_csv.py", target=stack.target)
    assert program.returncode == 0, program.stderr
    rows = list(csv.DictReader(io.StringIO(program.stdout)))
    assert [(row["number"], row["state"], row["title"]) for row in rows] == [
        ("2", "RESOLVED", "two (db)"),
        ("1", "FIRING", "one (web)"),
    ]
    assert rows[1]["labels"] == "alertname=one team=web"
    assert rows[0]["resolved"] >= rows[0]["opened"] > "2026"
    only = run("export_csv.py", "state = FIRING", target=stack.target)
    assert len(only.stdout.splitlines()) == 2


def test_csv_holds_no_formulas(daemon: ScriptedDaemon) -> None:
    """What senders write is text in a spreadsheet, whatever it begins with."""
    evil = AlertGroup(number=1, title='=HYPERLINK("http://evil")', labels={"a": "b"})
    daemon.script["ListAlertGroups"].append(ListAlertGroupsResponse(alert_groups=[evil]))
    program = run("export_csv.py", target=daemon.target)
    assert next(csv.DictReader(io.StringIO(program.stdout)))["title"] == '\'=HYPERLINK("http://evil")'


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_refusal_is_one_line(name: str, daemon: ScriptedDaemon, tmp_path: Path) -> None:
    """Each example ends with one line and the exit status 1 where the daemon refuses."""
    refusal = Refusal("PERMISSION_DENIED", "not you")
    daemon.script["ListAlertGroups"].append(refusal)
    daemon.script["WatchAlertGroups"].append([refusal])
    program = run(name, "team", str(tmp_path / "file"), target=daemon.target)
    assert (program.returncode, program.stdout.count("\n") < 2) == (1, True)
    assert program.stderr == f"{name.removesuffix('.py')}: PERMISSION_DENIED: not you\n"
