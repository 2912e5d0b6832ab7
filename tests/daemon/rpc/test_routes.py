"""Routes, over gRPC: the resource, what a group that opens takes, and trying them."""

import json
import zlib
from dataclasses import replace
from typing import Any

import grpc
import pytest
from changing import Route, audit_log, by, make_route, route_service, routes_of
from fake_clock import HOUR
from notices import notice
from running_daemon import Integration, RunningDaemon, Start, details, reason

from tocsin.v1 import alert_groups_pb2, integrations_pb2, routes_pb2
from tocsind.domain.alert_group import Source
from tocsind.domain.errors import invalid
from tocsind.domain.identity import identity
from tocsind.domain.notification import Notification
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.engine.engine import Engine
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.rpc import server
from tocsind.rpc.routes import RouteServicer
from tocsind.sqlite import integrations
from tocsind.sqlite.writer import Transaction

Code = grpc.StatusCode


def get(daemon: RunningDaemon, name: str) -> Route:
    """One route."""
    return route_service(daemon).GetRoute(routes_pb2.GetRouteRequest(name=name))


def update(daemon: RunningDaemon, name: str, *paths: str, **fields: Any) -> Route:
    """A route with other values."""
    request = routes_pb2.UpdateRouteRequest(route=Route(name=name, **fields))
    request.update_mask.paths.extend(paths)
    return route_service(daemon).UpdateRoute(request, metadata=by())


def move(daemon: RunningDaemon, name: str, position: int, **fields: Any) -> Route:
    """A route in another place."""
    return route_service(daemon).MoveRoute(
        routes_pb2.MoveRouteRequest(name=name, position=position, **fields), metadata=by()
    )


def remove(daemon: RunningDaemon, name: str, **fields: Any) -> None:
    """No route."""
    route_service(daemon).DeleteRoute(routes_pb2.DeleteRouteRequest(name=name, **fields), metadata=by())


def try_routes(daemon: RunningDaemon, parent: str, **given: str) -> routes_pb2.TestRoutesResponse:
    """What the routes say."""
    return route_service(daemon).TestRoutes(routes_pb2.TestRoutesRequest(parent=parent, **given))


def labelled(key: str, **labels: str) -> Notification:
    """A firing notification about a group with these labels."""
    payload = json.dumps({"status": "firing", "groupKey": key, "commonLabels": labels}).encode()
    return replace(notice("a", key=key), labels=labels, payload=zlib.compress(payload))


def open_group(daemon: RunningDaemon, integration: Integration, key: str = "k", **labels: str) -> str:
    """A new group with these labels."""
    return str(daemon.send(integration, labelled(key, **labels)).alert_group)


def route_of(daemon: RunningDaemon, group: str) -> str:
    """The route that a group is under."""
    return str(daemon.group(group).route)


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """Whose routes they are."""
    return daemon.integration()


# The resource


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
        ("RouteService.CreateRoute", first.name, {}, {"position": 0, "matchers": "a=b", "description": "d"}, "ada"),
        ("RouteService.CreateRoute", second.name, {}, {"position": 1, "matchers": "b=c", "description": ""}, "ada"),
        ("RouteService.UpdateRoute", first.name, {"matchers": "a=b"}, {"jinja": "{{ 1 }}"}, "ada"),
        ("RouteService.MoveRoute", first.name, {"position": 0}, {"position": 1}, "ada"),
        ("RouteService.DeleteRoute", second.name, {"position": 0, "matchers": "b=c", "description": ""}, {}, "ada"),
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
    """It is not changed, moved or deleted."""
    default = f"{integration.name}/routes/default"
    for act in (
        lambda: update(daemon, default, description="x"),
        lambda: move(daemon, default, position),
        lambda: remove(daemon, default),
    ):
        with pytest.raises(grpc.RpcError, match="cannot be changed, moved or deleted") as refusal:
            act()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.FAILED_PRECONDITION, "DEFAULT_ROUTE")


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


# The choice


def test_a_group_takes_the_first_route_that_matches(daemon: RunningDaemon, integration: Integration) -> None:
    """When it opens; the default one where none does."""
    page = make_route(daemon, integration.name, matchers='severity=~"critical|page"').name
    ours = make_route(daemon, integration.name, matchers='team="db", severity!=""').name
    default = f"{integration.name}/routes/default"

    for key, labels, expected in (
        ("1", {"severity": "page", "team": "db"}, page),
        ("2", {"severity": "ticket", "team": "db"}, ours),
        ("3", {"team": "db"}, default),
        ("4", {"severity": "pager"}, default),
        ("5", {}, default),
    ):
        assert route_of(daemon, open_group(daemon, integration, key, **labels)) == expected


def test_a_group_keeps_its_route(daemon: RunningDaemon, integration: Integration) -> None:
    """Whatever its next notification says, also where it reopens, and whatever becomes of the routes; after a restart
    too."""
    first = make_route(daemon, integration.name, matchers="severity=page")
    group = open_group(daemon, integration, severity="page")
    daemon.send(integration, replace(labelled("k", severity="ticket"), digest=b"other"))
    assert route_of(daemon, group) == first.name

    before = make_route(daemon, integration.name, 0, matchers='severity=~".*"').name
    update(daemon, first.name, matchers="severity=nothing")
    daemon.send(integration, notice(resolved="a", key="k"))
    assert daemon.send(integration, labelled("k", severity="page")).alert_group == group
    assert daemon.kinds(group)[-1] == "REOPENED"
    assert route_of(daemon, group) == first.name

    daemon = daemon.crash()
    assert route_of(daemon, group) == first.name
    assert route_of(daemon, open_group(daemon, integration, "other", severity="page")) == before


def test_the_next_group_takes_what_holds_now(daemon: RunningDaemon, integration: Integration) -> None:
    """After each change of the routes."""
    default = f"{integration.name}/routes/default"
    first = make_route(daemon, integration.name, matchers="a=b").name
    assert route_of(daemon, open_group(daemon, integration, "1", a="b")) == first
    second = make_route(daemon, integration.name, matchers="a!=c").name
    assert route_of(daemon, open_group(daemon, integration, "2", a="d")) == second
    move(daemon, second, 0)
    assert route_of(daemon, open_group(daemon, integration, "3", a="b")) == second
    update(daemon, second, matchers="a=c")
    assert route_of(daemon, open_group(daemon, integration, "4", a="b")) == first
    remove(daemon, first)
    assert route_of(daemon, open_group(daemon, integration, "5", a="b")) == default


def test_the_groups_of_a_deleted_route_are_the_default_routes(daemon: RunningDaemon, integration: Integration) -> None:
    """They stay open, and are found under it; a later route does not get them."""
    gone = make_route(daemon, integration.name, matchers="a=b").name
    group = open_group(daemon, integration, a="b")
    remove(daemon, gone)
    make_route(daemon, integration.name, matchers="a=b")

    default = f"{integration.name}/routes/default"
    assert route_of(daemon, group) == default
    assert daemon.group(group).state == alert_groups_pb2.AlertGroup.FIRING
    assert [found.name for found in daemon.list_groups(f'route = "{default}"')] == [group]


def test_lists_can_be_of_one_route(daemon: RunningDaemon, integration: Integration) -> None:
    """Of that one, or of the default one; a route that is not there is an error rather than nothing."""
    route = make_route(daemon, integration.name, matchers="a=b").name
    taken, left = open_group(daemon, integration, "1", a="b"), open_group(daemon, integration, "2", a="c")
    other = daemon.fire(daemon.integration("other"))
    default = f"{integration.name}/routes/default"

    assert [group.name for group in daemon.list_groups(f'route = "{route}"')] == [taken]
    assert [group.name for group in daemon.list_groups(f"route = {default} AND state = FIRING")] == [left]
    others = daemon.group(other).route
    assert [group.name for group in daemon.list_groups(f"route = {others}")] == [other]
    assert daemon.list_groups(f"route = {route} AND route = {default}") == []
    with pytest.raises(grpc.RpcError, match="routes/nothing does not exist") as refusal:
        daemon.list_groups(f"route = {integration.name}/routes/nothing")
    assert refusal.value.code() is Code.NOT_FOUND


def test_watchers_can_be_of_one_route(daemon: RunningDaemon, integration: Integration) -> None:
    """They are told of its groups only."""
    route = make_route(daemon, integration.name, matchers="a=b").name
    stream = daemon.groups.WatchAlertGroups(alert_groups_pb2.WatchAlertGroupsRequest(filter=f'route = "{route}"'))
    next(stream)
    open_group(daemon, integration, "1", a="c")
    taken = open_group(daemon, integration, "2", a="b")

    assert next(stream).alert_group.name == taken
    stream.cancel()


def test_the_groups_of_heartbeats_take_routes_by_matchers(daemon: RunningDaemon, integration: Integration) -> None:
    """By the labels that Tocsin gives them; a Jinja2 condition never matches those."""
    make_route(daemon, integration.name, jinja="{{ 1 }}")
    route = make_route(daemon, integration.name, matchers='alertname="HeartbeatMissing"').name
    daemon.beat(integration)
    daemon.pass_time(HOUR)

    (missing,) = daemon.list_groups("source = HEARTBEAT")
    assert missing.route == route


def test_what_tocsin_reports_of_itself_takes_routes_too(daemon: RunningDaemon, integration: Integration) -> None:
    """Of the built-in integration."""
    route = make_route(daemon, "integrations/tocsin", matchers='alertname="NoGateway"').name
    daemon.leave()
    daemon.pass_time(HOUR)

    (group,) = daemon.list_groups("source = SELF")
    assert group.route == route


def test_a_rendered_condition_decides(daemon: RunningDaemon, integration: Integration) -> None:
    """What the renderer said of the route's condition holds; where it said nothing, it does not match."""
    make_route(daemon, integration.name, jinja="{{ x }}")
    second = make_route(daemon, integration.name, jinja="{{ y }}").name
    ids = [row[0] for row in daemon.sql("SELECT id FROM routes ORDER BY position")]

    def receive(transaction: Transaction, memory: Memory, key: str, rendered: Rendered | None) -> int:
        own = memory.by_public_id(transaction.connection, integration.name[13:])
        assert own is not None
        ledger = Ledger(transaction, memory)
        effect = ledger.receive(
            identity(own.id, Source.ALERTMANAGER, key), own, Source.ALERTMANAGER, labelled(key), rendered
        )
        ledger.write()
        assert effect.group is not None
        return effect.group.id

    number = daemon.engine.change(receive, "1", Rendered(b"", matched={ids[0]: False, ids[1]: True}))
    assert route_of(daemon, f"alertGroups/{number}") == second
    for key, rendered in (("2", None), ("3", Rendered(b"")), ("4", Rendered(b"", matched={ids[0]: False}))):
        number = daemon.engine.change(receive, key, rendered)
        assert route_of(daemon, f"alertGroups/{number}").endswith("/default")


def test_an_integration_has_one_rulebook_however_it_is_found(daemon: RunningDaemon, integration: Integration) -> None:
    """Senders find it by its token or by its id, and its expressions are not compiled anew for each."""

    def look(transaction: Transaction, memory: Memory) -> list[Rulebook]:
        connection = transaction.connection
        own = integrations.by_token(connection, integration.token)
        assert own is not None
        ways = [
            lambda: memory.by_id(connection, own.id),
            lambda: memory.by_token(connection, integration.token),
            lambda: memory.by_public_id(connection, own.public_id),
        ]
        found = [way() for way in (*ways, *ways)]
        return [memory.rulebook(connection, each) for each in found if each is not None]

    first, *others = daemon.engine.change(look)
    assert len(others) == 5
    assert all(other is first for other in others)


# Trying them


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

    assert route_of(daemon, open_group(daemon, integration, **labels)) == last

    answer = try_routes(daemon, integration.name, payload=json.dumps({"commonLabels": labels}))
    assert answer.route == last
    assert [verdict.route for verdict in answer.verdicts] == [*slow, last]
    told = {(verdict.reason, verdict.error) for verdict in answer.verdicts[5:-1]}
    assert told == {
        ("its matchers were not compared", "it and the routes before it take too long for labels as long as these")
    }


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


class Renderer:
    """Stands for what renders templates: a condition holds if it is somewhere in the payload."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[int, str], int, bytes]] = []

    def render(self, rulebook: Rulebook, payload: bytes) -> Rendered:
        """As the renderer of the daemon does, which waits for its worker."""
        self.asked.append((dict(rulebook.conditions), len(rulebook.templates), payload))
        rendered = Rendered(rulebook.digest)
        for route in rulebook.routes:
            if route.id in rulebook.conditions:
                if route.condition == "fails":
                    name = f"{rulebook.integration.name}/routes/{route.public_id}"
                    rendered.condition_failures[route.id] = f"{name}: it took too long"
                else:
                    rendered.matched[route.id] = route.condition.encode() in payload
        return rendered

    def check(self, source: str, field: str) -> None:
        """Refuses one source."""
        if source == "refused":
            raise invalid(field, "is refused")


def set_templates(transaction: Transaction, memory: Memory) -> None:
    """Gives each integration a template."""
    transaction.connection.execute("UPDATE integrations SET templates = ?", (json.dumps({"title": "x"}),))
    memory.forget()


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Renderer:
    """What the daemons of a test render with."""
    made = Renderer()

    def servicer(engine: Engine, *_: object) -> RouteServicer:
        return RouteServicer(engine, made.render, made.check)

    monkeypatch.setattr(server, "RouteServicer", servicer)
    return made


def test_conditions_are_rendered_to_be_tried(renderer: Renderer, start: Start) -> None:
    """And nothing else is, such as the templates of the integration; what fails says why, and does not match."""
    daemon = start()
    integration = daemon.integration()
    payload = '{"commonLabels": {"a": "yes"}, "x": 1}'
    daemon.engine.change(set_templates)
    try_routes(daemon, integration.name, payload=payload)
    assert renderer.asked == []
    fails, no, yes = (make_route(daemon, integration.name, jinja=source).name for source in ("fails", "no", "yes"))

    said = try_routes(daemon, integration.name, payload=payload)

    assert said.route == yes
    assert [(v.route, v.matched, v.reason, v.error) for v in said.verdicts] == [
        (fails, False, "its condition failed", "it took too long"),
        (no, False, "its condition says something else than 1, true or ok", ""),
        (yes, True, "its condition says 1, true or ok", ""),
    ]
    ((conditions, templates, body),) = renderer.asked
    assert sorted(conditions.values()) == ["fails", "no", "yes"]
    assert (templates, body) == (0, payload.encode())


def test_the_payload_of_a_group_is_rendered_as_it_came(renderer: Renderer, start: Start) -> None:
    """Its body, uncompressed."""
    daemon = start()
    integration = daemon.integration()
    make_route(daemon, integration.name, jinja="no")
    group = open_group(daemon, integration, a="b")

    for given in ({"alert_group": group}, {}):
        assert try_routes(daemon, integration.name, **given).alert_group == group
    for _, _, body in renderer.asked:
        assert json.loads(body)["commonLabels"] == {"a": "b"}
    assert len(renderer.asked) == 2


def test_a_condition_that_cannot_be_compiled_is_refused(renderer: Renderer, start: Start) -> None:
    """When it is made and when it is changed."""
    daemon = start()
    integration = daemon.integration()
    kept = make_route(daemon, integration.name, jinja="yes")

    for act in (
        lambda: make_route(daemon, integration.name, jinja="refused"),
        lambda: update(daemon, kept.name, jinja="refused"),
    ):
        with pytest.raises(grpc.RpcError, match=r"route\.jinja: is refused"):
            act()
    assert get(daemon, kept.name) == kept
