"""The daemon's metrics: what is counted, and what is looked up, as a caller of GetMetrics sees it."""

import contextlib
import re
import sqlite3

import grpc
import pytest
from fake_clock import SECOND
from notices import notice
from running_daemon import Integration, RunningDaemon

from tocsin.v1 import alert_groups_pb2, heartbeats_pb2, intake_pb2, monitoring_pb2, monitoring_pb2_grpc
from tocsind.domain.errors import TocsinError
from tocsind.engine.deliver import Delivery, deliver
from tocsind.engine.memory import Memory
from tocsind.sqlite.writer import Transaction


def page(daemon: RunningDaemon) -> str:
    """All metrics as text."""
    stub = monitoring_pb2_grpc.MonitoringServiceStub(daemon.channel)
    body = stub.GetMetrics(monitoring_pb2.GetMetricsRequest())
    assert body.content_type.startswith("text/plain")
    return str(body.data.decode())


def figure(daemon: RunningDaemon, name: str) -> float:
    """One figure, by its name and labels as they stand in the text."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", page(daemon), re.MULTILINE)
    assert found, name
    return float(found[1])


def test_deliveries_are_counted_by_what_became_of_them(daemon: RunningDaemon) -> None:
    """Each delivery once, each batch once, those that fail alone included."""
    integration = daemon.integration()
    bad = daemon.delivery(integration, notice("a", key="bad"))
    bad.notification.alerts[0].start_time.seconds = 2**63 - 1
    daemon.deliver([daemon.delivery(integration, notice("a")) for _ in range(3)])
    daemon.deliver([daemon.delivery(Integration(token="nobody"), notice("a")), bad])

    counted = {
        outcome: figure(daemon, f'tocsin_deliveries_total{{outcome="{outcome}"}}')
        for outcome in ("applied", "unchanged", "credential_unknown", "failed", "expired")
    }
    assert counted == {"applied": 1, "unchanged": 2, "credential_unknown": 1, "failed": 1, "expired": 0}
    assert figure(daemon, "tocsin_batch_size_count") == 2
    assert figure(daemon, "tocsin_batch_size_sum") == 5
    assert figure(daemon, "tocsin_batch_seconds_count") == 2
    assert figure(daemon, "tocsin_failed_jobs_total") == 2  # The batch, and the bad one alone.


def test_groups_are_counted_as_they_open_and_end(daemon: RunningDaemon) -> None:
    """By how and why; and those that are open now by their state; only these outlive a restart."""
    integration = daemon.integration()
    names = [daemon.fire(integration, key=f"k{n}") for n in range(4)]
    daemon.send(integration, notice("", "a", key="k0"))
    daemon.send(integration, notice("a", key="k0"))
    daemon.act("Resolve", names[1])
    daemon.act("Unresolve", names[1])
    daemon.act("Acknowledge", names[2])
    daemon.act("Silence", names[3], duration={"seconds": 60})

    assert [figure(daemon, f'tocsin_alert_groups_opened_total{{how="{how}"}}') for how in ("new", "reopened")] == [4, 1]
    assert figure(daemon, 'tocsin_alert_groups_opened_total{how="unresolved"}') == 1
    assert figure(daemon, 'tocsin_alert_groups_resolved_total{reason="source"}') == 1
    assert figure(daemon, 'tocsin_alert_groups_resolved_total{reason="user"}') == 1
    states = ("firing", "acknowledged", "silenced")
    assert [figure(daemon, f'tocsin_alert_groups{{state="{state}"}}') for state in states] == [2, 1, 1]
    daemon = daemon.reopen()
    assert [figure(daemon, f'tocsin_alert_groups{{state="{state}"}}') for state in states] == [2, 1, 1]
    assert figure(daemon, 'tocsin_alert_groups_opened_total{how="new"}') == 0


def test_what_is_undone_is_not_counted(daemon: RunningDaemon) -> None:
    """A group that was to be opened by a transaction that failed was not opened; and the daemon cannot write until it
    could again."""
    token = daemon.integration().token
    delivery = Delivery("alertmanager", token, "", daemon.clock.steady(), daemon.clock.steady(), notice("a"))

    def fail(transaction: Transaction, memory: Memory) -> None:
        (receipt,) = deliver(transaction, memory, [delivery])
        assert receipt.group is not None
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(TocsinError, match="disk I/O error"):
        daemon.engine.change(fail)

    opened = 'tocsin_alert_groups_opened_total{how="new"}'
    assert figure(daemon, "tocsin_writable") == 0
    assert figure(daemon, "tocsin_failed_transactions_total") == 1
    assert figure(daemon, opened) == 0

    daemon.engine.change(deliver, [delivery])
    assert figure(daemon, "tocsin_writable") == 1
    assert figure(daemon, opened) == 1


def test_each_commit_is_measured(daemon: RunningDaemon) -> None:
    """Its whole transaction, the commit alone, and the changes in it."""
    before = figure(daemon, "tocsin_transaction_jobs_sum")

    def slow(transaction: Transaction, memory: Memory) -> None:
        daemon.clock.advance(3 * SECOND)

    daemon.engine.change(slow)

    assert figure(daemon, "tocsin_transaction_jobs_sum") > before
    assert figure(daemon, "tocsin_transaction_seconds_sum") == 3
    assert figure(daemon, "tocsin_commit_seconds_sum") == 0
    assert figure(daemon, "tocsin_transaction_seconds_count") == figure(daemon, "tocsin_commit_seconds_count")


def test_timers_tell_how_many_wait_and_how_late_they_were(daemon: RunningDaemon) -> None:
    """From the deadline, on the clock that it is on, to the transaction that handled it."""
    integration = daemon.integration(stale_after={"seconds": 3600})
    heartbeat = heartbeats_pb2.Heartbeat(name=f"{integration.name}/heartbeat", interval={"seconds": 60})
    daemon.heartbeats.UpdateHeartbeat(heartbeats_pb2.UpdateHeartbeatRequest(heartbeat=heartbeat))
    daemon.beat(integration)
    name = daemon.fire(integration)
    daemon.act("Silence", name, duration={"seconds": 30})
    kinds = ("heartbeat", "silence", "stale")
    assert [figure(daemon, f'tocsin_timers_pending{{kind="{kind}"}}') for kind in kinds] == [1, 1, 1]
    assert figure(daemon, 'tocsin_heartbeats{state="up"}') == 1

    daemon.pass_time(61 * SECOND)
    daemon.settle()

    assert [figure(daemon, f'tocsin_timers_pending{{kind="{kind}"}}') for kind in kinds] == [0, 0, 1]
    for kind, handled in zip(kinds, (1, 1, 0), strict=True):
        assert figure(daemon, f'tocsin_timer_lateness_seconds_count{{kind="{kind}"}}') == handled
        assert 0 <= figure(daemon, f'tocsin_timer_lateness_seconds_sum{{kind="{kind}"}}') < 40
    assert figure(daemon, 'tocsin_heartbeats{state="missing"}') == 1


def test_a_timer_that_was_held_up_is_late_by_as_much(daemon: RunningDaemon) -> None:
    """A silence that should have ended while nothing ran was ended that much late."""
    daemon.act("Silence", daemon.fire(daemon.integration()), duration={"seconds": 30})
    daemon.pass_time(10 * SECOND)
    daemon.clock.advance(25 * SECOND)
    daemon.settle()

    late = figure(daemon, 'tocsin_timer_lateness_seconds_sum{kind="silence"}')
    assert 5 <= late <= 5.2


def test_it_tells_who_attends(daemon: RunningDaemon) -> None:
    """How many gateways do, and since when none does."""
    assert figure(daemon, "tocsin_attending_gateways") == 1
    assert figure(daemon, "tocsin_unattended_seconds") == 0

    daemon.leave()
    daemon.clock.advance(90 * SECOND)

    assert figure(daemon, "tocsin_attending_gateways") == 0
    assert figure(daemon, "tocsin_unattended_seconds") == 90


def test_streams_are_counted_while_they_stand(daemon: RunningDaemon) -> None:
    """And watchers among them; a stream that its caller ends was cancelled."""
    call = daemon.groups.WatchAlertGroups(alert_groups_pb2.WatchAlertGroupsRequest(), timeout=30)
    next(call)
    stream = 'tocsin_rpc_streams{method="AlertGroupService.WatchAlertGroups"}'
    assert (figure(daemon, stream), figure(daemon, "tocsin_watchers")) == (1, 1)

    attending = daemon.intake.Attend(iter([intake_pb2.AttendRequest(gateway="g")]))
    with contextlib.suppress(grpc.RpcError):
        list(attending)
    call.cancel()
    while figure(daemon, "tocsin_watchers"):
        pass

    assert figure(daemon, stream) == 0
    assert figure(daemon, 'tocsin_rpc_total{code="CANCELLED",method="AlertGroupService.WatchAlertGroups"}') == 1
    assert figure(daemon, 'tocsin_rpc_total{code="OK",method="IntakeService.Attend"}') == 1
    assert 'tocsin_rpc_seconds_count{method="IntakeService.Attend"}' not in page(daemon)


def test_calls_are_counted_by_method_and_status(daemon: RunningDaemon) -> None:
    """Those that are refused before their handler as well; what nobody knows makes no label."""
    with pytest.raises(grpc.RpcError):
        daemon.group("alertGroups/99")
    with pytest.raises(grpc.RpcError):
        daemon.groups.GetAlertGroup(
            alert_groups_pb2.GetAlertGroupRequest(name="alertGroups/1"), metadata=[("authorization", "Bearer nonsense")]
        )
    with pytest.raises(grpc.RpcError):
        daemon.channel.unary_unary("/tocsin.v1.AlertGroupService/Invented")(b"")

    method = "AlertGroupService.GetAlertGroup"
    assert figure(daemon, f'tocsin_rpc_total{{code="NOT_FOUND",method="{method}"}}') == 1
    assert figure(daemon, f'tocsin_rpc_total{{code="UNAUTHENTICATED",method="{method}"}}') == 1
    assert figure(daemon, f'tocsin_rpc_total{{code="INTERNAL",method="{method}"}}') == 0
    assert figure(daemon, f'tocsin_rpc_seconds_count{{method="{method}"}}') == 2
    assert "Invented" not in page(daemon)


def test_a_file_that_cannot_be_read_takes_only_its_own_figures_away(daemon: RunningDaemon) -> None:
    """What tells of the trouble is still told."""
    writer = daemon.engine.store.writer
    writer.execute("PRAGMA foreign_keys = OFF")
    writer.execute("ALTER TABLE heartbeats RENAME TO elsewhere")

    text = page(daemon)

    assert "tocsin_writable 1.0" in text
    assert "tocsin_file_bytes" in text
    assert "tocsin_alert_groups{" not in text
    writer.execute("ALTER TABLE elsewhere RENAME TO heartbeats")
