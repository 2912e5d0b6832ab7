"""`tocsin routes` against a fake daemon."""

import json
from pathlib import Path

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon

from tocsin.v1 import routes_pb2 as routes_api


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (["--matchers", 'severity="page"'], "matchers", 'severity="page"'),
        (["--jinja", "{{ 1 }}"], "jinja", "{{ 1 }}"),
        (["--jinja-file", "-"], "jinja", "{{ payload.é }}\n"),
    ],
)
def test_create_sends_one_condition(run: Run, daemon: FakeDaemon, options: list[str], field: str, value: str) -> None:
    """A condition is matchers, or a Jinja2 template from the command line, from a file or from stdin."""
    daemon.add_integration("one")
    result = run("routes", "create", "one", *options, stdin="{{ payload.é }}\n".encode())
    assert result.exit_code == 0, result.stderr
    (request,) = daemon.requests("CreateRoute")
    assert request.parent == "integrations/one"
    assert (request.route.WhichOneof("condition"), getattr(request.route, field)) == (field, value)
    assert not request.HasField("position")
    assert "name: integrations/one/routes/r0" in result.stdout.splitlines()


def test_create_says_where(run: Run, daemon: FakeDaemon) -> None:
    """--position is sent, 0 as well, and --description with it."""
    daemon.add_integration("one")
    run("routes", "create", "one", "--matchers", "a=b", "--position", "0", "--description", "for ada")
    (request,) = daemon.requests("CreateRoute")
    assert (request.HasField("position"), request.position, request.route.description) == (True, 0, "for ada")


@pytest.mark.parametrize("options", [[], ["--matchers", "a=b", "--jinja", "{{ 1 }}"], ["--jinja-file", "/no/file"]])
def test_create_refuses_what_is_no_condition(run: Run, daemon: FakeDaemon, options: list[str]) -> None:
    """No condition, two of them, and a file that is not there are wrong usage; nothing is created."""
    daemon.add_integration("one")
    assert run("routes", "create", "one", *options).exit_code == 2
    assert not daemon.requests("CreateRoute")


def test_list_shows_the_order(run: Run, daemon: FakeDaemon) -> None:
    """`list` prints the routes in their order with their conditions, the default one last."""
    daemon.add_integration("one")
    daemon.add_route("integrations/one", matchers='team="a"', description="for a")
    daemon.add_route("integrations/one", jinja="{{ 1 }}")
    lines = run("routes", "list", "one").stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == [
        f"integrations/one/routes/{id_}" for id_ in ("r0", "r1", "default")
    ]
    assert 'team="a"' in lines[1]
    assert "for a" in lines[1]
    assert "everything else" in lines[3]
    listed = json.loads(run("routes", "list", "one", "-o", "json").stdout)
    assert [route.get("jinja") for route in listed["routes"]] == [None, "{{ 1 }}", None]


@pytest.mark.parametrize("name", ["integrations/one/routes/r0", "one/r0", "one/routes/r0", "The one/r0"])
def test_a_route_has_short_names(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A route is given by its full name, or by ID/ID, or below the display name of its integration."""
    daemon.add_integration("one", display_name="The one")
    daemon.add_route("integrations/one", matchers="a=b")
    assert "matchers: a=b" in run("routes", "show", name).stdout.splitlines()


@pytest.mark.parametrize("name", ["r0", "integrations/one", "integrations/one/r0", "one/", "/r0"])
def test_what_is_no_name_of_a_route_is_refused(run: Run, daemon: FakeDaemon, name: str) -> None:
    """A name that cannot be one of a route is wrong usage, or names no integration; no route is asked for."""
    daemon.add_integration("one")
    assert run("routes", "show", name).exit_code in (2, 3)
    assert not daemon.requests("GetRoute")


def test_update_names_what_changes(run: Run, daemon: FakeDaemon) -> None:
    """`update` sends a mask with the fields given; without any it is wrong usage."""
    daemon.add_integration("one")
    daemon.add_route("integrations/one", matchers="a=b", description="old")
    assert run("routes", "update", "one/r0", "--jinja", "{{ 1 }}").exit_code == 0
    assert run("routes", "update", "one/r0", "--description", "").exit_code == 0
    assert run("routes", "update", "one/r0").exit_code == 2
    first, second = daemon.requests("UpdateRoute")
    assert (list(first.update_mask.paths), list(second.update_mask.paths)) == (["jinja"], ["description"])
    (route,) = daemon.routes["integrations/one"]
    assert (route.jinja, route.description) == ("{{ 1 }}", "")


def test_move_and_delete(run: Run, daemon: FakeDaemon) -> None:
    """`move` sends the new position, `delete` removes the route."""
    daemon.add_integration("one")
    first, second = (daemon.add_route("integrations/one", matchers=f"a={n}") for n in "12")
    assert run("routes", "move", second.name, "0").exit_code == 0
    assert daemon.routes["integrations/one"] == [second, first]
    assert run("routes", "delete", first.name).stdout == f"{first.name} deleted\n"
    assert daemon.routes["integrations/one"] == [second]
    assert run("routes", "delete", first.name).exit_code == 3


def test_test_marks_the_route_that_is_taken(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    """`test` prints each route with why, an arrow at the one that is taken, and what failed."""
    daemon.add_integration("one")
    daemon.test_result = routes_api.TestRoutesResponse(
        route="integrations/one/routes/default",
        verdicts=[
            routes_api.RouteVerdict(route="integrations/one/routes/a", reason='team="a" does not hold: it is "b"'),
            routes_api.RouteVerdict(
                route="integrations/one/routes/b", reason="its condition failed", error="line 1: 'x'"
            ),
            routes_api.RouteVerdict(
                route="integrations/one/routes/default", matched=True, reason="it takes everything"
            ),
        ],
        alert_group="alertGroups/7",
    )
    result = run("routes", "test", "one")
    lines = result.stdout.splitlines()
    assert ["->" in line for line in lines] == [False, False, False, True]
    assert 'team="a" does not hold: it is "b"' in lines[1]
    assert lines[2].endswith("its condition failed: line 1: 'x'")
    assert "alertGroups/7" in result.stderr
    assert json.loads(run("routes", "test", "one", "-o", "json").stdout)["route"] == "integrations/one/routes/default"
    (tmp_path / "payload.json").write_text('{"status": "firing"}')
    run("routes", "test", "one", "--payload", str(tmp_path / "payload.json"))
    run("routes", "test", "one", "--payload", "-", stdin=b"{}")
    run("routes", "test", "one", "--group", "7")
    none, _, file, stdin, group = daemon.requests("TestRoutes")
    assert none.WhichOneof("given") is None
    assert (file.payload, stdin.payload, group.alert_group) == ('{"status": "firing"}', "{}", "alertGroups/7")


def test_test_takes_one_payload(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    """Two payloads, a file that is not there and one that is no text are wrong usage."""
    daemon.add_integration("one")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for options in (
        ["--payload", "-", "--group", "7"],
        ["--payload", "/no/file"],
        ["--payload", str(tmp_path / "binary")],
    ):
        assert run("routes", "test", "one", *options).exit_code == 2
    assert not daemon.requests("TestRoutes")


def test_a_route_has_a_chain(run: Run, daemon: FakeDaemon) -> None:
    """--chain takes a name, and nothing for none; who is told of the resolution is sent where it was said."""
    daemon.add_integration("one")
    daemon.add_chain("night", display_name="Night, all")
    run("routes", "create", "one", "--matchers", "a=b", "--chain", "Night, all", "--notify-on-resolve")
    assert run("routes", "update", "one/r0", "--chain", "", "--no-notify-on-resolve").exit_code == 0
    (created,), (updated,) = daemon.requests("CreateRoute"), daemon.requests("UpdateRoute")
    assert (created.route.escalation_chain, created.route.notify_on_resolve) == ("escalationChains/night", True)
    assert list(updated.update_mask.paths) == ["escalation_chain", "notify_on_resolve"]
    assert (updated.route.escalation_chain, updated.route.notify_on_resolve) == ("", False)
    assert run("routes", "update", "one/r0", "--chain", "No such").exit_code == 3


def test_the_default_route_has_a_chain(run: Run, daemon: FakeDaemon) -> None:
    """The default route is updated by the name of its integration."""
    daemon.add_integration("one", display_name="The one")
    daemon.add_chain("night")
    result = run("routes", "update", "The one/default", "--chain", "night")
    assert result.exit_code == 0, result.stderr
    assert daemon.default_routes["integrations/one"].escalation_chain == "escalationChains/night"
    assert {"escalationChain: escalationChains/night", "toldBy: Night", "notifyOnResolve: no"} <= set(
        result.stdout.splitlines()
    )


def test_list_says_who_is_told(run: Run, daemon: FakeDaemon) -> None:
    """Each route has its chain, or the one that is the default, or says that nobody is told."""
    daemon.add_integration("one")
    daemon.add_chain("night")
    daemon.add_route("integrations/one", matchers="a=b", escalation_chain="escalationChains/night")
    first, second = run("routes", "list", "one").stdout.splitlines()[1:]
    assert first.split()[3:] == ["Night"]
    assert second.endswith("none: nobody is told")
    daemon.add_chain("day", is_default=True)
    assert run("routes", "list", "one").stdout.splitlines()[2].endswith("Day (the default)")
