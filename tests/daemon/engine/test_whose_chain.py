"""Which chain the escalation of a group takes."""

import pytest
from changing import make_route
from escalating import chain, contact, edit, messages, paging_integration, route_tells, runs, tells, write
from fake_clock import MINUTE
from routing import open_group, remove
from running_daemon import AlertGroup, Integration, RunningDaemon

from tocsind.domain.escalation_chain import Notify


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take the chain that is the default: ops, then after five minutes the boss."""
    return paging_integration(daemon)


def test_without_a_chain_nobody_is_told(daemon: RunningDaemon) -> None:
    """None is the default, and the route names none."""
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert not runs(daemon, name)
    assert daemon.kinds(name) == ["OPENED"]


def test_the_chain_is_that_of_the_route_or_else_the_default(daemon: RunningDaemon) -> None:
    """That of the default route where no other matches or the route is gone; an empty chain is a chain."""
    chains = {
        name: chain(daemon, Notify((contact(daemon, name),)), name=name, default=name == "default")
        for name in ("default", "mine", "routed")
    }
    quiet = chain(daemon, name="quiet", default=False)
    integration = daemon.integration()
    routed = make_route(daemon, integration.name, matchers="severity=page")
    unnamed = make_route(daemon, integration.name, matchers="severity=warn")
    silent = make_route(daemon, integration.name, matchers="severity=info")
    tells(daemon, integration, chains["mine"])
    route_tells(daemon, routed.name, chains["routed"])
    route_tells(daemon, silent.name, quiet)

    def told(severity: str) -> list[str]:
        name = open_group(daemon, integration, key=severity, severity=severity)
        daemon.settle()
        return [who for who, *_ in messages(daemon, name)]

    assert [told(each) for each in ("page", "warn", "info", "other")] == [["routed"], ["default"], [], ["mine"]]
    page = daemon.list_groups("")[-1]
    assert page.route == routed.name
    remove(daemon, routed.name)
    remove(daemon, unnamed.name)
    daemon.act("Acknowledge", page.name)
    daemon.act("Unacknowledge", page.name)
    daemon.settle()
    assert [who for who, *_ in messages(daemon, page.name)] == ["routed", "mine"]


def test_a_chain_that_is_changed_or_deleted_goes_on_as_it_was(daemon: RunningDaemon, integration: Integration) -> None:
    """What starts later takes it as it is then."""
    (chain_id,) = daemon.sql("SELECT id FROM escalation_chains")[0]
    before = daemon.fire(integration, key="before")
    edit(daemon, chain_id, Notify((contact(daemon, "late"),)))
    after = daemon.fire(integration, key="after")
    daemon.settle()
    write(daemon, "DELETE FROM escalation_chains")
    none = daemon.fire(integration, key="none")
    daemon.pass_time(6 * MINUTE)

    assert [who for who, *_ in messages(daemon, before)] == ["ops", "boss"]
    assert [who for who, *_ in messages(daemon, after)] == ["late"]
    assert messages(daemon, none) == []


def test_a_group_opens_though_its_chain_cannot_be_read(daemon: RunningDaemon, integration: Integration) -> None:
    """Another version of Tocsin may have written it."""
    write(daemon, """UPDATE chain_versions SET steps = '[["dance"]]'""")
    name = daemon.fire(integration)
    daemon.settle()

    assert daemon.group(name).state == AlertGroup.FIRING
    assert runs(daemon, name)
