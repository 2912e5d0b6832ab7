"""Integrations and routes as OnCall's REST API shows them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from oncall_client import Rest
from oncall_daemon import VIEWER, OncallDaemon

from tocsin.v1.integrations_pb2 import Maintenance
from tocsin.v1.templates_pb2 import Templates

NOWHERE: dict[str, Any] = {
    "slack": {"channel_id": None, "enabled": False},
    "telegram": {"id": None, "enabled": False},
    "mobile_app": {"id": None, "enabled": False},
    "email": {"id": None, "enabled": False},
}


def test_an_integration_has_oncalls_fields(rest: Rest, daemon: OncallDaemon) -> None:
    """Every field that OnCall has is there, and an admin sees the secret URLs."""
    daemon.add_integration("one", display_name="Production", description="The cluster")

    told = rest("GET", "integrations/one/")

    link = "http://tocsin.example/integrations/v1/alertmanager/secret-of-one/"
    assert told.status == 200
    assert told.body == {
        "id": "one",
        "name": "Production",
        "description_short": "The cluster",
        "team_id": None,
        "link": link,
        "inbound_email": None,
        "type": "alertmanager",
        "default_route": {"id": "one-default", "escalation_chain_id": None, **NOWHERE},
        "templates": {
            "grouping_key": None,
            "resolve_signal": None,
            "acknowledge_signal": None,
            "source_link": None,
            "slack": {"title": None, "message": None, "image_url": None},
            "web": {"title": None, "message": None, "image_url": None},
            "sms": {"title": None},
            "phone_call": {"title": None},
            "telegram": {"title": None, "message": None, "image_url": None},
            "mobile_app": {"title": None, "message": None},
            "email": {"title": None, "message": None},
        },
        "heartbeat": {"link": f"{link}heartbeat/"},
        "maintenance_mode": None,
        "maintenance_started_at": None,
        "maintenance_end_at": None,
    }


def test_secrets_are_for_those_to_whom_the_daemon_shows_them(rest: Rest, daemon: OncallDaemon) -> None:
    """Who may only read sees no secret URL, alone and in a list."""
    daemon.add_integration("one")

    alone = rest("GET", "integrations/one/", token=VIEWER).body
    (listed,) = rest("GET", "integrations/", token=VIEWER).body["results"]

    assert alone == listed
    assert (alone["link"], alone["heartbeat"], alone["description_short"]) == (None, {"link": None}, None)


def test_the_built_in_integration_has_no_heartbeat(rest: Rest, daemon: OncallDaemon) -> None:
    """Nobody sends to what Tocsin reports about itself."""
    daemon.add_integration("self", type="tocsin")

    body = rest("GET", "integrations/self").body

    assert (body["type"], body["link"], body["heartbeat"]) == ("tocsin", None, None)


def test_a_route_has_oncalls_fields(rest: Rest, daemon: OncallDaemon) -> None:
    """Each integration has its default route, which is the last, and by which its groups can be found."""
    daemon.add_integration("one")
    daemon.add_group(1)

    route = rest("GET", "integrations/one/").body["default_route"]["id"]
    told = rest("GET", f"routes/{route}/")

    assert told.status == 200
    assert told.body == {
        "id": "one-default",
        "integration_id": "one",
        "escalation_chain_id": None,
        "routing_type": "regex",
        "routing_regex": None,
        "position": 0,
        "is_the_last_route": True,
        **NOWHERE,
    }
    assert rest("GET", "alert_groups/1/").body["route_id"] == route


def test_routes_are_shown_with_their_conditions(rest: Rest, daemon: OncallDaemon) -> None:
    """In their order, the default one last: a Jinja2 condition is OnCall's, matchers are nothing that OnCall's field
    for an expression could hold. A group has the route that it took."""
    daemon.add_integration("one")
    daemon.add_route("one", "r1", jinja="{{ 1 }}")
    daemon.add_route("one", "r2", matchers="a=b")
    daemon.add_group(1, route="integrations/one/routes/r2")

    told = rest("GET", "routes/").body["results"]

    shown = [(r["id"], r["routing_type"], r["routing_regex"], r["position"], r["is_the_last_route"]) for r in told]
    assert shown == [
        ("one-r1", "jinja2", "{{ 1 }}", 0, False),
        ("one-r2", "labels", None, 1, False),
        ("one-default", "regex", None, 2, True),
    ]
    assert [rest("GET", f"routes/{route['id']}/").body for route in told] == told
    assert rest("GET", "alert_groups/1/").body["route_id"] == "one-r2"
    assert rest.numbers("alert_groups/?route_id=one-r2") == ["1"]
    assert rest.numbers("alert_groups/?route_id=one-default") == []


def test_the_chain_that_a_route_names_is_shown(rest: Rest, daemon: OncallDaemon) -> None:
    """With the route and, of the default one, with the integration; a route that names none has none."""
    daemon.add_integration("one")
    daemon.add_integration("two")
    daemon.add_route("one", "r1", matchers="a=b", escalation_chain="escalationChains/c1")
    daemon.add_route("one", "r2", matchers="a=c")
    daemon.default_chains["integrations/one"] = "escalationChains/c2"

    routes = rest("GET", "routes/").body["results"]
    listed = rest("GET", "integrations/").body["results"]

    assert [(route["id"], route["escalation_chain_id"]) for route in routes] == [
        ("one-r1", "c1"),
        ("one-r2", None),
        ("one-default", "c2"),
        ("two-default", None),
    ]
    assert [one["default_route"]["escalation_chain_id"] for one in listed] == ["c2", None]
    assert [rest("GET", f"integrations/{id_}/").body for id_ in ("one", "two")] == listed


def test_an_integration_that_goes_while_it_is_shown_has_no_chain(rest: Rest, daemon: OncallDaemon) -> None:
    """It is shown as it was read; the others as they are."""
    daemon.add_integration("one")
    daemon.add_integration("two")
    daemon.default_chains = dict.fromkeys(daemon.integrations, "escalationChains/c1")
    daemon.deleted_meanwhile.add("integrations/one")

    told = rest("GET", "integrations/").body["results"]

    assert [(one["id"], one["default_route"]["escalation_chain_id"]) for one in told] == [("one", None), ("two", "c1")]


def test_an_integration_that_goes_meanwhile_has_no_routes(rest: Rest, daemon: OncallDaemon) -> None:
    """The list of all routes is made by many calls; the others are shown."""
    daemon.add_integration("one")
    daemon.add_integration("two")
    daemon.deleted_meanwhile.add("integrations/one")

    assert [route["id"] for route in rest("GET", "routes/").body["results"]] == ["two-default"]


@pytest.mark.parametrize(("kind", "size"), [("integrations", 50), ("routes", 25)])
def test_lists_have_pages(rest: Rest, daemon: OncallDaemon, kind: str, size: int) -> None:
    """Both lists have pages by number, oldest first, and take as many calls as the daemon's pages demand."""
    for number in range(60):
        daemon.add_integration(f"i{number:02}")
    daemon.most_in_a_page = 17

    first = rest("GET", f"{kind}/").body
    second = rest("GET", first["next"]).body
    last = rest("GET", f"{kind}/?perpage=7&page=99").body

    suffix = "-default" if kind == "routes" else ""
    assert (first["count"], first["page_size"], first["current_page_number"]) == (60, size, 1)
    assert first["total_pages"] == -(-60 // size)
    assert [item["id"] for item in first["results"] + second["results"]][: 2 * size] == [
        f"i{number:02}{suffix}" for number in range(min(60, 2 * size))
    ]
    assert second["previous"] == f"http://127.0.0.1:{rest.gateway.port}/api/v1/{kind}/"
    assert [item["id"] for item in last["results"]] == [f"i{number:02}{suffix}" for number in range(56, 60)]
    assert (last["current_page_number"], last["next"]) == (9, None)


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("integrations/?name=Two", ["two"]),
        ("integrations/?name=two", []),
        ("integrations/?team_id=null", ["one", "two"]),
        ("integrations/?name=", ["one", "two"]),
        ("routes/", ["one-default", "two-r1", "two-default"]),
        ("routes/?integration_id=two", ["two-r1", "two-default"]),
        ("routes/?integration_id=three", []),
        ("routes/?integration_id=IMPOSSIBLE", []),
        ("routes/?routing_regex=x", []),
        ("routes/?routing_regex=%7B%7B%201%20%7D%7D", ["two-r1"]),
        ("routes/?routing_regex=%7B%7B%201%20%7D%7D&integration_id=one", []),
        ("routes/?routing_regex=&perpage=2", ["one-default", "two-r1"]),
    ],
)
def test_lists_have_filters(rest: Rest, daemon: OncallDaemon, path: str, ids: list[str]) -> None:
    """Oncall's filters of both lists; the token is looked at even where nothing can be found."""
    daemon.add_integration("one")
    daemon.add_integration("two")
    daemon.add_route("two", "r1", jinja="{{ 1 }}")

    told = rest("GET", path)

    assert [item["id"] for item in told.body["results"]] == ids
    assert told.body["count"] == (3 if "perpage" in path else len(ids))
    assert rest("GET", path, token="wrong").status == 403


def test_there_are_no_teams(rest: Rest, daemon: OncallDaemon) -> None:
    """A team that does not exist is refused, as in OnCall."""
    told = rest("GET", "integrations/?team_id=T1")

    assert (told.status, list(told.body)) == (400, ["team_id"])


@pytest.mark.parametrize(
    "path",
    [
        "integrations/two",
        "integrations/IMPOSSIBLE/",
        "integrations/" + "a" * 200,
        "routes/one",
        "routes/two-default",
        "routes/one-r1",
        "routes/-default",
        "routes/one-default-default/",
        "routes/RIYGUJXCPFHXY",
    ],
)
def test_what_is_not_there_is_not_found(rest: Rest, daemon: OncallDaemon, path: str) -> None:
    """An id that nothing has, or that nothing can have, is a 404 for those whose token is good."""
    daemon.add_integration("one")

    told = rest("GET", path)

    assert (told.status, told.body) == (404, {"detail": "Not found."})
    assert rest("GET", path, token="wrong").status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["integrations/", "integrations/one/", "routes/", "routes/one-default/"])
def test_nothing_can_be_changed(rest: Rest, daemon: OncallDaemon, method: str, path: str) -> None:
    """Integrations and routes are read here; they are managed by `tocsin`."""
    daemon.add_integration("one")

    told = rest(method, path, {"name": "x"})

    assert (told.status, told.body) == (405, {"detail": f'Method "{method}" not allowed.'})
    assert told.headers["allow"] == "GET, HEAD"
    assert daemon.calls == []


def test_templates_have_oncalls_names(rest: Rest, daemon: OncallDaemon) -> None:
    """What is shown to people stands where OnCall has it for the web."""
    templates = Templates(
        grouping_id="g", resolve_condition="r", acknowledge_condition="a", source_link="s", title="t", message="m"
    )
    daemon.add_integration("one", templates=templates)

    told = rest("GET", "integrations/one/").body["templates"]

    shown = {"grouping_key": "g", "resolve_signal": "r", "acknowledge_signal": "a", "source_link": "s"}
    assert told.items() >= shown.items()
    assert told["web"] == {"title": "t", "message": "m", "image_url": None}
    assert told["slack"] == {"title": None, "message": None, "image_url": None}


@pytest.mark.parametrize("mode", ["debug", "Maintenance", "MAINTENANCE"])
def test_a_maintenance_is_started_and_stopped(rest: Rest, daemon: OncallDaemon, mode: str) -> None:
    """The answers show the integration, as OnCall's do."""
    daemon.add_integration("one")

    started = rest("POST", "integrations/one/maintenance_start/", {"mode": mode, "duration": "3600"})
    (request,) = daemon.requests("StartMaintenance")
    read = rest("GET", "integrations/one/").body
    stopped = rest("POST", "integrations/one/maintenance_stop/")

    assert (started.status, stopped.status) == (200, 200)
    assert (Maintenance.Mode.Name(request.mode), request.duration.seconds) == (mode.upper(), 3600)
    assert started.body == read
    assert read["maintenance_mode"] == mode.lower()
    begin, end = (datetime.fromisoformat(read[f"maintenance_{name}_at"]) for name in ("started", "end"))
    assert end - begin == timedelta(hours=1)
    assert stopped.body["maintenance_mode"] is stopped.body["maintenance_end_at"] is None


def test_a_maintenance_that_runs_is_not_started_again(rest: Rest, daemon: OncallDaemon) -> None:
    """It is left as it is; one that is only planned is not seen here."""
    one = daemon.add_integration("one")
    daemon.maintain(one, Maintenance.DEBUG, datetime.now(UTC) - timedelta(hours=1), timedelta(hours=2))
    again = rest("POST", "integrations/one/maintenance_start", {"mode": "debug", "duration": 600})
    assert (again.status, again.body) == (400, {"detail": "Already on maintenance"})
    daemon.maintain(one, Maintenance.DEBUG, datetime.now(UTC) + timedelta(hours=1), timedelta(hours=2))

    planned = rest("POST", "integrations/one/maintenance_stop").body

    assert planned["maintenance_mode"] is planned["maintenance_started_at"] is None
    assert daemon.requests("StopMaintenance") == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"duration": 600}, {"mode": ["Unknown mode"]}),
        ({"mode": "off", "duration": 600}, {"mode": ["Unknown mode"]}),
        ([], {"mode": ["Unknown mode"]}),
        ({"mode": "debug"}, {"duration": ["Invalid duration"]}),
        ({"mode": "debug", "duration": "soon"}, {"duration": ["Invalid duration"]}),
        ({"mode": "debug", "duration": -600}, {"duration": ["Invalid duration"]}),
        ({"mode": "debug", "duration": 10**30}, {"duration": ["Invalid duration"]}),
        ({"mode": "debug", "duration": 59}, {"detail": "duration: must be 1 minute to 30 days"}),
    ],
)
def test_what_is_wrong_with_a_maintenance_is_said(rest: Rest, daemon: OncallDaemon, body: Any, expected: Any) -> None:
    """In OnCall's words, and the daemon's where only that knows."""
    daemon.add_integration("one")

    told = rest("POST", "integrations/one/maintenance_start/", body)

    assert (told.status, told.body) == (400, expected)


def test_a_maintenance_is_for_those_who_may_act(rest: Rest, daemon: OncallDaemon) -> None:
    """A viewer's token is refused, and so is what does not exist."""
    daemon.add_integration("one")
    body = {"mode": "debug", "duration": 600}

    assert rest("POST", "integrations/one/maintenance_start/", body, token=VIEWER).status == 403
    assert rest("POST", "integrations/none/maintenance_start/", body).status == 404
    assert rest("POST", "integrations/none/maintenance_stop/").status == 404
    assert rest("GET", "integrations/one/maintenance_start/").status == 405
