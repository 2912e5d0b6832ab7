"""`tocsin audit` against a fake daemon."""

import json

import pytest
from cli_program import Run
from cli_terminal import on_terminal
from fake_daemon import FakeDaemon


def test_list_says_who_changed_what_and_how_it_was(run: Run, daemon: FakeDaemon) -> None:
    """The table has time, actor, method, resource and what changed."""
    daemon.add_entry(
        2,
        actor="ann via grafana",
        method="AlertGroupService.ResolveAlertGroup",
        resource="alertGroups/7",
        before={"state": "FIRING"},
        after={"state": "RESOLVED"},
    )
    title, row = run("audit", "list").stdout.splitlines()
    assert title.split() == ["TIME", "WHO", "METHOD", "RESOURCE", "WHAT", "CHANGED"]
    assert row.split("  ")[1:] == [
        "ann via grafana",
        "AlertGroupService.ResolveAlertGroup",
        "alertGroups/7",
        "state: FIRING -> RESOLVED",
    ]
    (entry,) = json.loads(run("audit", "list", "-o", "json").stdout)["auditEntries"]
    assert (entry["before"], entry["after"]) == ({"state": "FIRING"}, {"state": "RESOLVED"})


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({}, {"text": "hello", "count": 3}, "count: 3, text: hello"),
        ({"text": "hello", "open": True}, {}, "open: true -> none, text: hello -> none"),
        ({"description": ""}, {"description": "x"}, 'description: "" -> x'),
        ({"end": None, "n": 1.5}, {"end": "12:00", "n": 2}, "end: none -> 12:00, n: 1.5 -> 2"),
        ({"labels": ["a", "ü"]}, {"labels": {"a": 1}}, 'labels: ["a","ü"] -> {"a":1}'),
        ({"text": "a\x1b[2J\nb"}, {"text": "c"}, "text: a\\x1b[2J\\nb -> c"),
        ({}, {}, ""),
    ],
)
def test_a_change_in_one_line(
    run: Run, daemon: FakeDaemon, before: dict[str, object], after: dict[str, object], shown: str
) -> None:
    """Of what is new its values are shown; else each field before and after, `none` where it had none."""
    daemon.add_entry(1, actor="a", method="M", resource="r/1", before=before, after=after)
    row = run("audit", "list").stdout.splitlines()[1]
    assert row.partition("  M       r/1")[2].strip() == shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ""),
        (["--resource", "integrations/one/heartbeat"], 'resource = "integrations/one/heartbeat"'),
        (["--actor", 'ann "x" \\ OR via y'], 'actor = "ann \\"x\\" \\\\ OR via y"'),
        (
            ["--since", "2026-11-01T10:00:00Z", "--until", "2026-11-02T00:00:00Z", "--actor", "ann"],
            'actor = "ann" AND create_time >= "2026-11-01T10:00:00Z" AND create_time < "2026-11-02T00:00:00Z"',
        ),
    ],
)
def test_list_filters(run: Run, daemon: FakeDaemon, options: list[str], expected: str) -> None:
    """The options become one filter of the API, in which no value is more than a value."""
    assert run("audit", "list", *options).exit_code == 0
    assert daemon.requests("ListAuditEntries")[0].filter == expected


@pytest.mark.parametrize(
    "options", [["--resource", "42"], ["--resource", 'a/"b'], ["--since", "300"], ["--until", "x"]]
)
def test_what_could_find_nothing_only_is_refused(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """Half a name, or what is no time, is wrong usage rather than an empty list."""
    result = run("audit", "list", *options)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert daemon.calls == []


def test_a_page_or_all(run: Run, daemon: FakeDaemon) -> None:
    """A page is said to be one; --all follows them, and an empty list is still a list."""
    assert json.loads(run("audit", "list", "-o", "json").stdout) == {"auditEntries": []}
    for number in range(120):
        daemon.add_entry(number)
    first = run("audit", "list", "--page-size", "100")
    assert len(first.stdout.splitlines()) == 101
    assert first.stderr == "tocsin: there are more: --all lists them all\n"
    token = json.loads(run("audit", "list", "--page-size", "100", "-o", "json").stdout)["nextPageToken"]
    assert len(run("audit", "list", "--page-token", token).stdout.splitlines()) == 21
    everything = run("audit", "list", "--all", "-o", "json")
    assert len(json.loads(everything.stdout)["auditEntries"]) == 120


def test_resources_are_whole_on_a_narrow_terminal(daemon: FakeDaemon) -> None:
    """What was changed folds; its name can be copied."""
    daemon.add_entry(1, actor="a", method="M", resource="integrations/abc", after={"text": "word " * 60})
    seen = on_terminal(daemon, "audit", "list", width=80)[1]
    assert "integrations/abc " in seen
    assert seen.count("word") == 60
