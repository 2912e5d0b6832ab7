"""The configuration: one table, one file for both processes, and mistakes that say where they are."""

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import configuration
from tocsin.configuration import Mistake
from tocsin.settings import LOG_LEVELS, MAX_RATE_LIMIT, ROLES, SETTINGS, example
from tocsin_gateway import command as gateway
from tocsin_gateway import logs as gateway_logs
from tocsind import config, log
from tocsind.domain import integration, rate_limit
from tocsind.domain.access import Role

MISTAKES = [
    ("[daemon]\nrate_limt = 5\n", 2, "[daemon] rate_limt: there is no such setting; did you mean rate_limit?"),
    ("[gatway]\nhttp = 1\n", 1, "[gatway]: there is no such section; did you mean gateway?"),
    ('\nhttp = "127.0.0.1:80"\n', 2, "http: must stand in a section, [gateway]"),
    ("[daemon]\n\n\nrate_limit = -1\n", 4, "[daemon] rate_limit: must be 0 to 1000000, not -1"),
    ('[daemon]\nrate_limit = "5"\n', 2, "[daemon] rate_limit: must be a number, 0 to 1000000, not '5'"),
    ("[daemon]\nrate_limit = true\n", 2, "[daemon] rate_limit: must be a number, 0 to 1000000, not true"),
    ("[daemon]\ndata = 5\n", 2, "[daemon] data: must be a text in quotes, not 5"),
    ('[daemon]\ndata = ""\n', 2, "[daemon] data: must not be empty"),
    ('[daemon]\ndata = "/var\\u0000"\n', 2, "[daemon] data: must not hold a character of code 0"),
    ('[daemon]\nlisten = ["unix:/run\\u0000"]\n', 2, "[daemon] listen: must not hold a character of code 0"),
    ('[daemon]\nlisten = ["127.0.0.1:0655359"]\n', 2, "[daemon] listen: must be unix:PATH or HOST:PORT, not '127.0"),
    ("[daemon]\nrate_limit." + "a." * 5_000 + "b = 1\n", 2, "[daemon] rate_limit: has too many parts"),
    ('[daemon]\nlisten = "unix:/x"\n', 2, "[daemon] listen: must be a list of texts"),
    ('[daemon]\nlisten = ["localhost"]\n', 2, "[daemon] listen: must be unix:PATH or HOST:PORT, not 'localhost'"),
    ('[daemon]\nwebhook_networks = ["10.0.0.1/8"]\n', 2, "[daemon] webhook_networks: must be a network"),
    ('[daemon]\nlog_level = "loud"\n', 2, "[daemon] log_level: must be debug or info, not 'loud'"),
    ('[daemon]\nexternal_url = "tocsin.example"\n', 2, "[daemon] external_url: must begin with http://"),
    ('[gateway]\ninsecure_plaintext = "yes"\n', 2, "[gateway] insecure_plaintext: must be true or false, not 'yes'"),
    ("gateway = 5\n", 1, "gateway: must stand in"),
]


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES)
def test_a_mistake_says_file_line_and_key(text: str, line: int, message: str) -> None:
    """Whatever is wrong is one line for people."""
    found, wrong = configuration.read_text(text, "tocsin.toml")

    assert found == {}
    assert len(wrong) == 1
    assert wrong[0].startswith(f"tocsin.toml:{line}: ")
    if not text.startswith("gateway"):
        assert message in wrong[0]


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "[daemon]\nrate_limit = " + "1" * 5_000])
def test_what_the_reader_cannot_take_is_a_mistake(text: str) -> None:
    """What makes the reader itself fail is told as any other mistake: a reload must not end a process over it."""
    with pytest.raises(Mistake, match=r"^tocsin.toml: cannot be read as TOML: "):
        configuration.read_text(text, "tocsin.toml")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[daemon\n", 1, "[daemon: Expected ']' at the end of a table declaration"),
        ("[daemon]\ndata = \n", 2, "data: Invalid value: texts stand in quotes"),
        ("[daemon]\ndata = /var/lib/tocsin\n", 2, "data: Invalid value: texts stand in quotes"),
        ("[daemon]\ndata = 'a'\ndata = 'b'\n", 3, "data stands here again"),
        ("[daemon]\n[gateway]\n[daemon]\nrate_limit = 5\n", 3, "[daemon] stands here again; the first is in line 1"),
        ('[daemon]\n\ndata = "a', 3, "data: Unterminated string"),
        ("[daemon]\nrate_limit = 0777\n", 2, "rate_limit: Expected newline or end of document after a statement"),
        ("[daemon]\nrate_limit\n", 2, "Expected '=' after a key in a key/value pair"),
    ],
)
def test_what_is_no_toml_says_the_line_and_the_key(text: str, line: int, message: str) -> None:
    """The reader's own words, where they help, and where."""
    with pytest.raises(Mistake) as mistake:
        configuration.read_text(text, "tocsin.toml")

    assert str(mistake.value).startswith(f"tocsin.toml:{line}: {message}")


def test_a_mark_that_nobody_sees_is_passed_over(tmp_path: Path) -> None:
    """Some editors begin a file with a byte order mark."""
    file = tmp_path / "tocsin.toml"
    file.write_bytes(b"\xef\xbb\xbf[daemon]\nrate_limit = 5\n")

    assert configuration.read_file(file) == ({("daemon", "rate_limit"): 5}, [])


def test_what_is_no_text_says_the_line(tmp_path: Path) -> None:
    """And the byte."""
    file = tmp_path / "tocsin.toml"
    file.write_bytes(b"[daemon]\n# caf\xe9\n")

    with pytest.raises(Mistake, match=rf"^{file}:2: is not UTF-8 at byte 14$"):
        configuration.read_file(file)


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of their lines."""
    _, wrong = configuration.read_text("[daemon]\na = 1\nrate_limit = -1\n[gateway]\nb = 1\n", "f")

    assert [line.split(":")[1] for line in wrong] == ["2", "3", "5"]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no text that breaks the reader."""
    with contextlib.suppress(Mistake):
        configuration.read_text(text, "f")


def test_the_example_is_right_commented_or_not() -> None:
    """It sets nothing; with the marks taken away it sets everything, to what is the default or could be."""
    text = example()
    assert configuration.read_text(text, "f") == ({}, [])
    set_all = "\n".join(
        line.removeprefix("#") if line.startswith("#") and line[1] != " " else line for line in text.split("\n")
    )
    found, wrong = configuration.read_text(set_all, "f")
    assert wrong == []
    assert found.keys() == {(setting.section, setting.key) for setting in SETTINGS}
    for setting in SETTINGS:
        if setting.default not in (None, ()):
            assert found[setting.section, setting.key] == setting.default
    tomllib.loads(set_all)


def test_a_flag_overrides_a_variable_overrides_the_file_overrides_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the daemon, as for the gateway."""
    file = tmp_path / "tocsin.toml"
    file.write_text('[daemon]\nrate_limit = 1\ntotal_rate_limit = 1\nlog_level = "debug"\n[gateway]\nmax_body = 2000\n')
    monkeypatch.setenv("TOCSIN_CONFIG", str(file))
    monkeypatch.setenv("TOCSIN_DAEMON_RATE_LIMIT", "2")
    monkeypatch.setenv("TOCSIN_DAEMON_TOTAL_RATE_LIMIT", "2")
    monkeypatch.setenv("TOCSIN_DAEMON_WEBHOOK_NETWORKS", "10.0.0.0/8 fd00::/8")

    found = config.parse(["--total-rate-limit", "3"])

    assert (found.rate_limit, found.total_rate_limit, found.log_level) == (2, 3, "debug")
    assert found.webhook_networks == ("10.0.0.0/8", "fd00::/8")
    assert found.data == Path("/var/lib/tocsin")
    assert gateway.parse([]).max_body == 2_000


def test_a_mistake_in_a_file_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With one line, and status 2, also where it is in the section of the other process."""
    file = tmp_path / "tocsin.toml"
    file.write_text("[gateway]\nhtp = 1\n")
    for parse in (config.parse, gateway.parse):
        with pytest.raises(SystemExit) as end:
            parse(["--config", str(file)])

        assert end.value.code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"{file}:2: [gateway] htp: there is no such setting; did you mean http?" in said


def test_the_table_knows_what_the_processes_know() -> None:
    """Limits, roles, levels and defaults that stand in both are the same."""
    defaults = {(setting.section, setting.key): setting.default for setting in SETTINGS}
    assert MAX_RATE_LIMIT == integration.MAX_RATE_LIMIT
    assert set(ROLES) == {role.name.lower() for role in Role} | {"none"}
    assert LOG_LEVELS == log.LEVELS == gateway_logs.LEVELS
    assert defaults["daemon", "rate_limit"] == rate_limit.DEFAULT_LIMIT
    assert defaults["daemon", "total_rate_limit"] == rate_limit.DEFAULT_TOTAL_LIMIT
