"""What is left of an integration that is deleted, and of what retention removes from a running daemon."""

import pytest
from fake_clock import DAY, HOUR, MINUTE, FakeClock
from maintaining import at, maintain
from notices import notice
from running_daemon import AlertGroup, Integration, Receipt, RunningDaemon, duration, pages

from tocsin.v1 import intake_pb2, integrations_pb2
from tocsind.engine import ticker


def delete(daemon: RunningDaemon, integration: Integration) -> None:
    """No integration."""
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))


def fill(daemon: RunningDaemon, integration: Integration, count: int, generation: str = "", gone: bool = False) -> None:
    """Opens so many groups, or has them resolved."""
    alerts = ("", "a b") if gone else ("a b", "")
    stories = [notice(*alerts, key=f"{generation}{number:05}") for number in range(count)]
    daemon.deliver([daemon.delivery(integration, story) for story in stories])


def test_a_deleted_integration_is_dead_at_once_and_its_groups_stay(daemon: RunningDaemon) -> None:
    """Neither notifications nor beats come in by its URL; no row but its own is left, and that has no secret; what it
    sent can be read, closed with the reason."""
    integration = daemon.integration()
    daemon.beat(integration)
    name = daemon.fire(integration)
    maintain(daemon, integration, start_time=at(daemon.clock.wall() + HOUR))
    with daemon.engine._writer._pen:
        daemon.engine.store.writer.execute(
            "INSERT INTO routes (integration_id, public_id, position, kind, condition, description, created_at, "
            "updated_at) SELECT id, 'r', 0, 1, 'a=b', '', 0, 0 FROM integrations WHERE type = 'alertmanager'"
        )

    delete(daemon, integration)

    for content in (notice("a"), intake_pb2.Beat(), None):
        assert daemon.send(integration, content).outcome == Receipt.CREDENTIAL_UNKNOWN
    group = daemon.group(name)
    assert (group.resolve_reason, group.integration) == (AlertGroup.INTEGRATION_DELETED, integration.name)
    assert daemon.events(name)[-1].reason == "its integration was deleted"
    assert [alert.labels["instance"] for alert in daemon.alerts(name)] == ["a"]
    assert group.route == f"{integration.name}/routes/default"
    for table in ("heartbeats", "routes", "maintenances"):
        assert daemon.sql(f"SELECT * FROM {table}") == []
    assert daemon.sql("SELECT token, templates FROM integrations WHERE deleted_at IS NOT NULL") == [("", "{}")]
    daemon.clock.advance(91 * DAY)
    for _ in range(3):
        daemon.settle()
    for table in ("alert_groups", "alerts", "events", "payloads"):
        assert daemon.sql(f"SELECT * FROM {table}") == []
    assert daemon.send(integration, notice("a")).outcome == Receipt.CREDENTIAL_UNKNOWN


@pytest.mark.parametrize("end", ["", "crash"])
def test_a_large_integration_is_closed_in_steps_that_follow_at_once(daemon: RunningDaemon, end: str) -> None:
    """Not all in one transaction, and not after a minute; a daemon that is killed meanwhile goes on at its start."""
    integration = daemon.integration()
    fill(daemon, integration, 1_000)
    delete(daemon, integration)
    left = [daemon.sql("SELECT count(*) FROM alert_groups WHERE state <> 4")[0][0]]
    while left[-1]:
        daemon = daemon.crash() if end else daemon
        daemon.settle()
        left.append(daemon.sql("SELECT count(*) FROM alert_groups WHERE state <> 4")[0][0])
        assert len(left) < 10

    assert left[0] == 800
    assert daemon.sql("SELECT DISTINCT resolve_reason FROM alert_groups") == [(AlertGroup.INTEGRATION_DELETED,)]


def test_filling_a_file_again_does_not_make_it_grow(daemon: RunningDaemon) -> None:
    """However often it is filled, and emptied by retention."""
    integration = daemon.integration(retention=duration(HOUR))
    sizes = []
    for generation in "abcd":
        fill(daemon, integration, 500, generation)
        fill(daemon, integration, 500, generation, gone=True)
        sizes.append(pages(daemon.engine.store.path))
        daemon.pass_time(HOUR + 2 * MINUTE)
        while daemon.sql("SELECT count(*) FROM alert_groups") != [(0,)]:
            daemon.settle()

    assert max(sizes) <= sizes[0] * 1.05


def test_a_step_that_takes_long_makes_the_next_one_smaller(
    daemon: RunningDaemon, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time spent, not by count: what is slow to remove goes in smaller steps, and in larger ones again later."""
    slow = [True]
    real = ticker.retention.remove_expired
    asked = []

    def remove_expired(connection: object, after: int, now: int, integrations: int, limit: int) -> tuple[int, int]:
        asked.append(limit)
        if slow[0]:
            clock.advance(ticker.STEP_TIME + 1)
        return real(connection, after, now, integrations, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(ticker.retention, "remove_expired", remove_expired)
    integration = daemon.integration(retention=duration(HOUR))
    fill(daemon, integration, 600)
    fill(daemon, integration, 600, gone=True)
    daemon.pass_time(HOUR + 2 * MINUTE)
    asked.clear()
    while daemon.sql("SELECT count(*) FROM alert_groups") != [(0,)]:
        daemon.settle()
        slow[0] = len(asked) < 6

    assert asked[0] <= ticker.STEP_GROUPS
    assert min(asked) == ticker.LEAST_GROUPS
    assert asked.index(min(asked)) < 6
    assert asked[-1] > 2 * min(asked)
