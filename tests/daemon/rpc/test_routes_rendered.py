"""Routes with Jinja2 conditions, with everything real: delivered, rendered, chosen and tried."""

import json
import zlib
from dataclasses import replace

import grpc
import pytest
from changing import make_route, route_service, routes_of
from notices import notice
from routing import get, update
from running_daemon import Event, Integration, RunningDaemon

from tocsin.v1 import routes_pb2


def test_a_group_takes_the_route_whose_condition_holds(daemon: RunningDaemon) -> None:
    """Over `payload` and `labels`; one that fails does not match, and the timeline and the trial say so."""
    integration = daemon.integration()
    fails = make_route(daemon, integration.name, jinja="{{ 1 / 0 }}").name
    other = make_route(daemon, integration.name, jinja="{{ payload.commonLabels.a == 'c' }}").name
    route = make_route(daemon, integration.name, jinja="{{ payload.status == 'firing' and labels.a == 'b' }}").name
    body = json.dumps({"status": "firing", "groupKey": "k", "commonLabels": {"a": "b"}}).encode()

    receipt = daemon.send(integration, replace(notice("a"), labels={"a": "b"}, payload=zlib.compress(body)))

    assert daemon.group(receipt.alert_group).route == route
    failed = [event.reason for event in daemon.events(receipt.alert_group) if event.kind == Event.TEMPLATE_FAILED]
    assert failed == [f"{fails}: line 1: division by zero"]
    said = route_service(daemon).TestRoutes(routes_pb2.TestRoutesRequest(parent=integration.name))
    assert (said.route, said.alert_group) == (route, receipt.alert_group)
    assert [(verdict.route, verdict.matched, verdict.error) for verdict in said.verdicts] == [
        (fails, False, "line 1: division by zero"),
        (other, False, ""),
        (route, True, ""),
    ]


def test_a_condition_that_cannot_be_compiled_is_not_saved(daemon: RunningDaemon, integration: Integration) -> None:
    """A filter that does not exist is known when it is saved, first or later."""
    kept = make_route(daemon, integration.name, jinja="yes")
    nonsense = "{{ payload.x | nofilter }}"
    for act in (
        lambda: make_route(daemon, integration.name, jinja=nonsense),
        lambda: update(daemon, kept.name, jinja=nonsense),
    ):
        with pytest.raises(grpc.RpcError, match=r"route\.jinja: .*nofilter"):
            act()
    assert routes_of(daemon, integration.name) == [kept, get(daemon, f"{integration.name}/routes/default")]
