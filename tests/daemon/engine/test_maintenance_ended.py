"""The end of a maintenance in a running daemon: what brings it, and what becomes of what was put aside."""

from collections.abc import Callable

import grpc
import pytest
from changing import batch, delete, wipe
from fake_clock import DAY, HOUR, SECOND
from maintaining import collectors, finish, maintain, maintenance_of, stop
from notices import notice
from running_daemon import AlertGroup, RunningDaemon, duration, reason

from tocsin.v1 import integrations_pb2

YEAR = 365 * DAY


def resolve_by_batch(daemon: RunningDaemon, name: str) -> object:
    """Resolves a group with others."""
    (result,) = batch(daemon, "Resolve", [name])
    return result.alert_group.name


ENDS: dict[str, Callable[[RunningDaemon, str], object]] = {
    "resolve": lambda daemon, name: daemon.act("Resolve", name),
    "batch": resolve_by_batch,
    "wipe": wipe,
    "delete": delete,
}
"""How a person closes the group that collects."""


# Ending


@pytest.mark.parametrize("how", ["timer", "stop", *ENDS])
@pytest.mark.parametrize("end", ["", "crash"])
def test_what_still_fires_is_released(daemon: RunningDaemon, how: str, end: str) -> None:
    """Whatever ends the maintenance: what is open takes its normal way, what was resolved stays so, and keeps the
    number for the record; nothing more is collected, and the group that collected is resolved with what became of
    them."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    firing, acknowledged, gone = (daemon.fire(integration, key=key) for key in "fag")
    daemon.act("Acknowledge", acknowledged)
    daemon.send(integration, notice("", "a", key="g"))
    if how == "timer":
        daemon.pass_time(HOUR - 1)
        assert daemon.group(firing).collected_by == collector
        daemon.settle()
    elif how == "stop":
        assert not stop(daemon, integration).HasField("maintenance")
    else:
        ENDS[how](daemon, collector)
    if end:
        daemon = daemon.crash()
    finish(daemon)

    assert maintenance_of(daemon, integration) is None
    for name in (firing, acknowledged):
        assert (daemon.group(name).collected_by, daemon.kinds(name)[-1]) == ("", "RELEASED")
    assert daemon.group(acknowledged).state == AlertGroup.ACKNOWLEDGED
    assert daemon.group(gone).collected_by == collector
    assert daemon.kinds(gone) == ["OPENED", "COLLECTED", "RESOLVED"]
    if how != "delete":
        found = daemon.group(collector)
        by_itself = how in ("timer", "stop")
        expected_reason = {"wipe": AlertGroup.WIPED}.get(how, AlertGroup.USER)
        assert found.state == AlertGroup.RESOLVED
        assert found.resolve_reason == (AlertGroup.MAINTENANCE_ENDED if by_itself else expected_reason)
        assert (found.firing_alert_count, found.source_firing) == (0, False)
        assert found.state_actor == ("" if how == "timer" else "ada" if how == "stop" else found.state_actor)
    if how not in ("wipe", "delete"):
        text = "the maintenance ended: of what was collected 2 released, 1 resolved meanwhile"
        assert daemon.events(collector)[-1].reason == text
    assert daemon.group(daemon.fire(integration, key="later")).collected_by == ""
    daemon.pass_time(DAY)
    assert daemon.kinds(firing) == ["OPENED", "COLLECTED", "RELEASED"]


def test_what_is_resolved_together_with_what_collects_is_not_released(daemon: RunningDaemon) -> None:
    """In whatever order a batch names them."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    one, other = (daemon.fire(integration, key=key) for key in "ab")

    results = batch(daemon, "Resolve", [collector, one])

    assert [result.name for result in results] == [collector, one]
    text = "the maintenance ended: of what was collected 1 released, 1 resolved meanwhile"
    assert daemon.events(collector)[-1].reason == text
    finish(daemon)
    assert [daemon.kinds(name)[-1] for name in (one, other)] == ["RESOLVED", "RELEASED"]


def test_a_release_moves_no_other_timer(daemon: RunningDaemon) -> None:
    """A silence of what was collected lasts as long as it was to, though the clock jumped before the release."""
    integration = daemon.integration()
    maintain(daemon, integration)
    name = daemon.fire(integration)
    daemon.act("Silence", name, duration=duration(2 * HOUR))
    daemon.clock.jump(YEAR)
    daemon.pass_time(HOUR)
    finish(daemon)
    daemon.pass_time(HOUR - SECOND)
    assert (daemon.kinds(name)[-1], daemon.group(name).state) == ("RELEASED", AlertGroup.SILENCED)

    daemon.pass_time(SECOND)
    daemon.settle()

    assert daemon.group(name).state == AlertGroup.FIRING


def test_releasing_goes_on_after_a_crash_between_any_two_steps(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group is released once, however often the daemon is killed meanwhile."""
    monkeypatch.setattr("tocsind.engine.ticker.STEP_RELEASES", 2)
    integration = daemon.integration()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=f"k{n}") for n in range(9)]
    stop(daemon, integration)

    left = [len(daemon.list_groups("collected = true AND state != RESOLVED"))]
    while left[-1]:
        daemon = daemon.crash()
        left.append(len(daemon.list_groups("collected = true AND state != RESOLVED")))
        assert len(left) < 9

    assert left == [9, 7, 5, 3, 1, 0]
    assert all(daemon.kinds(name) == ["OPENED", "COLLECTED", "RELEASED"] for name in names)
    finish(daemon)
    assert daemon.sql("SELECT * FROM releases") == []


def test_a_group_that_is_resolved_before_its_step_is_not_released(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the number, and is free when it fires again, although its maintenance is long over."""
    monkeypatch.setattr("tocsind.engine.ticker.STEP_RELEASES", 1)
    integration = daemon.integration()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=f"k{n}") for n in range(3)]
    stop(daemon, integration)
    daemon.send(integration, notice("", "a", key="k2"))
    finish(daemon)

    assert daemon.kinds(names[2]) == ["OPENED", "COLLECTED", "RESOLVED"]
    daemon.fire(integration, key="k2")
    assert daemon.group(names[2]).collected_by == ""


def test_a_group_that_collected_is_not_opened_again(daemon: RunningDaemon) -> None:
    """Refused, whoever closed it: its maintenance would not come back by that."""
    integration = daemon.integration()
    for by_hand in (False, True):
        collector = maintain(daemon, integration).alert_group
        if by_hand:
            daemon.act("Resolve", collector)
        else:
            stop(daemon, integration)
        before = daemon.group(collector)

        with pytest.raises(grpc.RpcError, match="start another one") as refusal:
            daemon.act("Unresolve", collector)

        assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
        assert daemon.group(collector) == before
    assert maintenance_of(daemon, integration) is None


def test_the_next_maintenance_has_a_group_of_its_own(daemon: RunningDaemon) -> None:
    """Also within the reopen window of the last one."""
    integration = daemon.integration()
    first = maintain(daemon, integration).alert_group
    stop(daemon, integration)

    assert maintain(daemon, integration).alert_group != first
    assert len(collectors(daemon)) == 2
    assert len(collectors(daemon, "state != RESOLVED")) == 1


def test_acknowledging_what_collects_ends_nothing(daemon: RunningDaemon) -> None:
    """Only closing it does, and its end closes it from any state."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    daemon.act("Acknowledge", collector)
    assert maintenance_of(daemon, integration) is not None

    stop(daemon, integration)

    assert daemon.group(collector).resolve_reason == AlertGroup.MAINTENANCE_ENDED


# Deleting


def test_deleting_the_integration_ends_it(daemon: RunningDaemon) -> None:
    """Everything of it is closed with the reason, and no timer or row of the maintenance is left."""
    integration = daemon.integration()
    collector = maintain(daemon, integration).alert_group
    name = daemon.fire(integration)

    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))

    for closed in (collector, name):
        assert daemon.group(closed).resolve_reason == AlertGroup.INTEGRATION_DELETED
    assert (daemon.sql("SELECT * FROM maintenances"), len(daemon.engine.memory.maintenances)) == ([], 0)
    daemon.pass_time(2 * HOUR)
    assert daemon.kinds(collector) == ["OPENED", "RESOLVED"]


def test_nothing_is_released_of_what_is_deleted(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a maintenance had collected that ended just before its integration goes, is resolved and nothing else."""
    monkeypatch.setattr("tocsind.engine.integrations.CLOSED_AT_ONCE", 2)
    monkeypatch.setattr("tocsind.engine.ticker.STEP_RELEASES", 2)
    integration = daemon.integration()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=f"k{number}") for number in range(12)]

    def released() -> int:
        return sum(daemon.kinds(name).count("RELEASED") for name in names)

    stop(daemon, integration)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    before = released()
    finish(daemon)
    while any(daemon.group(name).state != AlertGroup.RESOLVED for name in names):
        daemon.settle()

    assert released() == before < len(names)
