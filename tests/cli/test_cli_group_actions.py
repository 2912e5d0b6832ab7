"""The verbs of `tocsin groups` against a fake daemon: by name, in batches, and by filter."""

import json
from datetime import timedelta

import grpc
import pytest
from cli_program import Run
from cli_terminal import on_terminal
from fake_daemon import FakeDaemon, State

_BATCHES = [
    (["ack"], "BatchAcknowledgeAlertGroups", "acknowledged"),
    (["silence", "--forever"], "BatchSilenceAlertGroups", "silenced for ever"),
    (["resolve"], "BatchResolveAlertGroups", "resolved"),
]


@pytest.mark.parametrize(
    ("arguments", "method", "before", "after"),
    [
        (["ack"], "BatchAcknowledgeAlertGroups", State.FIRING, "acknowledged"),
        (["unack"], "UnacknowledgeAlertGroup", State.ACKNOWLEDGED, "firing"),
        (["silence", "--forever"], "BatchSilenceAlertGroups", State.FIRING, "silenced for ever"),
        (["unsilence"], "UnsilenceAlertGroup", State.SILENCED, "firing"),
        (["resolve"], "BatchResolveAlertGroups", State.FIRING, "resolved"),
        (["unresolve"], "UnresolveAlertGroup", State.RESOLVED, "firing"),
    ],
)
def test_an_action_sends_its_note_and_prints_the_state(
    run: Run, daemon: FakeDaemon, arguments: list[str], method: str, before: "State.ValueType", after: str
) -> None:
    """Each verb calls its method with the note, and says what the group is now."""
    daemon.add_group(42, before)
    result = run("groups", *arguments, "#42", "--note", "over to me")
    assert (result.exit_code, result.stdout) == (0, f"alertGroups/42 is {after}\n")
    (request,) = daemon.requests(method)
    asked = list(request.names) if method.startswith("Batch") else [request.name]
    assert (asked, request.note) == (["alertGroups/42"], "over to me")


def test_silence_for_a_time(run: Run, daemon: FakeDaemon) -> None:
    """`silence --for` sends the duration; --forever sends none."""
    daemon.add_group(1)
    assert "alertGroups/1 is silenced until 2" in run("groups", "silence", "1", "--for", "2h").stdout
    run("groups", "silence", "1", "--forever")
    timed, forever = daemon.requests("BatchSilenceAlertGroups")
    assert timed.duration.ToTimedelta() == timedelta(hours=2)
    assert not forever.HasField("duration")


@pytest.mark.parametrize("options", [[], ["--for", "2h", "--forever"], ["--for", "7200"]])
def test_silence_needs_exactly_one_length(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """Neither, both, or a number without a unit is wrong usage and silences nothing."""
    result = run("groups", "silence", "1", *options)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert daemon.calls == []


@pytest.mark.parametrize(("arguments", "method", "after"), _BATCHES)
def test_several_names_are_one_batch(
    run: Run, daemon: FakeDaemon, arguments: list[str], method: str, after: str
) -> None:
    """Several names go as one request, each once, and each answer is printed in the order of the names."""
    for number in (1, 2, 3):
        daemon.add_group(number)
    result = run("groups", *arguments, "3", "1", "#3", "alertGroups/2")
    assert result.stdout == "".join(f"alertGroups/{number} is {after}\n" for number in (3, 1, 2))
    (request,) = daemon.requests(method)
    assert request.names == ["alertGroups/3", "alertGroups/1", "alertGroups/2"]


@pytest.mark.parametrize(("arguments", "method", "after"), _BATCHES)
def test_each_failure_in_a_batch_is_said(
    run: Run, daemon: FakeDaemon, arguments: list[str], method: str, after: str
) -> None:
    """One name that fails does not keep the others from being done; the exit code is that of the first failure."""
    daemon.add_group(1)
    daemon.add_group(3)
    daemon.add_group(4)
    daemon.refusals["alertGroups/4"] = (grpc.StatusCode.FAILED_PRECONDITION, "ben has it")
    result = run("groups", *arguments, "1", "4", "2", "3")
    assert result.exit_code == 4
    assert result.stdout == f"alertGroups/1 is {after}\nalertGroups/3 is {after}\n"
    assert result.stderr == ("tocsin: alertGroups/4: ben has it\ntocsin: alertGroups/2 does not exist\n")


def test_a_failure_of_one_alone_is_said_without_its_name(run: Run, daemon: FakeDaemon) -> None:
    """Where there is only one, the daemon's words are enough."""
    result = run("groups", "ack", "7")
    assert (result.exit_code, result.stderr) == (3, "tocsin: alertGroups/7 does not exist\n")


def test_many_names_are_several_batches(run: Run, daemon: FakeDaemon) -> None:
    """The API takes 1,000 at a time; a batch that fails as a whole does not keep the next from being done."""
    numbers = [str(number) for number in range(1, 2002)]
    for number in numbers:
        daemon.add_group(int(number))
    result = run("groups", "resolve", *numbers)
    assert len(result.stdout.splitlines()) == 2001
    assert [len(request.names) for request in daemon.requests("BatchResolveAlertGroups")] == [1000, 1000, 1]

    daemon.failures["BatchResolveAlertGroups"] = (grpc.StatusCode.UNAVAILABLE, "busy")
    result = run("groups", "resolve", *numbers)
    assert result.exit_code == 5
    said = f"the daemon at {daemon.target} is unavailable: busy\n"
    assert result.stderr == (
        f"tocsin: alertGroups/1 and 999 more: {said}"
        f"tocsin: alertGroups/1001 and 999 more: {said}"
        f"tocsin: alertGroups/2001: {said}"
    )


def test_verbs_without_batches_do_one_after_the_other(run: Run, daemon: FakeDaemon) -> None:
    """`unack` and the like ask for each group by itself, and report in the same way."""
    daemon.add_group(1)
    daemon.add_group(3)
    result = run("groups", "unack", "1", "2", "#3")
    assert result.exit_code == 3
    assert result.stdout == "alertGroups/1 is firing\nalertGroups/3 is firing\n"
    assert result.stderr == "tocsin: alertGroups/2 does not exist\n"
    assert len(daemon.requests("UnacknowledgeAlertGroup")) == 3


def test_an_action_on_several_as_json_is_one_line_for_each(run: Run, daemon: FakeDaemon) -> None:
    """With -o json every answer is a group on a line of its own."""
    daemon.add_group(1)
    daemon.add_group(2)
    lines = run("groups", "resolve", "1", "2", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["RESOLVED", "RESOLVED"]


@pytest.mark.parametrize(
    ("arguments", "method", "expected"),
    [
        (["ack"], "BatchAcknowledgeAlertGroups", "state != RESOLVED AND state != ACKNOWLEDGED"),
        (["silence", "--forever"], "BatchSilenceAlertGroups", "state != RESOLVED AND state != ACKNOWLEDGED"),
        (["resolve"], "BatchResolveAlertGroups", "state != RESOLVED"),
    ],
)
def test_a_filter_finds_what_the_verb_can_be_done_to(
    run: Run, daemon: FakeDaemon, arguments: list[str], method: str, expected: str
) -> None:
    """--filter lists all groups that match and to which the verb applies, over all pages, and acts on them in a
    batch. A script is not asked."""
    for number in range(1, 1102):
        daemon.add_group(number)
    result = run("groups", *arguments, "--filter", "source = SELF")
    assert (result.exit_code, len(result.stdout.splitlines()), result.stderr) == (0, 1101, "")
    assert {each.filter for each in daemon.requests("ListAlertGroups")} == {f"source = SELF AND {expected}"}
    assert [len(request.names) for request in daemon.requests(method)] == [1000, 101]


def test_a_filter_that_finds_nothing_changes_nothing(run: Run, daemon: FakeDaemon) -> None:
    """That nothing matches is said, and is no failure."""
    result = run("groups", "resolve", "--filter", "source = SELF")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "tocsin: no alert group matches to which this can be done\n"
    assert [call.method for call in daemon.calls] == ["ListAlertGroups"]


@pytest.mark.parametrize("options", [[], ["1", "--filter", "state = FIRING"], ["--filter", ""], ["--filter", "  "]])
def test_names_or_a_filter_that_says_something(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """Neither, both, or a filter that is empty (because a script's variable was) is wrong usage, and asks nothing."""
    daemon.add_group(1)
    result = run("groups", "resolve", *options)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert daemon.calls == []


def test_what_a_filter_finds_is_shown_and_asked_about(daemon: FakeDaemon) -> None:
    """On a terminal the groups and their number are shown before anything is done; only yes does it, and -y does not
    ask."""
    daemon.add_group(1, title="the api is down")
    daemon.add_group(2, title="the disk is full")
    code, seen = on_terminal(daemon, "groups", "resolve", "--filter", "source = SELF", typed="n\n")
    assert code == 1
    assert "the api is down" in seen
    assert "the disk is full" in seen
    assert "Resolve 2 alert groups? [y/N]" in seen
    assert "nothing was changed" in seen
    assert daemon.requests("BatchResolveAlertGroups") == []

    code, _ = on_terminal(daemon, "groups", "resolve", "--filter", "source = SELF", typed="y\n")
    assert (code, daemon.alert_groups["alertGroups/2"].state) == (0, State.RESOLVED)
    code, seen = on_terminal(daemon, "groups", "ack", "--filter", "source = SELF", "-y")
    assert (code, "?" in seen, daemon.alert_groups["alertGroups/2"].state) == (0, False, State.ACKNOWLEDGED)
    assert "?" not in on_terminal(daemon, "groups", "ack", "1", "2")[1]


def test_wipe_and_delete(run: Run, daemon: FakeDaemon) -> None:
    """Each group is wiped or deleted by itself; every failure is said; a script is not asked."""
    for number in (1, 3):
        daemon.add_group(number)
    result = run("groups", "wipe", "1", "2", "3")
    assert (result.exit_code, result.stdout) == (3, "alertGroups/1 wiped\nalertGroups/3 wiped\n")
    assert result.stderr == "tocsin: alertGroups/2 does not exist\n"
    assert [json.loads(line)["name"] for line in run("groups", "wipe", "1", "3", "-o", "json").stdout.splitlines()] == [
        "alertGroups/1",
        "alertGroups/3",
    ]
    assert run("groups", "delete", "#1").stdout == "alertGroups/1 deleted\n"
    assert run("groups", "delete", "3", "-o", "json").stdout == "{}\n"
    assert daemon.alert_groups == {}
    assert run("groups", "delete", "3").exit_code == 3


@pytest.mark.parametrize(("verb", "method"), [("wipe", "WipeAlertGroup"), ("delete", "DeleteAlertGroup")])
def test_wipe_and_delete_ask_on_a_terminal(daemon: FakeDaemon, verb: str, method: str) -> None:
    """What would go is shown; only yes lets it go; what does not exist is not asked about, but said."""
    daemon.add_group(1, title="the api is down")
    code, seen = on_terminal(daemon, "groups", verb, "1", "2", typed="n\n")
    assert code == 1
    assert "the api is down" in seen
    assert f"{verb.title()} 1 alert group for good? [y/N]" in seen
    assert daemon.requests(method) == []
    code, seen = on_terminal(daemon, "groups", verb, "1", "2", typed="y\n")
    assert (code, len(daemon.requests(method))) == (3, 2)
    assert "alertGroups/2 does not exist" in seen
    daemon.add_group(1)
    assert "?" not in on_terminal(daemon, "groups", verb, "1", "--yes")[1]
