"""Messages composed of groups in a real file: what a mail says, and what a webhook receives."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from changing import delete, wipe
from fake_clock import MINUTE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notices import notice
from running_daemon import Integration, RunningDaemon
from told_messages import SECRET, bulletin, composed, hook, mail, message, on_call, request, said

from tocsin.v1 import integrations_pb2
from tocsind.courier.wire import Bulletin, HttpRequest
from tocsind.domain.alert_group import ResolveReason, Source, State
from tocsind.domain.contact_point import Method
from tocsind.domain.message import Kind
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.plain_text import cut
from tocsind.domain.snapshot import AlertState, KnownAlert
from tocsind.engine.memory import Memory
from tocsind.engine.telling.bulletins import compose_test
from tocsind.engine.telling.webhook_body import MOST_ALERTS, MOST_VALUE, WebhookBody
from tocsind.sqlite import alerts
from tocsind.sqlite.writer import Transaction


def fire(daemon: RunningDaemon, integration: Integration, **changes: Any) -> str:
    """Sends a notification in which something is changed; returns the name of the group."""
    return str(daemon.send(integration, replace(notice("a"), **changes)).alert_group)


def test_a_mail(daemon: RunningDaemon, integration: Integration) -> None:
    """It says what the group says now, and goes to the contact point's address."""
    group = daemon.fire(integration, "a b")
    daemon.clock.advance(12 * MINUTE)
    daemon.fire(integration, "a b c")
    number = group.removeprefix("alertGroups/")
    assert bulletin(daemon, mail(), message(group, step=2)) == Bulletin(
        "mailto://tocsin:s3cr3t@mail.example",
        "[FIRING:3] DiskFull (prod)",
        "- instance=a: a is in trouble\n- instance=b: b is in trouble\n- instance=c: c is in trouble\n"
        "integration: prod\nsince: 2026-09-21T14:13:20Z (12m)\nstep: 2\nsource: http://am-1\n"
        f"alertGroups/{number}: tocsin groups ack {number}",
        "failure",
    )


def test_a_mail_of_a_resolution(daemon: RunningDaemon, integration: Integration) -> None:
    """It says so, also where the group fires again by now."""
    group = daemon.fire(integration, "a")
    daemon.clock.advance(12 * MINUTE)
    daemon.fire(integration, "", resolved="a")
    resolved = bulletin(daemon, mail(), message(group, Kind.RESOLVED))
    assert (resolved.title, resolved.mood) == ("[RESOLVED] DiskFull after 12m (prod)", "success")
    assert "resolved by its source" in resolved.body
    daemon.act("Unresolve", group)
    again = bulletin(daemon, mail(), message(group, Kind.RESOLVED))
    assert again.title.startswith("[RESOLVED]")
    assert "\nnow: firing by ada\n" in again.body


def test_those_that_fire_are_shown_first(daemon: RunningDaemon, integration: Integration) -> None:
    """Of many alerts the few that fire are in the message, whatever their place."""
    names = " ".join(f"a{n:03}" for n in range(200))
    daemon.fire(integration, f"{names} z")
    group = daemon.fire(integration, "z", resolved=names)
    assert "z is in trouble" in bulletin(daemon, mail(), message(group)).body
    assert [each["labels"]["instance"] for each in said(daemon, hook(), message(group))["alerts"]][:2] == ["z", "a000"]


def test_a_missing_heartbeat_and_one_that_is_back(daemon: RunningDaemon, integration: Integration) -> None:
    """What Tocsin reports itself is told like everything else."""
    daemon.beat(integration)
    daemon.pass_time(11 * MINUTE)
    (group,) = daemon.list_groups()
    missing = bulletin(daemon, mail(), message(group.name))
    assert missing.title == "[FIRING] Heartbeat missing: prod"
    assert missing.body.startswith("No heartbeat from prod for 10m\nTocsin expects a heartbeat from the integration")
    daemon.pass_time(MINUTE)
    daemon.beat(integration)
    back = bulletin(daemon, mail(), message(group.name, Kind.RESOLVED))
    assert back.title == "[RESOLVED] Heartbeat is back: prod after 1m"
    assert back.body.startswith("a heartbeat came at 2026-09-21T14:25:20Z\n")


def test_a_demo_alert(daemon: RunningDaemon, integration: Integration) -> None:
    """Nobody can take it for the real thing."""
    asked = integrations_pb2.SendDemoAlertRequest(name=integration.name)
    group = daemon.integrations.SendDemoAlert(asked).alert_group
    told = bulletin(daemon, mail(), message(group))
    assert told.title == "[DEMO FIRING:2] DemoAlert warning (prod)"
    assert told.body.startswith("This is a demo: nothing is wrong, and nothing needs to be done.\n- instance=")
    assert "\n- instance=demo-1.example:9100: This is a demo alert, as if of demo-1.example:9100\n" in told.body
    assert said(daemon, hook(), message(group))["group"]["source"] == "DEMO"


def test_what_tocsin_reports_of_itself(daemon: RunningDaemon, integration: Integration) -> None:
    """It is under the integration Tocsin, and says so."""
    daemon.leave()
    daemon.pass_time(2 * MINUTE)
    (group,) = daemon.list_groups()
    told = bulletin(daemon, mail(), message(group.name))
    assert told.title == "[FIRING] No gateway is connected (Tocsin)"
    assert "\nintegration: Tocsin\n" in told.body


def test_who_is_on_call_is_told_by_which_calendar(daemon: RunningDaemon, integration: Integration) -> None:
    """In the text, and in what a webhook receives."""
    via = on_call(daemon, "Rota")
    group = daemon.fire(integration, "a")
    told = message(group, via_id=via, step=1)
    assert "\non call: Rota, step 1\n" in bulletin(daemon, mail(), told).body
    assert said(daemon, hook(), told)["contact_point"] == {
        "name": "contactPoints/c1",
        "display_name": "Pager",
        "on_call": {"name": "contactPoints/rota1", "display_name": "Rota"},
    }


def test_a_truncated_group(daemon: RunningDaemon, integration: Integration) -> None:
    """What the source did not list is counted."""
    group = daemon.fire(integration, "a b", truncated=5)
    told = bulletin(daemon, mail(), message(group))
    assert told.title.startswith("[FIRING:2+] ")
    assert "\nand 5 more\n" in told.body
    body = said(daemon, hook(), message(group))
    assert (len(body["alerts"]), body["truncated_alerts"]) == (2, 5)


def test_groups_that_are_gone(daemon: RunningDaemon, integration: Integration) -> None:
    """Of one that was wiped or deleted while it was being sent only the number is told, and that it is over."""
    wiped, deleted = daemon.fire(integration, "s3cr3t", key="k1"), daemon.fire(integration, "s3cr3t", key="k2")
    wipe(daemon, wiped)
    delete(daemon, deleted)
    for name, how in ((wiped, "wiped"), (deleted, "deleted")):
        told = bulletin(daemon, mail(), message(name))
        number = name.removeprefix("alertGroups/")
        assert told.title.startswith(f"[FIRING] alert group {number} ({how})")
        assert "now: resolved" in told.body
        assert "ack" not in told.body
        body = request(daemon, hook(), message(name)).body
        assert json.loads(body)["group"]["state"] == "RESOLVED"
        assert b"s3cr3t" not in body


def test_several_groups_in_one_mail(daemon: RunningDaemon, integration: Integration) -> None:
    """Each has a line; of one that is there twice, the last message counts."""
    one, two, three = (daemon.fire(integration, "a b", key=f"k{n}") for n in range(3))
    daemon.fire(integration, "", resolved="a b", key="k0")
    messages = [
        message(one, number=1),
        message(two, number=2),
        message(three, number=3),
        message(one, Kind.RESOLVED, number=4),
    ]
    told = bulletin(daemon, mail(), *messages)
    assert told.title == "[FIRING:2 RESOLVED:1] 3 alert groups: DiskFull"
    assert told.mood == "failure"
    a, b, c = (int(name.removeprefix("alertGroups/")) for name in (one, two, three))
    assert told.body.splitlines() == [
        f"FIRING #{b} DiskFull (prod), 2 alerts, for 0s",
        f"FIRING #{c} DiskFull (prod), 2 alerts, for 0s",
        f"RESOLVED #{a} DiskFull (prod), after 0s",
        f"tocsin groups ack {b} {c}",
    ]
    alone = bulletin(daemon, mail(), messages[0], messages[3])
    assert (alone.title, alone.mood) == ("[RESOLVED] DiskFull after 0s (prod)", "success")


def test_a_webhook_request(daemon: RunningDaemon, integration: Integration) -> None:
    """All that the contact point says of how it is to be sent is handed on, and the message's key."""
    group = daemon.fire(integration, "a")
    contact = hook(
        method=Method.PUT, timeout=2_500_000, ca_certificates="ca", client_key="k", insecure_skip_verify=True
    )
    made = request(daemon, contact, message(group, number=9))
    assert msgspec.structs.replace(made, body=b"") == HttpRequest(
        url="https://hook.example/s3cr3t",
        method="PUT",
        headers={"X-Key": "s3cr3t", "Content-Type": "application/json"},
        body=b"",
        key="msg_000000000000000000000009",
        timestamp=1_790_000_000,
        secret=SECRET,
        timeout=2.5,
        ca_certificates="ca",
        client_key="k",
        verify=False,
    )
    own = hook(headers={"content-type": "application/cloudevents+json"})
    assert request(daemon, own, message(group)).headers == {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize("method", [Method.GET, Method.DELETE])
def test_methods_without_a_body(daemon: RunningDaemon, integration: Integration, method: Method) -> None:
    """Such a request has none, nor a type of it, whatever template there is."""
    made = request(daemon, hook("{{ 1 / 0 }}", method=method, headers={}), message(daemon.fire(integration, "a")))
    assert (made.method, made.body, made.headers) == (method.name, None, {})


def test_no_secret_is_in_what_is_said(daemon: RunningDaemon, integration: Integration) -> None:
    """Neither the contact point's nor the integration's token."""
    group = daemon.fire(integration, "a")
    for body in (request(daemon, hook(), message(group)).body, bulletin(daemon, mail(), message(group)).body.encode()):
        for secret in (b"s3cr3t", SECRET.encode(), integration.token.encode()):
            assert secret not in body


def test_much_is_bounded(daemon: RunningDaemon, integration: Integration) -> None:
    """A webhook gets so many alerts, of each so much; how many there are beside them is said."""
    names = " ".join(f"a{n:03}" for n in range(150))
    group = daemon.fire(integration, names)
    body = said(daemon, hook(), message(group))
    assert (len(body["alerts"]), body["truncated_alerts"]) == (MOST_ALERTS, 50)
    texts = {"summary": "x" * 30_000, "description": "y" * 30_000}
    large = [ReportedAlert(f"f{n:03}", True, {"n": str(n)}, texts) for n in range(120)]
    group = fire(daemon, integration, grouping_key="large", alerts=large)
    made = request(daemon, hook(), message(group))
    assert len(made.body) < 600_000
    body = json.loads(made.body)
    assert body["alerts"][0]["annotations"]["summary"] == "x" * (MOST_VALUE - 2) + ".."
    assert 40 < len(body["alerts"]) < 60
    assert len(body["alerts"]) + body["truncated_alerts"] == 120


def test_every_field_is_there_for_every_group(daemon: RunningDaemon, integration: Integration) -> None:
    """A receiver that reads the body strictly, as a type of its own, can."""
    firing, over = daemon.fire(integration, "a", key="1"), daemon.fire(integration, "a", key="2")
    daemon.act("Resolve", over)
    for name in (firing, over):
        for kind in Kind:
            body = request(daemon, hook(), message(name, kind)).body
            read = msgspec.json.decode(body, type=WebhookBody, strict=True)
            assert read.event == kind.name.lower()
            assert read.group.state in State.__members__
            assert read.group.source in Source.__members__
            assert read.group.resolve_reason in (None, *ResolveReason.__members__)
            assert (read.group.resolve_time is None) == (read.group.resolve_reason is None)


def test_a_test_says_so(daemon: RunningDaemon) -> None:
    """Nobody gets up because of it; a program sees all that it would see, under the event `test`."""
    now, renderer = daemon.clock.wall(), daemon.engine.renderer
    told = compose_test(renderer, mail(), now).errand
    assert isinstance(told, Bulletin)
    assert told.title == "[TEST] Tocsin reaches Ops"
    assert told.mood == "info"
    assert told.body == "This is a test of the contact point Ops. Nothing is wrong, and nothing needs to be done."
    sent, again = (compose_test(renderer, hook(), now).errand for _ in range(2))
    assert isinstance(sent, HttpRequest)
    assert isinstance(again, HttpRequest)
    body = msgspec.json.decode(sent.body, type=WebhookBody)
    assert (body.event, body.message, body.group.source) == ("test", "", "DEMO")
    assert "This is a demo alert" in body.alerts[0].annotations["summary"]
    assert body.idempotency_key == sent.key != again.key
    assert renderer.pids() == []


def test_the_defaults_cost_no_process(daemon: RunningDaemon, integration: Integration) -> None:
    """No template, no Jinja2."""
    group = daemon.fire(integration, "a")
    composed(daemon, mail(), message(group))
    composed(daemon, hook(), message(group))
    assert daemon.engine.renderer.pids() == []


def test_times_that_no_calendar_has(daemon: RunningDaemon, integration: Integration) -> None:
    """They are null, and no reason not to tell somebody."""
    alert = ReportedAlert("f", True, {}, {}, started=-(2**60), ended=2**59)
    group = daemon.fire(integration, "a")

    def corrupt(transaction: Transaction, memory: Memory) -> None:
        number = int(group.removeprefix("alertGroups/"))
        known = KnownAlert(AlertState.FIRING, True)
        alerts.upsert(transaction.connection, [(number, alert, known)])
        alerts.restate(transaction.connection, [(number, "a", AlertState.RESOLVED)])

    daemon.engine.change(corrupt)
    told = said(daemon, hook(), message(group))["alerts"][0]
    assert (told["start_time"], told["end_time"]) == (None, None)
    assert "since: an unknown time" in bulletin(daemon, mail(), message(group)).body


NASTY = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    st.sampled_from(["", "\u202e", "a\nb", "\x00", "x" * 40_000, "</script>", "{{ 1 / 0 }}", '"', "\\"]),
)
TEXTS = st.dictionaries(st.one_of(st.sampled_from(["alertname", "summary", "instance"]), NASTY), NASTY, max_size=4)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), TEXTS, NASTY)
def test_whatever_is_stored_can_be_told(
    daemon: RunningDaemon,
    integration: Integration,
    texts: list[tuple[dict[str, str], dict[str, str]]],
    labels: dict[str, str],
    title: str,
) -> None:
    """A mail within its limits, and a body that is read as it was meant: nothing that senders write can hold it up."""
    reported = [ReportedAlert(f"f{n}", True, *each) for n, each in enumerate(texts)]
    made = replace(notice("a", key=repr((texts, labels, title))), alerts=reported, labels=labels, title=title)
    group = str(daemon.send(integration, made).alert_group)
    told = bulletin(daemon, mail(), message(group))
    assert (len(told.title) <= 120, len(told.body) <= 4_000, "\n" in told.title) == (True, True, False)
    several = bulletin(daemon, mail(), message(group), message("alertGroups/999999", number=2))
    assert len(several.body) <= 4_000
    body = said(daemon, hook(), message(group))
    assert body["group"]["title"] == title
    assert {key: cut(value, MOST_VALUE) for key, value in labels.items()} == body["group"]["labels"]
    assert [each["fingerprint"] for each in body["alerts"]] == [each.fingerprint for each in reported]
