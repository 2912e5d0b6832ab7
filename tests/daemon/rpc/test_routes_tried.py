"""Trying routes, over gRPC: which one a payload would take, and why."""

import json

import grpc
import pytest
from changing import make_route
from fake_clock import HOUR
from routing import labelled, open_group, route_of, try_routes
from running_daemon import Event, Integration, RunningDaemon, details, reason
from templated import template

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.rulebook import Rendered, Rulebook

Code = grpc.StatusCode


@pytest.fixture
def asked(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Rulebook, bytes]]:
    """What the daemon has had rendered to be tried; it is rendered all the same."""
    found: list[tuple[Rulebook, bytes]] = []
    render = daemon.engine.renderer.render_blocking

    def noted(rulebook: Rulebook, payload: bytes) -> Rendered:
        found.append((rulebook, payload))
        return render(rulebook, payload)

    monkeypatch.setattr(daemon.engine.renderer, "render_blocking", noted)
    return found


def test_each_route_says_why(daemon: RunningDaemon, integration: Integration) -> None:
    """Up to the one that the payload takes."""
    first = make_route(daemon, integration.name, matchers='severity="page"').name
    second = make_route(daemon, integration.name, matchers='team=~"db.*",severity!=""').name
    make_route(daemon, integration.name, matchers="{}")
    payload = json.dumps({"commonLabels": {"severity": "ticket", "team": "x"}, "groupLabels": {"team": "db1"}})

    said = try_routes(daemon, integration.name, payload=payload)

    assert (said.route, said.alert_group) == (second, "")
    assert [(v.route, v.matched, v.reason, v.error) for v in said.verdicts] == [
        (first, False, 'severity="page" does not hold: it is "ticket"', ""),
        (second, True, "all 2 matchers hold", ""),
    ]


def test_what_all_routes_can_take_is_limited(daemon: RunningDaemon, integration: Integration) -> None:
    """Expressions that explode are left out once they would take too long together; the routes after them count, both
    when a group opens and when that is tried."""
    slow = [make_route(daemon, integration.name, matchers=f'a=~"(a|b)*a(a|b){{{900 + n}}}x"').name for n in range(20)]
    last = make_route(daemon, integration.name, matchers="b=c").name
    labels = {"a": "ab" * 4_000, "b": "c"}

    opened = open_group(daemon, integration, **labels)
    assert route_of(daemon, opened) == last
    too_much = "it and the routes before it take too long for labels as long as these"
    lines = [event.reason for event in daemon.events(opened) if event.kind == Event.TEMPLATE_FAILED]
    assert lines
    assert all(line.endswith(f": {too_much}") and line.partition(":")[0] in slow for line in lines)

    answer = try_routes(daemon, integration.name, payload=json.dumps({"commonLabels": labels}))
    assert answer.route == last
    assert [verdict.route for verdict in answer.verdicts] == [*slow, last]
    told = {(verdict.reason, verdict.error) for verdict in answer.verdicts[5:-1]}
    assert told == {("its matchers were not compared", too_much)}


def test_the_default_route_says_that_none_matches(daemon: RunningDaemon, integration: Integration) -> None:
    """It is the last of the verdicts."""
    make_route(daemon, integration.name, matchers="a=b")

    said = try_routes(daemon, integration.name, payload="{}")

    assert said.route == f"{integration.name}/routes/default"
    assert [(v.matched, v.reason) for v in said.verdicts] == [
        (False, 'a="b" does not hold: the label is missing'),
        (True, "the default route takes what no other takes"),
    ]


@pytest.mark.parametrize(
    "payload",
    ["", "x", "[]", '"x"', "{", '{"commonLabels": []}', '{"groupLabels": {"a": 1}}', "[" * 100_000, '{"alerts": {}}'],
)
def test_a_bad_payload_is_refused(daemon: RunningDaemon, integration: Integration, payload: str) -> None:
    """With the field."""
    with pytest.raises(grpc.RpcError, match="payload: must be a JSON object as Alertmanager sends it") as refusal:
        try_routes(daemon, integration.name, payload=payload)

    assert refusal.value.code() is Code.INVALID_ARGUMENT
    assert details(refusal.value)[1].field_violations[0].field == "payload"


def test_the_payload_of_a_group_can_be_tried(daemon: RunningDaemon, integration: Integration) -> None:
    """Its latest; of a group of this integration only."""
    group = open_group(daemon, integration, a="b")
    route = make_route(daemon, integration.name, matchers="a=b").name
    other = daemon.fire(daemon.integration("other"))

    said = try_routes(daemon, integration.name, alert_group=group)
    assert (said.route, said.alert_group) == (route, group)
    assert route_of(daemon, group).endswith("/default")
    with pytest.raises(grpc.RpcError, match=f"alert_group: must be a group of {integration.name}, not of"):
        try_routes(daemon, integration.name, alert_group=other)
    with pytest.raises(grpc.RpcError, match="alertGroups/999 does not exist"):
        try_routes(daemon, integration.name, alert_group="alertGroups/999")
    daemon.groups.WipeAlertGroup(alert_groups_pb2.WipeAlertGroupRequest(name=group))
    with pytest.raises(grpc.RpcError, match="is no longer kept") as refusal:
        try_routes(daemon, integration.name, alert_group=group)
    assert (refusal.value.code(), reason(refusal.value)) == (Code.FAILED_PRECONDITION, "NO_PAYLOAD")


def test_without_a_payload_the_last_one_is_tried(daemon: RunningDaemon, integration: Integration) -> None:
    """That which the integration received last, whatever its group; of an integration that received none, there is
    nothing to try."""
    with pytest.raises(grpc.RpcError, match="give a payload") as refusal:
        try_routes(daemon, integration.name)
    assert (refusal.value.code(), reason(refusal.value)) == (Code.FAILED_PRECONDITION, "NO_PAYLOAD")

    old, new = open_group(daemon, integration, "1", a="b"), open_group(daemon, integration, "2", a="c")
    daemon.fire(daemon.integration("other"))
    assert try_routes(daemon, integration.name).alert_group == new
    daemon.clock.advance(HOUR)
    daemon.send(integration, labelled("1", a="b"))
    assert try_routes(daemon, integration.name).alert_group == old
    daemon.act("Resolve", old)
    assert try_routes(daemon, integration.name).alert_group == old
    daemon.groups.WipeAlertGroup(alert_groups_pb2.WipeAlertGroupRequest(name=old))
    assert try_routes(daemon, integration.name).alert_group == new


def test_a_group_without_a_payload_is_tried_by_its_labels(daemon: RunningDaemon, integration: Integration) -> None:
    """Those that Tocsin made, which a Jinja2 condition cannot be rendered for."""
    make_route(daemon, integration.name, jinja="{{ 1 }}")
    route = make_route(daemon, integration.name, matchers='alertname="HeartbeatMissing"').name
    daemon.beat(integration)
    daemon.pass_time(HOUR)
    (missing,) = daemon.list_groups("source = HEARTBEAT")

    said = try_routes(daemon, integration.name, alert_group=missing.name)

    assert (said.route, said.alert_group) == (route, missing.name)
    assert "no notification made the group" in said.verdicts[0].reason


def test_conditions_are_rendered_to_be_tried(
    daemon: RunningDaemon, integration: Integration, asked: list[tuple[Rulebook, bytes]]
) -> None:
    """And nothing else is, such as the templates of the integration; what fails says why, and does not match."""
    payload = '{"commonLabels": {"a": "yes"}, "x": 1}'
    template(daemon, integration, title="x")
    try_routes(daemon, integration.name, payload=payload)
    assert asked == []
    conditions = ("{{ 1 / 0 }}", "{{ payload.x == 2 }}", "{{ payload.x == 1 }}")
    fails, no, yes = (make_route(daemon, integration.name, jinja=source).name for source in conditions)

    said = try_routes(daemon, integration.name, payload=payload)

    assert said.route == yes
    assert [(v.route, v.matched, v.reason, v.error) for v in said.verdicts] == [
        (fails, False, "its condition failed", "line 1: division by zero"),
        (no, False, "its condition says something else than 1, true or ok", ""),
        (yes, True, "its condition says 1, true or ok", ""),
    ]
    ((rulebook, body),) = asked
    assert sorted(rulebook.conditions.values()) == sorted(conditions)
    assert (rulebook.templates, body) == ({}, payload.encode())


def test_the_payload_of_a_group_is_rendered_as_it_came(
    daemon: RunningDaemon, integration: Integration, asked: list[tuple[Rulebook, bytes]]
) -> None:
    """Its body, uncompressed."""
    make_route(daemon, integration.name, jinja="no")
    group = open_group(daemon, integration, a="b")

    for given in ({"alert_group": group}, {}):
        assert try_routes(daemon, integration.name, **given).alert_group == group
    assert [json.loads(body)["commonLabels"] for _, body in asked] == [{"a": "b"}] * 2
