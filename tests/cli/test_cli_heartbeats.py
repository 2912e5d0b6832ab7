"""`tocsin heartbeats` against a fake daemon."""

import json
from datetime import timedelta

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon
from fake_records import now

from tocsin.v1.heartbeats_pb2 import Heartbeat


def test_list_shows_state_interval_and_times(run: Run, daemon: FakeDaemon) -> None:
    """The table says of each heartbeat whose it is, where it stands and when it beat last."""
    daemon.add_integration("one")
    heartbeat = daemon.heartbeats["integrations/one/heartbeat"]
    heartbeat.state = Heartbeat.State.MISSING
    heartbeat.last_beat_time.FromDatetime(now() - timedelta(hours=2, minutes=1))
    title, row = run("heartbeats", "list").stdout.splitlines()
    assert title.split("  ")[0] == "NAME"
    assert row.startswith("integrations/one/heartbeat  One           missing  10m")
    assert row.endswith("(2h ago)")


@pytest.mark.parametrize("name", ["integrations/one/heartbeat", "integrations/one", "one"])
def test_set_takes_any_of_its_names(run: Run, daemon: FakeDaemon, name: str) -> None:
    """`set --interval` changes the interval of the heartbeat that the name means."""
    daemon.add_integration("one")
    result = run("heartbeats", "set", name, "--interval", "10s")
    assert result.exit_code == 0
    assert "interval: 10s" in result.stdout.splitlines()
    (request,) = daemon.requests("UpdateHeartbeat")
    assert request.heartbeat.name == "integrations/one/heartbeat"
    assert list(request.update_mask.paths) == ["interval"]


@pytest.mark.parametrize(("verb", "state"), [("pause", "PAUSED"), ("resume", "UP"), ("reset", "WAITING")])
def test_verbs_print_the_state_afterwards(run: Run, daemon: FakeDaemon, verb: str, state: str) -> None:
    """Each verb prints the heartbeat as it is then."""
    daemon.add_integration("one")
    assert json.loads(run("heartbeats", verb, "one", "-o", "json").stdout)["state"] == state
    assert f"state: {state.lower()}" in run("heartbeats", "show", "one").stdout.splitlines()
