"""The command line of the gateway."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from certificates import authority, signed

from tocsin_gateway import app, command, logs, server


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names every option with its default."""
    with pytest.raises(SystemExit):
        command.parse(["--help"])
    shown = capsys.readouterr().out
    for text in (
        "--http",
        "127.0.0.1:8080",
        "--target",
        "unix:/run/tocsin/tocsind.sock",
        "--token-file",
        "--ca-file",
        "--cert-file",
        "--key-file",
        "--insecure-plaintext",
        "--max-body",
        "33554432",
        "--log-level",
    ):
        assert text in shown


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, ("127.0.0.1:8080", "unix:/run/tocsin/tocsind.sock", 33554432, "info")),
        ([], {"TOCSIN_TARGET": "daemon:50051"}, ("127.0.0.1:8080", "daemon:50051", 33554432, "info")),
        (["--target", "dns:d"], {"TOCSIN_TARGET": "daemon:50051"}, ("127.0.0.1:8080", "dns:d", 33554432, "info")),
        (["--http", "[::]:80", "--max-body", "5000"], {}, ("[::]:80", "unix:/run/tocsin/tocsind.sock", 5000, "info")),
        (["--log-level", "debug"], {}, ("127.0.0.1:8080", "unix:/run/tocsin/tocsind.sock", 33554432, "debug")),
    ],
)
def test_options_reach_the_server(
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    expected: tuple[str, str, int, str],
) -> None:
    """An option given counts, then the environment, then the default."""
    served: list[Any] = []

    class Server:
        def __init__(self, bind: str, load_app: Any, logging: str, reload_logging: Any, early: Any) -> None:
            served.append((bind, *load_app(), logging))

        def run(self) -> None:
            pass

    for name in ("TOCSIN_TARGET", "TOCSIN_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["tocsin-gateway", *arguments])
    monkeypatch.setattr(logs, "set_up", lambda level: level)
    monkeypatch.setattr(server, "raise_open_files_limit", lambda: None)
    monkeypatch.setattr(server, "allow_long_numbers", lambda: None)
    monkeypatch.setattr(server, "Server", Server)
    monkeypatch.setattr(app, "create_app", lambda daemon, max_body: (daemon.target, max_body))
    command.serve([])
    assert served == [expected]


def test_the_limit_of_open_files_is_raised() -> None:
    """The gateway allows itself as many connections as the system permits."""
    code = (
        "import resource; from tocsin_gateway.server import raise_open_files_limit;"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard)); raise_open_files_limit();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token-file", "/nowhere/token"], "token_file: there is no file /nowhere/token"),
        (["--token-file", "/" + "a" * 300], "token_file: there is no file /aaa"),
        (["--cert-file", "FILE"], "cert_file and key_file go together"),
        (["--insecure-plaintext", "--ca-file", "FILE"], "means no TLS, but files for TLS are given"),
    ],
)
def test_what_does_not_fit_together_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Before anything is started."""
    (tmp_path / "file").touch()
    filled = [argument.replace("FILE", str(tmp_path / "file")) for argument in arguments]

    with pytest.raises(SystemExit) as end:
        command.parse(filled)

    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_key_that_is_not_the_certificates_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started, by the names of the files; gRPC would fail at each connection without a word."""
    ca = authority(tmp_path)
    one, other = signed(ca, tmp_path, "one"), signed(ca, tmp_path, "other")
    files = [
        "--target",
        "localhost:1",
        "--ca-file",
        str(ca.certificate),
        "--cert-file",
        str(one.certificate),
        "--key-file",
    ]
    assert command.parse([*files, str(one.key)]).tls is not None

    with pytest.raises(SystemExit) as end:
        command.parse([*files, str(other.key)])

    assert end.value.code == 2
    assert f"the files for TLS cannot be used ({ca.certificate}, {one.certificate}, {other.key}): " in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("content", [b"", b"certificates\n", "Zürich".encode(), b"\0\xff"])
def test_a_file_without_certificates_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    """Whatever else is in it."""
    (tmp_path / "ca.pem").write_bytes(content)

    with pytest.raises(SystemExit) as end:
        command.parse(["--target", "localhost:1", "--ca-file", str(tmp_path / "ca.pem")])

    assert end.value.code == 2
    assert f"the files for TLS cannot be used ({tmp_path}/ca.pem): " in capsys.readouterr().err


def test_certificates_may_stand_between_other_lines(tmp_path: Path) -> None:
    """In any encoding, as in the lists of some distributions."""
    ca = authority(tmp_path)
    ca.certificate.write_bytes("# Zürich\n".encode() + ca.certificate.read_bytes())
    assert command.parse(["--target", "localhost:1", "--ca-file", str(ca.certificate)]).tls is not None


def test_a_defect_in_a_reload_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is a line in the log, as a mistake is: nothing that reading raises gets to gunicorn, which would end."""
    file = tmp_path / "tocsin.toml"
    file.write_text("[gateway]\nmax_body = 2000\n")
    running = command.Running(command.parse(["--config", str(file)]))
    monkeypatch.setattr(logs, "set_up", lambda level: level)

    def recurse(*_: object) -> None:
        raise RecursionError

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as said:
        patch.setattr(command, "of_settings", recurse)
        running.reload()
    assert [(line["log_level"], line["event"]) for line in said] == [
        ("error", "not reloaded: everything stays as it was")
    ]
    assert said[0]["exc_info"]
    file.write_text("[gateway]\nmax_body = 3000\n")
    running.reload()
    assert running.config.max_body == 3000


HANGS_UP_EARLY = """
import os, signal, sys

class Once:
    def find_spec(self, name, *_):
        if name == "gunicorn":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGHUP)

sys.meta_path.insert(0, Once())
from tocsin_gateway.__main__ import main
main()
"""


def test_a_reload_during_the_start_does_not_end_it() -> None:
    """SIGHUP while it still loads what it is made of."""
    done = subprocess.run([sys.executable, "-c", HANGS_UP_EARLY, "--help"], capture_output=True, text=True)
    assert (done.returncode, "--max-body" in done.stdout) == (0, True)
