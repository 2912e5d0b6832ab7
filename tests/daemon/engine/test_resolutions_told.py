"""Who is told that a group is resolved."""

import pytest
from changing import make_route
from escalating import STOPS, delivered, forget_contact, messages, paging_integration, route_tells, said, tells
from fake_clock import MINUTE
from running_daemon import Integration, RunningDaemon


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take the chain that is the default: ops, then after five minutes the boss."""
    return paging_integration(daemon)


@pytest.mark.parametrize("how", ["resolve", "resolve many", "source"])
def test_who_was_told_that_it_fires_is_told_that_it_is_resolved(
    daemon: RunningDaemon, integration: Integration, how: str
) -> None:
    """Where the route wants that; who was not told yet is not, and nobody is told twice."""
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)
    daemon.pass_time(5 * MINUTE)
    daemon.settle()
    assert [who for who, *_ in messages(daemon)] == ["ops", "boss"]

    STOPS[how](daemon, integration, name)

    assert messages(daemon) == [
        ("ops", "firing", 1, "delivered"),
        ("boss", "firing", 3, "cancelled"),
        ("ops", "resolved", 0, "pending"),
    ]
    assert said(daemon, name)[-1] == ("NOTIFIED", "that it is resolved: ops")
    daemon.act("Unresolve", name)
    daemon.act("Resolve", name)
    assert [state for _, kind, _, state in messages(daemon) if kind == "resolved"] == ["cancelled", "pending"]


@pytest.mark.parametrize("how", ["acknowledge", "silence", "wipe", "delete", "integration"])
def test_nobody_is_told_of_what_is_no_resolution(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """Nor of what is removed, or goes with its integration."""
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)

    STOPS[how](daemon, integration, name)

    assert [kind for _, kind, _, _ in messages(daemon) if kind == "resolved"] == []
    assert daemon.sql("SELECT count(*) FROM events WHERE reason LIKE 'that it is resolved%'") == [(0,)]


def test_without_the_setting_nobody_is_told_of_a_resolution(daemon: RunningDaemon, integration: Integration) -> None:
    """Routes have it off; and the setting is that of the group's route."""
    route = make_route(daemon, integration.name, matchers="alertname=DiskFull")
    tells(daemon, integration, None, notify_on_resolve=True)
    names = [daemon.fire(integration, key=key) for key in ("one", "two")]
    daemon.settle()
    delivered(daemon)

    daemon.act("Resolve", names[0])
    assert len(messages(daemon)) == 2
    route_tells(daemon, route.name, None, notify_on_resolve=True)
    daemon.act("Resolve", names[1])
    assert messages(daemon)[2:] == [("ops", "resolved", 0, "pending")]


def test_a_contact_point_that_is_gone_is_not_told_of_a_resolution(
    daemon: RunningDaemon, integration: Integration
) -> None:
    """There is nowhere to."""
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)
    forget_contact(daemon, 1)

    daemon.act("Resolve", name)

    assert len(messages(daemon)) == 1
