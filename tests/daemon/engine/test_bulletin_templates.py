"""Templates of contact points: what they make of groups in a real file, what happens when one fails, and which are
refused before they are saved."""

import json
import zlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from notices import notice
from running_daemon import Integration, RunningDaemon
from templated import said as notified
from told_messages import SECRET, bulletin, composed, hook, mail, message, on_call, request

from tocsind.courier.wire import Bulletin, HttpRequest
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.errors import TocsinError
from tocsind.domain.message import Kind
from tocsind.domain.template import MAX_SOURCE
from tocsind.engine.telling.bulletins import compose_test, try_templates
from tocsind.engine.telling.webhook_body import WebhookBody

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
TITLE, BODY = "contact_point.title_template", "contact_point.body_template"


def fire(daemon: RunningDaemon, integration: Integration, firing: str = "a", **options: Any) -> str:
    """Sends a notification with the payload that Alertmanager would send; returns the name of the group."""
    return str(daemon.send(integration, notified(firing, **options)).alert_group)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ event }} {{ group.name }} {{ group.number }}", "firing alertGroups/{n} {n}"),
        ("{{ group.title }} {{ group.state }} {{ group.source }}", "DiskFull FIRING ALERTMANAGER"),
        ("{{ group.firing_alert_count }} {{ group.create_time }}", "2 2026-09-21T14:13:20Z"),
        ("{{ group.create_time | iso8601_to_time | datetimeformat('%H:%M') }}", "14:13"),
        ("{% for a in alerts %}{{ a.labels.instance }}: {{ a.annotations.summary }};{% endfor %}", None),
        ("{{ labels.alertname }} {{ source_link }}", "DiskFull http://am-1"),
        ("{{ payload.groupKey }} {{ payload.numFiring }}", '{{}}:{{alertname="DiskFull"}} 2'),
        ("{{ integration.display_name }} {{ integration.type }} {{ integration_name }}", "prod alertmanager prod"),
        ("{{ contact_point.display_name }} {{ contact_point.on_call.display_name }}", "Ops Rota"),
        ("{{ title }}", "[FIRING:2] DiskFull (prod)"),
        ("{{ body.splitlines() | last }}", "alertGroups/{n}: tocsin groups ack {n}"),
        ("{{ messages | length }} {{ messages[0].group.number }} {{ message }}", "1 {n} alertGroups/{n}/messages/1"),
    ],
)
def test_what_they_see(daemon: RunningDaemon, integration: Integration, source: str, text: str | None) -> None:
    """Each variable of docs/message-templates.md is there."""
    group = fire(daemon, integration, "a b")
    wanted = "a: a is in trouble;b: b is in trouble;" if text is None else text.format(n=group.split("/")[1])
    made = bulletin(daemon, mail(body_template=source), message(group, via_id=on_call(daemon, "Rota")))
    assert made.body == wanted
    assert made.title == "[FIRING:2] DiskFull (prod)"


def test_what_they_see_is_what_webhooks_receive(daemon: RunningDaemon, integration: Integration) -> None:
    """`group` and `alerts` are those of the default body, and `body` is that itself."""
    group = fire(daemon, integration, "a b")
    default = request(daemon, hook(), message(group)).body
    assert request(daemon, hook("{{ body }}"), message(group)).body == default
    parts = request(daemon, hook('{"group": {{ group | tojson }}, "alerts": {{ alerts | tojson }}}'), message(group))
    known = json.loads(default)
    text = request(daemon, hook("{{ text }}"), message(group)).body.decode()
    assert text == bulletin(daemon, mail(), message(group)).body
    assert json.loads(parts.body) == {"group": known["group"], "alerts": known["alerts"]}


def test_a_bundle(daemon: RunningDaemon, integration: Integration) -> None:
    """`messages` are all of them, and what stands beside it is of the first."""
    one, two = fire(daemon, integration, key="1"), fire(daemon, integration, key="2")
    contact = mail(
        body_template="{{ group.name }}: {{ messages | map(attribute='group.name') | join(' ') }}\n{{ body }}"
    )
    made = bulletin(daemon, contact, message(one, number=1), message(two, number=2))
    assert made.body.splitlines()[0] == f"{one}: {one} {two}"
    assert made.body.splitlines()[1].startswith("FIRING #")


def test_a_payload_that_nobody_asks_for_is_not_read(daemon: RunningDaemon, integration: Integration) -> None:
    """Nor is one needed: a heartbeat has none, and one that cannot be read is empty."""
    group = daemon.fire(integration, "a")
    assert bulletin(daemon, mail(body_template="{{ payload }} {{ event }}"), message(group)).body == "{} firing"
    large = replace(notice("b", key="large"), payload=zlib.compress(json.dumps({"a": [0] * 100_000}).encode()))
    sent = str(daemon.send(integration, large).alert_group)
    assert bulletin(daemon, mail(body_template="{{ payload.a | length }}"), message(sent)).body == "100000"


def test_no_secret_can_be_seen(daemon: RunningDaemon, integration: Integration) -> None:
    """Whatever a template prints, the contact point's address, headers and signing secret are not in it."""
    everything = "{{ contact_point }}{{ messages }}{{ group }}{{ integration }}{{ payload }}{{ self }}{{ title }}"
    group = fire(daemon, integration)
    made = bulletin(daemon, mail(body_template=everything), message(group))
    sent = request(daemon, hook(everything), message(group))
    for text in (made.title + made.body, sent.body.decode()):
        for secret in ("s3cr3t", SECRET, integration.token):
            assert secret not in text


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ payload.a.b }}", "line 1: 'dict object' has no attribute 'a'"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
        ("\n{% if %}", "line 2: Expected an expression, got 'end of statement block'"),
        (LOOPS, "it took too long"),
        ("{{ 'x' * 10**9 }}", "line 1: it needs too much memory"),
    ],
)
def test_a_template_that_fails(daemon: RunningDaemon, integration: Integration, source: str, why: str) -> None:
    """The default is sent, and a line says which template of which contact point it was, and why."""
    group = fire(daemon, integration)
    wanted = bulletin(daemon, mail(), message(group))
    made = composed(daemon, mail(title_template="mine", body_template=source), message(group))
    assert made.errand == msgspec.structs.replace(wanted, title="mine")
    assert made.failures == (f"body_template: {why}",)
    default = request(daemon, hook(), message(group))
    sent = composed(daemon, replace(hook(source), id=4), message(group))
    assert sent.errand == default
    assert sent.failures == (f"body_template: {why}",)


def test_a_body_of_a_webhook_is_whole(daemon: RunningDaemon, integration: Integration) -> None:
    """One that is too long is not cut, which would make nonsense of it: the default is sent. A mail's is cut."""
    group = fire(daemon, integration)
    sent = composed(daemon, hook("{{ 'x' * 50001 }}"), message(group))
    assert sent.failures == ("body_template: what it makes is longer than 50,000 characters",)
    assert isinstance(sent.errand, HttpRequest)
    assert json.loads(sent.errand.body)["event"] == "firing"
    cut = bulletin(daemon, mail(title_template="{{ 't' * 501 }}", body_template="{{ 'x' * 50001 }}"), message(group))
    assert (len(cut.title), len(cut.body)) == (500, 50_000)


def test_nothing_at_all(daemon: RunningDaemon, integration: Integration) -> None:
    """An empty body is one for a webhook, an empty title for a mail; where a mail would say nothing, the default is
    sent. `None`, as in OnCall, is nothing said."""
    group = fire(daemon, integration)
    assert request(daemon, hook("{% if event == 'test' %}x{% endif %}"), message(group)).body == b""
    default = bulletin(daemon, mail(), message(group))
    empty = bulletin(daemon, mail(title_template="{{ '' }}", body_template=" \n "), message(group))
    assert (empty.title, empty.body) == ("", default.body)
    none = bulletin(daemon, mail(title_template="{{ None }}", body_template="{{ None }}"), message(group))
    assert none == default


def test_what_senders_write_cannot_lie_in_templates_either(daemon: RunningDaemon, integration: Integration) -> None:
    """Titles and bodies for people are cleaned; a webhook's are data."""
    group = fire(daemon, integration, payload={"evil": "a\u202eb\nc\x1b"})
    made = bulletin(
        daemon, mail(title_template="{{ payload.evil }}", body_template="{{ payload.evil }}"), message(group)
    )
    assert (made.title, made.body) == ("ab c", "ab\nc")
    assert request(daemon, hook("{{ payload.evil }}"), message(group)).body == "a\u202eb\nc\x1b".encode()


def test_a_test_with_templates(daemon: RunningDaemon) -> None:
    """They see a made-up group, and that it is a test."""
    now, renderer = daemon.clock.wall(), daemon.engine.renderer
    contact = mail(
        title_template="{{ event }}: {{ title }}", body_template="{{ payload.alerts | length }} {{ group.title }}"
    )
    made = compose_test(renderer, contact, now)
    assert made.failures == ()
    assert isinstance(made.errand, Bulletin)
    assert (made.errand.title, made.errand.body) == ("test: [TEST] Tocsin reaches Ops", "2 DemoAlert (warning)")
    failed = compose_test(renderer, mail(body_template="{{ a.b }}"), now)
    assert failed.failures == ("body_template: line 1: 'a' is undefined",)
    sent = compose_test(renderer, hook("{{ body }}"), now).errand
    assert isinstance(sent, HttpRequest)
    assert msgspec.json.decode(sent.body, type=WebhookBody).event == "test"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ a", "line 1: unexpected end of template"),
        ("\n{{ a | nonsense }}", "line 2: No filter named 'nonsense'."),
        (LOOPS, "it took too long"),
        ("{{ 'x' * 10**9 }}", "line 1: it needs too much memory"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
        ("{{ 'x' * 50001 }}", "what it makes is longer than 50,000 characters"),
        ("{% if event == 'resolved' and group.resolve_time %}{{ 1 / 0 }}{% endif %}", "line 1: division by zero"),
    ],
)
def test_what_is_refused_before_it_is_saved(daemon: RunningDaemon, source: str, why: str) -> None:
    """What can never do, with the field; the other template is not blamed."""
    contact = mail(title_template="{{ title }}", body_template=source)
    found = try_templates(daemon.engine.renderer, contact)
    ((field, error),) = found
    assert field == BODY
    assert error.startswith("cannot be used: ")
    assert why in error
    assert [field for field, _ in try_templates(daemon.engine.renderer, mail(title_template=source))] == [TITLE]
    assert [field for field, _ in try_templates(daemon.engine.renderer, hook(source))] == [BODY]


def test_one_that_is_too_long_is_refused(daemon: RunningDaemon) -> None:
    """By the limit of integrations' templates, without being rendered."""
    long = " " * (MAX_SOURCE + 1)
    found = try_templates(daemon.engine.renderer, mail(title_template=long, body_template=long))
    assert found == [(TITLE, "must be at most 50,000 characters"), (BODY, "must be at most 50,000 characters")]
    assert daemon.engine.renderer.pids() == []


@pytest.mark.parametrize(
    "contact",
    [
        mail(),
        hook(),
        mail(title_template="{{ payload.commonLabels.team.name }}", body_template="{{ grup.title }}"),
        mail(title_template="{{ '' }}", body_template="{% for m in messages %}{{ m.group.title }}{% endfor %}"),
        hook('{"text": {{ title | tojson }}, "at": "{{ time() }}", "who": {{ payload.commonLabels.team | tojson }}}'),
    ],
)
def test_what_may_be_used(daemon: RunningDaemon, contact: ContactPoint) -> None:
    """None at all, and what uses something that is not there: another group may have it."""
    assert try_templates(daemon.engine.renderer, contact) == []


def test_where_they_cannot_be_tried_now(daemon: RunningDaemon) -> None:
    """Nothing is said about the template then: whoever saves it has to try again."""
    daemon.engine.renderer.close()
    with pytest.raises(TocsinError, match="templates cannot be checked now: the daemon is stopping"):
        try_templates(daemon.engine.renderer, mail(body_template="fine"))


def test_where_nothing_can_be_rendered_the_default_is_sent(daemon: RunningDaemon, integration: Integration) -> None:
    """Nobody is left asleep because of it."""
    group = fire(daemon, integration)
    default = request(daemon, hook(), message(group))
    daemon.engine.renderer.close()
    made = composed(daemon, hook("x"), message(group))
    assert made.errand == default
    assert made.failures == ("body_template: the daemon is stopping",)
    assert composed(daemon, hook(), message(group, Kind.RESOLVED)).failures == ()
