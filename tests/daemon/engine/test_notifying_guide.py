"""docs/webhooks.md and docs/message-templates.md: what they show is what is sent, and what they say about signatures
and templates holds."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from fake_clock import SECOND, START
from running_daemon import Integration, RunningDaemon
from told_messages import SECRET, composed, hook, mail, message, request

from tocsind.domain.alert_group import AlertGroup, EventKind, Source, State
from tocsind.domain.contact_point import Apprise, ContactPoint
from tocsind.domain.message import Kind, Message
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.snapshot import AlertState
from tocsind.engine.telling.bulletins import compose_test, try_templates
from tocsind.engine.telling.facts import Facts
from tocsind.engine.telling.webhook_body import webhook_body
from tocsind.rendering.renderer import Renderer
from tocsind.rendering.variables import variables_of_message
from tocsind.sqlite.alert_groups import GroupRow
from tocsind.sqlite.alerts import AlertRow

DOCS = Path(__file__).parents[3] / "docs"
WEBHOOKS = (DOCS / "webhooks.md").read_text(encoding="utf-8")
TEMPLATES = (DOCS / "message-templates.md").read_text(encoding="utf-8")


def blocks(guide: str, language: str) -> list[str]:
    """The blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)


def contact(public_id: str, display_name: str) -> ContactPoint:
    """A contact point with these names."""
    return ContactPoint(1, public_id, display_name, "", (), Apprise("json://s3cr3t"))


def facts() -> Facts:
    """The group that the guide shows."""
    group = AlertGroup(7, 1, Source.ALERTMANAGER, State.FIRING, START, START, EventKind.OPENED, firing_count=1)
    labels = {"alertname": "InstanceDown", "severity": "critical"}
    row = GroupRow(
        group=group,
        integration="integrations/bmn1wg99s7js",
        grouping_key='{}:{alertname="InstanceDown"}',
        title="InstanceDown (web-1)",
        labels=labels,
        receiver="tocsin",
        external_url="http://am-1",
        truncated=3,
        route="integrations/bmn1wg99s7js/routes/default",
        message="",
        source_link="http://am-1",
    )
    alert = ReportedAlert(
        "5ef77f1f8a3ecfac",
        True,
        {"alertname": "InstanceDown", "instance": "web-1", "severity": "critical"},
        {"summary": "web-1 does not answer"},
        START - 30 * SECOND + 123_456,
        None,
        "http://prometheus/graph",
    )
    told = Message(12, 7, 1, Kind.FIRING, "msg_0123456789abcdefghjkmnpq", step=2)
    via = contact("q7d1t5b0z6ns", "Rota")
    return Facts(told, row, "prod", "alertmanager", (AlertRow(7, AlertState.FIRING, alert),), via)


def test_the_json_of_webhooks_is_stable() -> None:
    """It is what the guide shows, to the order of the fields: receivers rely on it. What is removed or renamed here
    needs another version."""
    body = msgspec.json.encode(webhook_body(facts(), contact("h9v2m4k8c3xw", "Pager")))
    (shown,) = blocks(WEBHOOKS, "json")
    assert msgspec.json.format(body, indent=2).decode() == shown.strip()


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function that the guide shows, at a time of its own."""
    (source,) = blocks(WEBHOOKS, "python")
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    assert len([text for text in source.splitlines() if text]) <= 10
    namespace["time"] = SimpleNamespace(time=lambda: namespace["now"])
    return namespace


def signed(key: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a signed request, by https://github.com/standard-webhooks (spec, "Signature scheme")."""
    content = b"%b.%d.%b" % (key.encode(), timestamp, body)
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": key, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_a_signature_is_verified_as_the_guide_shows(
    daemon: RunningDaemon, integration: Integration, verify: Any
) -> None:
    """What is sent is genuine; with another body, key, secret, or long afterwards it is not."""
    made = request(daemon, hook(), message(daemon.fire(integration, "a")))
    verify["now"] = made.timestamp + 200.0
    check, headers = verify["is_from_tocsin"], signed(made.key, made.timestamp, made.body, SECRET)
    assert check(headers, made.body, SECRET)
    assert check({**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}, made.body, SECRET)
    assert not check(headers, made.body + b" ", SECRET)
    assert not check({**headers, "webhook-id": "msg_other"}, made.body, SECRET)
    assert not check(headers, made.body, "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=")
    verify["now"] = made.timestamp + 301.0
    assert not check(headers, made.body, SECRET)


def test_the_guide_agrees_with_others(verify: Any) -> None:
    """The example of the specification of Standard Webhooks is genuine."""
    verify["now"] = 1614265330.0
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify["is_from_tocsin"](headers, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_all_variables_are_in_the_guide(
    daemon: RunningDaemon, integration: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it names are there, and no others."""
    seen: list[bytes] = []
    render = Renderer.render_message

    def noted(self: Renderer, contact_id: int | None, sources: Any, about: bytes, payload: bytes = b"") -> Any:
        seen.append(about)
        return render(self, contact_id, sources, about, payload)

    monkeypatch.setattr(Renderer, "render_message", noted)
    composed(daemon, mail(body_template="{{ text }}"), message(daemon.fire(integration, "a")))
    given = variables_of_message(seen[0], b"")
    table = TEMPLATES.partition("| variable |")[2].partition("\n\n")[0]
    rows = [row.split(" | ")[0] for row in table.splitlines()[2:]]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == given.keys()
    of_each = re.search(r"each with (.*?);", table)
    assert of_each is not None
    assert set(re.findall(r"`(\w+)`", of_each[1])) == given["messages"][0].keys()


@pytest.mark.parametrize("source", blocks(TEMPLATES, "jinja"))
def test_the_templates_of_the_guide_make_json(daemon: RunningDaemon, source: str) -> None:
    """They can be saved, and whatever is in the texts, the body is JSON."""
    assert try_templates(daemon.engine.renderer, hook(source)) == []
    made = compose_test(daemon.engine.renderer, hook(source), START)
    assert made.failures == ()
    assert isinstance(json.loads(made.errand.body), dict)
