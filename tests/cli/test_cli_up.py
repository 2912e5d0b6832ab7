"""`tocsin up` with the real daemon and the real gateway."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import free_port
from up_process import Up

from tocsin_cli.sheet import ALERTMANAGER_HEADING, NEXT_HEADING, RULES_HEADING

StartUp = Callable[..., Up]


@pytest.fixture
def start_up(folder: Path) -> Iterator[StartUp]:
    """Return a function that runs `tocsin up`, by default always with the same data."""
    started: list[Up] = []

    def start(*arguments: str) -> Up:
        started.append(Up(folder, *arguments))
        return started[-1]

    yield start
    for up in started:
        up.clean_up()


def _between(text: str, first: str, last: str) -> str:
    return text.partition(f"{first}\n")[2].partition(last)[0]


def _value(sheet: str, label: str) -> str:
    match = re.search(rf"^{label}: (\S+)$", sheet, re.MULTILINE)
    assert match is not None, f"no {label} in:\n{sheet}"
    return match.group(1)


def _post(url: str, body: bytes) -> int:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as response:
        status: int = response.status
        return status


def _notification(name: str) -> bytes:
    alert = {"status": "firing", "labels": {"alertname": name}, "startsAt": "2026-01-01T00:00:00Z"}
    group = {"groupKey": f'{{}}:{{alertname="{name}"}}', "groupLabels": {"alertname": name}, "truncatedAlerts": 0}
    body = {"version": "4", "status": "firing", "receiver": "tocsin", "alerts": [alert], **group}
    return json.dumps(body | {"commonLabels": {"alertname": name}, "commonAnnotations": {}, "externalURL": ""}).encode()


def _tocsin(up: Up, *arguments: str) -> str:
    command = [sys.executable, "-m", "tocsin_cli", "--target", up.target, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_the_sheet_says_works(start_up: StartUp) -> None:
    """Posting to the printed URLs makes an alert group and a beat, and the printed target shows them."""
    up = start_up()
    sheet = up.sheet()
    assert _value(sheet, "url").startswith(f"http://127.0.0.1:{up.port}/integrations/v1/alertmanager/")
    assert _value(sheet, "heartbeatUrl") == _value(sheet, "url") + "heartbeat/"
    assert f"export TOCSIN_TARGET={up.target}\n" in sheet

    assert _post(_value(sheet, "url"), _notification("Down")) == 200
    assert _post(_value(sheet, "heartbeatUrl"), b"") == 200
    (group,) = json.loads(_tocsin(up, "groups", "list", "-o", "json"))["alertGroups"]
    assert (group["name"], group["state"]) == ("alertGroups/1", "FIRING")
    beats = json.loads(_tocsin(up, "heartbeats", "list", "-o", "json"))["heartbeats"]
    assert "UP" in [heartbeat["state"] for heartbeat in beats]
    assert "acknowledged" in _tocsin(up, "groups", "ack", "1")
    assert "Down" in _tocsin(up, "groups", "show", "1")

    code, output, _ = up.stop(signal.SIGINT)
    assert code == 0
    assert output.strip() == sheet, "stdout is for the sheet alone"


@pytest.mark.parametrize(
    ("tool", "check", "first", "last"),
    [
        ("amtool", ["check-config"], ALERTMANAGER_HEADING, RULES_HEADING),
        ("promtool", ["check", "rules"], RULES_HEADING, NEXT_HEADING),
    ],
)
def test_what_is_to_be_pasted_is_valid(
    start_up: StartUp, folder: Path, tool: str, check: list[str], first: str, last: str
) -> None:
    """Alertmanager's and Prometheus's own checkers accept the files on the sheet."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed, and only it can tell whether its file is valid")
    pasted = folder / "pasted.yml"
    pasted.write_text(_between(start_up().sheet(), first, last))
    checked = subprocess.run([tool, *check, str(pasted)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "2 receivers" in checked.stdout or "1 rules found" in checked.stdout


def test_the_sheet_says_how_to_be_told(start_up: StartUp) -> None:
    """After the URLs stand the commands by which Tocsin tells people; --webhook-network reaches the daemon."""
    up = start_up("--webhook-network", "127.0.0.0/8")
    commands = [line for line in up.sheet().splitlines() if line.startswith(("tocsin c", "tocsin r"))]
    assert [" ".join(line.split()[:3]) for line in commands] == [
        "tocsin contacts create",
        "tocsin contacts test",
        "tocsin chains create",
        "tocsin routes update",
    ]
    code, _, errors = start_up("--data", str(up.data.parent / "d2"), "--webhook-network", "nonsense").end()
    assert (code, "must be a network such as 10.0.0.0/8" in errors) == (1, True)


def test_the_second_run_has_the_same_urls(start_up: StartUp) -> None:
    """An integration that is there is used again, so what was pasted stays good, and groups are kept."""
    up = start_up()
    first = up.sheet()
    _post(_value(first, "url"), _notification("Down"))
    up.stop()
    again = start_up("--http", f"127.0.0.1:{up.port}")
    assert _value(again.sheet(), "url") == _value(first, "url")
    assert len(json.loads(_tocsin(again, "groups", "list", "-o", "json"))["alertGroups"]) == 1


@pytest.mark.parametrize(("index", "name"), [(0, "tocsind"), (1, "tocsin-gateway")])
def test_a_killed_child_is_started_again(start_up: StartUp, index: int, name: str) -> None:
    """When a child is killed, a line says so, and soon everything works as before."""
    up = start_up()
    sheet = up.sheet()
    _post(_value(sheet, "url"), _notification("Before"))
    os.kill(up.children()[index], signal.SIGKILL)
    up.errors.until(f"tocsin: {name} was killed by SIGKILL; starting it again")
    ready = f"http://127.0.0.1:{up.port}/-/ready"
    while _status(ready) != 200:
        assert up.process.poll() is None
    assert _post(_value(sheet, "url"), _notification("After")) == 200
    assert len(json.loads(_tocsin(up, "groups", "list", "-o", "json"))["alertGroups"]) == 2
    assert up.stop()[0] == 0


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def test_a_data_folder_has_one_daemon(start_up: StartUp) -> None:
    """A second `up` on the same data ends with the daemon's own message, and does the first one no harm."""
    first = start_up()
    url = _value(first.sheet(), "url")
    code, output, errors = start_up("--http", f"127.0.0.1:{free_port()}").end()
    assert (code, output) == (1, "")
    assert "tocsind ended with exit status" in errors.splitlines()[-1]
    assert len(errors.splitlines()) > 1, "the daemon said nothing"
    assert _post(url, _notification("Down")) == 200
    assert len(json.loads(_tocsin(first, "integrations", "list", "-o", "json"))["integrations"]) <= 2


def test_nothing_is_left_after_a_kill(start_up: StartUp) -> None:
    """When `up` is killed, its children stop, and the next `up` on the same data and port just works."""
    up = start_up()
    url = _value(up.sheet(), "url")
    _post(url, _notification("Down"))
    children = [os.pidfd_open(pid) for pid in up.children()]
    up.process.kill()
    for child in children:
        assert select.select([child], [], [], 20)[0], "a child lives on"
        os.close(child)
    again = start_up("--http", f"127.0.0.1:{up.port}")
    assert _value(again.sheet(), "url") == url
    assert len(json.loads(_tocsin(again, "groups", "list", "-o", "json"))["alertGroups"]) == 1
