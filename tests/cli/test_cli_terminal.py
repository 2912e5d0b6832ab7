"""What people see on a terminal: the program runs in a pseudo-terminal of a given width."""

import re
from datetime import timedelta

import pytest
from cli_program import Run
from cli_terminal import on_terminal
from fake_daemon import FakeDaemon, State, now
from rich.cells import cell_len

from tocsin.v1.alert_groups_pb2 import Event
from tocsin.v1.messages_pb2 import Message
from tocsin_cli import output

ESCAPE = "\x1b["


def test_states_have_colours_on_a_terminal_only(run: Run, daemon: FakeDaemon) -> None:
    """Colour is for terminals: not for pipes, and not where NO_COLOR is set."""
    daemon.add_group(1)
    for arguments in (["groups", "list"], ["groups", "show", "1"], ["groups", "ack", "1"]):
        assert ESCAPE in on_terminal(daemon, *arguments)[1]
        plain = on_terminal(daemon, *arguments, env={"NO_COLOR": "1"})[1]
        assert "\x1b[3" not in plain
        assert ESCAPE not in run(*arguments).stdout


@pytest.mark.parametrize("width", [200, 100, 80, 60, 30, 10])
def test_names_are_whole_on_any_terminal(daemon: FakeDaemon, width: int) -> None:
    """However narrow the terminal, the names in a table can be copied from it."""
    for number in (1, 123456789):
        daemon.add_group(number % 1000, title="A title of several words, and quite long. " * 4)
        daemon.alert_groups[f"alertGroups/{number % 1000}"].integration = "integrations/a-rather-long-id-0123456789"
    _, seen = on_terminal(daemon, "groups", "list", width=width, env={"NO_COLOR": "1"})
    for name in daemon.alert_groups:
        assert f"{name} " in seen
    assert seen.count("integrations/a-rather-long-id-0123456789") == 2
    assert "…" not in seen


def test_a_table_fits_the_terminal_where_it_can(daemon: FakeDaemon) -> None:
    """Long titles fold, so that no line is wider than a terminal of usual width."""
    daemon.add_group(1, title="A title of several words, and quite long. " * 4, integration="integrations/ab12")
    _, seen = on_terminal(daemon, "groups", "list", width=80, env={"NO_COLOR": "1"})
    assert max(cell_len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()) <= 80


def test_a_long_word_folds_and_is_whole(daemon: FakeDaemon) -> None:
    """A title without spaces that is wider than its column goes on in the next line, and nothing of it is lost."""
    daemon.add_group(1, title="\u00df" * 300)
    _, seen = on_terminal(daemon, "groups", "list", width=80)
    assert seen.count("\u00df") == 300


def test_nothing_from_outside_steers_the_terminal(run: Run, daemon: FakeDaemon) -> None:
    """Escape sequences, line breaks and reversed text in what a source sent are shown, not obeyed."""
    evil = "\x1b[2Jcleared\nfake line \u202egpj.exe \x9b31m [red]markup[/red] :boom:"
    harmless = "\\x1b[2Jcleared\\nfake line \\u202egpj.exe \\x9b31m [red]markup[/red] :boom:"
    group = daemon.add_group(1, State.FIRING, title=evil, receiver=evil, labels={"job": "x\x1by"})
    daemon.events[group.name] = [Event(revision=1, kind=Event.Kind.OPENED, reason=evil, actor=evil)]
    for arguments in (["groups", "list"], ["groups", "show", "1"]):
        plain = run(*arguments).stdout
        assert harmless in plain
        assert not set(plain) & set("\x1b\x9b\u202e")
        seen = on_terminal(daemon, *arguments, width=400)[1]
        assert harmless in seen
        assert "\x1b[2J" not in seen


def test_delete_asks_on_a_terminal(daemon: FakeDaemon) -> None:
    """On a terminal, `delete` says what would go and asks; only yes deletes, and --yes does not ask."""
    daemon.add_integration("one", display_name="Prod")
    code, seen = on_terminal(daemon, "integrations", "delete", "one", typed="n\n")
    assert "Delete integrations/one (Prod)" in seen
    assert code == 1
    assert "integrations/one" in daemon.integrations

    code, _ = on_terminal(daemon, "integrations", "delete", "one", typed="y\n")
    assert (code, daemon.integrations) == (0, {})

    daemon.add_integration("two")
    code, seen = on_terminal(daemon, "integrations", "delete", "two", "--yes")
    assert (code, daemon.integrations) == (0, {})
    assert "?" not in seen


def test_a_payload_leaves_the_prompt_on_a_new_line(daemon: FakeDaemon) -> None:
    """On a terminal a line break follows a payload that has none of its own."""
    daemon.payloads["alertGroups/1/payloads/latest"] = b"{}"
    assert on_terminal(daemon, "groups", "payload", "1") == (0, "{}\n")


def test_times_are_local_with_their_age(daemon: FakeDaemon) -> None:
    """A time is shown in the time zone of whoever asks, with how long ago it was, or how long it will be."""
    heartbeat = daemon.add_integration("one") and daemon.heartbeats["integrations/one/heartbeat"]
    heartbeat.last_beat_time.FromDatetime(now().replace(year=2024, month=1, day=15, hour=12, minute=0, second=0))
    heartbeat.due_time.FromDatetime(now() + timedelta(days=3, hours=1))
    _, seen = on_terminal(daemon, "heartbeats", "show", "one", env={"TZ": "Asia/Kolkata"})
    assert "lastBeatTime: 2024-01-15 17:30:00 (" in seen
    assert "d ago)" in seen
    assert "(in 3d1h)" in seen


def test_the_year_one_is_shown_as_it_is(daemon: FakeDaemon) -> None:
    """The zero time of Go programs, which has no local time in the west, is shown in UTC instead of failing."""
    group = daemon.add_group(1)
    group.create_time.FromJsonString("0001-01-01T00:00:00Z")
    code, seen = on_terminal(daemon, "groups", "show", "1", env={"TZ": "America/Lima"})
    assert code == 0
    assert "0001-01-01 00:00:00Z" in seen


def test_a_state_newer_than_this_program_is_shown_as_a_number() -> None:
    """An enum value that this program does not know yet does not break it."""
    assert output.enum_word(Event(kind=99), "kind") == "99"  # type: ignore[arg-type]
    assert output.enum_word(Event(kind=Event.Kind.NEW_ALERTS), "kind") == "new alerts"
    assert output.enum_word(Event(), "kind") == ""


def test_who_is_waited_for_is_told(run: Run, daemon: FakeDaemon) -> None:
    """Where stdin is a terminal that is read as a file, a line says what is waited for; a pipe needs none."""
    arguments = ["contacts", "create", "Me", "--apprise-file", "-"]
    code, seen = on_terminal(daemon, *arguments, typed="mailto://x@mail.example\n\x04")
    assert (code, "Ctrl-D on a line of its own ends it" in seen) == (0, True)
    assert daemon.requests("CreateContactPoint")[0].contact_point.apprise.url == "mailto://x@mail.example"
    assert "Ctrl-D" not in run(*arguments, stdin=b"mailto://x@mail.example\n").output


def test_retrying_all_asks_on_a_terminal(daemon: FakeDaemon) -> None:
    """What --dead finds is shown and asked about; a no changes nothing, and --yes is not asked."""
    daemon.add_message(1, 7, state=Message.DEAD, contact_point="contactPoints/gone")
    code, seen = on_terminal(daemon, "messages", "retry", "--dead", typed="n\n")
    assert (code, "Send 1 message again?" in seen, "nothing was changed" in seen) == (1, True, True)
    assert not daemon.requests("RetryMessage")
    assert on_terminal(daemon, "messages", "retry", "--dead", "--yes")[0] == 0
    assert len(daemon.requests("RetryMessage")) == 1
