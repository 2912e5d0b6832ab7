"""Escalation chains, over gRPC: deleted, also where routes name them."""

import grpc
import pytest
from chain_making import chains_of, get_chain, make_chain, remove_chain, said
from changing import audit_log, make_route
from fake_clock import HOUR
from routing import get as get_route
from routing import update as update_route
from running_daemon import Integration, RunningDaemon, details, reason

Code = grpc.StatusCode


def test_the_default_chain_is_deleted_like_any(daemon: RunningDaemon, integration: Integration) -> None:
    """None is the default then: a route that names none does not keep it."""
    make_route(daemon, integration.name, matchers="a=b")
    chain = make_chain(daemon, "ops", is_default=True).name

    remove_chain(daemon, chain)

    assert chains_of(daemon) == []


def test_a_chain_that_routes_name_is_not_deleted(daemon: RunningDaemon, integration: Integration) -> None:
    """Some of them are named, default ones among them."""
    chain = make_chain(daemon, "ops").name
    routes = sorted(
        make_route(daemon, integration.name, matchers=f"a={n}", escalation_chain=chain).name for n in range(2)
    )
    with pytest.raises(grpc.RpcError, match=f'is named by {routes[0]}, {routes[1]}"') as refusal:
        remove_chain(daemon, chain)
    assert (refusal.value.code(), reason(refusal.value)) == (Code.FAILED_PRECONDITION, "IN_USE")
    assert details(refusal.value)[0].metadata["resource"] == chain

    defaults = [f"{owner}/routes/default" for owner in (integration.name, "integrations/tocsin")]
    for default in defaults:
        update_route(daemon, default, escalation_chain=chain)
    with pytest.raises(grpc.RpcError, match="and 1 more"):
        remove_chain(daemon, chain)

    for route in [*routes, *defaults]:
        update_route(daemon, route, "escalation_chain")
    remove_chain(daemon, chain)


def test_a_chain_is_deleted_by_force(daemon: RunningDaemon, integration: Integration) -> None:
    """The routes that named it name none, and that is audited; others are left alone."""
    chain, other = make_chain(daemon, "ops").name, make_chain(daemon, "dev").name
    named = make_route(daemon, integration.name, matchers="a=b", escalation_chain=chain, notify_on_resolve=True)
    kept = make_route(daemon, integration.name, matchers="a=c", escalation_chain=other)
    default = update_route(daemon, f"{integration.name}/routes/default", escalation_chain=chain)
    written = len(audit_log(daemon))
    daemon.clock.advance(HOUR)

    remove_chain(daemon, chain, force=True)

    with pytest.raises(grpc.RpcError, match=f"{chain} does not exist"):
        get_chain(daemon, chain)
    now = get_route(daemon, named.name)
    assert (now.escalation_chain, now.notify_on_resolve, now.matchers) == ("", True, "a=b")
    assert now.update_time.seconds == named.update_time.seconds + 3_600
    assert now.etag != named.etag
    assert get_route(daemon, default.name).escalation_chain == ""
    assert get_route(daemon, kept.name) == kept
    gone = {"display_name": "ops", "description": "", "steps": [], "is_default": False}
    assert said(daemon, written)[0] == ("DeleteEscalationChain", chain, gone, {})
    assert sorted(said(daemon, written)[1:]) == sorted(
        ("DeleteEscalationChain", route, {"escalation_chain": chain}, {}) for route in (named.name, default.name)
    )
