"""`tocsin contacts` against a fake daemon."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon

from tocsin.v1.contact_points_pb2 import Apprise, Calendar, OnCall, TestOutcome, Webhook

TestOutcome.__test__ = False  # type: ignore[attr-defined]  # it is no test
_MAIL = "mailtos://me:s3cret@mail.example?to=anna@mail.example"


@pytest.mark.parametrize("way", ["file", "stdin", "line"])
def test_apprise_from_wherever(run: Run, daemon: FakeDaemon, tmp_path: Path, way: str) -> None:
    """An address comes from a file, stdin or the command line, without the spaces around it, and is not shown."""
    (tmp_path / "address").write_text(f"\n  {_MAIL}\n")
    options = {
        "file": ["--apprise-file", str(tmp_path / "address")],
        "stdin": ["--apprise-file", "-"],
        "line": ["--apprise", _MAIL],
    }
    result = run("contacts", "create", "Anna, mail", *options[way], "--bundle", "30s", stdin=f"{_MAIL}\n".encode())
    assert result.exit_code == 0, result.stderr
    (request,) = daemon.requests("CreateContactPoint")
    contact = request.contact_point
    assert (contact.display_name, contact.apprise.url) == ("Anna, mail", _MAIL)
    assert contact.bundle_window.ToTimedelta() == timedelta(seconds=30)
    assert "s3cret" not in result.output
    assert "kind: Mail" in result.stdout.splitlines()


def test_a_webhook_with_everything(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    """Every setting of a webhook arrives."""
    files = {
        "headers": "Authorization: Bearer a:b\n\nX-Team:ops\n",
        "secret": " whsec_AAAA\n",
        "pem": "PEM",
        "body": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = run(
        *("contacts", "create", "Hook", "--webhook-file", "-", "--method", "put", "--request-timeout", "20s"),
        *("--header-file", str(tmp_path / "headers"), "--signing-secret-file", str(tmp_path / "secret")),
        *("--request-ca-file", str(tmp_path / "pem"), "--client-certificate-file", str(tmp_path / "pem")),
        *("--client-key-file", str(tmp_path / "pem"), "--insecure-skip-verify"),
        *("--body-template-file", str(tmp_path / "body"), "--alias", "hook", "--alias", "h", "--description", "d"),
        stdin=b"https://hook.example/s3cret\n",
    )
    assert result.exit_code == 0, result.stderr
    contact = daemon.requests("CreateContactPoint")[0].contact_point
    hook = contact.webhook
    assert (hook.url, hook.method) == ("https://hook.example/s3cret", Webhook.Method.PUT)
    assert dict(hook.headers) == {"Authorization": "Bearer a:b", "X-Team": "ops"}
    assert (hook.signing_secret, hook.timeout.ToTimedelta()) == ("whsec_AAAA", timedelta(seconds=20))
    assert (hook.ca_certificates, hook.client_certificate, hook.client_key) == ("PEM", "PEM", "PEM")
    assert hook.insecure_skip_verify
    assert (contact.body_template, list(contact.aliases), contact.description) == ("{}", ["hook", "h"], "d")
    assert "Bearer" not in result.output
    assert "headers: Authorization, X-Team" in result.stdout.splitlines()


def test_sign_makes_a_secret_and_prints_it_once(run: Run, daemon: FakeDaemon) -> None:
    """A new secret has 32 random bytes; people and programs get it with the answer, and not again."""
    people = run("contacts", "create", "A", "--webhook", "https://hook.example/", "--sign")
    programs = run("contacts", "update", "A", "--sign", "-o", "json")
    sent = [
        daemon.requests("CreateContactPoint")[0].contact_point.webhook.signing_secret,
        daemon.requests("UpdateContactPoint")[0].contact_point.webhook.signing_secret,
    ]
    assert f"signingSecret: {sent[0]}" in people.stdout.splitlines()
    assert "not shown again" in people.stderr
    assert json.loads(programs.stdout)["webhook"]["signingSecret"] == sent[1]
    assert sent[0] != sent[1]
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32 for secret in sent)
    assert "signingSecret" not in run("contacts", "show", "A").stdout


@pytest.mark.parametrize(
    ("options", "schedule", "overrides"),
    [
        (["--on-call-url", "https://c.example/"], Calendar(url="https://c.example/"), None),
        (["--on-call-url-file", "-"], Calendar(url="https://c.example/x"), None),
        (["--on-call-file", "-"], Calendar(ical="https://c.example/x\n"), None),
        (
            ["--on-call-server-file", "a.ics", "--overrides-server-file", "b.ics"],
            Calendar(file="a.ics"),
            Calendar(file="b.ics"),
        ),
    ],
)
def test_whoever_is_on_call(
    run: Run, daemon: FakeDaemon, options: list[str], schedule: Calendar, overrides: Calendar | None
) -> None:
    """Calendars are uploaded, at a URL, or files at the daemon."""
    result = run("contacts", "create", "On call", *options, stdin=b"https://c.example/x\n")
    assert result.exit_code == 0, result.stderr
    on_call = daemon.requests("CreateContactPoint")[0].contact_point.on_call
    assert on_call.schedule == schedule
    assert (on_call.overrides if on_call.HasField("overrides") else None) == overrides


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "how is it reached?"),
        (["--description", "x"], "how is it reached?"),
        (["--apprise", "a://", "--apprise-file", "-"], "--apprise and --apprise-file exclude each other"),
        (
            ["--apprise", "a://", "--webhook", "http://x/"],
            "--apprise and --webhook are for contact points of different",
        ),
        (["--apprise", "a://", "--verify"], "--apprise and --insecure-skip-verify are for"),
        (["--webhook", "http://x/", "--sign", "--signing-secret-file", "-"], "exclude each other"),
        (["--on-call-file", "-", "--on-call-url", "x"], "exclude each other"),
        (["--webhook-file", "-", "--header-file", "-"], "cannot both be stdin"),
        (["--apprise-file", "/no/file"], "/no/file: No such file"),
        (["--apprise-file", "-"], "-: one line with an address is wanted, and there is nothing"),
        (["--webhook", "http://x/", "--header-file", "-"], None),
        (["--webhook", "http://x/", "--signing-secret-file", "-"], "there is no secret in it"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(
    run: Run, daemon: FakeDaemon, options: list[str], message: str | None
) -> None:
    """No way to be reached, two of them, two files from stdin, empty secrets: it is said, and nothing is created."""
    result = run("contacts", "create", "X", *options)
    assert (result.exit_code, bool(daemon.requests("CreateContactPoint"))) == (
        (0, True) if message is None else (2, False)
    )
    assert (message or "") in result.stderr


@pytest.mark.parametrize("text", ["s3cret", ": s3cret", "A: 1\na: s3cret"])
def test_what_is_no_header_is_said_without_it(run: Run, daemon: FakeDaemon, text: str) -> None:
    """A line that is no header, or one that was there, is named by its number: its text may be secret."""
    result = run("contacts", "create", "X", "--webhook", "http://x/", "--header-file", "-", stdin=text.encode())
    assert (result.exit_code, "s3cret" in result.stderr, "-, line" in result.stderr) == (2, False, True)
    assert not daemon.requests("CreateContactPoint")


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        (["--apprise-file", "-"], ["apprise.url"]),
        (["--webhook-file", "-", "--no-sign"], ["webhook.url", "webhook.signing_secret"]),
        (["--header-file", "/dev/null"], ["webhook.headers"]),
        (["--verify"], ["webhook.insecure_skip_verify"]),
        (["--method", "GET", "--request-timeout", "1s"], ["webhook.method", "webhook.timeout"]),
        (["--on-call-file", "-"], ["on_call.schedule"]),
        (["--no-overrides"], ["on_call.overrides"]),
        (["--name", "New", "--no-aliases", "--description", ""], ["description", "aliases", "display_name"]),
        (["--title-template-file", "/dev/null", "--bundle", "0s"], ["title_template", "bundle_window"]),
    ],
)
def test_update_names_what_changes(run: Run, daemon: FakeDaemon, options: list[str], paths: list[str]) -> None:
    """`update` sends the fields that were given and no others, those that are emptied as well."""
    daemon.add_contact("x", aliases=["a"], title_template="t")
    assert run("contacts", "update", "x", *options, stdin=b"text\n").exit_code == 0
    (request,) = daemon.requests("UpdateContactPoint")
    assert sorted(request.update_mask.paths) == sorted(paths)


def test_update_of_nothing_is_wrong_usage(run: Run, daemon: FakeDaemon) -> None:
    """Without an option nothing is asked."""
    daemon.add_contact("x")
    assert run("contacts", "update", "x").exit_code == 2
    assert not daemon.requests("UpdateContactPoint")


def _outcome(id_: str, delivered: bool, answer: str, **values: str) -> TestOutcome:
    outcome = TestOutcome(contact_point=f"contactPoints/{id_}", delivered=delivered, answer=answer, **values)
    outcome.duration.FromTimedelta(timedelta(milliseconds=1240))
    return outcome


def test_test_says_what_came_of_it(run: Run, daemon: FakeDaemon) -> None:
    """One line for each who was to be told, with the answer; the exit code is 0 only if all were."""
    daemon.add_contact("anna")
    daemon.outcomes = [_outcome("anna", True, "250 OK", template_error="line 1: no")]
    good = run("contacts", "test", "Anna")
    assert (good.exit_code, good.stdout) == (0, "delivered: Anna (contactPoints/anna), 1.2 s: 250 OK\n")
    assert "the default was sent: line 1: no" in good.stderr
    daemon.outcomes.append(_outcome("ben", False, "no answer\x1b within 10 s"))
    bad = run("contacts", "test", "anna")
    assert bad.exit_code == 1
    assert bad.stdout.splitlines()[1] == "NOT delivered: contactPoints/ben, 1.2 s: no answer\\x1b within 10 s"
    daemon.outcomes = []
    nobody = run("contacts", "test", "anna")
    assert (nobody.exit_code, "nobody is on call" in nobody.stderr) == (1, True)


def test_list_and_show(run: Run, daemon: FakeDaemon) -> None:
    """What is waiting and what failed last is shown; an old copy of a calendar is said to be one."""
    contact = daemon.add_contact(
        "anna",
        apprise=Apprise(service="Mail"),
        target="mailto://me:****@mail.example",
        pending_message_count=3,
        last_error="550 no",
    )
    contact.bundle_window.FromTimedelta(timedelta(seconds=2))
    daemon.add_contact("oncall", on_call=OnCall(schedule=Calendar(target="https://****", error="404")))
    lines = run("contacts", "list").stdout.splitlines()
    assert lines[1].split()[:5] == ["contactPoints/anna", "Anna", "Mail", "mailto://me:****@mail.example", "3"]
    assert lines[1].endswith("550 no")
    shown = run("contacts", "show", "Anna").stdout.splitlines()
    assert {"target: mailto://me:****@mail.example", "bundleWindow: 2s", "lastError: 550 no"} <= set(shown)
    assert "scheduleError: 404; the copy that was read last is used" in run("contacts", "show", "oncall").stdout
    assert len(json.loads(run("contacts", "list", "-o", "json").stdout)["contactPoints"]) == 2


@pytest.mark.parametrize("name", ["contactPoints/anna", "anna", "Anna, mail"])
def test_a_contact_point_has_three_names(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A contact point is given by its resource name, its id, or what people call it."""
    daemon.add_contact("anna", display_name="Anna, mail")
    assert run("contacts", "delete", name, "--force").stdout == "contactPoints/anna deleted\n"
    assert daemon.requests("DeleteContactPoint")[0].force
    assert run("contacts", "show", "Anna, mail").exit_code == 3


def test_the_help_says_who_can_read_a_command_line(run: Run) -> None:
    """Each option that takes a secret from the command line says so."""
    shown = " ".join(run("contacts", "create", "--help").stdout.split())
    assert shown.count("Other users of this machine can read it") == 3
