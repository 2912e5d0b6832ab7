"""Who is told of what opens under a maintenance, and when."""

import pytest
from escalating import messages, paging_integration, progress, runs
from fake_clock import MINUTE
from maintaining import collectors, finish, maintain, stop
from notices import notice
from running_daemon import Integration, RunningDaemon


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take the chain that is the default: ops, then after five minutes the boss."""
    return paging_integration(daemon)


def test_what_a_maintenance_collects_tells_people_once_it_is_over(
    daemon: RunningDaemon, integration: Integration
) -> None:
    """Nobody is told of it before, nor of the group that collects; what was acknowledged or resolved meanwhile is not
    told of at all; what was open before goes on."""
    before = daemon.fire(integration, key="before")
    daemon.settle()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=key) for key in ("held", "acknowledged", "resolved")]
    daemon.act("Acknowledge", names[1])
    daemon.act("Resolve", names[2])
    daemon.pass_time(6 * MINUTE)
    (collector,) = collectors(daemon)
    assert [name for name in (*names, collector.name) if runs(daemon, name)] == []
    assert [who for who, *_ in messages(daemon)] == ["ops", "boss"]

    stop(daemon, integration)
    finish(daemon)
    daemon.settle()

    assert [len(messages(daemon, name)) for name in (*names, collector.name)] == [1, 0, 0, 0]
    assert progress(daemon.group(names[0])) == ("WAITING", 3, 3)
    assert len(messages(daemon, before)) == 2


def test_what_fires_again_into_a_maintenance_is_collected(daemon: RunningDaemon, integration: Integration) -> None:
    """Its chain does not start until it is released."""
    name = daemon.fire(integration)
    daemon.send(integration, notice("", "a"))
    maintain(daemon, integration)
    daemon.send(integration, notice("a"))
    daemon.settle()
    assert not runs(daemon, name)
    daemon.act("Acknowledge", name)
    daemon.act("Unacknowledge", name)
    assert not runs(daemon, name)

    stop(daemon, integration)
    finish(daemon)
    daemon.settle()
    assert runs(daemon, name)


def test_debugging_tells_nobody(daemon: RunningDaemon, integration: Integration) -> None:
    """Not even when it is over, or somebody takes an acknowledgement back; when it fires again, it does."""
    maintain(daemon, integration, "DEBUG")
    name = daemon.fire(integration)
    daemon.act("Acknowledge", name)
    daemon.act("Unacknowledge", name)
    stop(daemon, integration)
    finish(daemon)
    daemon.settle()
    daemon.pass_time(6 * MINUTE)
    assert not runs(daemon, name)
    assert messages(daemon) == []

    daemon.send(integration, notice("", "a"))
    daemon.send(integration, notice("a"))
    daemon.settle()
    assert messages(daemon) == [("ops", "firing", 1, "pending")]
