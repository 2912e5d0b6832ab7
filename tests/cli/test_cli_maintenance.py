"""Maintenance, demo alerts, rate limits and tokens that are kept, against a fake daemon."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon

from tocsin.v1.integrations_pb2 import Maintenance

TOKEN = "kept-token-of-25-letters-"


def test_start_maintenance_starts_now(run: Run, daemon: FakeDaemon) -> None:
    """Without --from no start is sent: the daemon's clock decides."""
    daemon.add_integration("one")
    result = run("integrations", "start-maintenance", "one", "--mode", "debug", "--for", "2h")
    assert result.exit_code == 0
    (request,) = daemon.requests("StartMaintenance")
    assert (request.name, request.mode) == ("integrations/one", Maintenance.Mode.DEBUG)
    assert request.duration.ToTimedelta() == timedelta(hours=2)
    assert not request.HasField("start_time")
    assert "maintenance: debug until " in result.stdout
    assert "maintenanceActor: ann" in result.stdout


def test_start_maintenance_can_be_planned(run: Run, daemon: FakeDaemon) -> None:
    """--from is a moment, or a time from now; list and show say that it is planned."""
    daemon.add_integration("one")
    start = ("integrations", "start-maintenance", "one", "--mode", "maintenance", "--for", "1d")
    run(*start, "--from", "2999-01-01T22:00:00Z")
    (request,) = daemon.requests("StartMaintenance")
    assert request.start_time.ToDatetime(UTC) == datetime(2999, 1, 1, 22, tzinfo=UTC)
    assert "maintenance: maintenance from " in run("integrations", "show", "one").stdout
    assert "maintenance, starts in " in run("integrations", "list").stdout


@pytest.mark.parametrize("options", [["--mode", "debug"], ["--for", "1h"], ["--mode", "x", "--for", "1h"]])
def test_start_maintenance_wants_mode_and_length(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """How long and how is not guessed."""
    daemon.add_integration("one")
    assert run("integrations", "start-maintenance", "one", *options).exit_code == 2
    assert not daemon.requests("StartMaintenance")


def test_stop_maintenance(run: Run, daemon: FakeDaemon) -> None:
    """`stop-maintenance` ends it; where there is none, the state forbids it."""
    daemon.add_integration("one").maintenance.mode = Maintenance.Mode.DEBUG
    result = run("integrations", "stop-maintenance", "one")
    assert result.exit_code == 0
    assert "maintenance" not in result.stdout
    assert run("integrations", "stop-maintenance", "one").exit_code == 4


def test_demo_prints_the_group(run: Run, daemon: FakeDaemon) -> None:
    """`demo` takes the display name and prints the name of the group, for the next command."""
    daemon.add_integration("one", display_name="The one")
    assert run("integrations", "demo", "The one").stdout == "alertGroups/1\n"
    (request,) = daemon.requests("SendDemoAlert")
    assert request.name == "integrations/one"
    assert json.loads(run("integrations", "demo", "one", "-o", "json").stdout) == {"alertGroup": "alertGroups/2"}


def test_demo_tells_one_contact_point(run: Run, daemon: FakeDaemon) -> None:
    """--contact is sent; without it whom the chain names is told."""
    daemon.add_integration("one")
    daemon.add_contact("anna")
    run("integrations", "demo", "one")
    run("integrations", "demo", "one", "--contact", "Anna")
    assert [request.contact_point for request in daemon.requests("SendDemoAlert")] == ["", "contactPoints/anna"]


@pytest.mark.parametrize(
    ("given", "sent", "shown"), [("0", 0, "off"), ("10", 10, "10 in 5m"), ("default", None, "default")]
)
def test_rate_limits(run: Run, daemon: FakeDaemon, given: str, sent: int | None, shown: str) -> None:
    """A number is sent, 0 as well; `default` leaves the daemon's in place, and takes an own one back."""
    integration = daemon.add_integration("one", rate_limit=77)
    run("integrations", "create", "--type", "alertmanager", "--name", "x", "--rate-limit", given)
    result = run("integrations", "update", "one", "--rate-limit", given)
    (created,), (updated,) = daemon.requests("CreateIntegration"), daemon.requests("UpdateIntegration")
    for message in (created.integration, updated.integration, integration):
        assert (message.rate_limit if message.HasField("rate_limit") else None) == sent
    assert list(updated.update_mask.paths) == ["rate_limit"]
    assert f"rateLimit: {shown}" in result.stdout.splitlines()


@pytest.mark.parametrize("given", ["-1", "many", "1.5", "", "1000001", "99999999999"])
def test_what_is_no_rate_limit_is_refused(run: Run, daemon: FakeDaemon, given: str) -> None:
    """A rate limit is a number from 0 to the daemon's largest, or `default`."""
    daemon.add_integration("one")
    assert run("integrations", "update", "one", "--rate-limit", given).exit_code == 2
    assert not daemon.requests("UpdateIntegration")


def test_create_keeps_a_token(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    """The token of the URL is read from a file or from stdin, without the line's end."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    create = ("integrations", "create", "--type", "alertmanager", "--name")
    result = run(*create, "x", "--url-token-file", str(tmp_path / "token"))
    assert f"/alertmanager/{TOKEN}/" in result.stdout
    run(*create, "y", "--url-token-file", "-", stdin=f"{TOKEN}\n".encode())
    run(*create, "z")
    assert [request.token for request in daemon.requests("CreateIntegration")] == [TOKEN, TOKEN, ""]


def test_an_empty_token_is_none(run: Run, daemon: FakeDaemon) -> None:
    """Where the file is empty nothing is created: with a new token the senders would be left behind."""
    result = run("integrations", "create", "--type", "alertmanager", "--name", "x", "--url-token-file", "-")
    assert result.exit_code == 2
    assert not daemon.requests("CreateIntegration")


def test_show_tells_what_is_set(run: Run, daemon: FakeDaemon) -> None:
    """`show` names the templates that are set and says how many routes there are."""
    integration = daemon.add_integration("one")
    assert "routes: the default one" in run("integrations", "show", "one").stdout.splitlines()
    integration.templates.title = integration.templates.message = "x"
    daemon.add_route("integrations/one", matchers="a=b")
    lines = run("integrations", "show", "one").stdout.splitlines()
    assert "templates: title, message" in lines
    assert "routes: 2, with the default one" in lines
