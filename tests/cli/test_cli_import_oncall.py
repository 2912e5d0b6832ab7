"""`tocsin import oncall` against a fake daemon."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cli_program import Run
from fake_daemon import FakeDaemon
from oncall_samples import TOKEN, default_route, integration, page, route

ROUTES = [
    route("RPAGE", '{{ payload.commonLabels.severity == "page" }}', 0),
    route("RDISK", 'disk "full"', 1, routing_type="regex"),
    default_route(),
]


@pytest.fixture
def export(tmp_path: Path) -> Any:
    """Return what writes integrations and routes to two files, as curl would, and returns their names."""

    def write(integrations: list[dict[str, Any]], routes: list[dict[str, Any]]) -> list[str]:
        files = [tmp_path / "integrations.json", tmp_path / "routes.json"]
        for file, results in zip(files, (integrations, routes), strict=True):
            file.write_text(json.dumps(page(results)), encoding="utf-8")
        return [str(file) for file in files]

    return write


def _imported(run: Run, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(run("import", "oncall", *arguments, "-o", "json").stdout)["integrations"])


def test_everything_that_has_a_place_here_is_taken_over(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """Name, token, description, templates, routes in their order and the interval arrive; the exit code is 0."""
    templates = {
        "grouping_key": "{{ payload.groupLabels }}",
        "resolve_signal": '{{ payload.status != "firing" }}',
        "acknowledge_signal": "{{ 0 }}",
        "source_link": "{{ payload.externalURL }}/x",
        "web": {"title": "{{ payload.status }}", "message": "{{ source_link }}", "image_url": None},
    }
    sample = integration(
        name="Prod 🚨",
        description_short="the big one",
        templates=templates,
        heartbeat={"link": "x", "timeout_seconds": 180},
    )
    result = run("import", "oncall", *export([sample], [ROUTES[1], ROUTES[0], ROUTES[2]]))
    assert (result.exit_code, result.stderr) == (0, "")
    (request,) = daemon.requests("CreateIntegration")
    created = request.integration
    assert (created.display_name, created.type, created.description) == ("Prod 🚨", "alertmanager", "the big one")
    assert request.token == TOKEN
    assert {field.name: text for field, text in created.templates.ListFields()} == {
        "grouping_id": "{{ payload.groupLabels }}",
        "resolve_condition": '{{ payload.status != "firing" }}',
        "acknowledge_condition": "{{ 0 }}",
        "source_link": "{{ payload.externalURL }}/x",
        "title": "{{ payload.status }}",
        "message": "{{ source_link }}",
    }
    assert [each.jinja for each in daemon.routes["integrations/i0"]] == [
        '{{ payload.commonLabels.severity == "page" }}',
        '{{ payload | json_dumps | regex_search("disk \\"full\\"") }}',
    ]
    assert "RPAGE" in daemon.routes["integrations/i0"][0].description
    assert daemon.heartbeats["integrations/i0/heartbeat"].interval.ToTimedelta() == timedelta(minutes=3)
    assert result.stdout.startswith("Prod 🚨 (CPROD11111111): created as integrations/i0\n")
    assert "NOT" not in result.stdout
    assert TOKEN not in result.stdout


def test_what_has_no_place_here_is_named(run: Run, export: Any) -> None:
    """Each thing that is lost is a line with the reason, and the exit code is 1."""
    sample = integration(
        team_id="T1",
        maintenance_mode="debug",
        heartbeat={"link": "x"},
        labels=[{"key": {}, "value": {}}],
        templates={
            "slack": {"title": "x"},
            "web": {"title": "{{ payload | shout }}", "message": "{{ grafana_oncall_link }}", "image_url": "x"},
            "sms": {"title": "x"},
        },
        default_route={"id": "R", "escalation_chain_id": "FDEF", "telegram": {"id": "T", "enabled": True}},
    )
    routes = [
        route("R1", "{{ 1 }}", 0, escalation_chain_id="FONE", slack={"channel_id": "C1", "enabled": True}),
        route("R2", "(", 1, routing_type="regex"),
        route("R3", "", 2, routing_type="regex"),
        route("R4", "{{ payload.labels.x }}", 3),
        route("R5", "x" * 50_001, 4, routing_type="regex"),
        route("R6", "x", 5, routing_type="labels"),
    ]
    files = export([sample], routes)
    (found,) = _imported(run, *files)
    lost = found["notTaken"]
    assert found["outcome"] == "created"
    for beginning in (
        "template slack.title: there is no slack here",
        "template sms.title: there is no sms here",
        "template web.image_url: there are no images here",
        "template web.title: the filter `shout` does not exist here",
        "something in template web.message: the variable `grafana_oncall_link` does not exist here",
        "escalation chain FONE of route 1 (R1)",
        "slack channel of route 1 (R1)",
        "route 2 (R2): wrong regular expression",
        "route 3 (R3): it has no condition",
        "route 4 (R4): it reads payload.labels",
        "route 5 (R5): it has 50,0",
        "route 6 (R6): its kind is labels",
        "escalation chain FDEF of the default route",
        "telegram channel of the default route",
        "interval of the heartbeat",
        "team T1",
        "labels of the integration",
        "the maintenance (debug)",
    ):
        assert any(line.startswith(beginning) for line in lost), beginning
    assert run("import", "oncall", *files).exit_code == 1


def test_defaults_that_are_spelled_out_are_not_sent(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """OnCall's defaults become the defaults here, which cost nothing; that loses nothing."""
    sample = integration(templates={"grouping_key": "{{payload.groupKey}}", "web": {}})
    assert run("import", "oncall", *export([sample], [default_route()])).exit_code == 0
    (request,) = daemon.requests("CreateIntegration")
    assert not request.integration.HasField("templates") or not request.integration.templates.ListFields()


def test_defaults_that_differ_are_said_to(run: Run, export: Any) -> None:
    """Where OnCall's default becomes another one here, the line says which."""
    sample = integration(templates={"source_link": "{{ payload.alerts[0].generatorURL }}", "web": {}})
    (found,) = _imported(run, *export([sample], [default_route()]))
    assert (
        "template source_link, as the default: it is OnCall's; here that is the address of the Alertmanager"
        in (found["taken"])
    )


def test_other_types_are_left(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """Integrations that are no Alertmanagers are named and not created."""
    files = export([integration("CW", type="webhook"), integration()], [default_route()])
    other, ours = _imported(run, *files)
    assert (other["outcome"], ours["outcome"]) == ("notTaken", "created")
    assert len(daemon.requests("CreateIntegration")) == 1


def test_the_older_kind_keeps_its_token_only(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """Templates and routes for single alerts stay behind; the token, and so every alert, comes over."""
    sample = integration(type="legacy_alertmanager", templates={"web": {"title": "{{ payload.status }}"}})
    (found,) = _imported(run, *export([sample], ROUTES))
    (request,) = daemon.requests("CreateIntegration")
    assert (request.token, request.integration.type) == (TOKEN, "alertmanager")
    assert not request.integration.templates.ListFields()
    assert not daemon.requests("CreateRoute")
    assert sum("older kind" in line for line in found["notTaken"]) == 3


@pytest.mark.parametrize("link", [None, "", "https://oncall.example/", "https://x/integrations/v1/alertmanager/short/"])
def test_without_a_token_there_is_a_new_one(run: Run, daemon: FakeDaemon, export: Any, link: str | None) -> None:
    """A link that is missing or holds no token means a new URL, which is said."""
    (found,) = _imported(run, *export([integration(link=link)], [default_route()]))
    assert daemon.requests("CreateIntegration")[0].token == ""
    assert any(line.startswith("token: ") for line in found["notTaken"])


def test_a_dry_run_creates_nothing(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """--dry-run says the same, and asks the daemon only for what is there."""
    files = export([integration(team_id="T1")], ROUTES)
    dry = run("import", "oncall", "--dry-run", *files)
    assert {call.method for call in daemon.calls} == {"ListIntegrations"}
    real = run("import", "oncall", *files)
    assert dry.stdout.replace("would be created", "created as integrations/i0") == real.stdout
    assert dry.exit_code == real.exit_code == 1


@pytest.mark.parametrize("values", [{}, {"link": None}])
def test_twice_is_as_once(run: Run, daemon: FakeDaemon, export: Any, values: dict[str, Any]) -> None:
    """What an earlier run created is known by its token, or its name, and left alone."""
    files = export([integration(**values)], ROUTES)
    (first,), before = _imported(run, *files), len(daemon.integrations)
    (second,) = _imported(run, *files)
    assert (first["outcome"], second["outcome"], second["name"]) == ("created", "exists", first["name"])
    assert len(daemon.integrations) == before == 1
    assert len(daemon.routes["integrations/i0"]) == 2


def test_a_run_that_broke_off_is_completed(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """Where the daemon goes away, what was done is said; the next run creates what is missing, at its place."""
    regex = '{{ payload | json_dumps | regex_search("disk \\"full\\"") }}'
    daemon.refused_conditions[regex] = (grpc.StatusCode.UNAVAILABLE, "the disk is full")
    files = export([integration(), integration("CB", link=None)], [*ROUTES, route("R3", "{{ 3 }}", 2)])
    broken = run("import", "oncall", *files)
    assert broken.exit_code == 5
    assert "created as integrations/i0" in broken.stdout
    assert "the routes after that one: run this again" in broken.stdout
    assert len(daemon.integrations) == 1
    daemon.refused_conditions.clear()
    del daemon.routes["integrations/i0"][:]
    daemon.add_route("integrations/i0", jinja="{{ 3 }}")
    assert [each["outcome"] for each in _imported(run, *files)] == ["completed", "created"]
    assert [each.jinja for each in daemon.routes["integrations/i0"]] == [ROUTES[0]["routing_regex"], regex, "{{ 3 }}"]


def test_an_interval_that_another_run_did_not_set_is_said(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """What is there may be somebody's choice, so it is left, but not taken for that of the files."""
    files = export([integration(heartbeat={"link": "x", "timeout_seconds": 180})], [default_route()])
    assert _imported(run, *files)[0]["notTaken"] == []
    assert _imported(run, *files)[0]["notTaken"] == []
    daemon.heartbeats["integrations/i0/heartbeat"].interval.FromTimedelta(timedelta(minutes=10))
    (found,) = _imported(run, *files)
    assert found["notTaken"] == ["interval of the heartbeat: 3m; integrations/i0 has 10m"]
    assert not any("interval" in line for line in found["taken"])


def test_a_condition_may_be_as_long_as_any_template(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """A long list of names is taken over: without its route, alerts would take another one."""
    condition = "{{ labels.team in [" + "'some team', " * 3_000 + "] }}"
    result = run("import", "oncall", *export([integration()], [route("R1", condition), default_route()]))
    assert result.exit_code == 0
    assert [each.jinja for each in daemon.routes["integrations/i0"]] == [condition]


def test_a_route_that_is_refused_does_not_keep_the_others(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """A route that the daemon refuses is named with its reason; the others are created in their order."""
    daemon.refused_conditions["{{ 2 }}"] = (grpc.StatusCode.INVALID_ARGUMENT, "no good")
    routes = [route(f"R{n}", f"{{{{ {n} }}}}", n) for n in (1, 2, 3)]
    (found,) = _imported(run, *export([integration()], routes))
    assert [each.jinja for each in daemon.routes["integrations/i0"]] == ["{{ 1 }}", "{{ 3 }}"]
    assert "a route (from OnCall: route R2): no good" in found["notTaken"]


def test_a_template_that_is_refused_is_left_out(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """An integration whose template the daemon refuses is created without that one, which is named."""
    daemon.refused_templates["{{ 2 }}"] = "no good"
    sample = integration(templates={"web": {"title": "{{ 2 }}", "message": "{{ 3 }}"}})
    (found,) = _imported(run, *export([sample], [default_route()]))
    assert found["outcome"] == "created"
    assert daemon.integrations["integrations/i0"].templates.message == "{{ 3 }}"
    assert not daemon.integrations["integrations/i0"].templates.title
    assert "template for title, which has its default now: no good" in found["notTaken"]


def test_an_integration_that_is_refused_does_not_keep_the_others(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """One that cannot be created is named with the reason, nothing of it is there, and the next is tried."""
    daemon.refused_templates["{{ 2 }}"] = "no good"
    daemon.failures["CreateIntegration"] = (grpc.StatusCode.ALREADY_EXISTS, "its token was another's")
    (found,) = _imported(run, *export([integration()], ROUTES))
    assert (found["outcome"], found["taken"]) == ("refused", [])
    assert "all of it: its token was another's" in found["notTaken"]
    assert not daemon.requests("CreateRoute")


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"display_name": "Prod"}, "has this name already, and another token"),
        ({"display_name": "Mine", "token": TOKEN, "templates": {"title": "x"}}, "has other templates"),
    ],
)
def test_what_somebody_made_is_left_alone(
    run: Run, daemon: FakeDaemon, export: Any, there: dict[str, Any], words: str
) -> None:
    """One of the same name with another token, or of the same token with other settings, is not touched."""
    there = dict(there)
    token = there.pop("token", None)
    mine = daemon.add_integration("mine", **there)
    if token:
        mine.token = token
    (found,) = _imported(run, *export([integration(name="Prod")], ROUTES))
    assert (found["outcome"], found["name"]) == ("differs", "integrations/mine")
    assert any(words in line for line in found["notTaken"])
    assert {call.method for call in daemon.calls} == {"ListIntegrations"}


def test_other_routes_are_left_alone(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """An integration with a route that the files do not have is not touched."""
    files = export([integration()], ROUTES)
    run("import", "oncall", *files)
    daemon.add_route("integrations/i0", 1, matchers="a=b")
    (found,) = _imported(run, *files)
    assert found["outcome"] == "differs"
    assert len(daemon.requests("CreateRoute")) == 2


def test_names_are_unique_here(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """The second of a name, in OnCall one of another team, bears its id; so does one that is too long."""
    other = f"https://oncall.example/integrations/v1/alertmanager/{TOKEN[::-1]}/"
    samples = [integration(name="Same"), integration("CB", name="Same", link=other), integration("CC", name="x" * 151)]
    samples[2]["link"] = None
    files = export(samples, [])
    assert [each["displayName"] for each in _imported(run, *files)] == ["Same", "Same (CB)", "x" * 145 + " (CC)"]
    assert [each["outcome"] for each in _imported(run, *files)] == ["exists"] * 3


def test_files_that_are_none_change_nothing(run: Run, daemon: FakeDaemon, export: Any, tmp_path: Path) -> None:
    """All files are read before anything is asked: one that is wrong is wrong usage, and says where."""
    good = export([integration()], ROUTES)
    (tmp_path / "bad").write_text("{}]")
    (tmp_path / "binary").write_bytes(b"\xff")
    for bad, words in (("bad", "neither an integration"), ("binary", "no UTF-8"), ("none", "No such file")):
        result = run("import", "oncall", *good, str(tmp_path / bad))
        assert result.exit_code == 2
        assert words in result.stderr
        assert str(tmp_path / bad) in result.stderr
    assert daemon.calls == []


def test_stdin_is_a_file(run: Run, daemon: FakeDaemon) -> None:
    """- reads stdin, where several pages may follow one another."""
    stdin = (json.dumps(page([integration()])) + json.dumps(page(ROUTES))).encode()
    assert run("import", "oncall", "-", stdin=stdin).exit_code == 0
    assert len(daemon.routes["integrations/i0"]) == 2


def test_pages_that_are_missing_are_said(run: Run, tmp_path: Path) -> None:
    """Where OnCall has more than the files, that is said on stderr, and not all was taken over."""
    (tmp_path / "f").write_text(json.dumps(page([integration()], 120)) + json.dumps(page(ROUTES)))
    result = run("import", "oncall", str(tmp_path / "f"))
    assert result.exit_code == 1
    assert "1 of 120 integrations" in result.stderr


def test_a_long_condition_is_taken_over(run: Run, daemon: FakeDaemon, export: Any) -> None:
    """It may be as long as any template, and no longer."""
    fits, too_long = "{# " + "x" * 49_987 + " #}{{ 1 }}", "x" * 50_001
    routes = [route("RFITS", fits, 0), route("RLONG", too_long, 1), default_route()]
    (imported,) = _imported(run, *export([integration()], routes))
    assert [request.route.jinja for request in daemon.requests("CreateRoute")] == [fits]
    (left,) = [line for line in imported["notTaken"] if "RLONG" in line]
    assert "50,001 characters, of 50,000 at most" in left
