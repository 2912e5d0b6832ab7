"""The way of a newcomer: `tocsin up`, a real Alertmanager with what it printed, and the commands that it suggests."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from neighbours import NEEDS_ALERTMANAGER, Alertmanager
from processes import Process, Processes, free_port, until


class Trial:
    """One `tocsin up`, and the commands of its user."""

    def __init__(self, processes: Processes, folder: Path, data: Path, port: int, name: str) -> None:
        self._processes = processes
        self._target = f"unix:{data}/tocsind.sock"
        self._folder = folder
        self._sheet = folder / f"{name}.sheet"
        with self._sheet.open("wb") as sheet:
            self.process: Process = processes.python(
                "tocsin_cli",
                "up",
                "--data",
                str(data),
                "--http",
                f"127.0.0.1:{port}",
                log=folder / f"{name}.log",
                stdout=sheet,
            )

    def sheet(self) -> str:
        """What it printed, once all is up."""

        def printed() -> str | None:
            text = self._sheet.read_text()
            assert self.process.running, self.process.log
            return text if "tocsin --help" in text else None

        text = until(printed, "the sheet is printed")
        assert text is not None
        return text

    def url(self) -> str:
        """The URL that it printed."""
        (url,) = (line.removeprefix("url: ") for line in self.sheet().splitlines() if line.startswith("url: "))
        return url

    def tocsin(self, *arguments: str) -> str:
        """Runs a command; returns its output."""
        done = subprocess.run(
            [sys.executable, "-m", "tocsin_cli", "--target", self._target, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def groups(self) -> list[dict[str, Any]]:
        """What `tocsin groups list` tells."""
        listed: list[dict[str, Any]] = json.loads(self.tocsin("groups", "list", "-o", "json"))["alertGroups"]
        return listed


def section(sheet: str, name: str) -> str:
    """The part of the sheet under the heading that begins with `name`."""
    _, _, rest = sheet.partition(f"--- {name}")
    return rest.partition("\n")[2].partition("\n---")[0]


@NEEDS_ALERTMANAGER
def test_the_way_of_a_newcomer(processes: Processes, folder: Path) -> None:
    """Start it, paste what it printed, see an alert, acknowledge it, stop it all with Ctrl-C, and find everything again
    under the same URL after the next start."""
    data, port = folder / "data", free_port()
    trial = Trial(processes, folder, data, port, "first")
    sheet = trial.sheet()
    yaml = section(sheet, "alertmanager.yml")
    url = trial.url()
    assert url in yaml
    # The main route as it is waits for half a minute: Alertmanager's default.
    quick = yaml.replace("group_by: [alertname]\n", "group_by: [alertname]\n  group_wait: 0s\n", 1)
    assert quick != yaml
    pasted = folder / "pasted.yml"
    pasted.write_text(yaml)
    if shutil.which("amtool"):
        subprocess.run(["amtool", "check-config", str(pasted)], check=True, capture_output=True, timeout=30)
    if shutil.which("promtool"):
        rules = folder / "rules.yml"
        rules.write_text(section(sheet, "tocsin-rules.yml"))
        subprocess.run(["promtool", "check", "rules", str(rules)], check=True, capture_output=True, timeout=30)
    alertmanager = Alertmanager(processes, folder, quick).start()

    alertmanager.fire("DiskFull", "db1")
    alertmanager.fire("heartbeat", "prometheus")
    (group,) = until(trial.groups, "the group is listed")
    assert (group["title"], group["state"]) == ("DiskFull", "FIRING")
    until(
        lambda: json.loads(trial.tocsin("heartbeats", "list", "-o", "json"))["heartbeats"][0]["state"] == "UP",
        "the heartbeat is up",
    )
    trial.tocsin("groups", "ack", group["number"], "--note", "on it")
    (group,) = trial.groups()
    assert group["state"] == "ACKNOWLEDGED"
    events = json.loads(trial.tocsin("groups", "timeline", group["number"], "-o", "json"))["events"]
    assert [event["kind"] for event in events] == ["OPENED", "ACKNOWLEDGED"]
    assert events[1]["note"] == "on it"
    assert "DiskFull" in trial.tocsin("groups", "show", group["number"])

    alertmanager.process.stop()
    trial.process.send(signal.SIGINT)
    assert trial.process.wait() == 0
    assert processes.left() == [], "something was left behind"
    assert "Traceback" not in trial.process.log

    again = Trial(processes, folder, data, port, "second")
    assert again.url() == url
    assert again.groups() == [group]
    # Alertmanager does not know that it was away.
    alertmanager.start()
    alertmanager.fire("DiskFull", "db1", "db2")
    until(lambda: again.groups()[0]["firingAlertCount"] == 2, "the group is updated")
    (group,) = again.groups()
    assert group["state"] == "ACKNOWLEDGED"


@pytest.mark.parametrize("what", ["data folder", "address"])
def test_a_second_one_is_refused(processes: Processes, folder: Path, what: str) -> None:
    """A second `tocsin up` on the same data folder, or at the same address, says so and ends; the first one goes on."""
    data, port = folder / "data", free_port()
    first = Trial(processes, folder, data, port, "first")
    url = first.url()
    if what == "data folder":
        second = Trial(processes, folder, data, free_port(), "second")
    else:
        second = Trial(processes, folder, folder / "other", port, "second")
    assert second.process.wait() not in (0, -signal.SIGKILL)
    assert ("is in use by process" if what == "data folder" else f"cannot listen on 127.0.0.1:{port}") in (
        second.process.log
    )
    assert "Traceback" not in second.process.log
    assert first.process.running
    assert first.groups() == []
    assert url in json.dumps(json.loads(first.tocsin("integrations", "list", "-o", "json")))
