"""Routes, over gRPC: the resource."""

from typing import Any

import grpc
import pytest
from changing import Route, audit_log, make_route, route_service, routes_of
from fake_clock import HOUR
from routing import get, move, remove, try_routes, update
from running_daemon import Integration, RunningDaemon, details, reason

from tocsin.v1 import integrations_pb2, routes_pb2

Code = grpc.StatusCode
QUIET = {"notify_on_resolve": False}


def test_an_integration_has_a_default_route(daemon: RunningDaemon, integration: Integration) -> None:
    """Which has no condition, and is the last."""
    default = f"{integration.name}/routes/default"

    (only,) = routes_of(daemon, integration.name)

    assert only == get(daemon, default)
    assert (only.name, only.position, only.WhichOneof("condition")) == (default, 0, None)
    assert only.etag
    assert not only.HasField("create_time")
    make_route(daemon, integration.name, matchers="a=b")
    assert get(daemon, default).position == 1
    assert get(daemon, default).etag != only.etag


def test_a_route_is_what_it_was_made_as(daemon: RunningDaemon, integration: Integration) -> None:
    """Its condition is kept as it was written, and it comes before the default route."""
    made = make_route(daemon, integration.name, matchers=' {a="b", } ', description="ours")
    other = make_route(daemon, integration.name, jinja="{{ payload.x == 1 }}")

    assert get(daemon, made.name) == made
    assert made.name.startswith(f"{integration.name}/routes/")
    assert (made.matchers, made.description, made.position) == (' {a="b", } ', "ours", 0)
    assert made.create_time == made.update_time
    assert made.create_time.seconds
    assert [route.name for route in routes_of(daemon, integration.name)] == [
        made.name,
        other.name,
        f"{integration.name}/routes/default",
    ]
    assert other.jinja == "{{ payload.x == 1 }}"
    assert [route.position for route in routes_of(daemon, integration.name)] == [0, 1, 2]


def test_a_route_can_be_put_anywhere(daemon: RunningDaemon, integration: Integration) -> None:
    """What is there makes room; beyond the last is the last before the default route."""
    a, b, c, d = (
        make_route(daemon, integration.name, place, matchers=f"a={place}").name for place in (None, 0, 1, 1_000_000)
    )

    assert [route.name for route in routes_of(daemon, integration.name)][:-1] == [b, c, a, d]


def test_lists_have_pages(daemon: RunningDaemon, integration: Integration) -> None:
    """In the order of the routes, the default one on the last."""
    for number in range(4):
        make_route(daemon, integration.name, matchers=f"a={number}")
    request = routes_pb2.ListRoutesRequest(parent=integration.name, page_size=2)
    positions = []
    while True:
        page = route_service(daemon).ListRoutes(request)
        positions.append([route.position for route in page.routes])
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert positions == [[0, 1], [2, 3], [4]]


def test_only_what_is_named_is_changed(daemon: RunningDaemon, integration: Integration) -> None:
    """Of the two conditions one replaces the other; without a mask it is everything that is set."""
    made = make_route(daemon, integration.name, matchers="a=b", description="old")
    daemon.clock.advance(HOUR)

    changed = update(daemon, made.name, description="new")
    assert (changed.matchers, changed.description) == ("a=b", "new")
    assert changed.update_time.seconds == made.update_time.seconds + 3_600
    assert changed.etag != made.etag
    assert update(daemon, made.name, "matchers", matchers="a=c", description="x").description == "new"
    changed = update(daemon, made.name, jinja="{{ 1 }}")
    assert (changed.matchers, changed.jinja, changed.description) == ("", "{{ 1 }}", "new")
    changed = update(daemon, made.name, "description", "matchers", "jinja", matchers="a=d")
    assert (changed.matchers, changed.jinja, changed.description) == ("a=d", "", "")
    assert get(daemon, made.name) == changed


def test_the_same_again_changes_nothing(daemon: RunningDaemon, integration: Integration) -> None:
    """Neither the time of the change nor the etag nor the audit log."""
    made = make_route(daemon, integration.name, matchers="a=b")
    daemon.clock.advance(HOUR)
    written = audit_log(daemon)

    assert update(daemon, made.name, matchers="a=b") == made
    assert move(daemon, made.name, 0) == made
    assert move(daemon, made.name, 7) == made
    assert audit_log(daemon) == written


def test_routes_move_and_go(daemon: RunningDaemon, integration: Integration) -> None:
    """The others close up."""
    a, b, c, d = (make_route(daemon, integration.name, matchers=f"a={n}").name for n in range(4))

    def order() -> str:
        names = {a: "a", b: "b", c: "c", d: "d"}
        listed = routes_of(daemon, integration.name)
        assert [route.position for route in listed] == list(range(len(listed)))
        return "".join(names[route.name] for route in listed[:-1])

    assert move(daemon, a, 2).position == 2
    assert order() == "bcad"
    assert move(daemon, d, 1).position == 1
    assert order() == "bdca"
    assert move(daemon, b, 99).position == 3
    assert order() == "dcab"
    remove(daemon, c)
    assert order() == "dab"
    with pytest.raises(grpc.RpcError, match=f"{c} does not exist"):
        get(daemon, c)


def test_every_change_is_audited(daemon: RunningDaemon, integration: Integration) -> None:
    """With what differs, and of the route that was asked for only."""
    first = make_route(daemon, integration.name, matchers="a=b", description="d")
    second = make_route(daemon, integration.name, matchers="b=c")
    update(daemon, first.name, jinja="{{ 1 }}")
    move(daemon, first.name, 1)
    remove(daemon, second.name)

    said = [
        (entry.method.rpartition("/")[2], entry.resource, dict(entry.before), dict(entry.after), entry.actor)
        for entry in audit_log(daemon)[1:]
    ]
    assert said == [
        (
            "RouteService.CreateRoute",
            first.name,
            {},
            {"position": 0, "matchers": "a=b", "description": "d"} | QUIET,
            "ada",
        ),
        (
            "RouteService.CreateRoute",
            second.name,
            {},
            {"position": 1, "matchers": "b=c", "description": ""} | QUIET,
            "ada",
        ),
        ("RouteService.UpdateRoute", first.name, {"matchers": "a=b"}, {"jinja": "{{ 1 }}"}, "ada"),
        ("RouteService.MoveRoute", first.name, {"position": 0}, {"position": 1}, "ada"),
        (
            "RouteService.DeleteRoute",
            second.name,
            {"position": 0, "matchers": "b=c", "description": ""} | QUIET,
            {},
            "ada",
        ),
    ]


def test_who_read_something_else_is_told(daemon: RunningDaemon, integration: Integration) -> None:
    """A stale etag changes nothing; the right one, and none, do. Moving another route makes it stale too: the order is
    a part of what was read."""
    made = make_route(daemon, integration.name, matchers="a=b")
    changed = update(daemon, made.name, matchers="a=c", etag=made.etag)

    for act in (
        lambda: update(daemon, made.name, matchers="a=d", etag=made.etag),
        lambda: move(daemon, made.name, 1, etag=made.etag),
        lambda: remove(daemon, made.name, etag=made.etag),
    ):
        with pytest.raises(grpc.RpcError, match="was changed since it was read") as refusal:
            act()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.ABORTED, "ETAG_MISMATCH")
        assert details(refusal.value)[0].metadata["resource"] == made.name
    assert get(daemon, made.name) == changed

    make_route(daemon, integration.name, 0, matchers="b=c")
    with pytest.raises(grpc.RpcError, match="was changed since it was read"):
        remove(daemon, made.name, etag=changed.etag)
    remove(daemon, made.name, etag=get(daemon, made.name).etag)


@pytest.mark.parametrize("position", [1, 0])
def test_the_default_route_stays_as_it_is(daemon: RunningDaemon, integration: Integration, position: int) -> None:
    """It takes what is left: it is not described, given a condition, moved or deleted."""
    default = f"{integration.name}/routes/default"
    for act in (
        lambda: update(daemon, default, description="x"),
        lambda: update(daemon, default, matchers="a=b", notify_on_resolve=True),
        lambda: update(daemon, default, "description", "notify_on_resolve", notify_on_resolve=True),
        lambda: move(daemon, default, position),
        lambda: remove(daemon, default),
    ):
        with pytest.raises(grpc.RpcError, match="only the escalation chain and notify_on_resolve") as refusal:
            act()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.FAILED_PRECONDITION, "DEFAULT_ROUTE")
    assert not get(daemon, default).notify_on_resolve


def test_there_are_so_many_routes_at_most(daemon: RunningDaemon, integration: Integration) -> None:
    """Another one is refused; another integration has its own."""
    for number in range(200):
        make_route(daemon, integration.name, matchers=f"a={number}")

    with pytest.raises(grpc.RpcError, match="has 200 routes, as many as it may have") as refusal:
        make_route(daemon, integration.name, 0, matchers="a=b")

    assert (refusal.value.code(), reason(refusal.value)) == (Code.FAILED_PRECONDITION, "TOO_MANY_ROUTES")
    assert details(refusal.value)[0].metadata["most"] == "200"
    assert len(routes_of(daemon, integration.name)) == 201
    make_route(daemon, daemon.integration("other").name, matchers="a=b")


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({}, "route", "must have a condition: matchers or jinja"),
        ({"description": "x"}, "route", "must have a condition"),
        ({"matchers": ""}, "route.matchers", "must not be empty"),
        ({"matchers": " \n"}, "route.matchers", "must not be empty"),
        ({"matchers": "a=" + "b" * 1_999}, "route.matchers", "must be at most 2,000 characters"),
        ({"matchers": "a"}, "route.matchers", "at its end: expected one of = != =~ !~"),
        ({"matchers": 'a=~"("'}, "route.matchers", "not a regular expression of RE2: missing ): ("),
        ({"matchers": r'a=~"(\\pL{900}){1,900}"'}, "route.matchers", "not a regular expression"),
        ({"matchers": r'a=~"\\pL{1,900}"'}, "route.matchers", "too large to be compared quickly"),
        ({"jinja": " "}, "route.jinja", "must not be empty"),
        ({"jinja": "x" * 50_001}, "route.jinja", "must be at most 50,000 characters"),
        ({"jinja": "{{ payload."}, "route.jinja", "is not a template"),
        ({"matchers": "a=b", "description": "x" * 2_001}, "route.description", "must be at most 2,000 characters"),
        ({"matchers": "a=b", "escalation_chain": "ops"}, "route.escalation_chain", "must be of the form"),
        ({"matchers": "a=b", "escalation_chain": "escalationChains/no"}, "route.escalation_chain", "does not exist"),
    ],
)
def test_a_bad_route_is_refused(
    daemon: RunningDaemon, integration: Integration, fields: dict[str, str], field: str, message: str
) -> None:
    """When it is made and when it is changed, with the field; nothing is done."""
    kept = make_route(daemon, integration.name, matchers="kept=1")
    before = routes_of(daemon, integration.name)
    attempts = [lambda: make_route(daemon, integration.name, **fields)]
    if field != "route":
        attempts.append(lambda: update(daemon, kept.name, **fields))
    for attempt in attempts:
        with pytest.raises(grpc.RpcError) as refusal:
            attempt()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
        assert details(refusal.value)[1].field_violations[0].field == field
        assert message in (refusal.value.details() or "")
    assert routes_of(daemon, integration.name) == before


@pytest.mark.parametrize(
    ("call", "request_", "field"),
    [
        ("CreateRoute", routes_pb2.CreateRouteRequest(parent="x", route=Route(matchers="a=b")), "parent"),
        ("CreateRoute", {"parent": "@", "route": Route(matchers="a=b"), "position": -1}, "position"),
        ("GetRoute", {"name": "integrations/x"}, "name"),
        ("ListRoutes", {"parent": "@/routes"}, "parent"),
        ("ListRoutes", {"parent": "@", "page_size": -1}, "page_size"),
        ("ListRoutes", {"parent": "@", "page_token": "x"}, "page_token"),
        ("UpdateRoute", {"route": Route(name="@")}, "route.name"),
        ("UpdateRoute", {"route": Route(name="@/routes/x"), "update_mask": {"paths": ["position"]}}, "update_mask"),
        ("UpdateRoute", {"route": Route(name="@/routes/x"), "update_mask": {"paths": ["jinja"]}}, "route.jinja"),
        ("MoveRoute", {"name": "@", "position": 0}, "name"),
        ("MoveRoute", {"name": "@/routes/x", "position": -1}, "position"),
        ("DeleteRoute", {"name": "@/routes/X"}, "name"),
        ("TestRoutes", {"parent": "@x/"}, "parent"),
        ("TestRoutes", {"parent": "@", "alert_group": "alertGroups/x"}, "alert_group"),
    ],
)
def test_what_is_malformed_is_refused(
    daemon: RunningDaemon, integration: Integration, call: str, request_: Any, field: str
) -> None:
    """With the field that is."""
    if isinstance(request_, dict):
        request_ = getattr(routes_pb2, f"{call}Request")(**request_)
        for message, name in ((request_, "parent"), (request_, "name"), (getattr(request_, "route", None), "name")):
            if getattr(message, name, ""):
                setattr(message, name, getattr(message, name).replace("@", integration.name))

    with pytest.raises(grpc.RpcError) as refusal:
        getattr(route_service(daemon), call)(request_)

    assert refusal.value.code() is Code.INVALID_ARGUMENT
    assert details(refusal.value)[1].field_violations[0].field == field


def test_what_is_not_there_is_not_found(daemon: RunningDaemon, integration: Integration) -> None:
    """Neither a route of another integration, nor one of an integration that is deleted."""
    other = daemon.integration("other")
    route = make_route(daemon, other.name, matchers="a=b").name
    stranger = route.replace(other.name, integration.name)
    for name in (stranger, "integrations/never/routes/default", "integrations/never/routes/x"):
        for act in (
            lambda name=name: get(daemon, name),
            lambda name=name: update(daemon, name, matchers="a=c"),
            lambda name=name: move(daemon, name, 0),
            lambda name=name: remove(daemon, name),
        ):
            with pytest.raises(grpc.RpcError) as refusal:
                act()
            assert refusal.value.code() is Code.NOT_FOUND
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=other.name))
    for act in (
        lambda: get(daemon, route),
        lambda: routes_of(daemon, other.name),
        lambda: make_route(daemon, other.name, matchers="a=b"),
        lambda: try_routes(daemon, other.name, payload="{}"),
    ):
        with pytest.raises(grpc.RpcError, match=f"{other.name} does not exist"):
            act()
