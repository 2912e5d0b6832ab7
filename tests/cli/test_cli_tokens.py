"""`tocsin tokens` and `tocsin whoami` against a fake daemon."""

import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cli_program import Run
from cli_terminal import on_terminal
from fake_daemon import FakeDaemon
from fake_records import now

from tocsin.v1.access_pb2 import ApiToken, Caller


def test_create_prints_the_secret_and_says_that_it_will_not_again(run: Run, daemon: FakeDaemon) -> None:
    """The secret is on stdout; the warning is on stderr, where it cannot end up in a file with the secret."""
    result = run("tokens", "create", "--role", "editor", "--name", "grafana", "--expires", "2037-01-01T00:00:00Z")
    assert result.exit_code == 0
    assert "secret: s3cret" in result.stdout.splitlines()
    assert "role: editor" in result.stdout.splitlines()
    assert result.stderr == "tocsin: the secret is not shown again: keep it now\n"
    (request,) = daemon.requests("CreateApiToken")
    assert (request.api_token.display_name, request.api_token.role) == ("grafana", ApiToken.Role.EDITOR)
    assert request.api_token.expire_time.ToDatetime(tzinfo=UTC) == datetime(2037, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("role", ["admin", "editor", "viewer", "gateway"])
def test_create_as_json_is_the_token(run: Run, daemon: FakeDaemon, role: str) -> None:
    """With -o json the message, secret included, is all that is printed."""
    result = run("tokens", "create", "--role", role, "--name", "x", "-o", "json")
    created = json.loads(result.stdout)
    assert (created["role"], created["secret"], created["displayName"]) == (role.upper(), "s3cret", "x")
    assert "expireTime" not in created
    assert result.stderr == ""


def test_a_token_expires_after_a_duration_from_now(run: Run, daemon: FakeDaemon) -> None:
    """--expires 90d is 90 days from now."""
    earliest = datetime.now(UTC) + timedelta(days=90)
    run("tokens", "create", "--role", "viewer", "--name", "x", "--expires", "90d")
    expires = daemon.requests("CreateApiToken")[0].api_token.expire_time.ToDatetime(tzinfo=UTC)
    assert earliest <= expires <= datetime.now(UTC) + timedelta(days=90)


@pytest.mark.parametrize("options", [[], ["-o", "json"]])
def test_a_secret_that_got_lost_is_said_to_be(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """The answer to a repeat bears no secret: what to do about it is said, rather than that it be kept."""
    daemon.answers_repeats = True
    result = run("tokens", "create", "--role", "viewer", "--name", "x", *options)
    assert "secret" not in result.stdout
    assert result.stderr == "tocsin: the secret got lost: `tocsin tokens revoke apiTokens/t0`, and create another\n"


@pytest.mark.parametrize(
    "options",
    [["--role", "root", "--name", "x"], ["--name", "x"], ["--role", "admin"]],
    ids=["role", "no role", "no name"],
)
def test_create_needs_a_role_and_a_name(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """A role that there is not, or one missing, is wrong usage."""
    assert run("tokens", "create", *options).exit_code == 2
    assert daemon.calls == []


def test_list_tells_of_each_token_what_it_is_and_when_it_was_used(run: Run, daemon: FakeDaemon) -> None:
    """The table has name, role, who created it, when it expires and when it was used; all pages are followed."""
    token = daemon.add_token("one", display_name="grafana", creator="ann")
    token.last_use_time.FromDatetime(now() - timedelta(hours=2, minutes=1))
    token.expire_time.FromDatetime(now() + timedelta(days=3, hours=1))
    for number in range(60):
        daemon.add_token(f"n{number}")
    title, row, *rest = run("tokens", "list").stdout.splitlines()
    assert title.split("  ")[0] == "NAME"
    assert row.startswith("apiTokens/one  viewer  grafana ")
    assert " ann " in row
    assert "(in 3d1h)" in row
    assert row.endswith("(2h ago)")
    assert len(rest) == 60
    assert rest[0].split()[-2:] == ["never", "never"]
    assert len(json.loads(run("tokens", "list", "-o", "json").stdout)["apiTokens"]) == 61


def test_an_empty_list_of_tokens_is_a_list(run: Run) -> None:
    """`list -o json` has the list even if nothing is in it."""
    assert json.loads(run("tokens", "list", "-o", "json").stdout) == {"apiTokens": []}


@pytest.mark.parametrize("name", ["apiTokens/one", "one"])
def test_show_takes_the_bare_id_too(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A token is found by its resource name or by its id alone; there is no secret to show."""
    daemon.add_token("one", display_name="grafana")
    lines = run("tokens", "show", name).stdout.splitlines()
    assert "displayName: grafana" in lines
    assert "expireTime: never" in lines
    assert not any(line.startswith("secret") for line in lines)
    assert json.loads(run("tokens", "show", name, "-o", "json").stdout)["name"] == "apiTokens/one"


def test_revoke_does_each_and_says_every_failure(run: Run, daemon: FakeDaemon) -> None:
    """Tokens are revoked one after the other; a script is not asked."""
    daemon.add_token("one")
    daemon.add_token("two")
    result = run("tokens", "revoke", "one", "none", "apiTokens/two")
    assert (result.exit_code, result.stdout) == (3, "apiTokens/one revoked\napiTokens/two revoked\n")
    assert result.stderr == "tocsin: apiTokens/none does not exist\n"
    daemon.add_token("one")
    assert run("tokens", "revoke", "one", "-o", "json").stdout == "{}\n"
    assert daemon.api_tokens == {}


def test_revoke_asks_on_a_terminal(daemon: FakeDaemon) -> None:
    """On a terminal what would go is shown; only yes revokes, and -y does not ask."""
    daemon.add_token("one", display_name="grafana")
    code, seen = on_terminal(daemon, "tokens", "revoke", "one", typed="n\n", width=200)
    assert (code, list(daemon.api_tokens)) == (1, ["apiTokens/one"])
    assert "grafana" in seen
    assert "Revoke 1 token? [y/N]" in seen
    assert on_terminal(daemon, "tokens", "revoke", "one", typed="y\n")[0] == 0
    assert daemon.api_tokens == {}
    daemon.add_token("one")
    code, seen = on_terminal(daemon, "tokens", "revoke", "one", "-y")
    assert (code, "?" in seen) == (0, False)


def test_a_refusal_before_the_question_ends_it(daemon: FakeDaemon) -> None:
    """Who may not see tokens is told so, rather than asked about them."""
    daemon.add_token("one")
    daemon.failures["GetApiToken"] = (grpc.StatusCode.PERMISSION_DENIED, "needs the role Admin")
    code, seen = on_terminal(daemon, "tokens", "revoke", "one", typed="y\n")
    assert code == 6
    assert "needs the role Admin" in seen
    assert daemon.requests("DeleteApiToken") == []


def test_whoami(run: Run, daemon: FakeDaemon) -> None:
    """The actor, the role, and by which token; without one, that the socket is what lets us in."""
    assert run("whoami").stdout.splitlines() == [
        "actor: ann",
        "role: admin",
        "apiToken: none (you may open the daemon's socket)",
    ]
    daemon.caller = Caller(actor="ann via grafana", role=ApiToken.Role.VIEWER, api_token="apiTokens/one")
    assert "apiToken: apiTokens/one" in run("whoami").stdout.splitlines()
    assert json.loads(run("whoami", "-o", "json").stdout) == {
        "actor": "ann via grafana",
        "role": "VIEWER",
        "apiToken": "apiTokens/one",
    }
