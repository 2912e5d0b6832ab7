"""`tocsin groups watch`, as a process of its own against a fake daemon."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import grpc
import pytest
from fake_daemon import FakeDaemon, State

from tocsin.v1.alert_groups_pb2 import Event

Watch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def watch(daemon: FakeDaemon) -> Iterator[Watch]:
    """Return a function that starts a watch; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        program = subprocess.Popen(
            [sys.executable, "-m", "tocsin_cli", "groups", "watch", *arguments],
            env=os.environ | {"TOCSIN_TARGET": daemon.target},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


def _line(program: "subprocess.Popen[str]") -> str:
    """Return the next line of the program's output, waiting for it."""
    assert program.stdout is not None
    return program.stdout.readline()


def test_each_event_is_a_line_as_it_happens(daemon: FakeDaemon, watch: Watch) -> None:
    """A watch prints a line at once when something happens, with who, what and why."""
    group = daemon.add_group(7, State.ACKNOWLEDGED, title="Down api")
    program = watch()
    assert daemon.watches.get(timeout=10) is None
    daemon.happen(1, group, kind=Event.Kind.ACKNOWLEDGED, actor="ann", reason="by hand", note="on it")
    assert _line(program).split("  ")[1:] == [
        "alertGroups/7",
        "acknowledged",
        "by ann",
        "Down api",
        "(by hand - on it)\n",
    ]


def test_json_lines(daemon: FakeDaemon, watch: Watch) -> None:
    """With -o json each line is an object with the revision, the event and the group."""
    group = daemon.add_group(7, title="Down api")
    daemon.happen(41, group, kind=Event.Kind.OPENED)
    daemon.happen(42, group, kind=Event.Kind.NEW_ALERTS)
    program = watch("--since", "0", "-o", "json")
    first, second = json.loads(_line(program)), json.loads(_line(program))
    assert daemon.watches.get(timeout=10) == 0
    assert (first["revision"], first["event"]["kind"]) == ("41", "OPENED")
    assert first["alertGroup"]["title"] == "Down api"
    assert (second["revision"], second["event"]["kind"]) == ("42", "NEW_ALERTS")


def test_a_watch_can_begin_with_what_is(daemon: FakeDaemon, watch: Watch) -> None:
    """--snapshot prints each group as it is now before what happens to it, and --filter goes to the daemon."""
    group = daemon.add_group(7, State.ACKNOWLEDGED, title="Down api")
    daemon.happen(41, group, kind=Event.Kind.OPENED)
    programs = watch("--snapshot", "--filter", "state != RESOLVED"), watch("--snapshot", "-o", "json")
    assert _line(programs[0]).rstrip("\n").split("  ")[-3:] == ["alertGroups/7", "acknowledged", "Down api"]
    lines = [json.loads(_line(programs[1])) for _ in range(2)]
    assert [sorted(line) for line in lines] == [["alertGroup"], ["revision", "snapshotComplete"]]
    daemon.happen(42, group, kind=Event.Kind.RESOLVED)
    assert "resolved" in _line(programs[0])
    assert json.loads(_line(programs[1]))["revision"] == "42"
    assert "state != RESOLVED" in {request.filter for request in daemon.requests("WatchAlertGroups")}


def test_a_snapshot_begins_nowhere_else(watch: Watch) -> None:
    """--snapshot with --since is wrong usage."""
    program = watch("--snapshot", "--since", "7")
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, len(errors.splitlines())) == (2, 1)


def test_a_watch_survives_the_daemon(daemon: FakeDaemon, watch: Watch) -> None:
    """When the daemon goes away and comes back, the watch goes on after the last revision: nothing lost or doubled."""
    group = daemon.add_group(7)
    program = watch("-o", "json")
    assert program.stderr is not None
    assert daemon.watches.get(timeout=10) is None
    daemon.happen(1, group, kind=Event.Kind.OPENED)
    assert json.loads(_line(program))["revision"] == "1"

    daemon.stop()
    assert "lost the connection" in program.stderr.readline()
    daemon.happen(2, group, kind=Event.Kind.REOPENED)  # while nobody listens
    daemon.start()

    assert daemon.watches.get(timeout=10) == 1
    assert json.loads(_line(program))["revision"] == "2"
    assert program.stderr.readline() == "tocsin: the daemon is back; going on after revision 1\n"
    daemon.happen(3, group, kind=Event.Kind.RESOLVED)
    assert json.loads(_line(program))["revision"] == "3"


def test_a_daemon_never_reached_is_an_error(daemon: FakeDaemon, watch: Watch) -> None:
    """A watch that cannot even begin says so and ends, instead of waiting for a daemon that may be misspelt."""
    program = watch("--target", "unix:/nowhere")
    _, errors = program.communicate(timeout=20)
    assert program.returncode == 5
    assert errors.startswith("tocsin: cannot reach the daemon at unix:/nowhere")


def test_a_daemon_that_never_answers_is_an_error(daemon: FakeDaemon, watch: Watch) -> None:
    """A watch whose daemon does not even greet it within --timeout ends like any other call."""
    daemon.mute.set()
    program = watch("--timeout", "1s")
    _, errors = program.communicate(timeout=20)
    assert program.returncode == 5
    assert errors == f"tocsin: no answer from the daemon at {daemon.target} within 1s\n"


def test_silence_after_the_greeting_is_peace(daemon: FakeDaemon, watch: Watch) -> None:
    """--timeout does not end a watch on which nothing happens."""
    group = daemon.add_group(7)
    program = watch("--timeout", "1s")
    daemon.watches.get(timeout=10)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(timeout=2)
    daemon.happen(1, group, kind=Event.Kind.OPENED)
    assert "opened" in _line(program)
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=20)[1] == "", "it was not all one connection"


def test_a_refusal_ends_the_watch(daemon: FakeDaemon, watch: Watch) -> None:
    """What would only be refused again is not tried again."""
    daemon.failures["WatchAlertGroups"] = (grpc.StatusCode.PERMISSION_DENIED, "not you")
    program = watch()
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors) == (6, "tocsin: not you\n")


def test_ctrl_c_is_how_a_watch_ends(daemon: FakeDaemon, watch: Watch) -> None:
    """An interrupted watch ends at once and quietly, with exit code 0."""
    program = watch()
    daemon.watches.get(timeout=10)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors) == (0, "")


def test_ctrl_c_ends_any_other_command_with_130(daemon: FakeDaemon) -> None:
    """An interrupted call ends at once and quietly, with exit code 130."""
    daemon.mute.set()
    program = subprocess.Popen(
        [sys.executable, "-m", "tocsin_cli", "groups", "list", "--target", daemon.target],
        stderr=subprocess.PIPE,
        text=True,
    )
    daemon.called.acquire(timeout=10)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors.strip()) == (130, "")
