"""`tocsin chains` against a fake daemon."""

import json
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cli_program import Run
from fake_daemon import FakeDaemon
from google.rpc import error_details_pb2, status_pb2

from tocsin.errors import of_status
from tocsin.v1.escalation_chains_pb2 import EscalationStep, NotifyStep
from tocsin_cli.connection import Connection


@pytest.fixture
def people(daemon: FakeDaemon) -> None:
    """Have some contact points."""
    daemon.add_contact("anna", display_name="Anna, mail")
    daemon.add_contact("ben", display_name="Ben")


def _notify(*ids: str) -> EscalationStep:
    return EscalationStep(notify=NotifyStep(contact_points=[f"contactPoints/{id_}" for id_ in ids]))


def test_create_takes_steps_in_their_order(run: Run, daemon: FakeDaemon, people: None) -> None:
    """Each --step is a step, with contact points by their names; the chain is shown as it was created."""
    result = run(
        *("chains", "create", "Night", "--default", "--description", "who is up"),
        *("--step", "notify Anna, mail", "--step", "wait 5m", "--step", "notify ben", "--step", "repeat 3"),
    )
    assert result.exit_code == 0, result.stderr
    (request,) = daemon.requests("CreateEscalationChain")
    chain = request.escalation_chain
    assert (chain.display_name, chain.description, chain.is_default) == ("Night", "who is up", True)
    assert [step.WhichOneof("step") for step in chain.steps] == ["notify", "wait", "notify", "repeat"]
    assert (chain.steps[0], chain.steps[2]) == (_notify("anna"), _notify("ben"))
    shown = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    assert shown == ['notify "Anna, mail"', "wait 5m", "notify Ben", "repeat 3"]


def test_notify_is_a_chain_of_one_step(run: Run, daemon: FakeDaemon, people: None) -> None:
    """--notify names whole display names, and several are told in one step."""
    assert run("chains", "create", "All", "--notify", "Anna, mail", "--notify", "ben").exit_code == 0
    (request,) = daemon.requests("CreateEscalationChain")
    assert list(request.escalation_chain.steps) == [_notify("anna", "ben")]
    assert not request.escalation_chain.is_default


def test_what_is_shown_can_be_given_back(run: Run, daemon: FakeDaemon, people: None, tmp_path: Path) -> None:
    """The output of `show` is a file for --file, from which the same steps are read; stdin is a file, too."""
    steps = ['notify "Anna, mail", Ben', "within Mon-Fri 08:00-18:00 Europe/Berlin", "more-than 5 in 10m", "resolve"]
    run("chains", "create", "Day", *(part for step in steps for part in ("--step", step)))
    shown = run("chains", "show", "Day").stdout
    assert shown.splitlines()[-4:] == steps
    (tmp_path / "steps").write_text(shown)
    assert run("chains", "update", "Day", "--file", str(tmp_path / "steps")).exit_code == 0
    assert run("chains", "create", "Copy", "--file", "-", stdin=shown.encode()).exit_code == 0
    created, copied = daemon.requests("CreateEscalationChain")
    (updated,) = daemon.requests("UpdateEscalationChain")
    assert list(updated.update_mask.paths) == ["steps"]
    wanted = list(created.escalation_chain.steps)
    assert wanted == list(updated.escalation_chain.steps) == list(copied.escalation_chain.steps)


def test_a_contact_point_that_is_gone_is_shown_by_its_name(run: Run, daemon: FakeDaemon, people: None) -> None:
    """What has no display name any more, or one that is another's id, stands as its resource name, and is taken so."""
    daemon.add_contact("carla", display_name="ben")
    daemon.add_chain("night", steps=[_notify("gone", "carla", "ben")])
    shown = run("chains", "show", "night").stdout
    assert shown.splitlines()[-1] == "notify contactPoints/gone, contactPoints/carla, Ben"
    assert "# contactPoints/gone is deleted: nobody is told there" in shown.splitlines()
    assert run("chains", "update", "night", "--file", "-", stdin=shown.encode()).exit_code == 0
    (request,) = daemon.requests("UpdateEscalationChain")
    assert list(request.escalation_chain.steps) == [_notify("gone", "carla", "ben")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--step", "wait 5m", "--step", "notify Zoe"], "step 2, 'notify Zoe': no contact point is called 'Zoe'"),
        (["--file", "-"], "stdin, line 3, 'wait': how long is missing"),
        (["--notify", "Zoe"], "no contact point is called 'Zoe'"),
        (["--step", "wait 5m", "--notify", "Ben"], "exclude each other"),
        (["--nobody", "--notify", "Ben"], "exclude each other"),
        ([], "who is told?"),
    ],
)
def test_what_is_wrong_with_steps_is_said(
    run: Run, daemon: FakeDaemon, people: None, options: list[str], message: str
) -> None:
    """The step or the line is named, with what was expected; nothing is created."""
    result = run("chains", "create", "Night", *options, stdin=b"# a\n\nwait\n")
    assert result.exit_code in (2, 3)
    assert message in result.stderr
    assert not daemon.requests("CreateEscalationChain")


def test_a_step_that_the_daemon_refuses_is_named(run: Run, daemon: FakeDaemon, people: None) -> None:
    """What the daemon alone can know is said of the step as it was written, not of a field that is counted from 0."""
    refusal = "escalation_chain.steps[1].within.time_zone: must be one of the IANA time zone database"
    daemon.failures["CreateEscalationChain"] = (grpc.StatusCode.INVALID_ARGUMENT, refusal)
    steps = ["--step", "notify Ben", "--step", "within 08:00-18:00 Europe/Nowhere"]
    result = run("chains", "create", "Night", *steps)
    assert result.exit_code == 2
    assert result.stderr == (
        "tocsin: step 2, 'within 08:00-18:00 Europe/Nowhere': must be one of the IANA time zone database "
        "(escalation_chain.steps[1].within.time_zone)\n"
    )
    daemon.failures["CreateEscalationChain"] = (grpc.StatusCode.INVALID_ARGUMENT, "escalation_chain.steps[7]: no")
    assert run("chains", "create", "Night", *steps).stderr == "tocsin: escalation_chain.steps[7]: no\n"


def test_a_file_without_steps_is_no_chain_for_nobody(run: Run, daemon: FakeDaemon, people: None) -> None:
    """Nobody is told only where somebody said so by --nobody, never by an empty file."""
    assert run("chains", "create", "Quiet", "--file", "-", stdin=b"# nothing\n").exit_code == 2
    result = run("chains", "create", "Quiet", "--nobody")
    assert (result.exit_code, "nobody is told by it" in result.stderr) == (0, True)
    (request,) = daemon.requests("CreateEscalationChain")
    assert not request.escalation_chain.steps


def test_update_names_what_changes(run: Run, daemon: FakeDaemon, people: None) -> None:
    """`update` sends a mask with the fields given, false as well; without any it is wrong usage."""
    daemon.add_chain("night", steps=[_notify("ben")], is_default=True)
    assert run("chains", "update", "Night", "--no-default", "--name", "Nights").exit_code == 0
    assert run("chains", "update", "night", "--nobody").exit_code == 0
    assert run("chains", "update", "night").exit_code == 2
    first, second = daemon.requests("UpdateEscalationChain")
    assert sorted(first.update_mask.paths) == ["display_name", "is_default"]
    assert list(second.update_mask.paths) == ["steps"]
    chain = daemon.chains["escalationChains/night"]
    assert (chain.display_name, chain.is_default, list(chain.steps)) == ("Nights", False, [])


def test_list_shows_the_steps(run: Run, daemon: FakeDaemon, people: None) -> None:
    """`list` has each chain with its steps in short; as JSON it is the response."""
    daemon.add_chain("night", steps=[_notify("ben"), EscalationStep(resolve={})], is_default=True)
    daemon.add_chain("quiet")
    first, second = run("chains", "list").stdout.splitlines()[1:]
    assert first.split(maxsplit=3) == ["escalationChains/night", "Night", "yes", "notify Ben; resolve"]
    assert second.endswith("tells nobody")
    assert len(json.loads(run("chains", "list", "-o", "json").stdout)["escalationChains"]) == 2
    assert json.loads(run("chains", "show", "night", "-o", "json").stdout)["steps"][1] == {"resolve": {}}


def test_delete_passes_force_on(run: Run, daemon: FakeDaemon) -> None:
    """--force is sent only where it was given."""
    daemon.add_chain("one")
    daemon.add_chain("two")
    assert run("chains", "delete", "One").stdout == "escalationChains/one deleted\n"
    assert run("chains", "delete", "two", "--force").exit_code == 0
    assert [request.force for request in daemon.requests("DeleteEscalationChain")] == [False, True]


def test_what_is_named_elsewhere_can_be_deleted_with_force() -> None:
    """A refusal for that says how."""
    status = status_pb2.Status(code=9, message="escalationChains/one is named by a route")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="IN_USE", domain="tocsin"))
    with Connection("unix:/nowhere", timedelta(seconds=1)) as daemon:
        said = daemon.explain(of_status(status))
    assert (said.exit_code, said.message) == (
        4,
        "escalationChains/one is named by a route (--force deletes it all the same)",
    )
