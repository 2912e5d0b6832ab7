"""`tocsin groups` against a fake daemon: what is asked, and what is printed."""

import json
from datetime import timedelta

import pytest
from cli_program import Run
from fake_daemon import NOW, FakeDaemon, State

from tocsin.v1.alert_groups_pb2 import Alert, Event


def _events(daemon: FakeDaemon, group: str, *events: Event) -> None:
    for event in events:
        event.create_time.FromDatetime(NOW)
    daemon.events[group] = list(events)


def test_list_is_a_table_without_frames_in_a_pipe(run: Run, daemon: FakeDaemon) -> None:
    """Where stdout is no terminal, `list` prints aligned plain text, one line for each group, nothing cut."""
    daemon.add_group(2, title="T" * 300, firing_alert_count=3, resolved_alert_count=2)
    daemon.add_group(10, State.RESOLVED, title="short")
    lines = run("groups", "list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "FIRING", "TITLE", "OPENED", "INTEGRATION"]
    assert lines[1].split()[:4] == ["alertGroups/2", "firing", "3/5", "T" * 300]
    assert "(2m ago)" in lines[1]
    assert lines[1].endswith("integrations/one")
    assert lines[2].split()[:4] == ["alertGroups/10", "resolved", "1/1", "short"]
    assert lines[0].index("STATE") == lines[1].index("firing") == lines[2].index("resolved")


def test_list_as_json_is_the_response(run: Run, daemon: FakeDaemon) -> None:
    """`list -o json` prints proto3 JSON: camelCase names, enum names, 64-bit numbers as strings."""
    daemon.add_group(1, grouping_key="{}:{}", title="Down")
    (group,) = json.loads(run("groups", "list", "-o", "json").stdout)["alertGroups"]
    assert group["name"] == "alertGroups/1"
    assert group["number"] == "1"
    assert group["state"] == "FIRING"
    assert group["groupingKey"] == "{}:{}"
    assert group["createTime"].endswith("Z")


def test_list_of_nothing(run: Run) -> None:
    """An empty list is `{"alertGroups": []}` for programs, and a word on stderr for people."""
    assert json.loads(run("groups", "list", "-o", "json").stdout) == {"alertGroups": []}
    people = run("groups", "list")
    assert (people.exit_code, people.stdout, people.stderr) == (0, "", "Nothing there.\n")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ""),
        (["--state", "firing"], "state = FIRING"),
        (["--state", "resolved"], "state = RESOLVED"),
        (["--state", "open"], "state != RESOLVED"),
        (["--integration", "one"], 'integration = "integrations/one"'),
        (
            ["--integration", "integrations/one", "--state", "silenced"],
            'state = SILENCED AND integration = "integrations/one"',
        ),
    ],
)
def test_list_filters(run: Run, daemon: FakeDaemon, options: list[str], expected: str) -> None:
    """--state and --integration become the filter of the API."""
    assert run("groups", "list", *options).exit_code == 0
    assert daemon.requests("ListAlertGroups")[0].filter == expected


def test_an_integration_cannot_smuggle_a_condition_into_the_filter(run: Run, daemon: FakeDaemon) -> None:
    """What is no name of an integration is wrong usage, before anything is asked."""
    result = run("groups", "list", "--integration", 'x" AND state = "FIRING')
    assert result.exit_code == 2
    assert daemon.calls == []


def test_list_says_when_there_is_more(run: Run, daemon: FakeDaemon) -> None:
    """People are told on stderr that the first page is not all; programs have the nextPageToken."""
    for number in range(60):
        daemon.add_group(number)
    people = run("groups", "list")
    assert len(people.stdout.splitlines()) == 1 + 50
    assert people.stderr == "tocsin: there are more: --all lists them all\n"

    first = run("groups", "list", "-o", "json", "--page-size", "40")
    assert first.stderr == ""
    token = json.loads(first.stdout)["nextPageToken"]
    second = json.loads(run("groups", "list", "-o", "json", "--page-size", "40", "--page-token", token).stdout)
    assert len(second["alertGroups"]) == 20
    assert "nextPageToken" not in second


def test_list_all_is_one_response(run: Run, daemon: FakeDaemon) -> None:
    """--all follows the pages with the same filter and prints one response without a token."""
    for number in range(120):
        daemon.add_group(number)
    response = json.loads(run("groups", "list", "--all", "--state", "firing", "-o", "json").stdout)
    assert [group["name"] for group in response["alertGroups"]] == [f"alertGroups/{n}" for n in range(120)]
    assert "nextPageToken" not in response
    assert {request.filter for request in daemon.requests("ListAlertGroups")} == {"state = FIRING"}
    assert run("groups", "list", "--all").stderr == ""


@pytest.mark.parametrize("name", ["alertGroups/42", "42", "#42"])
def test_a_group_has_three_spellings(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A group is found by its resource name, by its number, and by its number as people write it."""
    daemon.add_group(42)
    assert json.loads(run("groups", "show", name, "-o", "json").stdout)["name"] == "alertGroups/42"


def test_show_has_the_group_its_alerts_and_its_timeline(run: Run, daemon: FakeDaemon) -> None:
    """For people, `show` prints all there is to know about a group in three parts."""
    group = daemon.add_group(7, State.SILENCED, title="Down api", labels={"job": "api", "alertname": "Down"})
    group.silence_end_time.FromDatetime(NOW + timedelta(hours=2, seconds=30))
    alert = Alert(fingerprint="00f1", state=Alert.State.UNREPORTED, labels={"instance": "a:1"})
    daemon.alerts[group.name] = [alert]
    _events(
        daemon, group.name, Event(revision=5, kind=Event.Kind.SILENCED, actor="ann", reason="for 2h", note="moving")
    )
    shown = run("groups", "show", "7").stdout
    head, rest = shown.split("\nAlerts\n")
    alerts, timeline = rest.split("\nTimeline\n")
    assert "title: Down api" in head.splitlines()
    assert 'labels: {alertname="Down", job="api"}' in head.splitlines()
    assert "(in 2h)" in head
    assert alerts.splitlines()[1].split()[:3] == ["00f1", "unreported", '{instance="a:1"}']
    assert timeline.splitlines()[1].split()[-6:] == ["silenced", "ann", "for", "2h", "-", "moving"]


def test_show_says_where_the_rest_of_the_alerts_is(run: Run, daemon: FakeDaemon) -> None:
    """`show` prints 50 alerts and points to `alerts`, which prints them all."""
    daemon.add_group(7)
    daemon.alerts["alertGroups/7"] = [Alert(fingerprint=f"{n:04}", state=Alert.State.FIRING) for n in range(2400)]
    shown = run("groups", "show", "7").stdout
    assert "0049" in shown
    assert "0050" not in shown
    assert "tocsin groups alerts alertGroups/7" in shown
    assert len(json.loads(run("groups", "alerts", "7", "-o", "json").stdout)["alerts"]) == 2400


def test_timeline_lists_every_event(run: Run, daemon: FakeDaemon) -> None:
    """`timeline` follows the pages to the last event; an empty one is still a list."""
    daemon.add_group(7)
    _events(daemon, "alertGroups/7", *(Event(revision=n, kind=Event.Kind.NEW_ALERTS) for n in range(1, 1302)))
    assert len(json.loads(run("groups", "timeline", "7", "-o", "json").stdout)["events"]) == 1301
    assert "new alerts" in run("groups", "timeline", "7").stdout
    assert json.loads(run("groups", "timeline", "8", "-o", "json").stdout) == {"events": []}


def test_payload_is_printed_byte_for_byte(run: Run, daemon: FakeDaemon) -> None:
    """`payload` prints exactly the bytes that the source sent, also where they are no text, and also many of them."""
    body = b'{"a": "\xff\xfe"}' + b" " * 6_000_000
    daemon.payloads = {"alertGroups/7/payloads/latest": body, "alertGroups/7/payloads/first": b"{}"}
    assert run("groups", "payload", "7").stdout_bytes == body
    assert run("groups", "payload", "7", "--first").stdout_bytes == b"{}"
    assert json.loads(run("groups", "payload", "7", "--first", "-o", "json").stdout)["body"] == "e30="


@pytest.mark.parametrize(
    ("arguments", "method", "before", "after"),
    [
        (["ack"], "AcknowledgeAlertGroup", State.FIRING, "acknowledged"),
        (["unack"], "UnacknowledgeAlertGroup", State.ACKNOWLEDGED, "firing"),
        (["silence", "--forever"], "SilenceAlertGroup", State.FIRING, "silenced for ever"),
        (["unsilence"], "UnsilenceAlertGroup", State.SILENCED, "firing"),
        (["resolve"], "ResolveAlertGroup", State.FIRING, "resolved"),
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
    assert (request.name, request.note) == ("alertGroups/42", "over to me")


def test_silence_for_a_time(run: Run, daemon: FakeDaemon) -> None:
    """`silence --for` sends the duration; --forever sends none."""
    daemon.add_group(1)
    assert "alertGroups/1 is silenced until 2" in run("groups", "silence", "1", "--for", "2h").stdout
    run("groups", "silence", "1", "--forever")
    timed, forever = daemon.requests("SilenceAlertGroup")
    assert timed.duration.ToTimedelta() == timedelta(hours=2)
    assert not forever.HasField("duration")


@pytest.mark.parametrize("options", [[], ["--for", "2h", "--forever"], ["--for", "7200"]])
def test_silence_needs_exactly_one_length(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """Neither, both, or a number without a unit is wrong usage and silences nothing."""
    result = run("groups", "silence", "1", *options)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert daemon.calls == []


def test_an_action_on_several_does_each_and_reports_each_failure(run: Run, daemon: FakeDaemon) -> None:
    """One name that fails does not keep the others from being done; the exit code is that of the first failure."""
    daemon.add_group(1)
    daemon.add_group(3)
    result = run("groups", "ack", "1", "2", "#3", "9")
    assert result.exit_code == 3
    assert result.stdout == "alertGroups/1 is acknowledged\nalertGroups/3 is acknowledged\n"
    assert result.stderr == (
        "tocsin: alertGroups/2: alertGroups/2 does not exist\ntocsin: alertGroups/9: alertGroups/9 does not exist\n"
    )


def test_an_action_on_several_as_json_is_one_line_for_each(run: Run, daemon: FakeDaemon) -> None:
    """With -o json every answer is a group on a line of its own."""
    daemon.add_group(1)
    daemon.add_group(2)
    lines = run("groups", "resolve", "1", "2", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["RESOLVED", "RESOLVED"]
