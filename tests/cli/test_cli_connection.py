"""How the program reaches the daemon, and what it makes of refusals."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import grpc
import pytest
from certificates import authority
from cli_program import Run
from fake_daemon import FakeDaemon

from tocsin_cli.connection import EXIT_CODES


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "TARGET", "-o", "json", "groups", "list"],
        ["groups", "--target", "TARGET", "--output", "json", "list"],
        ["groups", "list", "--target", "TARGET", "-o", "json"],
        ["--target", "unix:/nowhere", "-o", "table", "groups", "list", "--target", "TARGET", "-o", "json"],
    ],
)
def test_common_options_stand_anywhere_and_the_last_one_wins(
    run: Run, daemon: FakeDaemon, arguments: list[str]
) -> None:
    """--target and -o are accepted before the noun, after it and after the verb."""
    result = run(*(daemon.target if word == "TARGET" else word for word in arguments), env={"TOCSIN_TARGET": "unix:/x"})
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("{")


def test_the_environment_names_the_target(run: Run, daemon: FakeDaemon) -> None:
    """TOCSIN_TARGET is where the daemon is, unless --target says otherwise anywhere."""
    assert run("groups", "list").exit_code == 0
    nowhere = {"TOCSIN_TARGET": "unix:/nowhere"}
    assert run("groups", "list", env=nowhere).exit_code == 5
    assert run("--target", daemon.target, "groups", "list", env=nowhere).exit_code == 0


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("INVALID_ARGUMENT", 2),
        ("OUT_OF_RANGE", 2),
        ("NOT_FOUND", 3),
        ("FAILED_PRECONDITION", 4),
        ("ALREADY_EXISTS", 4),
        ("ABORTED", 4),
        ("UNAVAILABLE", 5),
        ("RESOURCE_EXHAUSTED", 5),
        ("DEADLINE_EXCEEDED", 5),
        ("UNAUTHENTICATED", 6),
        ("PERMISSION_DENIED", 6),
        ("INTERNAL", 1),
        ("UNIMPLEMENTED", 1),
    ],
)
def test_a_refusal_is_one_line_and_an_exit_code(run: Run, daemon: FakeDaemon, code: str, exit_code: int) -> None:
    """Each kind of refusal has its exit code; the daemon's words, on one line of stderr, are all that is printed."""
    daemon.failures["GetAlertGroup"] = (grpc.StatusCode[code], "because\nof this")
    result = run("groups", "show", "1")
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr.startswith("tocsin: ")
    assert len(result.stderr.splitlines()) == 1
    if code != "DEADLINE_EXCEEDED":  # gRPC's own in nearly all cases, and then without words
        assert "because of this" in result.stderr


def test_unreachable_says_where_and_how_to_set_it(run: Run) -> None:
    """Where no daemon listens, the message names the target, the reason, and the two ways to set it."""
    result = run("groups", "list", "--target", "unix:/nowhere/d.sock")
    assert result.exit_code == 5
    assert result.stderr == (
        "tocsin: cannot reach the daemon at unix:/nowhere/d.sock: No such file or directory "
        "(--target or TOCSIN_TARGET says where it is)\n"
    )


def test_silence_ends_at_the_timeout(run: Run, daemon: FakeDaemon) -> None:
    """A daemon that does not answer within --timeout counts as unreachable."""
    daemon.mute.set()
    began = time.monotonic()
    result = run("groups", "list", "--timeout", "1s")
    assert result.exit_code == 5
    assert f"no answer from the daemon at {daemon.target} within 1 s" in result.stderr
    assert 0.9 < time.monotonic() - began < 5


def test_no_time_at_all_is_wrong_usage(run: Run, daemon: FakeDaemon) -> None:
    """--timeout 0s could not work, and is said to be wrong before anything is asked."""
    assert run("groups", "list", "--timeout", "0s").exit_code == 2
    assert daemon.calls == []


@pytest.mark.parametrize(
    ("actor", "sent"), [("ann", "ann"), ("Jörg 100%", "J%C3%B6rg 100%25"), ("a\nb", "a%0Ab"), ("tool/7:x", "tool/7:x")]
)
def test_calls_bear_the_actor(run: Run, daemon: FakeDaemon, actor: str, sent: str) -> None:
    """TOCSIN_ACTOR goes along as metadata; what a header cannot hold is percent-encoded."""
    run("groups", "list", env={"TOCSIN_ACTOR": actor})
    assert daemon.calls[0].metadata["tocsin-actor"] == sent


def test_the_actor_is_the_login_name_by_default(run: Run, daemon: FakeDaemon) -> None:
    """Without TOCSIN_ACTOR the login name is who is asking."""
    run("groups", "list", env={"LOGNAME": "eve", "TOCSIN_ACTOR": None})
    assert daemon.calls[0].metadata["tocsin-actor"] == "eve"


def test_wrong_usage_is_one_line_with_the_way_to_help(run: Run) -> None:
    """click's errors have the same form as all others, and exit code 2."""
    result = run("groups", "show")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "tocsin: Missing argument 'NAME'. (see tocsin groups show --help)\n"


def test_help_lists_the_exit_codes(run: Run) -> None:
    """`tocsin --help` tells every exit code."""
    text = run("--help").stdout
    assert all(f"{code:>3}  {meaning}\n" in text for code, meaning in EXIT_CODES.items())


def test_a_reader_that_goes_away_is_no_news(daemon: FakeDaemon) -> None:
    """When the reader of the output closes the pipe, the program says nothing about it."""
    for number in range(40):
        daemon.add_group(number, title="x" * 10_000)
    reading, writing = os.pipe()
    os.close(reading)
    program = subprocess.run(
        [sys.executable, "-m", "tocsin_cli", "groups", "list", "--target", daemon.target],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert program.stderr == b""
    assert program.returncode == 1


def test_a_short_answer_to_nobody_is_no_news_either(daemon: FakeDaemon) -> None:
    """The same for an answer so short that it is only written when the program ends."""
    reading, writing = os.pipe()
    os.close(reading)
    program = subprocess.run(
        [sys.executable, "-m", "tocsin_cli", "groups", "list", "-o", "json", "--target", daemon.target],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert program.stderr == b""


def test_a_proxy_for_the_web_is_not_asked(run: Run) -> None:
    """http_proxy does not catch calls to a daemon on a TCP port."""
    fake = FakeDaemon("127.0.0.1:0")
    fake.start()
    result = run("groups", "list", "--target", fake.target, env={"http_proxy": "http://127.0.0.1:9", "no_proxy": ""})
    fake.stop()
    assert result.exit_code == 0, result.stderr


def test_the_program_is_also_a_module(daemon: FakeDaemon) -> None:
    """`python -m tocsin_cli` is the program."""
    environment = os.environ | {"TOCSIN_TARGET": daemon.target}
    program = subprocess.run(
        [sys.executable, "-m", "tocsin_cli", "groups", "list", "-o", "json"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert program.stdout == '{\n  "alertGroups": []\n}\n'
    assert program.stderr == ""


def test_every_change_bears_an_id_of_its_own(run: Run, daemon: FakeDaemon) -> None:
    """Requests that change something have a fresh request_id each, so that a repeat on the way is done once."""
    daemon.add_integration("one")
    daemon.add_integration("two")
    daemon.add_group(1)
    daemon.add_token("one")
    for arguments in (
        ["integrations", "create", "--type", "alertmanager", "--name", "x"],
        ["integrations", "update", "one", "--name", "y"],
        ["integrations", "rotate-token", "one"],
        ["heartbeats", "set", "one", "--interval", "1m"],
        ["heartbeats", "pause", "one"],
        ["heartbeats", "resume", "one"],
        ["heartbeats", "reset", "one"],
        ["integrations", "delete", "one"],
        ["groups", "ack", "1"],
        ["groups", "unack", "1"],
        ["groups", "silence", "1", "--forever"],
        ["groups", "unsilence", "1"],
        ["groups", "resolve", "1"],
        ["groups", "resolve", "1"],
        ["groups", "unresolve", "1"],
        ["notes", "add", "1", "x"],
        ["notes", "edit", "1/1", "y"],
        ["notes", "delete", "1/1"],
        ["groups", "wipe", "1"],
        ["groups", "delete", "1"],
        ["tokens", "create", "--role", "viewer", "--name", "x"],
        ["tokens", "revoke", "one"],
        ["routes", "create", "two", "--matchers", 'a="b"'],
        ["routes", "update", "two/r0", "--description", "x"],
        ["routes", "move", "two/r0", "0"],
        ["routes", "delete", "two/r0"],
        ["templates", "set", "two", "title", "x"],
        ["integrations", "start-maintenance", "two", "--mode", "debug", "--for", "1h"],
        ["integrations", "stop-maintenance", "two"],
        ["integrations", "demo", "two"],
    ):
        assert run(*arguments).exit_code == 0, arguments
    changes = [call for call in daemon.calls if not call.method.startswith("List")]
    ids = [uuid.UUID(call.request.request_id) for call in changes]
    assert len(set(ids)) == len(ids) == 30


def test_a_token_comes_from_the_environment(run: Run, daemon: FakeDaemon) -> None:
    """TOCSIN_TOKEN holds the secret of an API token, which goes along with each call."""
    run("groups", "list", env={"TOCSIN_TOKEN": "s3cret\n"})
    run("groups", "list")
    assert daemon.calls[0].metadata["authorization"] == "Bearer s3cret"
    assert "authorization" not in daemon.calls[1].metadata


def test_a_token_comes_from_a_file(run: Run, daemon: FakeDaemon, folder: Path) -> None:
    """--token-file names the file that holds it, and wins over the environment."""
    (folder / "token").write_text("s3cret\n")
    run("groups", "list", "--token-file", str(folder / "token"), env={"TOCSIN_TOKEN": "other"})
    assert daemon.calls[0].metadata["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe"])
def test_a_file_without_a_token_is_wrong_usage(
    run: Run, daemon: FakeDaemon, folder: Path, content: bytes | None
) -> None:
    """A token file that is missing or holds no token is said to be wrong, without its content; nothing is asked."""
    if content is not None:
        (folder / "token").write_bytes(content)
    result = run("groups", "list", "--token-file", str(folder / "token"), env={"TOCSIN_TOKEN": "other"})
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "two words" not in result.stderr
    assert daemon.calls == []


def test_there_is_no_option_for_the_secret_itself(run: Run) -> None:
    """The arguments of a process can be read by everybody on the machine."""
    assert run("groups", "list", "--token", "s3cret").exit_code == 2


@pytest.mark.parametrize("by_option", [False, True])
def test_a_ca_file_makes_it_tls(run: Run, folder: Path, by_option: bool) -> None:
    """--ca-file and TOCSIN_CA_FILE name who vouches for the daemon; one without TLS is then refused."""
    fake = FakeDaemon("127.0.0.1:0")
    fake.start()
    ca_file = str(authority(folder).certificate)
    arguments = ["--ca-file", ca_file] if by_option else []
    environment = {} if by_option else {"TOCSIN_CA_FILE": ca_file}
    result = run("groups", "list", "--target", fake.target, "--timeout", "2s", *arguments, env=environment)
    fake.stop()
    assert result.exit_code == 5
    assert "TLS failed: WRONG_VERSION_NUMBER" in result.stderr
    assert fake.calls == []


def test_a_ca_file_that_is_missing_is_wrong_usage(run: Run) -> None:
    """It is said which one is meant."""
    result = run("groups", "list", "--target", "127.0.0.1:9", "--ca-file", "/nowhere/ca.pem")
    assert result.exit_code == 2
    assert "/nowhere/ca.pem" in result.stderr
