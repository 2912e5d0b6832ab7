"""Which route a group takes when it opens, and that it keeps it; over gRPC."""

from dataclasses import replace

import grpc
import pytest
from changing import make_route
from fake_clock import HOUR
from notices import notice
from routing import labelled, move, open_group, remove, route_of, update
from running_daemon import Integration, RunningDaemon

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.alert_group import Source
from tocsind.domain.identity import identity
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.engine.ledger import Ledger
from tocsind.engine.memory import Memory
from tocsind.sqlite import integrations
from tocsind.sqlite.writer import Transaction

Code = grpc.StatusCode


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
