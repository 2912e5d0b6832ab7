"""`tocsin groups` against a fake daemon: what is asked, and what is printed."""

import json
from datetime import timedelta

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon, State, now

from tocsin.v1.alert_groups_pb2 import Alert, Escalation, Event


def _events(daemon: FakeDaemon, group: str, *events: Event) -> None:
    for event in events:
        event.create_time.FromDatetime(now())
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


def test_list_tells_what_nobody_is_told_of(run: Run, daemon: FakeDaemon) -> None:
    """While a maintenance collects an open group, or its integration was being debugged when it opened."""
    daemon.add_group(1, title="a", collected_by="alertGroups/9")
    daemon.add_group(2, title="b", debug=True)
    daemon.add_group(3, State.RESOLVED, title="c", collected_by="alertGroups/9")
    states = [line.partition("  ")[2].strip() for line in run("groups", "list").stdout.splitlines()[1:]]
    assert states[0].startswith("firing (collected)  ")
    assert states[1].startswith("firing (debug)  ")
    assert states[2].startswith("resolved  ")


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
        (["--label", "job=api", "--label", "a.b=c=d"], 'labels.job = "api" AND labels."a.b" = "c=d"'),
        (["--label", "job="], 'labels.job = ""'),
        (["--label", "NOT=x", "--label", "NOTE=x"], 'labels."NOT" = "x" AND labels.NOTE = "x"'),
        (
            ["--title", 'say "no" \\ OR yes', "--state", "open"],
            'state != RESOLVED AND title:"say \\"no\\" \\\\ OR yes"',
        ),
        (["--since", "2026-11-01T10:00:00Z"], 'create_time >= "2026-11-01T10:00:00Z"'),
        (["--until", "2026-11-01T10:00+02:00"], 'create_time < "2026-11-01T08:00:00Z"'),
        (["--filter", "source = SELF"], "source = SELF"),
        (["--state", "firing", "--filter", "source = SELF"], "source = SELF AND state = FIRING"),
        (["--filter", " ", "--state", "firing"], "state = FIRING"),
    ],
)
def test_list_filters(run: Run, daemon: FakeDaemon, options: list[str], expected: str) -> None:
    """All conditions become one filter of the API, in which each has to hold and no value is more than a value."""
    assert run("groups", "list", *options).exit_code == 0
    assert daemon.requests("ListAlertGroups")[0].filter == expected


@pytest.mark.parametrize("label", ["job", "=api", ""])
def test_a_label_has_a_name_and_a_value(run: Run, daemon: FakeDaemon, label: str) -> None:
    """What is no NAME=VALUE is wrong usage, before anything is asked."""
    result = run("groups", "list", "--label", label)
    assert result.exit_code == 2
    assert "write it like severity=critical" in result.stderr
    assert daemon.calls == []


@pytest.mark.parametrize(
    ("options", "order_by"),
    [([], ""), (["--order", "newest"], "create_time desc"), (["--order", "oldest"], "create_time")],
)
def test_list_in_either_order(run: Run, daemon: FakeDaemon, options: list[str], order_by: str) -> None:
    """--order says which come first; without it that is the daemon's to say."""
    run("groups", "list", *options)
    assert daemon.requests("ListAlertGroups")[0].order_by == order_by


@pytest.mark.parametrize("options", [[], ["--all"]])
def test_list_says_how_many_there_are(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """--total has the groups counted, once; people read it on stderr, programs as totalSize."""
    for number in range(60):
        daemon.add_group(number)
    assert run("groups", "list", "--total", *options).stderr.endswith("tocsin: 60 in all\n")
    assert json.loads(run("groups", "list", "--total", "-o", "json", *options).stdout)["totalSize"] == 60
    assert sum(request.include_total_size for request in daemon.requests("ListAlertGroups")) == 2


def test_a_total_that_was_cut_off_is_said_to_be_one(run: Run, daemon: FakeDaemon) -> None:
    """The daemon stops counting at 100,000: as many are "or more"."""
    daemon.total = 100_000
    assert run("groups", "list", "--total").stderr.endswith("tocsin: 100000 or more in all\n")


def test_an_empty_page_is_not_the_end(run: Run, daemon: FakeDaemon) -> None:
    """The daemon looks at only so many groups for a page: an empty one that has a next page does not read as nothing,
    and --all goes on behind it."""
    daemon.looked_at_per_page = 1
    for number in range(3):
        daemon.add_group(number, title="another")
    daemon.add_group(3, title="the one")
    first = run("groups", "list")
    assert (first.exit_code, first.stdout) == (0, "")
    assert first.stderr == "tocsin: nothing yet, but not all was looked at: try --all\n"
    everything = run("groups", "list", "--all", "-o", "json")
    assert [group["title"] for group in json.loads(everything.stdout)["alertGroups"]] == ["the one"]


def test_an_integration_cannot_smuggle_a_condition_into_the_filter(run: Run, daemon: FakeDaemon) -> None:
    """What names no integration ends there, before any group is asked for."""
    result = run("groups", "list", "--integration", 'x" AND state = "FIRING')
    assert result.exit_code == 3
    assert not daemon.requests("ListAlertGroups")


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
    group.silence_end_time.FromDatetime(now() + timedelta(hours=2, seconds=30))
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


def test_show_says_who_took_it_and_since_when_it_is_silent(run: Run, daemon: FakeDaemon) -> None:
    """The last acknowledgement and the begin of the silence are shown where there are any."""
    group = daemon.add_group(7, State.SILENCED, acknowledge_actor="ann")
    group.acknowledge_time.FromDatetime(now() - timedelta(hours=2, minutes=1))
    group.silence_time.FromDatetime(now() - timedelta(minutes=5, seconds=1))
    lines = run("groups", "show", "7").stdout.splitlines()
    assert "acknowledgeActor: ann" in lines
    assert any(line.startswith("acknowledgeTime: ") and line.endswith("(2h ago)") for line in lines)
    assert any(line.startswith("silenceTime: ") and line.endswith("(5m ago)") for line in lines)
    daemon.add_group(8)
    assert not any(word in run("groups", "show", "8").stdout for word in ("acknowledge", "silence"))


def test_show_has_what_people_wrote(run: Run, daemon: FakeDaemon) -> None:
    """The notes about a group stand above its alerts; where there are none, nothing is said of notes."""
    daemon.add_group(7)
    assert "Notes" not in run("groups", "show", "7").stdout
    daemon.add_note(7, 1, text="Restarted it.\nLooks better.")
    daemon.add_note(70, 2, text="about another")
    notes = run("groups", "show", "7").stdout.partition("\nNotes\n")[2].partition("\nAlerts\n")[0]
    head, *text = notes.splitlines()
    assert head.startswith("alertGroups/7/notes/1  ")
    assert text == ["    Restarted it.", "    Looks better."]


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


def test_show_tells_what_routes_and_templates_made(run: Run, daemon: FakeDaemon) -> None:
    """`show` prints the route, the link, who collects it, that it is debugged, and the message line by line."""
    daemon.add_group(
        1,
        route="integrations/one/routes/a",
        source_link="http://prometheus.example/graph",
        collected_by="alertGroups/7",
        debug=True,
        message="first\nsecond \x1b[31m",
    )
    lines = run("groups", "show", "1").stdout.splitlines()
    assert "route: integrations/one/routes/a" in lines
    assert "sourceLink: http://prometheus.example/graph" in lines
    assert "collectedBy: alertGroups/7" in lines
    assert "debug: yes: nobody is told of it" in lines
    assert lines[lines.index("Message") :][1:3] == ["first", "second \\x1b[31m"]


def test_show_tells_the_annotations(run: Run, daemon: FakeDaemon) -> None:
    """Alerts are shown with what their annotations say, in `show` and in `alerts`."""
    daemon.add_group(1)
    alert = Alert(fingerprint="f1", state=Alert.State.FIRING, annotations={"summary": "it is high"})
    daemon.alerts["alertGroups/1"] = [alert]
    for command in ("show", "alerts"):
        assert '{summary="it is high"}' in run("groups", command, "1").stdout


def test_show_tells_who_is_told_next(run: Run, daemon: FakeDaemon) -> None:
    """`show` has the chain, its next step and when; or for what it waits."""
    group = daemon.add_group(1)
    group.escalation.CopyFrom(
        Escalation(escalation_chain="escalationChains/night", display_name="Night", next_step=2, step_count=5)
    )
    group.escalation.state = Escalation.State.WAITING
    group.escalation.next_time.FromDatetime(now() + timedelta(minutes=4, seconds=10))
    lines = run("groups", "show", "1").stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("escalation: ")]
    assert line.startswith("escalation: Night (escalationChains/night): step 2 of 5 in 4m, at 20")
    group.escalation.state = Escalation.State.PAUSED
    group.escalation.ClearField("next_time")
    shown = run("groups", "show", "1").stdout
    assert "escalation: Night (escalationChains/night): step 2 of 5 waits for more alerts" in shown
    daemon.add_group(2)
    assert "escalation" not in run("groups", "show", "2").stdout


def test_timeline_tells_of_messages_in_words(run: Run, daemon: FakeDaemon) -> None:
    """Every kind of event has words."""
    daemon.add_group(7)
    kinds = [kind for kind in Event.Kind.values() if kind]
    _events(daemon, "alertGroups/7", *(Event(revision=kind, kind=kind, reason="so") for kind in kinds))
    lines = run("groups", "timeline", "7").stdout.splitlines()[1:]
    assert len(lines) == len(kinds)
    for words in ("escalation started", "escalation problem", "notified", "delivery failed", "delivery given up"):
        assert any(f" {words} " in line for line in lines), words
