"""`tocsin templates` against a fake daemon."""

import json
from pathlib import Path

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon

from tocsin.v1.templates_pb2 import PreviewTemplateRequest, PreviewTemplateResponse


def test_show_names_every_template(run: Run, daemon: FakeDaemon) -> None:
    """`show` prints each slot: its source, or what the default is; long sources on lines of their own."""
    integration = daemon.add_integration("one")
    integration.templates.title = "{{ payload.status }}"
    integration.templates.message = "first\nsecond \x1b[31m"
    assert run("templates", "show", "one").stdout.splitlines() == [
        "grouping_id: (default: Alertmanager's groupKey)",
        "resolve_condition: (default: what Alertmanager says of the group as a whole)",
        "acknowledge_condition: (default: never)",
        "source_link: (default: the address of the Alertmanager)",
        "title: {{ payload.status }}",
        "message:",
        "  first",
        "  second \\x1b[31m",
    ]
    assert json.loads(run("templates", "show", "one", "-o", "json").stdout)["title"] == "{{ payload.status }}"


def test_show_of_one_is_its_source(run: Run, daemon: FakeDaemon) -> None:
    """`show INTEGRATION SLOT` prints the source byte for byte, and nothing for a default."""
    integration = daemon.add_integration("one")
    integration.templates.message = "first\nsecond"
    assert run("templates", "show", "one", "message").stdout == "first\nsecond"
    default = run("templates", "show", "one", "title")
    assert (default.stdout, default.exit_code) == ("", 0)
    assert "default" in default.stderr


def test_set_changes_one_template(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    """`set` sends one template and a mask that names it, from the command line or a file; --default removes it."""
    integration = daemon.add_integration("one")
    integration.templates.title = "kept"
    (tmp_path / "t.jinja").write_text("{{ é }}\n")
    assert run("templates", "set", "one", "message", "{{ 1 }}").exit_code == 0
    assert run("templates", "set", "one", "source_link", "--file", str(tmp_path / "t.jinja")).exit_code == 0
    assert integration.templates.message == "{{ 1 }}"
    assert integration.templates.source_link == "{{ é }}\n"
    result = run("templates", "set", "one", "message", "--default")
    assert "message: (default: none)" in result.stdout.splitlines()
    assert (integration.templates.message, integration.templates.title) == ("", "kept")
    paths = [list(request.update_mask.paths) for request in daemon.requests("UpdateIntegration")]
    assert paths == [["templates.message"], ["templates.source_link"], ["templates.message"]]


@pytest.mark.parametrize(
    "arguments",
    [[], [""], ["x", "--default"], ["x", "--file", "-"], ["--file", "-", "--default"], ["--file", "/no/file"]],
)
def test_set_wants_one_source(run: Run, daemon: FakeDaemon, arguments: list[str]) -> None:
    """No source, two of them, an empty one and a file that is not there are wrong usage; nothing is changed."""
    daemon.add_integration("one")
    assert run("templates", "set", "one", "title", *arguments).exit_code == 2
    assert not daemon.requests("UpdateIntegration")


def test_preview_prints_the_result(run: Run, daemon: FakeDaemon) -> None:
    """`preview` sends the template, what it is for and the payload, and prints what came of it."""
    daemon.add_integration("one")
    daemon.preview = PreviewTemplateResponse(result="two\nlines", alert_group="alertGroups/7", shortened=True)
    result = run("templates", "preview", "one", "{{ 1 }}", "--for", "title", "--payload", "-", stdin=b"{}")
    assert (result.exit_code, result.stdout) == (0, "two\nlines\n")
    assert "cut" in result.stderr
    assert "alertGroups/7" in result.stderr
    (request,) = daemon.requests("PreviewTemplate")
    assert (request.integration, request.template, request.payload) == ("integrations/one", "{{ 1 }}", "{}")
    assert request.use == PreviewTemplateRequest.Use.TITLE


@pytest.mark.parametrize(("is_true", "words"), [(True, "that is true"), (False, "that is not true")])
def test_preview_of_a_condition_says_what_it_means(run: Run, daemon: FakeDaemon, is_true: bool, words: str) -> None:
    """For a condition stderr says whether it holds; for other templates that says nothing."""
    daemon.add_integration("one")
    daemon.preview = PreviewTemplateResponse(result="True", is_true=is_true)
    assert words in run("templates", "preview", "one", "x", "--for", "route_condition").stderr
    assert "true" not in run("templates", "preview", "one", "x", "--for", "title").stderr


def test_preview_of_a_template_that_fails_fails(run: Run, daemon: FakeDaemon) -> None:
    """Where the template fails the exit code is 1, and stderr says the line and why; as JSON, too."""
    daemon.add_integration("one")
    daemon.preview = PreviewTemplateResponse(error="'x' is undefined", error_line=3)
    result = run("templates", "preview", "one", "{{ x.y }}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "tocsin: line 3: 'x' is undefined\n"
    result = run("templates", "preview", "one", "{{ x.y }}", "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)["errorLine"]) == (1, 3)


def test_stdin_is_read_once(run: Run, daemon: FakeDaemon) -> None:
    """The template and the payload cannot both be stdin."""
    daemon.add_integration("one")
    assert run("templates", "preview", "one", "--file", "-", "--payload", "-").exit_code == 2
