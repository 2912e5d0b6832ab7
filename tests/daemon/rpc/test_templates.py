"""Trying templates out, and checking them before they are saved."""

import json
import sys
from typing import Any

import grpc
import pytest
from fake_clock import MINUTE
from running_daemon import Integration, RunningDaemon, reason
from templated import said, template

from tocsin.v1 import templates_pb2, templates_pb2_grpc
from tocsind.domain.errors import Code, TocsinError
from tocsind.rpc.templates import jinja_violations

Request = templates_pb2.PreviewTemplateRequest
PAYLOAD = json.dumps({"status": "firing", "groupKey": "k", "commonLabels": {"alertname": "Lag"}, "alerts": []})


def preview(daemon: RunningDaemon, integration: Integration, source: str, **given: Any) -> Any:
    """What comes of a template."""
    stub = templates_pb2_grpc.TemplateServiceStub(daemon.channel)
    return stub.PreviewTemplate(Request(integration=integration.name, template=source, **given))


def refused(daemon: RunningDaemon, integration: Integration, source: str = "x", **given: Any) -> tuple[Any, str, str]:
    """Code, reason and message of a refusal."""
    with pytest.raises(grpc.RpcError) as caught:
        preview(daemon, integration, source, **given)
    return caught.value.code(), reason(caught.value), caught.value.details()


def test_with_a_given_payload(daemon: RunningDaemon) -> None:
    """The text, whether it means true, and nothing is changed."""
    integration = daemon.integration()
    shown = preview(daemon, integration, "{{ labels.alertname }}: {{ group.title }}", payload=PAYLOAD)
    assert (shown.result, shown.is_true, shown.error, shown.alert_group) == ("Lag: Lag", False, "", "")
    use = Request.RESOLVE_CONDITION
    assert preview(daemon, integration, "{{ payload.status == 'firing' }}", payload=PAYLOAD, use=use).is_true
    assert daemon.list_groups() == []


@pytest.mark.parametrize("use", [use for _, use in Request.Use.items()])
def test_every_use(daemon: RunningDaemon, use: Any) -> None:
    """Each has a result; that of a title is one line."""
    shown = preview(daemon, daemon.integration(), "o\nk", payload=PAYLOAD, use=use)
    assert shown.result == ("o k" if use in (Request.TITLE, Request.SOURCE_LINK) else "o\nk")


def test_a_title_is_cut_at_its_own_limit(daemon: RunningDaemon) -> None:
    """Use decides which limit holds."""
    integration = daemon.integration()
    title = preview(daemon, integration, "{{ 'x' * 600 }}", payload=PAYLOAD, use=Request.TITLE)
    assert (len(title.result), title.shortened) == (500, True)
    assert not preview(daemon, integration, "{{ 'x' * 600 }}", payload=PAYLOAD).shortened


def test_what_is_wrong_is_in_the_answer(daemon: RunningDaemon) -> None:
    """With the line, whether it cannot be compiled, fails or takes too long; the next one is fine again."""
    integration = daemon.integration()
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    for source, line in (("a\n{{ b", 2), ("\n\n{{ payload.a.b }}", 3), (loops, 0)):
        shown = preview(daemon, integration, source, payload=PAYLOAD)
        assert (shown.result, shown.error_line) == ("", line)
        assert shown.error
    assert preview(daemon, integration, "fine", payload=PAYLOAD).result == "fine"


def test_a_title_sees_the_saved_link(daemon: RunningDaemon) -> None:
    """As it will when it is saved beside it."""
    integration = daemon.integration()
    template(daemon, integration, source_link="http://{{ labels.alertname }}")
    assert preview(daemon, integration, "{{ source_link }}", payload=PAYLOAD, use=Request.TITLE).result == "http://Lag"


def test_with_the_payload_of_a_group_or_the_last_one(daemon: RunningDaemon) -> None:
    """The latest one of the group that is named; else what the integration received last, for whichever group."""
    integration = daemon.integration()
    source = "{{ payload.n }}"
    assert refused(daemon, integration, source)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NO_PAYLOAD")
    one = daemon.send(integration, said("a", key="k1", payload={"n": 1})).alert_group
    daemon.pass_time(MINUTE)
    two = daemon.send(integration, said("a", key="k2", payload={"n": 2})).alert_group
    shown = preview(daemon, integration, source)
    assert (shown.result, shown.alert_group) == ("2", two)
    daemon.pass_time(MINUTE)
    daemon.send(integration, said("a b", key="k1", payload={"n": 3}))
    shown = preview(daemon, integration, source)
    assert (shown.result, shown.alert_group) == ("3", one)
    assert preview(daemon, integration, source, alert_group=two).result == "2"


def test_bad_requests(daemon: RunningDaemon) -> None:
    """Each is refused with its field, or as not found."""
    integration, other = daemon.integration(), daemon.integration("other")
    name = daemon.send(other, said("a")).alert_group
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for given in ({"payload": "{"}, {"payload": "[]"}, {"payload": ""}, {"alert_group": "x"}, {"alert_group": name}):
        code, why, message = refused(daemon, integration, **given)
        assert (code, why) == (invalid, "INVALID_FIELD")
        assert message.startswith(next(iter(given)))
    assert refused(daemon, integration, "x" * 50_001, payload=PAYLOAD)[:2] == (invalid, "INVALID_FIELD")
    assert refused(daemon, integration, use=99, payload=PAYLOAD)[:2] == (invalid, "INVALID_FIELD")
    assert refused(daemon, Integration(name="nonsense"))[:2] == (invalid, "INVALID_FIELD")
    assert refused(daemon, Integration(name="integrations/none"))[:2] == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert refused(daemon, integration, alert_group="alertGroups/99")[0] == grpc.StatusCode.NOT_FOUND


def test_templates_are_checked_before_they_are_saved(daemon: RunningDaemon) -> None:
    """What is none is told of with its field, its line and what is wrong; what can be compiled passes."""
    fine = {"a": "{{ payload.a.b }}", "b": "{% for x in payload %}{{ x }}{% endfor %}", "c": "{{ labels.x == 'y' }}"}
    assert list(jinja_violations(daemon.engine, fine)) == []
    wrong = {"route.jinja": "\n{{ nope", **fine, "d": "{{ x | nonsense }}"}
    (first, syntax), (second, unknown) = jinja_violations(daemon.engine, wrong)
    assert (first, second) == ("route.jinja", "d")
    assert syntax.startswith("is not a template: line 2: ")
    assert "No filter named 'nonsense'" in unknown


def test_where_nothing_can_be_checked_nothing_is_refused_for_its_content(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is told apart from a template that is wrong: trying again may help."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TocsinError) as caught:
        list(jinja_violations(daemon.engine, {"route.jinja": "fine"}))
    assert caught.value.code is Code.UNAVAILABLE
