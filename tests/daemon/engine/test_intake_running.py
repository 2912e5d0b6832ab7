"""Deliveries to a running daemon: who may, in which order, and what becomes of them."""

import threading
from typing import Any

import grpc
import pytest
from beats import INTERVAL, alarms, expected
from fake_clock import DAY, MILLISECOND, MINUTE, SECOND, FakeClock
from notices import notice
from running_daemon import AlertGroup, Integration, Receipt, RunningDaemon, duration, message, outcome

from tocsin.v1 import intake_pb2, integrations_pb2
from tocsind.domain.intake_clock import LEASE
from tocsind.domain.notification import Notification
from tocsind.engine.deliver import Delivery, Outcome, deliver

YEAR = 365 * DAY


def test_what_is_answered_is_on_disk(daemon: RunningDaemon) -> None:
    """A kill right after the answer loses nothing: group, alerts, event and payload are there."""
    integration = daemon.integration()
    receipt = daemon.send(integration, notice("a b", "c"))
    assert outcome(receipt) == "APPLIED"

    daemon = daemon.crash()

    group = daemon.group(receipt.alert_group)
    assert (group.firing_alert_count, group.resolved_alert_count) == (2, 1)
    assert [alert.fingerprint for alert in daemon.alerts(group.name)] == ["a", "b", "c"]
    assert daemon.kinds(group.name) == ["OPENED"]
    assert daemon.sql("SELECT count(*) FROM payloads") == [(1,)]


def test_a_batch_is_applied_in_the_order_of_arrival(daemon: RunningDaemon) -> None:
    """Whatever its order, and the receipts have that of the batch."""
    integration = daemon.integration()

    receipts = daemon.deliver(
        [
            daemon.delivery(integration, notice("", "a"), age=1 * SECOND),
            daemon.delivery(integration, intake_pb2.Beat(), age=0),
            daemon.delivery(integration, notice("a"), age=2 * SECOND),
        ]
    )

    assert [outcome(receipt) for receipt in receipts] == ["APPLIED", "APPLIED", "APPLIED"]
    (group,) = daemon.list_groups()
    assert daemon.kinds(group.name) == ["OPENED", "RESOLVED"]
    assert receipts[0].alert_group == receipts[2].alert_group == group.name


def test_one_batch_can_hold_a_whole_story(daemon: RunningDaemon) -> None:
    """A group opened, repeated, updated, resolved and followed by another in one transaction is as it would be one by
    one, and its first and latest payloads are kept."""
    integration = daemon.integration(reopen_window={"seconds": 0})
    story = [notice("a"), notice("a"), notice("a b"), notice("", "a b"), notice("b"), notice("c")]

    daemon.deliver([daemon.delivery(integration, one, age=(9 - n) * SECOND) for n, one in enumerate(story)])

    second, first = daemon.list_groups()
    assert daemon.kinds(first.name) == ["OPENED", "NEW_ALERTS", "RESOLVED"]
    assert daemon.kinds(second.name) == ["OPENED", "NEW_ALERTS"]
    assert (first.notification_count, second.notification_count) == (4, 2)
    assert (second.firing_alert_count, second.unreported_alert_count) == (1, 1)
    assert [alert.state for alert in daemon.alerts(second.name)] == [3, 1]
    assert daemon.sql("SELECT group_id, id % 2 FROM payloads ORDER BY 1, 2") == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_late_notification_is_ignored(daemon: RunningDaemon) -> None:
    """A stale "firing" that was overtaken does not undo the "resolved"; another group is not concerned."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.pass_time(3 * SECOND)
    daemon.send(integration, notice("", "a"))

    assert outcome(daemon.send(integration, notice("a", external_url="http://am-2"), age=2 * SECOND)) == "LATE"
    assert daemon.group(name).state == AlertGroup.RESOLVED
    assert outcome(daemon.send(integration, notice("a", key="other"), age=SECOND // 2)) == "APPLIED"
    assert outcome(daemon.send(integration, notice("a"), age=3 * MILLISECOND)) == "APPLIED"


def test_a_repeat_of_a_batch_is_not_late(daemon: RunningDaemon) -> None:
    """After a lost answer the gateway sends it again, a little older by then: that changes nothing but counters."""
    integration = daemon.integration()
    first = daemon.send(integration, notice("a"), age=SECOND)
    daemon.clock.advance(SECOND)

    again = daemon.send(integration, notice("a"), age=2 * SECOND)

    assert (outcome(first), outcome(again)) == ("APPLIED", "UNCHANGED")


def together(
    daemon: RunningDaemon, *notifications: tuple[Integration, Notification, int], after: int = 0
) -> list[Outcome]:
    """Has the writer find several calls waiting when some time has passed, each with one notification of some age."""
    begun, go = threading.Event(), threading.Event()

    def hold(transaction: object, memory: object) -> None:
        begun.set()
        assert go.wait(20)

    held = daemon.engine.submit(hold)
    assert begun.wait(20)
    daemon.clock.advance(after)
    now = daemon.clock.steady()
    waiting = [
        daemon.engine.submit(
            deliver,
            [Delivery("alertmanager", integration.token, "", now - age, now + SECOND, notification)],
        )
        for integration, notification, age in notifications
    ]
    go.set()
    held.result(20)
    return [future.result(20)[0].outcome for future in waiting]


def test_what_was_overtaken_in_the_same_transaction_is_late_too(daemon: RunningDaemon) -> None:
    """Two gateways' calls that are committed together are ordered by arrival, as if they had come alone."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.pass_time(10 * SECOND)

    outcomes = together(
        daemon,
        (integration, notice("", "a"), 1 * SECOND),
        (integration, notice("a b"), 3 * SECOND),
    )

    assert outcomes == [Outcome.APPLIED, Outcome.LATE]
    assert daemon.group(name).state == AlertGroup.RESOLVED


def test_a_group_that_is_heard_of_in_the_last_moment_does_not_go_stale(daemon: RunningDaemon) -> None:
    """Its timer is due in the same transaction in which a repeat comes: the repeat counts."""
    integration = daemon.integration(stale_after=duration(MINUTE))
    name = daemon.fire(integration)
    daemon.pass_time(MINUTE - LEASE)

    assert together(daemon, (integration, notice("a"), 0), after=LEASE) == [Outcome.UNCHANGED]
    daemon.attend()

    assert daemon.group(name).state == AlertGroup.FIRING
    daemon.pass_time(MINUTE)
    assert daemon.group(name).resolve_reason == AlertGroup.STALE


def test_what_the_sender_no_longer_waits_for_is_not_applied(daemon: RunningDaemon) -> None:
    """It will send again, and by then have something newer to say."""
    integration = daemon.integration()

    receipts = daemon.deliver(
        [
            daemon.delivery(integration, notice("a"), left=-1),
            daemon.delivery(integration, notice("b", key="b"), left=0),
            daemon.delivery(integration, intake_pb2.Beat(), left=-1),
        ]
    )

    assert [outcome(receipt) for receipt in receipts] == ["EXPIRED", "APPLIED", "EXPIRED"]
    assert [group.grouping_key for group in daemon.list_groups()] == ["b"]
    assert daemon.sql("SELECT last_beat FROM heartbeats") == [(None,)]


def asked(daemon: RunningDaemon, **fields: Any) -> Receipt:
    """What the daemon says to credentials alone."""
    fields.setdefault("integration_type", "alertmanager")
    return daemon.deliver([intake_pb2.Delivery(time_left_micros=SECOND, **fields)])[0]


def test_who_may_deliver(daemon: RunningDaemon) -> None:
    """The token, or the id with the token as bearer; everything else is refused for what it is."""
    integration = daemon.integration()
    public_id = integration.name.removeprefix("integrations/")
    token = integration.token
    own = daemon.sql("SELECT token FROM integrations WHERE type = 'tocsin'")[0][0]

    assert outcome(asked(daemon, credential=token)) == "CREDENTIAL_ACCEPTED"
    assert outcome(asked(daemon, credential=public_id, bearer_token=token)) == "CREDENTIAL_ACCEPTED"
    assert outcome(asked(daemon, credential=public_id)) == "CREDENTIAL_REFUSED"
    assert outcome(asked(daemon, credential=public_id, bearer_token=token[:-1])) == "CREDENTIAL_REFUSED"
    assert outcome(asked(daemon, credential=public_id, bearer_token="schlüssel")) == "CREDENTIAL_REFUSED"
    for unknown in ("nobody", "", token.swapcase(), "tocsin", own, "x" * 10_000):
        assert outcome(asked(daemon, credential=unknown, bearer_token=own)) == "CREDENTIAL_UNKNOWN"
    wrong = asked(daemon, credential=token, integration_type="grafana")
    assert (outcome(wrong), wrong.integration_type) == ("WRONG_TYPE", "alertmanager")


def test_a_refused_delivery_does_not_keep_its_batch(daemon: RunningDaemon) -> None:
    """Each delivery has its own receipt."""
    integration = daemon.integration()
    stranger = Integration(token="nobody")

    receipts = daemon.deliver([daemon.delivery(stranger, notice("a")), daemon.delivery(integration, notice("b"))])

    assert [outcome(receipt) for receipt in receipts] == ["CREDENTIAL_UNKNOWN", "APPLIED"]


def test_a_delivery_that_cannot_be_applied_fails_alone(daemon: RunningDaemon) -> None:
    """What the file cannot hold (a number beyond 64 bits of SQLite's) is refused, and its neighbours are applied."""
    integration = daemon.integration()
    bad = daemon.delivery(integration, notice("a", key="bad"))
    bad.notification.alerts[0].start_time.seconds = 2**63 - 1

    receipts = daemon.deliver(
        [
            daemon.delivery(integration, notice("a", key="one")),
            bad,
            daemon.delivery(integration, notice("a", key="two")),
        ]
    )

    assert [outcome(receipt) for receipt in receipts] == ["APPLIED", "FAILED", "APPLIED"]
    assert sorted(group.grouping_key for group in daemon.list_groups()) == ["one", "two"]


def test_a_rotated_token_is_dead_at_once(daemon: RunningDaemon) -> None:
    """The next delivery with the old one is unknown, with the new one welcome, also after a restart."""
    integration = daemon.integration()
    daemon.fire(integration)
    request = integrations_pb2.RotateIntegrationTokenRequest(name=integration.name)

    rotated = daemon.integrations.RotateIntegrationToken(request)

    assert rotated.token != integration.token
    assert rotated.name == integration.name
    for _ in range(2):
        assert outcome(asked(daemon, credential=integration.token)) == "CREDENTIAL_UNKNOWN"
        assert outcome(asked(daemon, credential=rotated.token)) == "CREDENTIAL_ACCEPTED"
        daemon = daemon.reopen()


def test_a_deleted_integration_leaves_only_history(daemon: RunningDaemon) -> None:
    """Its URL is dead, its groups are resolved and readable, and cannot be opened again."""
    integration = daemon.integration()
    names = [daemon.fire(integration, key=f"k{n}") for n in range(3)]
    daemon.act("Acknowledge", names[0])
    request = integrations_pb2.DeleteIntegrationRequest(name=integration.name)

    daemon.integrations.DeleteIntegration(request, metadata=[("tocsin-actor", "eve")])

    assert outcome(asked(daemon, credential=integration.token)) == "CREDENTIAL_UNKNOWN"
    for name in names:
        group = daemon.group(name)
        assert (group.state, group.resolve_reason) == (AlertGroup.RESOLVED, AlertGroup.INTEGRATION_DELETED)
        assert (group.integration, group.state_actor) == (integration.name, "eve")
    assert len(daemon.list_groups(f'integration = "{integration.name}"')) == 3
    with pytest.raises(grpc.RpcError, match="its integration is deleted") as refusal:
        daemon.act("Unresolve", names[0])
    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert daemon.integration().name != integration.name


def test_everything_of_a_deleted_integration_ends(daemon: RunningDaemon) -> None:
    """The group of its missing heartbeat and its demo alert too; and neither of its URLs takes anything any more."""
    integration = expected(daemon)
    daemon.pass_time(2 * INTERVAL)
    demo = integrations_pb2.SendDemoAlertRequest(name=integration.name)
    names = [alarms(daemon)[0].name, daemon.integrations.SendDemoAlert(demo).alert_group]
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))

    assert {daemon.group(name).resolve_reason for name in names} == {AlertGroup.INTEGRATION_DELETED}
    assert [daemon.events(name)[-1].reason for name in names] == ["its integration was deleted"] * 2
    assert outcome(daemon.beat(integration)) == "CREDENTIAL_UNKNOWN"
    assert outcome(daemon.send(integration, notice("a"))) == "CREDENTIAL_UNKNOWN"
    by_id = daemon.delivery(integration, notice("a"))
    by_id.credential, by_id.bearer_token = integration.name.removeprefix("integrations/"), integration.token
    assert outcome(daemon.deliver([by_id])[0]) == "CREDENTIAL_UNKNOWN"
    assert daemon.list_groups('state = "FIRING"') == []


def test_a_large_integration_is_closed_step_by_step(daemon: RunningDaemon) -> None:
    """What deletion leaves open, housekeeping resolves, also after a crash in between."""
    integration = daemon.integration()
    daemon.deliver([daemon.delivery(integration, notice("a", key=f"k{n}")) for n in range(700)])
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    assert daemon.sql("SELECT count(*) FROM alert_groups WHERE state = 4") == [(200,)]

    daemon = daemon.crash()
    daemon.pass_time(10 * SECOND)
    for _ in range(5):
        daemon.settle()

    assert daemon.sql("SELECT state, resolve_reason, count(*) FROM alert_groups GROUP BY 1, 2") == [(4, 4, 700)]
    assert daemon.sql("SELECT count(*) FROM events WHERE kind = 8") == [(700,)]


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_order_does_not_depend_on_the_time_of_day(daemon: RunningDaemon, clock: FakeClock, jump: int) -> None:
    """After the clock was set, honest notifications are not late, and late ones are not honest."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.pass_time(3 * SECOND)
    clock.jump(jump)

    assert outcome(daemon.send(integration, notice("a b"), age=SECOND // 10)) == "APPLIED"
    assert outcome(daemon.send(integration, notice("", "a b"))) == "APPLIED"
    assert outcome(daemon.send(integration, notice("a b"), age=2 * SECOND)) == "LATE"
    assert daemon.group(name).state == AlertGroup.RESOLVED


def test_a_restart_forgets_the_order_and_believes_the_sender(daemon: RunningDaemon) -> None:
    """In doubt a notification is applied: a stale one is corrected, one that was lost would not be repeated."""
    integration = daemon.integration()
    daemon.fire(integration)
    daemon = daemon.reopen()

    assert outcome(daemon.send(integration, notice("a b"), age=SECOND)) == "APPLIED"


def test_the_same_key_from_two_integrations_is_two_groups(daemon: RunningDaemon) -> None:
    """The integration is a part of the identity; the receiver is not."""
    one, other = daemon.integration("one"), daemon.integration("other")

    first, second = daemon.fire(one), daemon.fire(other)
    moved = message(notice("a", "b"))
    moved.receiver = "another"
    delivery = daemon.delivery(one, notice("a", "b"))
    delivery.notification.CopyFrom(moved)

    assert first != second
    assert daemon.deliver([delivery])[0].alert_group == first
    assert daemon.group(first).receiver == "another"


def test_keys_are_compared_to_their_last_character(daemon: RunningDaemon) -> None:
    """Long keys that differ at their end are different groups, and are kept verbatim."""
    integration = daemon.integration()
    key = '{}/{severity=~"é|☃"}:{x="' + "y" * 20_000

    first, second = daemon.fire(integration, key=key + "1"), daemon.fire(integration, key=key + "2")

    assert first != second
    assert daemon.group(first).grouping_key == key + "1"


def test_a_delivery_without_a_digest_is_refused_with_its_place(daemon: RunningDaemon) -> None:
    """The gateway is told which field of which delivery is wrong, and nothing is applied."""
    integration = daemon.integration()
    wrong = daemon.delivery(integration, notice("b", key="b"))
    wrong.notification.content_digest = b""

    with pytest.raises(grpc.RpcError, match=r"deliveries\[1\].notification.content_digest") as refusal:
        daemon.deliver([daemon.delivery(integration, notice("a")), wrong])

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert daemon.list_groups() == []


def test_a_batch_has_a_limit(daemon: RunningDaemon) -> None:
    """A thousand deliveries, and not one more."""
    integration = daemon.integration()
    daemon.deliver([daemon.delivery(integration, None)] * 1_000)

    with pytest.raises(grpc.RpcError, match="at most 1000"):
        daemon.deliver([daemon.delivery(integration, None)] * 1_001)
