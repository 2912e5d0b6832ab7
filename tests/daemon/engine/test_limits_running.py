"""Rate limits of a running daemon: what is refused, what counts, and who is told."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from beats import expected, state
from fake_clock import MINUTE, SECOND
from google.protobuf.field_mask_pb2 import FieldMask
from notices import notice
from running_daemon import AlertGroup, Integration, Receipt, RunningDaemon, Start

from tocsin.v1 import intake_pb2, integrations_pb2, monitoring_pb2, monitoring_pb2_grpc
from tocsind.domain.errors import TocsinError
from tocsind.engine import deliver
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction

TAKEN = (Receipt.APPLIED, Receipt.UNCHANGED)


@pytest.fixture
def limited(start: Start) -> RunningDaemon:
    """A daemon that takes 3 notifications of an integration, and 5 of all."""
    return start(rate_limit=3, total_rate_limit=5)


def taken(daemon: RunningDaemon, integration: Integration, count: int) -> int:
    """How many of so many notifications were taken."""
    return sum(daemon.send(integration, notice("a")).outcome in TAKEN for _ in range(count))


def told(daemon: RunningDaemon) -> list[AlertGroup]:
    """The groups that tell of limits, newest first."""
    return [group for group in daemon.list_groups() if group.labels.get("alertname") == "RateLimited"]


def counted(daemon: RunningDaemon, scope: str) -> float:
    """How many were refused by a limit, as the metrics say."""
    stub = monitoring_pb2_grpc.MonitoringServiceStub(daemon.channel)
    text = stub.GetMetrics(monitoring_pb2.GetMetricsRequest()).data.decode()
    name = f'tocsin_rate_limited_total{{scope="{scope}"}}'
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def set_limit(daemon: RunningDaemon, integration: Integration, limit: int | None) -> None:
    """Changes an integration's own limit."""
    changed = Integration(name=integration.name, rate_limit=limit)
    mask = FieldMask(paths=["rate_limit"])
    daemon.integrations.UpdateIntegration(
        integrations_pb2.UpdateIntegrationRequest(integration=changed, update_mask=mask)
    )


def test_what_is_too_much_is_refused_until_the_window_has_passed(limited: RunningDaemon) -> None:
    """The limit holds for five minutes, and the receipt says when something can be taken again."""
    integration = limited.integration()
    assert taken(limited, integration, 3) == 3
    receipt = limited.send(integration, notice("a b"))

    assert receipt.outcome == Receipt.RATE_LIMITED
    assert 300 <= receipt.retry_after_seconds <= 305
    limited.pass_time(receipt.retry_after_seconds * SECOND)
    assert limited.send(integration, notice("a b")).outcome == Receipt.APPLIED


def test_what_is_refused_changes_nothing(limited: RunningDaemon) -> None:
    """Neither a group nor a count."""
    integration = limited.integration()
    name = limited.fire(integration)
    taken(limited, integration, 2)
    limited.send(integration, notice("a b"))

    assert limited.group(name).notification_count == 3
    assert limited.group(name).firing_alert_count == 1


def test_the_limit_holds_within_one_batch(limited: RunningDaemon) -> None:
    """The oldest are taken, the others of the batch refused."""
    integration = limited.integration()
    batch = [limited.delivery(integration, notice("a", key=str(n)), age=n) for n in range(4)]
    outcomes = [receipt.outcome for receipt in limited.deliver(batch)]

    assert outcomes == [Receipt.RATE_LIMITED, Receipt.APPLIED, Receipt.APPLIED, Receipt.APPLIED]


def test_what_is_refused_does_not_keep_the_limit_up(limited: RunningDaemon) -> None:
    """A sender that repeats all the time is heard again after five minutes all the same."""
    integration = limited.integration()
    taken(limited, integration, 3)
    for _ in range(61):
        limited.pass_time(5 * SECOND)
        outcome = limited.send(integration, notice("a b")).outcome

    assert outcome == Receipt.APPLIED


def test_what_is_wrong_does_not_count(limited: RunningDaemon) -> None:
    """Of another type, too late, or only a check of the credentials: nothing of it was taken."""
    integration = limited.integration()
    wrong = limited.delivery(integration, notice("a"))
    wrong.integration_type = "grafana"
    for delivery in [wrong, limited.delivery(integration, notice("a"), left=-1), limited.delivery(integration, None)]:
        limited.deliver([delivery] * 5)

    assert taken(limited, integration, 4) == 3


def test_the_limit_over_all_holds_for_all(limited: RunningDaemon) -> None:
    """And what an integration's own limit refuses does not use it up."""
    first, second, third = (limited.integration(name) for name in ("first", "second", "third"))

    assert taken(limited, first, 50) == 3
    assert taken(limited, second, 50) == 2
    assert taken(limited, third, 1) == 0
    assert (counted(limited, "notifications"), counted(limited, "total")) == (47, 49)


def test_an_integrations_own_limit_overrides(limited: RunningDaemon) -> None:
    """More, fewer, any number, and as many as the daemon says again; each holds at once."""
    integration = limited.integration(rate_limit=1)
    assert taken(limited, integration, 5) == 1
    set_limit(limited, integration, 2)
    assert taken(limited, integration, 5) == 1
    set_limit(limited, integration, None)
    assert taken(limited, integration, 5) == 1
    set_limit(limited, integration, 0)
    assert taken(limited, integration, 5) == 2, "the limit over all still holds"


def test_beats_and_notifications_do_not_take_from_each_other(limited: RunningDaemon) -> None:
    """In an alert storm the heartbeat stays up, and beats leave alerts alone."""
    integration = expected(limited)
    taken(limited, integration, 50)
    taken(limited, limited.integration("storm"), 50)

    for _ in range(2):
        assert limited.beat(integration).outcome == Receipt.APPLIED
    assert limited.beat(integration).outcome == Receipt.RATE_LIMITED
    other = limited.integration("beats")
    for _ in range(50):
        limited.beat(other)
    limited.pass_time(6 * MINUTE)
    assert taken(limited, other, 3) == 3


def test_a_limit_on_beats_makes_no_heartbeat_missing(limited: RunningDaemon) -> None:
    """Far too many beats are refused, but what comes every second is never taken for silence."""
    integration = expected(limited, 10 * SECOND)
    refused = 0
    for _ in range(400):
        limited.pass_time(SECOND)
        refused += limited.beat(integration).outcome == Receipt.RATE_LIMITED
        assert state(limited, integration) == "UP"

    assert refused > 250


def test_beats_of_very_many_integrations_are_not_limited_over_all(limited: RunningDaemon) -> None:
    """There is no limit over all on beats."""
    integrations = [limited.integration(str(n)) for n in range(20)]
    receipts = limited.deliver([limited.delivery(each, intake_pb2.Beat()) for each in integrations])

    assert {receipt.outcome for receipt in receipts} == {Receipt.APPLIED}


def test_the_first_refusal_is_told(limited: RunningDaemon) -> None:
    """One group, under Tocsin itself, that names the integration and the limit; and it ends by itself."""
    integration = limited.integration("shop")
    taken(limited, integration, 50)
    limited.pass_time(SECOND)
    (group,) = told(limited)

    assert (group.integration, group.state) == ("integrations/tocsin", AlertGroup.FIRING)
    assert group.title == "Notifications of shop are over their rate limit"
    assert (group.labels["integration"], group.labels["limit"]) == ("shop", "notifications")
    (alert,) = limited.alerts(group.name)
    assert "More than 3 came within 5 minutes" in alert.annotations["description"]
    limited.pass_time(5 * MINUTE - 2 * SECOND)
    assert limited.group(group.name).state == AlertGroup.FIRING
    limited.pass_time(3 * SECOND)
    ended = limited.group(group.name)
    assert (ended.state, ended.resolve_reason, ended.title) == (AlertGroup.RESOLVED, AlertGroup.SOURCE, group.title)


def test_as_long_as_it_refuses_the_group_stays(limited: RunningDaemon) -> None:
    """Five minutes count from the last refusal, and there is one group all the time."""
    integration = limited.integration()
    for _ in range(10):
        taken(limited, integration, 5)
        limited.pass_time(MINUTE)
    (group,) = told(limited)

    assert group.state == AlertGroup.FIRING
    assert limited.kinds(group.name) == ["OPENED"]


def test_each_limit_has_a_group_of_its_own(limited: RunningDaemon) -> None:
    """An integration's, its beats', and that over all, which names who sent most."""
    shop, mail = limited.integration("shop"), limited.integration("mail")
    taken(limited, shop, 4)
    taken(limited, mail, 3)
    for _ in range(9):
        limited.beat(shop)
    limited.pass_time(SECOND)
    groups = {group.title: group for group in told(limited)}

    assert sorted(groups) == [
        "Beats of shop are over their rate limit",
        "Notifications are over their rate limit",
        "Notifications of shop are over their rate limit",
    ]
    (alert,) = limited.alerts(groups["Notifications are over their rate limit"].name)
    assert "Most came from: shop (3), mail (2)." in alert.annotations["description"]


def test_who_resolves_it_is_told_again_later(limited: RunningDaemon) -> None:
    """Not at once, but after the reopen window if it still refuses."""
    integration = limited.integration()

    def storm(minutes: int) -> None:
        for _ in range(minutes):
            taken(limited, integration, 5)
            limited.pass_time(MINUTE)

    storm(2)
    limited.act("Resolve", told(limited)[0].name)
    storm(4)
    assert len(told(limited)) == 1
    storm(4)
    assert [group.state for group in told(limited)] == [AlertGroup.FIRING, AlertGroup.RESOLVED]


def test_a_restart_forgets_the_count_and_ends_the_group(limited: RunningDaemon) -> None:
    """After a crash as much may come anew, and the group does not stay open for ever."""
    integration = limited.integration()
    taken(limited, integration, 4)
    limited.pass_time(SECOND)
    after = limited.crash()

    assert taken(after, integration, 3) == 3
    assert [group.state for group in told(after)] == [AlertGroup.FIRING]
    after.pass_time(5 * MINUTE + SECOND)
    assert [group.state for group in told(after)] == [AlertGroup.RESOLVED]


def test_the_group_of_a_deleted_integration_ends(limited: RunningDaemon) -> None:
    """It still says whose it was."""
    integration = limited.integration("shop")
    taken(limited, integration, 4)
    limited.pass_time(SECOND)
    limited.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    limited.pass_time(6 * MINUTE)
    (group,) = told(limited)

    assert (group.state, group.labels["integration"]) == (AlertGroup.RESOLVED, "shop")
    assert group.title == "Notifications of shop are over their rate limit"


def test_what_was_undone_does_not_count(limited: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that could not be committed took nothing."""
    integration = limited.integration()

    def fail(*_: Any) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr(deliver.Ledger, "write", fail)
        assert taken(limited, integration, 5) == 0

    assert taken(limited, integration, 5) == 3


def together(daemon: RunningDaemon, *jobs: Callable[[Transaction, Memory], Any]) -> list[Any]:
    """Has jobs done in one transaction, while which another one was under way; returns what became of them."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(transaction: Transaction, memory: Memory) -> None:
        begun.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as thread:
        held = thread.submit(daemon.engine.change, hold)
        assert begun.wait(20)
        futures = [daemon.engine.submit(job) for job in jobs]
        go_on.set()
        held.result()
    return [future.exception() or future.result() for future in futures]


def three(daemon: RunningDaemon, integration: Integration) -> Callable[[Transaction, Memory], Any]:
    """A batch of three notifications, as a job."""
    now = daemon.clock.steady()
    each = [
        deliver.Delivery("alertmanager", integration.token, "", now, now + SECOND, notice("a", key=str(key)))
        for key in range(3)
    ]
    return lambda transaction, memory: deliver.deliver(transaction, memory, each)


def test_what_others_take_in_the_same_transaction_counts(limited: RunningDaemon) -> None:
    """Several gateways do not each take as much as one may."""
    batch = three(limited, limited.integration(rate_limit=4))
    first, second = together(limited, batch, batch)

    outcomes = [receipt.outcome.name for receipt in first + second]
    assert outcomes == ["APPLIED"] * 3 + ["UNCHANGED"] + ["RATE_LIMITED"] * 2


def test_what_the_disk_did_not_take_does_not_count(limited: RunningDaemon) -> None:
    """When the whole transaction is undone, what was taken in it may come again at once."""
    integration = limited.integration()

    def fail(transaction: Transaction, memory: Memory) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    assert all(isinstance(result, TocsinError) for result in together(limited, three(limited, integration), fail))
    assert taken(limited, integration, 5) == 3


def test_without_limits_nothing_is_refused(start: Start) -> None:
    """0 is none, for each and over all."""
    daemon = start(rate_limit=0, total_rate_limit=0)
    integration = daemon.integration()
    receipts = daemon.deliver([daemon.delivery(integration, notice("a", key=str(n))) for n in range(1000)])

    assert {receipt.outcome for receipt in receipts} == {Receipt.APPLIED}
