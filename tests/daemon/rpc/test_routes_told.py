"""Whom routes tell, over gRPC: the escalation chain that a route names, and whether it notifies on resolve."""

import grpc
import pytest
from chain_making import make_chain, remove_chain, update_chain
from changing import audit_log, make_route, routes_of
from fake_clock import HOUR
from google.protobuf.json_format import MessageToDict
from routing import get, move, update
from running_daemon import Integration, RunningDaemon, details, reason

from tocsin.v1 import integrations_pb2
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction

Code = grpc.StatusCode


@pytest.fixture(params=["integrations/{id}/routes/{id}", "its default route", "the built-in one's default route"])
def route(request: pytest.FixtureRequest, daemon: RunningDaemon, integration: Integration) -> str:
    """A route of any kind."""
    if request.param.startswith("its"):
        return f"{integration.name}/routes/default"
    if request.param.startswith("the"):
        return "integrations/tocsin/routes/default"
    return str(make_route(daemon, integration.name, matchers="a=b").name)


def test_a_new_route_names_a_chain(daemon: RunningDaemon, integration: Integration) -> None:
    """As it was asked to; it is shown wherever the route is."""
    chain = make_chain(daemon).name
    made = make_route(daemon, integration.name, matchers="a=b", escalation_chain=chain, notify_on_resolve=True)
    other = make_route(daemon, integration.name, matchers="a=c")

    assert (made.escalation_chain, made.notify_on_resolve) == (chain, True)
    assert (other.escalation_chain, other.notify_on_resolve) == ("", False)
    assert get(daemon, made.name) == made
    assert routes_of(daemon, integration.name)[:2] == [made, other]
    moved = move(daemon, made.name, 1)
    assert (moved.escalation_chain, moved.notify_on_resolve) == (chain, True)


def test_whom_a_route_tells_can_be_changed(daemon: RunningDaemon, route: str) -> None:
    """That of the default route too, also of what Tocsin reports about itself; nothing else is changed of it. Without a
    mask it is what is set; what a mask names and the message leaves out is none."""
    first, second = make_chain(daemon, "a").name, make_chain(daemon, "b").name
    before = get(daemon, route)

    changed = update(daemon, route, escalation_chain=first)
    assert (changed.escalation_chain, changed.notify_on_resolve) == (first, False)
    changed = update(daemon, route, notify_on_resolve=True)
    assert (changed.escalation_chain, changed.notify_on_resolve) == (first, True)
    changed = update(daemon, route, "escalation_chain", escalation_chain=second)
    assert (changed.escalation_chain, changed.notify_on_resolve) == (second, True)
    assert get(daemon, route) == changed
    daemon = daemon.reopen()
    assert get(daemon, route) == changed
    changed = update(daemon, route, "escalation_chain", "notify_on_resolve")
    assert (changed.escalation_chain, changed.notify_on_resolve) == ("", False)
    assert changed == before


def test_what_a_group_meets_is_what_was_committed(daemon: RunningDaemon, integration: Integration, route: str) -> None:
    """Memory knows it at once, of the route or of the integration whose default route it is."""
    owner, public_id = route.split("/")[1], route.split("/")[3]
    chain = make_chain(daemon).name

    def told() -> tuple[int | None, bool]:
        def job(transaction: Transaction, memory: Memory) -> tuple[int | None, bool]:
            found = memory.by_public_id(transaction.connection, owner)
            assert found is not None
            if public_id == "default":
                return found.chain_id, found.notify_on_resolve
            only = memory.rulebook(transaction.connection, found).routes[0]
            return only.chain_id, only.notify_on_resolve

        return daemon.engine.change(job)

    assert told() == (None, False)
    update(daemon, route, escalation_chain=chain, notify_on_resolve=True)
    assert told() == (1, True)
    remove_chain(daemon, chain, force=True)
    assert told() == (None, True)


def test_it_is_audited(daemon: RunningDaemon, route: str) -> None:
    """With what differs; the same again is not."""
    first, second = make_chain(daemon, "a").name, make_chain(daemon, "b").name
    written = len(audit_log(daemon))
    for fields in ({"escalation_chain": first}, {"escalation_chain": second, "notify_on_resolve": True}):
        update(daemon, route, **fields)
        daemon.clock.advance(HOUR)
        changed = get(daemon, route)
        assert update(daemon, route, **fields) == changed
    update(daemon, route, "escalation_chain")

    entries = audit_log(daemon)[written:]
    assert {(entry.method, entry.resource, entry.actor) for entry in entries} == {
        ("RouteService.UpdateRoute", route, "ada")
    }
    assert [(MessageToDict(entry.before), MessageToDict(entry.after)) for entry in entries] == [
        ({}, {"escalation_chain": first}),
        (
            {"escalation_chain": first, "notify_on_resolve": False},
            {"escalation_chain": second, "notify_on_resolve": True},
        ),
        ({"escalation_chain": second}, {}),
    ]


def test_who_read_something_else_is_told(daemon: RunningDaemon, route: str) -> None:
    """The etag covers whom the route tells; it does not change where the chain is changed itself."""
    chain = make_chain(daemon).name
    before = get(daemon, route)
    named = update(daemon, route, escalation_chain=chain, etag=before.etag)
    told = update(daemon, route, notify_on_resolve=True, etag=named.etag)
    assert len({before.etag, named.etag, told.etag}) == 3

    with pytest.raises(grpc.RpcError, match=f"{route} was changed since it was read") as refusal:
        update(daemon, route, "escalation_chain", etag=named.etag)

    assert (refusal.value.code(), reason(refusal.value)) == (Code.ABORTED, "ETAG_MISMATCH")
    assert get(daemon, route) == told
    update_chain(daemon, chain, display_name="dev")
    assert get(daemon, route) == told


@pytest.mark.parametrize(
    ("chain", "message"),
    [("escalationChains/never", "does not exist"), ("ops", "must be of the form"), ("contactPoints/x", "of the form")],
)
def test_a_chain_that_is_not_there_is_refused(daemon: RunningDaemon, route: str, chain: str, message: str) -> None:
    """With the field; nothing is changed."""
    before = get(daemon, route)

    with pytest.raises(grpc.RpcError, match=message) as refusal:
        update(daemon, route, escalation_chain=chain, notify_on_resolve=True)

    assert (refusal.value.code(), reason(refusal.value)) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert details(refusal.value)[1].field_violations[0].field == "route.escalation_chain"
    assert get(daemon, route) == before


def test_the_chain_of_an_integration_that_goes_is_in_use_no_more(daemon: RunningDaemon) -> None:
    """Neither its routes nor its default route keep it."""
    chain = make_chain(daemon).name
    owner = daemon.integration("goes").name
    make_route(daemon, owner, matchers="a=b", escalation_chain=chain)
    update(daemon, f"{owner}/routes/default", escalation_chain=chain)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=owner))

    remove_chain(daemon, chain)


def test_changing_an_integration_leaves_its_default_route_alone(
    daemon: RunningDaemon, integration: Integration
) -> None:
    """Its settings are others."""
    chain = make_chain(daemon).name
    default = update(daemon, f"{integration.name}/routes/default", escalation_chain=chain, notify_on_resolve=True)
    changed = Integration(name=integration.name, description="new")

    daemon.integrations.UpdateIntegration(integrations_pb2.UpdateIntegrationRequest(integration=changed))

    assert get(daemon, default.name) == default
