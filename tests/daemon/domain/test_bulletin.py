"""What people are told of groups, as it stands on their phones."""

import unicodedata
from pathlib import Path
from typing import Any

from fake_clock import DAY, HOUR, MINUTE, START
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.alert_group import AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.bulletin import (
    MAX_BODY,
    MAX_TITLE,
    Listed,
    Told,
    body,
    bundle_body,
    bundle_title,
    title,
)
from tocsind.domain.message import Kind
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.plain_text import block, line
from tocsind.domain.snapshot import AlertState

GUIDE = Path(__file__).parents[3] / "docs" / "notifying.md"
BEGAN = START - 12 * MINUTE
DOWN = {"alertname": "InstanceDown", "severity": "critical"}


def group(**changes: Any) -> AlertGroup:
    """A group that fires for 12 minutes."""
    known: dict[str, Any] = {
        "id": 7,
        "integration_id": 1,
        "source": Source.ALERTMANAGER,
        "state": State.FIRING,
        "created": BEGAN,
        "state_since": BEGAN,
        "state_event": EventKind.OPENED,
        "firing_count": 1,
    }
    return AlertGroup(**known | changes)


def over(**changes: Any) -> AlertGroup:
    """The same, resolved now by its source."""
    known = {"state": State.RESOLVED, "resolve_reason": ResolveReason.SOURCE, "state_since": START}
    return group(**known | {"firing_count": 0, "resolved_count": 1} | changes)


def listed(instance: str, state: AlertState = AlertState.FIRING, **annotations: str) -> Listed:
    """An alert of an instance."""
    labels = {**DOWN, "instance": instance}
    return state, ReportedAlert(instance, state is AlertState.FIRING, labels, annotations, BEGAN)


def told(kind: Kind = Kind.FIRING, known: AlertGroup | None = None, **changes: Any) -> Told:
    """What is known of InstanceDown."""
    fields = {"title": "InstanceDown (web-1)", "integration": "prod", "labels": DOWN, "source_link": "http://am-1"}
    return Told(kind, known or (group() if kind is Kind.FIRING else over()), **fields | changes)


def shown(what: Told) -> str:
    """All of a message, the title first."""
    return f"{title(what, START)}\n\n{body(what, START)}\n"


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


def test_texts_of_senders_cannot_lie() -> None:
    """Line breaks, escapes, turned and unseen characters are gone; joined emoji and letters of any script stay."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert line("a\nb\x1b[2J\u2028c") == "a b [2J c"
    assert line("\u202egnp.exe\u202c\u2066x\u2069\u200b\ufeff\u00ad\U000e0041") == "gnp.exex"
    assert line(f"{family} \u0639\u200c\u062f \u200d\u200d\u200d") == f"{family} \u0639\u200c\u062f \u200d"
    assert line("half \ud800") == "half"
    assert block("a\r\nb\n\n\n\nc\td", 100) == "a\nb\n\nc d"
    forged = told(title="Fine\n[RESOLVED] all is well", labels={})
    assert title(forged, START) == "[FIRING] Fine [RESOLVED] all is well (prod)"


def test_long_texts_are_cut() -> None:
    """30 kB of an annotation leave room for the rest; how to take the group is always there."""
    alerts = [listed(f"web-{n}", summary=f"{n} " + "s" * 30_000, description="d" * 30_000) for n in range(20)]
    what = told(known=group(firing_count=20), title="t" * 500, labels={"severity": "x" * 9_000}, alerts=alerts)
    assert len(title(what, START)) == MAX_TITLE
    assert title(what, START).endswith("..")
    for main in ("", "m" * 50_000):
        text = body(told(known=what.group, alerts=alerts, message=main, source_link="http://" + "l" * 900), START)
        assert len(text) <= MAX_BODY
        assert ".." in text
        assert text.endswith("\nalertGroups/7: tocsin groups ack 7")
    assert "source:" not in body(told(source_link="http://" + "l" * 9_000), START)


NASTY = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.sampled_from(["", "\u202e", "a\nb", "\x00", "x" * 40_000, "ß (", "InstanceDown (a)", "\n" * 9_000, "\ud800"]),
)
TEXTS = st.dictionaries(st.one_of(st.sampled_from(["alertname", "instance", "summary", "severity"]), NASTY), NASTY)
TIMES = st.one_of(st.none(), st.integers(-(2**62), 2**62))
ALERTS = st.lists(
    st.tuples(
        st.sampled_from(AlertState), st.builds(ReportedAlert, NASTY, st.booleans(), TEXTS, TEXTS, TIMES, TIMES, NASTY)
    ),
    max_size=15,
)
GROUPS = st.builds(
    group,
    source=st.sampled_from(Source),
    state=st.sampled_from(State),
    state_actor=NASTY,
    resolve_reason=st.one_of(st.none(), st.sampled_from(ResolveReason)),
    created=st.integers(0, 2**62),
    firing_count=st.integers(0, 10**9),
)
ANYTHING = st.builds(
    Told, st.sampled_from(Kind), GROUPS, NASTY, NASTY, TEXTS, NASTY, NASTY, ALERTS, st.integers(0, 10**9), NASTY
)


def is_clean(text: str) -> bool:
    """Whether nothing in a text moves the cursor or turns the writing."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs") or letter in "\u2028\u2029\u202e" for letter in text)


@given(ANYTHING)
def test_whatever_senders_write_there_is_a_message(what: Told) -> None:
    """It never fails, stays within its limits, and a title is one clean line that says what it is about."""
    head = title(what, START)
    assert is_clean(head)
    assert len(head) <= MAX_TITLE
    assert what.kind.name in head.split("]")[0]
    text = body(what, START)
    assert len(text) <= MAX_BODY
    assert is_clean(text.replace("\n", ""))
    assert "alertGroups/7" in text.splitlines()[-1]


@given(st.lists(ANYTHING, min_size=2, max_size=4), st.integers(1, 40))
def test_whatever_groups_are_bundled(said: list[Told], times: int) -> None:
    """The same for several."""
    said = said * times
    head = bundle_title(said)
    assert is_clean(head)
    assert len(head) <= MAX_TITLE
    assert f"{len(said)} alert groups" in head
    text = bundle_body(said, START)
    assert len(text) <= MAX_BODY
    assert len(text.splitlines()) <= 52
    assert is_clean(text.replace("\n", ""))
