"""What people are told of groups, as it stands on their phones."""

from pathlib import Path
from typing import Any

from fake_clock import DAY, HOUR, START
from told_samples import BEGAN, DOWN, group, listed, over, shown, told

from tocsind.domain.alert_group import ResolveReason, Source, State
from tocsind.domain.bulletin import Told, body, bundle_body, bundle_title, title
from tocsind.domain.message import Kind
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.snapshot import AlertState

GUIDE = Path(__file__).parents[3] / "docs" / "notifying.md"


def test_several_alerts_with_summaries_of_their_own() -> None:
    """Each has a line with what tells it from the others; how to take the group stands at the end."""
    alerts = [listed(f"web-{n}", summary=f"web-{n} does not answer") for n in (1, 2, 3)]
    what = told(known=group(firing_count=3), alerts=alerts, on_call="Rota", step=2)
    assert (
        shown(what)
        == """\
[FIRING:3] InstanceDown web-1 (prod)

- instance=web-1: web-1 does not answer
- instance=web-2: web-2 does not answer
- instance=web-3: web-3 does not answer
severity: critical
integration: prod
since: 2026-09-21T14:01:20Z (12m)
on call: Rota, step 2
source: http://am-1
alertGroups/7: tocsin groups ack 7
"""
    )
    assert f"```text\n{shown(what)}```" in GUIDE.read_text(encoding="utf-8")


def test_what_alerts_have_in_common_is_said_once() -> None:
    """One summary and one description for all, ten of the alerts, and how many more there are."""
    alerts = [listed(f"web-{n}", summary="An instance is down", description="It is silent.") for n in range(50)]
    what = told(known=group(firing_count=60), title="InstanceDown", truncated=3, alerts=alerts, step=1)
    assert (
        shown(what)
        == """\
[FIRING:60+] InstanceDown (prod)

An instance is down
It is silent.
- instance=web-0
- instance=web-1
- instance=web-2
- instance=web-3
- instance=web-4
- instance=web-5
- instance=web-6
- instance=web-7
- instance=web-8
- instance=web-9
and 53 more
severity: critical
integration: prod
since: 2026-09-21T14:01:20Z (12m)
step: 1
source: http://am-1
alertGroups/7: tocsin groups ack 7
"""
    )


def test_labels_that_nothing_else_says() -> None:
    """Which cluster and which disk it is must not be looked up; the title, the severity and the integration are not
    said twice, nor is anything that only some of the alerts have."""
    labels = {**DOWN, "cluster": "eu", "mountpoint": "/var", "instance": "web-1", "team": "prod"}
    alerts = [
        (AlertState.FIRING, ReportedAlert(name, True, {**labels, "device": name}, {"summary": "It is full"}, BEGAN))
        for name in ("sda", "sdb")
    ]
    end = "severity: critical\n"
    assert body(told(alerts=alerts[:1]), START).startswith(
        f"It is full\nlabels: cluster=eu, device=sda, mountpoint=/var\n{end}"
    )
    two = told(known=group(firing_count=2), alerts=alerts)
    assert body(two, START).startswith(
        f"It is full\n- device=sda\n- device=sdb\nlabels: cluster=eu, mountpoint=/var\n{end}"
    )
    many = {f"l{n}": "x" * 90 for n in range(30)}
    long = (AlertState.FIRING, ReportedAlert("f", True, many, {"summary": "s"}, BEGAN))
    assert len(body(told(alerts=[long]), START).splitlines()[1]) <= 200
    assert "labels:" not in body(told(alerts=alerts, message="It is full, says a template"), START)


def test_one_alert_grouped_by_its_name_alone() -> None:
    """The title names the instance, though the group's own title does not; one alert needs no list."""
    labels = {**DOWN, "instance": "web-1"}
    what = told(title="InstanceDown", labels=labels, alerts=[listed("web-1", summary="web-1 does not answer")])
    assert (
        shown(what)
        == """\
[FIRING] InstanceDown web-1 (prod)

web-1 does not answer
severity: critical
integration: prod
since: 2026-09-21T14:01:20Z (12m)
source: http://am-1
alertGroups/7: tocsin groups ack 7
"""
    )


def test_a_resolution() -> None:
    """It says for how long it was, and what ended it."""
    what = told(Kind.RESOLVED, alerts=[listed("web-1", AlertState.RESOLVED, summary="web-1 does not answer")])
    assert (
        shown(what)
        == """\
[RESOLVED] InstanceDown web-1 after 12m (prod)

web-1 does not answer
severity: critical
integration: prod
from 2026-09-21T14:01:20Z to 2026-09-21T14:13:20Z (12m)
resolved by its source
source: http://am-1
alertGroups/7
"""
    )


def test_a_heartbeat_that_is_missing() -> None:
    """What is expected stands in it, and when the last one came; the integration is named once."""
    labels = {"alertname": "HeartbeatMissing", "integration": "prod"}
    annotations = {
        "summary": "No heartbeat from prod for 10m",
        "description": "Tocsin expects a heartbeat from the integration prod every 10m; the last one came at 14:00.",
        "interval": "10m",
    }
    alerts = [(AlertState.FIRING, ReportedAlert("f", True, labels, annotations, BEGAN))]
    known = group(source=Source.HEARTBEAT)
    what = Told(Kind.FIRING, known, "Heartbeat missing: prod", "prod", labels, alerts=alerts)
    assert (
        shown(what)
        == """\
[FIRING] Heartbeat missing: prod

No heartbeat from prod for 10m
Tocsin expects a heartbeat from the integration prod every 10m; the last one came at 14:00.
integration: prod
since: 2026-09-21T14:01:20Z (12m)
alertGroups/7: tocsin groups ack 7
"""
    )


def test_a_heartbeat_that_is_back() -> None:
    """It does not read as if it were missing still; one that a person resolved is not said to be back."""
    labels = {"alertname": "HeartbeatMissing", "integration": "prod"}
    alert = ReportedAlert("f", False, labels, {"summary": "a heartbeat came at 14:13"}, BEGAN)
    fields: dict[str, Any] = {"labels": labels, "source_link": "", "alerts": [(AlertState.RESOLVED, alert)]}
    back = told(Kind.RESOLVED, over(source=Source.HEARTBEAT), title="Heartbeat missing: prod", **fields)
    assert (
        shown(back)
        == """\
[RESOLVED] Heartbeat is back: prod after 12m

a heartbeat came at 14:13
integration: prod
from 2026-09-21T14:01:20Z to 2026-09-21T14:13:20Z (12m)
resolved by its source
alertGroups/7
"""
    )
    by_ada = over(source=Source.HEARTBEAT, resolve_reason=ResolveReason.USER, state_actor="ada")
    dismissed = told(Kind.RESOLVED, by_ada, title="Heartbeat missing: prod", **fields)
    assert title(dismissed, START) == "[RESOLVED] Heartbeat missing: prod after 12m"
    assert "\nresolved by ada\n" in body(dismissed, START)


def test_what_tocsin_says_of_itself() -> None:
    """The title says that it is Tocsin that says so."""
    labels = {"alertname": "NoGateway"}
    summary = "No gateway is connected: no alert and no heartbeat can be received"
    alert = ReportedAlert("f", True, labels, {"summary": summary, "description": "Deadlines stand still."}, BEGAN)
    what = Told(
        Kind.FIRING,
        group(source=Source.SELF),
        "No gateway is connected",
        "Tocsin",
        labels,
        alerts=[(AlertState.FIRING, alert)],
    )
    assert shown(what).startswith(f"[FIRING] No gateway is connected (Tocsin)\n\n{summary}\nDeadlines stand still.\n")


def test_a_demo_says_that_it_is_one() -> None:
    """In the title and first in the body, alone and among others."""
    what = told(known=group(source=Source.DEMO, firing_count=2), message="whatever a template made")
    assert title(what, START) == "[DEMO FIRING:2] InstanceDown web-1 (prod)"
    assert body(what, START).startswith("This is a demo: nothing is wrong, and nothing needs to be done.\nwhatever")
    assert bundle_title([what, what]).startswith("[DEMO FIRING:2] 2 alert groups")
    described = listed("a", summary="A demo", description="Nothing is wrong")
    plain = told(known=group(source=Source.DEMO), alerts=[described])
    assert body(plain, START).count("othing is wrong") == 1


def test_what_the_integrations_templates_made_is_taken() -> None:
    """Their title stays as it is, and their message is the main part, with its lines."""
    what = told(
        title="Payments: InstanceDown!", message="Call the bank.\r\n\r\n\r\n\r\nRoom 7\x07", alerts=[listed("a")]
    )
    assert shown(what).startswith("[FIRING] Payments: InstanceDown! (prod)\n\nCall the bank.\n\nRoom 7\nseverity")


def test_a_group_that_has_moved_since() -> None:
    """A message that was decided before says where the group stands now, and does not ask to take what is taken."""
    taken = told(known=group(state=State.ACKNOWLEDGED, state_actor="ada"))
    assert body(taken, START).endswith("(12m)\nnow: acknowledged by ada\nsource: http://am-1\nalertGroups/7")
    again = told(Kind.RESOLVED, group())
    assert "\nnow: firing\n" in body(again, START)
    for reason in ResolveReason:
        assert "resolved" in body(told(known=over(resolve_reason=reason)), START)


def test_alerts_without_a_name_or_a_summary() -> None:
    """The labels say what there is to say."""
    alert = ReportedAlert("f", True, {"job": "db", "zone": "a"}, {}, None)
    what = told(title="job=db, zone=a", labels={"job": "db"}, alerts=[(AlertState.FIRING, alert)], source_link="")
    assert shown(what).startswith("[FIRING] job=db, zone=a (prod)\n\n- job=db, zone=a\nintegration: prod\n")
    nothing = told(title="", labels={}, integration="", source_link="")
    assert shown(nothing) == (
        "[FIRING] alertGroups/7\n\nsince: 2026-09-21T14:01:20Z (12m)\nalertGroups/7: tocsin groups ack 7\n"
    )


def test_since_when_is_what_the_source_says() -> None:
    """The first alert that fires counts; a start in the future does not."""
    early = (AlertState.FIRING, ReportedAlert("f", True, {}, {}, START - HOUR))
    late = (AlertState.FIRING, ReportedAlert("g", True, {}, {}, START + HOUR))
    long_ago = (AlertState.RESOLVED, ReportedAlert("h", False, {}, {}, START - DAY))
    assert "(1h)" in body(told(alerts=[early, late, long_ago]), START)
    assert "(12m)" in body(told(alerts=[late]), START)


def test_several_groups() -> None:
    """Those that fire come first, in the title too; one line takes them all."""
    labels = {"alertname": "DiskFull", "severity": "critical"}
    disk = told(known=group(id=8, firing_count=4), title="DiskFull (db)", labels=labels)
    mine = told(known=group(id=9, state=State.SILENCED, state_actor="ada"), title="Slow", labels={})
    said = [told(Kind.RESOLVED, over(id=6)), disk, mine]
    assert bundle_title(said) == "[FIRING:2 RESOLVED:1] 3 alert groups: DiskFull db, Slow, InstanceDown web-1"
    assert (
        bundle_body(said, START)
        == """\
FIRING #8 DiskFull db (prod), critical, 4 alerts, for 12m
FIRING #9 Slow (prod), for 12m, now silenced by ada
RESOLVED #6 InstanceDown web-1 (prod), after 12m
tocsin groups ack 8 9"""
    )


def test_very_many_groups() -> None:
    """Fifty are named, and how many more there are; long names are cut, so that all fifty have their line."""
    said = [told(known=group(id=n), title=f"{n} " + "x" * 400) for n in range(100, 180)]
    lines = bundle_body(said, START).splitlines()
    assert lines[-2] == "and 30 more"
    assert lines[-1] == "tocsin groups ack " + " ".join(str(n) for n in range(100, 150))
    assert [text.split(" ", 2)[:2] for text in lines[:-2]] == [["FIRING", f"#{n}"] for n in range(100, 150)]
    assert bundle_title(said).startswith("[FIRING:80] 80 alert groups: 100 xxx")
    assert bundle_title([told(title=f"Alert{n}", labels={}) for n in range(99)]).endswith(", Alert9, Alert10 ..")
