"""The gateway, the daemon and the command line of neighbouring versions work together, whichever is upgraded first.

The other version is taken from the history of this repository, and run as it was. Where the history is not there (a
shallow clone, a source archive), these tests are skipped and say so.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc_tools
import pytest
from google.api import field_behavior_pb2
from grpc_tools import protoc
from processes import Process, Processes, until
from senders import notification
from stacks import Stack

from tocsin.v1.alert_groups_pb2 import AcknowledgeAlertGroupRequest, AlertGroup
from tocsin.v1.heartbeats_pb2 import Heartbeat

ROOT = Path(__file__).parents[2]
PREVIOUS = "105b64f9ebe475ae2744f76a95ea99c212760c55"
"""The version before: the last commit before escalation chains and contact points."""

BUF = Path(sys.executable).with_name("buf")


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the version before."""
    try:
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", "--format=tar", PREVIOUS], capture_output=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("there is no git to take the version before from the history")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the history does not have {PREVIOUS[:7]}: {error.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def of(tree: Path) -> dict[str, str]:
    """The environment in which the programs are those of a version."""
    return {"PYTHONPATH": os.pathsep.join(str(tree / part) for part in ("daemon", "gateway", "cli", "proto"))}


class Mixed(Stack):
    """A daemon and a gateway of two versions."""

    def __init__(self, processes: Processes, folder: Path, daemon: Path, gateway: Path) -> None:
        super().__init__(processes, folder)
        self.trees = {"tocsind": daemon, "tocsin_gateway": gateway}

    def start_daemon(self, **options: Any) -> None:
        """Starts the daemon of its version, with what each version understands."""
        arguments = ["--data", str(self.data), "--external-url", f"http://127.0.0.1:{self.port}"]
        self.daemon = self._start("tocsind", *arguments, "--rate-limit", "0", "--total-rate-limit", "0")

    def start_gateway(self) -> None:
        """Starts the gateway of its version."""
        self.gateway = self._start("tocsin_gateway", "--http", f"127.0.0.1:{self.port}", "--target", self.target)

    def _start(self, module: str, *arguments: str) -> Process:
        log = self.folder / {"tocsind": "daemon.log", "tocsin_gateway": "gateway.log"}[module]
        return self.processes.python(module, *arguments, log=log, env=of(self.trees[module]))


@pytest.fixture(params=["the gateway is older", "the daemon is older"])
def mixed(request: pytest.FixtureRequest, previous: Path, processes: Processes, folder: Path) -> Iterator[Mixed]:
    """Both ways in which only one of the two is upgraded."""
    trees = (ROOT, previous) if request.param == "the gateway is older" else (previous, ROOT)
    stack = Mixed(processes, folder, *trees)
    try:
        stack.start()
        yield stack
    finally:
        stack.close()


def test_the_programs_are_of_two_versions(mixed: Mixed, previous: Path) -> None:
    """What runs is what these tests are about: each finds its modules in its own tree."""
    seen = {
        (Path(f"/proc/{process.pid}/environ").read_bytes().partition(b"PYTHONPATH=")[2].partition(b"\0")[0]).decode()
        for process in (mixed.daemon, mixed.gateway)
    }
    assert seen == {of(tree)["PYTHONPATH"] for tree in (ROOT, previous)}


def test_notifications_beats_and_actions(mixed: Mixed) -> None:
    """Groups open, are acknowledged and resolved, heartbeats beat, and a daemon that restarts is waited for."""
    integration = mixed.client.create("prod")
    sender = mixed.sender()
    log = mixed.folder / "watch.log"
    watch = mixed.processes.python(
        "tocsin_cli", "groups", "watch", "--since", "0", "-o", "json", "--target", mixed.target, log=log, env=of(ROOT)
    )
    assert sender.post(integration.url, notification("k", firing="ab")) == 200
    (group,) = mixed.client.groups(integration)
    assert (group.state, group.firing_alert_count, group.grouping_key) == (AlertGroup.FIRING, 2, "k")

    request = AcknowledgeAlertGroupRequest(name=group.name)
    assert mixed.client.call(mixed.client.alert_groups.AcknowledgeAlertGroup, request).state == AlertGroup.ACKNOWLEDGED

    assert sender.post(f"{integration.url}heartbeat/", b"") == 200
    assert mixed.client.heartbeat(integration).state == Heartbeat.UP

    mixed.daemon.stop()
    mixed.start_daemon()
    until(lambda: sender.post(integration.url, notification("k", firing="", resolved="ab")) == 200, "it is taken")
    assert mixed.client.groups(integration)[0].state == AlertGroup.RESOLVED
    assert mixed.client.timeline(group) == ["OPENED", "ACKNOWLEDGED", "RESOLVED"]
    # It has gone on where it was when the daemon restarted.
    until(lambda: '"RESOLVED"' in watch.log, "the watch tells the end")
    kinds = [json.loads(line)["event"]["kind"] for line in watch.log.splitlines() if line.startswith("{")]
    assert kinds == ["OPENED", "ACKNOWLEDGED", "RESOLVED"]
    assert sender.post("/integrations/v1/alertmanager/unknown/", notification("k")) == 404
    sender.close()


def test_upgraded_in_place(previous: Path, processes: Processes, folder: Path) -> None:
    """The old daemon's file is taken over by the new one while the old gateway goes on: what was there is there, what
    comes after is taken, and a copy of the file before is kept."""
    stack = Mixed(processes, folder, previous, previous)
    try:
        stack.start()
        integration = stack.client.create("prod")
        sender = stack.sender()
        assert sender.post(integration.url, notification("before")) == 200

        stack.daemon.stop()
        stack.trees["tocsind"] = ROOT
        stack.start_daemon()
        until(lambda: sender.post(integration.url, notification("after")) == 200, "it is taken")

        assert {group.grouping_key for group in stack.client.groups(integration)} == {"before", "after"}
        assert [path.name.split("-2")[0] for path in (stack.data / "backups").iterdir()] == ["before-0004-telling"]

        stack.daemon.stop()
        stack.trees["tocsind"] = previous
        stack.start_daemon()
        assert stack.daemon.wait() == 1
        assert "the file is at migration" in stack.logs()
        sender.close()
    finally:
        stack.close()


def test_an_older_command_line_and_client(stack: Stack, previous: Path) -> None:
    """`tocsin` and the Python client of the version before list, watch and acknowledge at a new daemon."""
    integration = stack.client.create("prod")
    sender = stack.sender()
    assert sender.post(integration.url, notification("first")) == 200
    log = stack.folder / "watch.log"
    arguments = ("groups", "watch", "--snapshot", "-o", "json", "--target", stack.target)
    watch = stack.processes.python("tocsin_cli", *arguments, log=log, env=of(previous))
    until(lambda: "first" in watch.log, "the watch tells what is there")

    (listed,) = _json(previous, "groups", "list", "--target", stack.target)["alertGroups"]
    assert listed["groupingKey"] == "first"
    _json(previous, "groups", "ack", listed["name"], "--target", stack.target)
    assert stack.client.groups(integration)[0].state == AlertGroup.ACKNOWLEDGED
    until(lambda: "ACKNOWLEDGED" in watch.log, "the watch tells what somebody did")

    assert sender.post(integration.url, notification("second")) == 200
    until(lambda: "second" in watch.log, "the watch tells what opens")
    assert watch.running
    sender.close()


def test_the_contract_breaks_nothing_of_the_one_before(previous: Path, tmp_path: Path) -> None:
    """buf finds nothing that a program built on the version before could stumble over."""
    if not BUF.exists():
        pytest.skip("buf is not installed: it comes with the dev extra")
    assert breaking(ROOT / "proto", previous, tmp_path) == (0, "")


def test_a_break_is_seen(previous: Path, tmp_path: Path) -> None:
    """A field that is gone is told: the test above could fail."""
    if not BUF.exists():
        pytest.skip("buf is not installed: it comes with the dev extra")
    changed = tmp_path / "proto"
    shutil.copytree(ROOT / "proto" / "tocsin" / "v1", changed / "tocsin" / "v1")
    intake = changed / "tocsin" / "v1" / "intake.proto"
    text = intake.read_text()
    assert "string grouping_key" in text
    intake.write_text(text.replace("string grouping_key", "string other_key"))

    status, told = breaking(changed, previous, tmp_path)

    assert status != 0
    assert "grouping_key" in told


def breaking(contract: Path, previous: Path, folder: Path) -> tuple[int, str]:
    """What buf says of a contract, compared to that of the version before. Both are compiled with all that they import,
    which the text descriptor of a version leaves out."""
    images = [
        _image(root, folder / name) for root, name in ((contract, "new.binpb"), (previous / "proto", "old.binpb"))
    ]
    command = [str(BUF), "breaking", str(images[0]), "--against", str(images[1])]
    config = ["--config", str(ROOT / "proto" / "buf.yaml")]
    ran = subprocess.run([*command, *config], capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def _image(root: Path, image: Path) -> Path:
    includes = [root, Path(field_behavior_pb2.__file__).parents[2], Path(grpc_tools.__file__).parent / "_proto"]
    sources = sorted(str(path.relative_to(root)) for path in root.glob("tocsin/v1/*.proto"))
    options = ["--include_imports", f"--descriptor_set_out={image}"]
    assert protoc.main(["protoc", *(f"-I{include}" for include in includes), *options, *sources]) == 0
    return image


def _json(tree: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "tocsin_cli", *arguments, "-o", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | of(tree))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
