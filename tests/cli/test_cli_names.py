"""Names of integrations as people type them, against a fake daemon."""

import pytest
from cli_program import Run
from fake_daemon import FakeDaemon


@pytest.mark.parametrize("name", ["one", "integrations/one", "The one"])
def test_an_integration_has_three_names(run: Run, daemon: FakeDaemon, name: str) -> None:
    """An integration is given by its name, its id, or what people call it, wherever the options stand."""
    daemon.add_integration("one", display_name="The one")
    daemon.add_integration("two", display_name="Two")
    target = daemon.target
    away = {"TOCSIN_TARGET": "unix:/no/daemon"}
    assert "name: integrations/one" in run("integrations", "show", name, "--target", target, env=away).stdout
    assert "name: integrations/one/heartbeat" in run("heartbeats", "show", name).stdout
    run("groups", "list", "--integration", name, "--target", target, env=away)
    assert daemon.requests("ListAlertGroups")[0].filter == 'integration = "integrations/one"'


def test_an_id_wins_over_a_display_name(run: Run, daemon: FakeDaemon) -> None:
    """Where the id of one is the display name of another, the id counts."""
    daemon.add_integration("one", display_name="two")
    daemon.add_integration("two", display_name="one")
    assert "name: integrations/two" in run("integrations", "show", "two").stdout.splitlines()


def test_an_unknown_name_is_not_found(run: Run, daemon: FakeDaemon) -> None:
    """A display name that nothing has ends with the code for what does not exist; so does an unknown id."""
    assert run("integrations", "show", "No such one").exit_code == 3
    assert run("integrations", "show", "nosuchone").exit_code == 3
    # It could be an id by its letters, but for the capital.
    result = run("integrations", "show", "Production")
    assert (result.exit_code, result.stderr.count("no integration is called 'Production'")) == (3, 1)


def test_the_groups_of_a_deleted_integration_can_be_listed(run: Run, daemon: FakeDaemon) -> None:
    """An id that no integration has any more is taken as it is."""
    assert run("groups", "list", "--integration", "gone").exit_code == 0
    assert daemon.requests("ListAlertGroups")[0].filter == 'integration = "integrations/gone"'
