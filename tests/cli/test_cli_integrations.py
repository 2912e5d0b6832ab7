"""`tocsin integrations` against a fake daemon."""

import json
from datetime import timedelta

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon


def test_create_prints_the_secret_urls(run: Run, daemon: FakeDaemon) -> None:
    """`create` sends what the options say and prints the name and both URLs as labelled lines."""
    result = run(
        *("integrations", "create", "--type", "alertmanager", "--name", "Prod", "--description", "the big one"),
        *("--reopen-window", "5m", "--stale-after", "9h", "--retention", "90d"),
    )

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "name: integrations/i0",
        "url: http://tocsin.example:8080/integrations/v1/alertmanager/token-of-i0/",
        "heartbeatUrl: http://tocsin.example:8080/integrations/v1/alertmanager/token-of-i0/heartbeat/",
    ]
    (request,) = daemon.requests("CreateIntegration")
    assert (request.integration.type, request.integration.display_name) == ("alertmanager", "Prod")
    assert request.integration.description == "the big one"
    assert request.integration.reopen_window.ToTimedelta() == timedelta(minutes=5)
    assert request.integration.stale_after.ToTimedelta() == timedelta(hours=9)
    assert request.integration.retention.ToTimedelta() == timedelta(days=90)


def test_create_leaves_defaults_to_the_daemon(run: Run, daemon: FakeDaemon) -> None:
    """What is not said on the command line is not sent."""
    run("integrations", "create", "--type", "alertmanager", "--name", "Prod")
    (request,) = daemon.requests("CreateIntegration")
    assert not any(request.integration.HasField(f) for f in ("reopen_window", "stale_after", "retention"))


def test_create_as_json_is_the_integration(run: Run) -> None:
    """`create -o json` prints the API's message, with its names in camelCase."""
    result = run("integrations", "create", "--type", "alertmanager", "--name", "Prod", "-o", "json")
    created = json.loads(result.stdout)
    assert created["displayName"] == "Prod"
    assert created["url"].endswith("/token-of-i0/")
    assert created["heartbeatUrl"].endswith("/heartbeat/")


def test_list_shows_no_secrets_to_people(run: Run, daemon: FakeDaemon) -> None:
    """The table names each integration and says nothing of tokens."""
    daemon.add_integration("one", display_name="Prod")
    result = run("integrations", "list")
    assert "integrations/one" in result.stdout
    assert "Prod" in result.stdout
    assert "token" not in result.stdout


def test_list_follows_all_pages(run: Run, daemon: FakeDaemon) -> None:
    """`list` prints one response with all integrations, however many pages the daemon made of them."""
    for number in range(120):
        daemon.add_integration(f"n{number}")
    response = json.loads(run("integrations", "list", "-o", "json").stdout)
    assert [each["name"] for each in response["integrations"]] == [f"integrations/n{n}" for n in range(120)]
    assert "nextPageToken" not in response


@pytest.mark.parametrize("name", ["integrations/one", "one"])
def test_show_takes_the_bare_id_too(run: Run, daemon: FakeDaemon, name: str) -> None:
    """`show` finds an integration by its resource name or by its id alone."""
    integration = daemon.add_integration("one", display_name="Prod")
    integration.reopen_window.FromTimedelta(timedelta(minutes=5))
    lines = run("integrations", "show", name).stdout.splitlines()
    assert "name: integrations/one" in lines
    assert "displayName: Prod" in lines
    assert "reopenWindow: 5m" in lines
    assert f"url: {integration.url}" in lines


def test_a_change_shows_no_secrets(run: Run, daemon: FakeDaemon) -> None:
    """What changes an integration prints it without its secret URLs, and says nothing of that."""
    daemon.add_integration("one")
    for arguments in (
        ["update", "one", "--retention", "7d"],
        ["start-maintenance", "one", "--mode", "debug", "--for=1h"],
    ):
        result = run("integrations", *arguments)
        assert result.exit_code == 0
        assert "token" not in result.stdout
        assert result.stderr == ""


def test_list_fits_a_line(run: Run, daemon: FakeDaemon) -> None:
    """A line of the list has at most 120 characters, with names of usual lengths and a maintenance."""
    integration = daemon.add_integration("0123456789ab", type="alertmanager", display_name="Production, Frankfurt")
    integration.create_time.GetCurrentTime()
    run("integrations", "start-maintenance", "0123456789ab", "--mode", "maintenance", "--for=30d")
    lines = run("integrations", "list").stdout.splitlines()
    assert "maintenance, ends in 30d" in lines[1]
    assert max(map(len, lines)) <= 120


def test_update_changes_only_what_is_named(run: Run, daemon: FakeDaemon) -> None:
    """`update` sends a mask with the given options; an empty text and 0s are values like others."""
    daemon.add_integration("one", description="old", display_name="Kept")
    result = run("integrations", "update", "one", "--description", "", "--reopen-window", "0s")
    assert result.exit_code == 0
    (request,) = daemon.requests("UpdateIntegration")
    assert list(request.update_mask.paths) == ["description", "reopen_window"]
    assert daemon.integrations["integrations/one"].description == ""
    assert daemon.integrations["integrations/one"].display_name == "Kept"


def test_update_without_a_change_is_wrong_usage(run: Run, daemon: FakeDaemon) -> None:
    """`update` with no option asks the daemon nothing and says what is missing."""
    result = run("integrations", "update", "one")
    assert result.exit_code == 2
    assert "nothing to change" in result.stderr
    assert not daemon.requests("UpdateIntegration")


def test_rotate_token_prints_the_new_urls(run: Run, daemon: FakeDaemon) -> None:
    """`rotate-token` prints what to paste into the sender now."""
    daemon.add_integration("one")
    assert "/a-new-token/heartbeat/" in run("integrations", "rotate-token", "one").stdout


@pytest.mark.parametrize("flags", [[], ["--yes"], ["-y"]])
def test_delete_asks_nobody_where_there_is_no_terminal(run: Run, daemon: FakeDaemon, flags: list[str]) -> None:
    """In a script, `delete` deletes, with or without --yes."""
    daemon.add_integration("one")
    result = run("integrations", "delete", "one", *flags)
    assert result.exit_code == 0
    assert result.stdout == "integrations/one deleted\n"
    assert daemon.integrations == {}


@pytest.mark.parametrize("noun", ["integrations", "heartbeats"])
def test_an_empty_list_is_still_a_list(run: Run, noun: str) -> None:
    """`list -o json` has the list even if nothing is in it, so that scripts can index it."""
    assert json.loads(run(noun, "list", "-o", "json").stdout) == {noun: []}


def test_a_rule_that_does_not_apply_is_off(run: Run, daemon: FakeDaemon) -> None:
    """A stale_after of nothing is shown as off: as 0s it would read as "at once"."""
    created = run("integrations", "create", "--type", "alertmanager", "--name", "Fresh", "--stale-after", "0s")
    name = created.stdout.split()[1]
    shown = run("integrations", "show", name).stdout
    assert "staleAfter: off" in shown


def test_secrets_that_are_kept_from_the_caller_are_said_to_be(run: Run, daemon: FakeDaemon) -> None:
    """Who is no admin sees an integration without its secret URLs, and that this is why; the built-in one has none."""
    daemon.keeps_secrets = True
    daemon.add_integration("one")
    shown = run("integrations", "show", "one")
    assert not any(line.startswith(("url:", "heartbeatUrl:", "token:")) for line in shown.stdout.splitlines())
    assert "bearerUrl: " in shown.stdout
    assert shown.stderr == "tocsin: its secret URLs are shown to admins only\n"
    assert run("integrations", "show", "one", "-o", "json").stderr == ""
    daemon.add_integration("two").ClearField("bearer_url")
    assert run("integrations", "show", "two").stderr == ""
    daemon.keeps_secrets = False
    daemon.add_integration("three")
    assert run("integrations", "show", "three").stderr == ""


def test_a_new_url_that_is_not_shown_is_where_admins_see_it(run: Run, daemon: FakeDaemon) -> None:
    """`create` and `rotate-token` cope with an answer without secrets: that it is done, and where the URLs are."""
    daemon.keeps_secrets = True
    for arguments in (["create", "--type", "alertmanager", "--name", "Prod"], ["rotate-token", "i0"]):
        result = run("integrations", *arguments)
        assert (result.exit_code, result.stdout) == (0, "name: integrations/i0\n")
        assert "`tocsin integrations show integrations/i0`" in result.stderr
