"""`tocsin notes` against a fake daemon."""

import json
import subprocess
import sys

import pytest
from cli_program import Run
from cli_terminal import on_terminal
from fake_daemon import FakeDaemon


@pytest.mark.parametrize("words", [["restarted the api"], ["restarted", "the", "api"]])
def test_add_takes_the_text_as_words(run: Run, daemon: FakeDaemon, words: list[str]) -> None:
    """The text is the rest of the line, quoted or not; the note is printed as it is kept."""
    result = run("notes", "add", "#7", *words)
    assert result.exit_code == 0
    head, text = result.stdout.splitlines()
    assert head.startswith("alertGroups/7/notes/1  ")
    assert head.endswith("  by ann")
    assert text == "    restarted the api"
    (request,) = daemon.requests("CreateNote")
    assert (request.parent, request.note.text) == ("alertGroups/7", "restarted the api")


def test_add_and_edit_read_stdin(run: Run, daemon: FakeDaemon) -> None:
    """With - the text comes from stdin, lines and all, but for line breaks at its ends."""
    run("notes", "add", "7", "-", stdin="\n  Größe:\n  1\n\n".encode())
    assert daemon.notes["alertGroups/7/notes/1"].text == "  Größe:\n  1"
    run("notes", "edit", "7/1", "-", stdin=b"other\n")
    assert daemon.notes["alertGroups/7/notes/1"].text == "other"


@pytest.mark.parametrize(
    ("words", "stdin"), [([""], b""), (["-"], b""), (["-"], b" \n"), (["-"], b"\xff\xfe"), ([], b"")]
)
@pytest.mark.parametrize("command", [["add", "7"], ["edit", "7/1"]])
def test_a_note_needs_a_text(run: Run, daemon: FakeDaemon, command: list[str], words: list[str], stdin: bytes) -> None:
    """No text, or what is none, is wrong usage and asks nothing."""
    result = run("notes", *command, *words, stdin=stdin)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert daemon.calls == []


def test_stdin_of_the_real_program(daemon: FakeDaemon) -> None:
    """The same in a process of its own, as in a pipe."""
    command = [sys.executable, "-m", "tocsin_cli", "notes", "add", "7", "-", "--target", daemon.target]
    assert subprocess.run(command, input=b"from a pipe\n", stdout=subprocess.DEVNULL, check=True).returncode == 0
    assert daemon.notes["alertGroups/7/notes/1"].text == "from a pipe"


def test_list_has_all_notes_of_a_group(run: Run, daemon: FakeDaemon) -> None:
    """Notes are printed one below the other with their lines; for programs they are a list."""
    assert run("notes", "list", "7").stderr == "Nothing there.\n"
    assert json.loads(run("notes", "list", "7", "-o", "json").stdout) == {"notes": []}
    daemon.add_note(7, 1, text="first line\n\nalertGroups/9/notes/9  by eve")
    daemon.add_note(7, 2, text="x\x1b[2Jy", author="b\nen")
    lines = run("notes", "list", "7").stdout.splitlines()
    assert lines[1:4] == ["    first line", "", "    alertGroups/9/notes/9  by eve"]
    assert lines[4].endswith("  by b\\nen")
    assert lines[5] == "    x\\x1b[2Jy"
    assert "edited" not in lines[0]
    for number in range(3, 1203):
        daemon.add_note(7, number, text="x")
    assert len(json.loads(run("notes", "list", "7", "-o", "json").stdout)["notes"]) == 1202


@pytest.mark.parametrize("name", ["alertGroups/7/notes/1", "7/1", "#7/1", "7/notes/1"])
def test_edit_and_delete_take_short_names(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A note is found by its resource name or by the two numbers."""
    daemon.add_note(7, 1, text="old")
    edited = run("notes", "edit", name, "new", "text")
    assert "  edited 2" in edited.stdout.splitlines()[0]
    assert edited.stdout.splitlines()[1] == "    new text"
    (request,) = daemon.requests("UpdateNote")
    assert (request.note.name, list(request.update_mask.paths)) == ("alertGroups/7/notes/1", ["text"])
    assert json.loads(run("notes", "edit", name, "x", "-o", "json").stdout)["text"] == "x"
    assert run("notes", "delete", name).stdout == "alertGroups/7/notes/1 deleted\n"
    assert run("notes", "delete", name).exit_code == 3
    daemon.add_note(7, 1, text="old")
    assert run("notes", "delete", name, "-o", "json").stdout == "{}\n"


@pytest.mark.parametrize("name", ["7", "7/", "/1", "alertGroups/7", "7/1/2"])
def test_what_is_no_name_of_a_note_is_refused(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A name that cannot be one is wrong usage, with how to write it."""
    result = run("notes", "delete", name)
    assert result.exit_code == 2
    assert "alertGroups/42/notes/7 or 42/7" in result.stderr
    assert daemon.calls == []


def test_a_note_is_shown_on_a_terminal(daemon: FakeDaemon) -> None:
    """On a terminal the text is as in a pipe."""
    daemon.add_note(7, 1, text="hello [red]you[/red]")
    assert "\n    hello [red]you[/red]\n" in on_terminal(daemon, "notes", "list", "7")[1]
