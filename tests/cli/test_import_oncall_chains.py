"""Escalation chains of Grafana OnCall, taken over by `tocsin import oncall`, against a fake daemon."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from cli_program import Run
from fake_daemon import FakeDaemon
from oncall_samples import chain, default_route, integration, policy, route, schedule, user, webhook

from tocsin.v1.escalation_chains_pb2 import EscalationStep, NotifyStep
from tocsin_cli import chain_steps

NIGHT = [
    policy("FNIGHT", 0, "notify_on_call_from_schedule", notify_on_call_from_schedule="SONE", important=False),
    policy("FNIGHT", 1, "wait", duration=900),
    policy("FNIGHT", 2, "notify_persons", persons_to_notify=["UANNA", "UBEN"], important=False),
    policy("FNIGHT", 3, "notify_if_time_from_to", notify_if_time_from="08:00:00Z", notify_if_time_to="18:30:00Z"),
    policy("FNIGHT", 4, "notify_if_num_alerts_in_window", num_alerts_in_window=5, num_minutes_in_window=10),
    policy("FNIGHT", 5, "repeat_escalation"),
    policy("FNIGHT", 6, "resolve"),
]
PEOPLE = [user("UANNA", "anna"), user("UBEN", "ben"), schedule("SONE", "Primary")]
STEPS = [
    "notify Primary",
    "wait 15m",
    "notify Anna, Benjamin",
    "within 08:00-18:30 UTC",
    "more-than 5 in 10m",
    "repeat 5",
    "resolve",
]


@pytest.fixture
def everybody(daemon: FakeDaemon) -> None:
    """Have a contact point for each whom the chain tells: by its name in other letters, an alias, the same name."""
    daemon.add_contact("anna")
    daemon.add_contact("ben", display_name="Benjamin", aliases=["Ben@Example.org"])
    daemon.add_contact("primary", display_name="Primary")


class Importing:
    """Writes lists of what OnCall's API returned to files, and imports them."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder = run, folder

    def __call__(self, *lists: list[dict[str, Any]], options: tuple[str, ...] = ()) -> Any:
        files = []
        for number, results in enumerate(lists):
            files.append(str(self._folder / f"{number}.json"))
            Path(files[-1]).write_text(json.dumps(results))
        return self._run("import", "oncall", *files, *options, "-o", "json")


@pytest.fixture
def importing(run: Run, tmp_path: Path) -> Importing:
    """Return what imports lists."""
    return Importing(run, tmp_path)


def _steps(daemon: FakeDaemon, name: str = "escalationChains/e0") -> list[str]:
    called = {contact.name: contact.display_name for contact in daemon.contacts.values()}
    return [chain_steps.format(step, lambda each: called.get(each, "")) for step in daemon.chains[name].steps]


def test_everything_that_has_a_place_here_is_taken_over(
    daemon: FakeDaemon, importing: Importing, everybody: None
) -> None:
    """Each step that is one here as well arrives in its place, and people are found by what they are called."""
    result = importing([chain("FNIGHT", "Night")], NIGHT[::-1], PEOPLE)
    assert (result.exit_code, result.stderr) == (0, "")
    (found,) = json.loads(result.stdout)["escalationChains"]
    assert (found["outcome"], found["name"], found["notTaken"]) == ("created", "escalationChains/e0", [])
    assert _steps(daemon) == STEPS
    assert found["taken"][1] == "step 2 (wait): wait 15m"
    assert daemon.chains["escalationChains/e0"].display_name == "Night"
    assert not daemon.chains["escalationChains/e0"].is_default


def test_routes_get_their_chains(daemon: FakeDaemon, importing: Importing, everybody: None) -> None:
    """New routes, the default one as well, name the chain that theirs became; a second run changes nothing."""
    own = [
        route("R1", "{{ 1 }}", escalation_chain_id="FNIGHT"),
        route("R2", "{{ 2 }}", 1),
        default_route(escalation_chain_id="FNIGHT"),
    ]
    lists = ([integration()], own, [chain("FNIGHT", "Night")], NIGHT, PEOPLE)
    (first,) = json.loads(importing(*lists).stdout)["integrations"]
    assert "escalation chain 'Night' of route 1 (R1)" in first["taken"]
    assert [each.escalation_chain for each in daemon.routes["integrations/i0"]] == ["escalationChains/e0", ""]
    assert daemon.default_routes["integrations/i0"].escalation_chain == "escalationChains/e0"
    asked = len(daemon.requests("UpdateRoute"))
    again = json.loads(importing(*lists).stdout)
    assert [each["outcome"] for each in (*again["escalationChains"], *again["integrations"])] == ["exists", "exists"]
    assert (len(daemon.chains), len(daemon.requests("UpdateRoute"))) == (1, asked)


def test_routes_of_an_earlier_import_get_their_chains(
    daemon: FakeDaemon, importing: Importing, everybody: None
) -> None:
    """What was imported without chains gets them; a route that has another one keeps it, which is said."""
    own = [
        route("R1", "{{ 1 }}", escalation_chain_id="FNIGHT"),
        route("R2", "{{ 2 }}", 1, escalation_chain_id="FNIGHT"),
        default_route(escalation_chain_id="FNIGHT"),
    ]
    importing([integration()], own)
    assert not daemon.chains
    daemon.routes["integrations/i0"][1].escalation_chain = "escalationChains/mine"
    dry = importing([integration()], own, [chain("FNIGHT", "Night")], NIGHT, PEOPLE, options=("--dry-run",))
    (dry_found,) = json.loads(dry.stdout)["integrations"]
    assert not daemon.chains
    result = importing([integration()], own, [chain("FNIGHT", "Night")], NIGHT, PEOPLE)
    (found,) = json.loads(result.stdout)["integrations"]
    assert (result.exit_code, found["outcome"], dry_found["outcome"]) == (1, "completed", "completed")
    chains = [each.escalation_chain for each in daemon.routes["integrations/i0"]]
    assert chains == ["escalationChains/e0", "escalationChains/mine"]
    assert daemon.default_routes["integrations/i0"].escalation_chain == "escalationChains/e0"
    assert any("it has another, escalationChains/mine" in line for line in found["notTaken"])


def test_people_can_be_named(daemon: FakeDaemon, importing: Importing) -> None:
    """--contact says whose contact point is which, by name or by id, and wins over what is called the same."""
    daemon.add_contact("anna")
    daemon.add_contact("pager", display_name="The pager, all")
    options = ("--contact", "anna=The pager, all", "--contact", "UBEN=anna", "--contact", "Zoe=anna")
    steps = [policy("F", 0, "notify_persons", persons_to_notify=["UANNA", "UBEN"])]
    result = importing([chain("F", "Night")], steps, [user("UANNA", "Anna")], options=options)
    assert result.exit_code == 0
    assert _steps(daemon) == ['notify "The pager, all", Anna']
    assert "--contact Zoe=anna: no chain in the files tells 'Zoe'" in result.stderr


@pytest.mark.parametrize(("option", "code"), [("anna", 2), ("=x", 2), ("anna=Nobody", 3)])
def test_who_is_named_must_be_there(daemon: FakeDaemon, importing: Importing, option: str, code: int) -> None:
    """A contact point that is not there is said before anything is created."""
    assert importing([chain("F", "Night")], [integration()], options=("--contact", option)).exit_code == code
    assert not daemon.chains
    assert not daemon.integrations


def test_what_has_no_place_here_is_named(daemon: FakeDaemon, importing: Importing) -> None:
    """Each step that is lost, whole or in part, is a line with the reason; what is left of the chain is created."""
    daemon.add_contact("anna")
    steps = [
        policy("F", 0, "repeat_escalation"),
        policy("F", 1, "notify_persons", persons_to_notify=["UANNA", "UBEN"], important=True),
        policy("F", 2, "notify_user_group", group_to_notify="G1", important=False),
        policy("F", 3, "notify_whole_channel"),
        policy("F", 4, "declare_incident"),
        policy("F", 5, None),  # type: ignore[arg-type]
        policy("F", 6, "wait", duration=None),
        policy("F", 7, "notify_if_time_from_to", notify_if_time_from=None, notify_if_time_to="18:00:00Z"),
        policy("F", 8, "notify_if_num_alerts_in_window", num_alerts_in_window=None, num_minutes_in_window=5),
        policy("F", 9, "notify_person_next_each_time", persons_to_notify_next_each_time=["UANNA", "UCARL"]),
        policy("F", 10, "resolve"),
        policy("F", 11, "wait", duration=60),
    ]
    people = [user("UANNA", "anna"), user("UBEN", "ben"), user("UCARL", "carl")]
    result = importing([chain("F", "Night", team_id="T1")], steps, people, options=("--contact", "carl=anna"))
    assert (result.exit_code, result.stderr) == (1, "")
    assert _steps(daemon) == ["notify Anna", "wait 5m", "notify Anna", "resolve"]
    (found,) = json.loads(result.stdout)["escalationChains"]
    for beginning in (
        "team T1",
        "step 1 (repeat_escalation): no wait stands before it",
        "step 2 (notify_persons), ben (UBEN): no contact point is called so: create one, or give --contact 'ben'=NAME",
        "step 2 (notify_persons), important",
        "step 3 (notify_user_group), G1: no contact point is called so",
        "step 4 (notify_whole_channel): it names nobody",
        "step 5 (declare_incident): there is no such step here",
        "step 6 (without a type): there is no such step here",
        "step 8 (notify_if_time_from_to): its hours",
        "step 9 (notify_if_num_alerts_in_window): more than None alerts",
        "step 12 (wait): it stands after one that resolves",
    ):
        assert any(line.startswith(beginning) for line in found["notTaken"]), beginning


def test_taking_turns_is_said_to_be_lost(daemon: FakeDaemon, importing: Importing, everybody: None) -> None:
    """Where people took turns, all of them are told, and that is said."""
    steps = [policy("F", 0, "notify_person_next_each_time", persons_to_notify_next_each_time=["UANNA", "UBEN"])]
    result = importing([chain("F", "Turns")], steps, PEOPLE)
    assert _steps(daemon) == ["notify Anna, Benjamin"]
    assert "taking turns: all of them are told here" in result.stdout


def test_a_chain_that_tells_nobody_is_loud(daemon: FakeDaemon, importing: Importing) -> None:
    """Where nobody of a chain is here it is created all the same, and stderr says that it tells nobody."""
    result = importing([chain("FNIGHT", "Night")], NIGHT, PEOPLE)
    assert result.exit_code == 1
    assert "Night: NOBODY is told by this chain" in result.stderr
    # It does not resolve either: groups would be gone of which nobody has heard.
    assert _steps(daemon) == ["wait 15m", "within 08:00-18:30 UTC", "more-than 5 in 10m", "repeat 5"]
    assert "step 7 (resolve): groups would be resolved of which nobody was told" in result.stdout
    again = importing([chain("FNIGHT", "Night")], NIGHT, PEOPLE)
    assert json.loads(again.stdout)["escalationChains"][0]["outcome"] == "exists"
    assert "Night: NOBODY is told by this chain" in again.stderr
    for name in ("anna", "ben", "primary"):
        daemon.add_contact(name)
    assert importing([chain("FNIGHT", "Night")], NIGHT, PEOPLE).exit_code == 0
    assert _steps(daemon)[-1] == "resolve"


def test_who_was_missing_is_added_by_a_later_run(
    run: Run, daemon: FakeDaemon, importing: Importing, everybody: None
) -> None:
    """An import that is run again once there are contact points adds them; a chain that somebody changed is left."""
    ben = daemon.contacts.pop("contactPoints/ben")
    primary = daemon.contacts.pop("contactPoints/primary")
    lists = ([chain("FNIGHT", "Night")], NIGHT, PEOPLE)
    assert importing(*lists).exit_code == 1
    daemon.contacts |= {ben.name: ben, primary.name: primary}
    result = importing(*lists)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["escalationChains"][0]["outcome"] == "completed"
    assert _steps(daemon) == STEPS
    mine = EscalationStep(notify=NotifyStep(contact_points=["contactPoints/mine"]))
    daemon.chains["escalationChains/e0"].steps.append(mine)
    (found,) = json.loads(importing(*lists).stdout)["escalationChains"]
    assert (found["outcome"], found["name"]) == ("differs", "escalationChains/e0")
    assert daemon.chains["escalationChains/e0"].steps[-1] == mine


def test_a_chain_that_is_refused_does_not_keep_the_rest(daemon: FakeDaemon, importing: Importing) -> None:
    """It is named with the reason; the integration is created, and its route says what it lacks."""
    daemon.failures["CreateEscalationChain"] = (grpc.StatusCode.INVALID_ARGUMENT, "no good")
    own = [default_route(escalation_chain_id="F")]
    report = json.loads(importing([integration()], own, [chain("F", "Night")]).stdout)
    assert report["escalationChains"][0]["outcome"] == "refused"
    assert "all of it: no good" in report["escalationChains"][0]["notTaken"]
    assert report["integrations"][0]["outcome"] == "created"
    lost = report["integrations"][0]["notTaken"]
    assert any(line.startswith("escalation chain F of the default route: it was not created") for line in lost)


def test_steps_of_strangers_are_said(importing: Importing) -> None:
    """Steps whose chain is not in the files are said to be there, and so are pages that are missing."""
    result = importing([integration()], [default_route()], [policy("FX", 0, "resolve")])
    assert "there are steps of escalation chains that are not in the files: FX" in result.stderr + result.stdout
    assert result.exit_code == 1


def test_an_alias_may_be_that_of_several(daemon: FakeDaemon, importing: Importing) -> None:
    """All contact points that share an alias are told; one that is called exactly so is told alone."""
    daemon.add_contact("mail", display_name="Anna's mail", aliases=["anna"])
    daemon.add_contact("phone", display_name="Anna's phone", aliases=["ANNA"])
    lists = ([chain("F", "Night")], [policy("F", 0, "notify_persons", persons_to_notify=["UANNA"])], PEOPLE)
    importing(*lists)
    assert _steps(daemon) == ["notify Anna's mail, Anna's phone"]
    del daemon.chains["escalationChains/e0"]
    daemon.add_contact("all", display_name="anna")
    importing(*lists)
    assert _steps(daemon) == ["notify anna"]


def test_whom_somebody_set_instead_is_left_alone(daemon: FakeDaemon, importing: Importing, everybody: None) -> None:
    """A step that tells another than it would is somebody's work: it is not replaced, and that is said."""
    lists = ([chain("FNIGHT", "Night")], NIGHT, PEOPLE)
    importing(*lists)
    other = daemon.chains["escalationChains/e0"].steps[0]
    other.notify.contact_points[:] = ["contactPoints/other"]
    result = importing(*lists)
    (found,) = json.loads(result.stdout)["escalationChains"]
    assert (result.exit_code, found["outcome"]) == (1, "differs")
    assert "the steps: escalationChains/e0 has other ones" in found["notTaken"]
    assert other.notify.contact_points == ["contactPoints/other"]


def test_a_webhook_is_no_chain(importing: Importing, daemon: FakeDaemon) -> None:
    """Both have a name; a chain that tells nobody would be made of a webhook."""
    importing([chain("FNIGHT", "Night")], [webhook("WH1", "Pager")])
    assert [made.display_name for made in daemon.chains.values()] == ["Night"]
