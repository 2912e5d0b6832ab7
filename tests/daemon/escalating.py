"""Escalation chains and contact points of a running daemon, as tests put them there; and what became of them."""

import re
from collections.abc import Callable
from typing import Any

from changing import batch, by, delete, wipe
from fake_clock import DAY, HOUR, MINUTE
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, duration

from tocsin.v1 import integrations_pb2, monitoring_pb2, monitoring_pb2_grpc
from tocsind.domain.contact_point import Apprise, CalendarSource, ContactPoint, OnCall
from tocsind.domain.escalation_chain import Notify, Step, Wait
from tocsind.engine.memory import Memory
from tocsind.sqlite import contact_points, escalation_chains
from tocsind.sqlite.writer import Transaction


def write(daemon: RunningDaemon, sql: str, *values: Any) -> int:
    """Changes the file in the daemon's own way, and returns the number of the last row."""

    def job(transaction: Transaction, memory: Memory) -> int:
        memory.forget_integrations()
        return transaction.connection.execute(sql, values).lastrowid or 0

    return daemon.engine.change(job)


def contact(daemon: RunningDaemon, name: str = "ops", *, on_call: bool = False) -> int:
    """A new contact point; returns its id of the database. What it is told waits to be bundled for the rest of time:
    these tests are about what is to be sent, and nothing is."""
    settings = OnCall(CalendarSource()) if on_call else Apprise("json://127.0.0.1:9")
    new = ContactPoint(0, f"id{name}", name, "", (), settings, bundle_window=100 * 365 * DAY)
    return daemon.engine.change(lambda transaction, memory: contact_points.insert(transaction.connection, new))


def forget_contact(daemon: RunningDaemon, contact_id: int) -> None:
    """The contact point is deleted."""
    write(daemon, 'UPDATE contact_points SET deleted_at = 1, settings = \'{"url":""}\' WHERE id = ?', contact_id)


def chain(daemon: RunningDaemon, *steps: Step, name: str = "page", default: bool = True) -> int:
    """A new chain; returns its id of the database."""

    def job(transaction: Transaction, memory: Memory) -> int:
        version_id = escalation_chains.insert_version(transaction.connection, f"id{name}", name, steps)
        row = transaction.connection.execute(
            "INSERT INTO escalation_chains (public_id, display_name, description, version_id, is_default, created_at, "
            "updated_at) VALUES (?, ?, '', ?, ?, 0, 0)",
            (f"id{name}", name, version_id, default),
        )
        memory.forget_integrations()
        return row.lastrowid or 0

    return daemon.engine.change(job)


def edit(daemon: RunningDaemon, chain_id: int, *steps: Step, name: str = "page") -> None:
    """The chain has other steps from now on."""

    def job(transaction: Transaction, memory: Memory) -> None:
        version_id = escalation_chains.insert_version(transaction.connection, f"id{name}", name, steps)
        transaction.connection.execute(
            "UPDATE escalation_chains SET version_id = ? WHERE id = ?", (version_id, chain_id)
        )
        memory.forget_integrations()

    daemon.engine.change(job)


def page(daemon: RunningDaemon, wait: int = 5 * MINUTE) -> None:
    """A chain: ops, and after a while the boss."""
    ops, boss = contact(daemon, "ops"), contact(daemon, "boss")
    chain(daemon, Notify((ops,)), Wait(wait), Notify((boss,)))


def paging_integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take that chain."""
    page(daemon)
    return daemon.integration(stale_after=duration(HOUR))


def tells(
    daemon: RunningDaemon, integration: Integration, chain_id: int | None = None, notify_on_resolve: bool = False
) -> None:
    """The default route of an integration names a chain, and whether resolutions are told."""
    write(
        daemon,
        "UPDATE integrations SET chain_id = ?, notify_on_resolve = ? WHERE public_id = ?",
        chain_id,
        notify_on_resolve,
        integration.name.rpartition("/")[2],
    )


def route_tells(
    daemon: RunningDaemon, route: str, chain_id: int | None = None, notify_on_resolve: bool = False
) -> None:
    """The same for another route."""
    write(
        daemon,
        "UPDATE routes SET chain_id = ?, notify_on_resolve = ? WHERE public_id = ?",
        chain_id,
        notify_on_resolve,
        route.rpartition("/")[2],
    )


def number(name: str) -> int:
    """The number of a group."""
    return int(name.rpartition("/")[2])


def messages(daemon: RunningDaemon, group: str | None = None) -> list[tuple[str, str, int, str]]:
    """The outbox, in its order: whom, what (firing, resolved), of which step, and where it stands."""
    kinds, states = (
        {1: "firing", 2: "resolved"},
        {1: "pending", 2: "sending", 3: "delivered", 4: "dead", 5: "cancelled"},
    )
    rows = daemon.sql(
        "SELECT c.display_name, m.kind, m.step, m.state FROM messages AS m JOIN contact_points AS c "
        "ON c.id = m.contact_id WHERE ? IN (m.group_id, 0) ORDER BY m.id",
        number(group) if group else 0,
    )
    return [(name, kinds[kind], step, states[state]) for name, kind, step, state in rows]


def whom(daemon: RunningDaemon, group: str | None = None) -> list[str]:
    """Who is told, in order."""
    return [name for name, *_ in messages(daemon, group)]


def delivered(daemon: RunningDaemon) -> None:
    """What waits to be sent is sent."""
    write(daemon, "UPDATE messages SET state = 3, attempts = 1 WHERE state = 1")


def said(daemon: RunningDaemon, group: str, *kinds: str) -> list[tuple[str, str]]:
    """What the timeline says of an escalation, or of some kinds of events: kind and reason."""
    wanted = kinds or ("ESCALATION_", "NOTIFIED", "DELIVERY_", "RESOLVED")
    named = [(name, event.reason) for name, event in zip(daemon.kinds(group), daemon.events(group), strict=True)]
    return [(kind, reason) for kind, reason in named if kind.startswith(tuple(wanted))]


def runs(daemon: RunningDaemon, group: str) -> bool:
    """Whether the group has an escalation, as callers, the file and memory see it."""
    has_row = bool(daemon.sql("SELECT 1 FROM escalations WHERE group_id = ?", number(group)))
    memory = daemon.engine.memory
    assert has_row == daemon.group(group).HasField("escalation")
    assert has_row == (number(group) in memory.escalations or number(group) in memory.paused)
    return has_row


def progress(group: AlertGroup) -> tuple[str, int, int]:
    """What its escalation waits for, which step is next, and of how many."""
    found = group.escalation
    return type(found).State.Name(found.state), found.next_step, found.step_count


def figure(daemon: RunningDaemon, name: str) -> float:
    """One metric, by its name and labels as they stand in the text."""
    stub = monitoring_pb2_grpc.MonitoringServiceStub(daemon.channel)
    text = stub.GetMetrics(monitoring_pb2.GetMetricsRequest()).data.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def delete_integration(daemon: RunningDaemon, integration: Integration, name: str) -> None:
    """The integration is deleted, with what is open."""
    request = integrations_pb2.DeleteIntegrationRequest(name=integration.name)
    daemon.integrations.DeleteIntegration(request, metadata=by())


STOPS: dict[str, Callable[[RunningDaemon, Integration, str], object]] = {
    "acknowledge": lambda daemon, integration, name: daemon.act("Acknowledge", name),
    "acknowledge many": lambda daemon, integration, name: batch(daemon, "Acknowledge", [name]),
    "silence": lambda daemon, integration, name: daemon.act("Silence", name),
    "resolve": lambda daemon, integration, name: daemon.act("Resolve", name),
    "resolve many": lambda daemon, integration, name: batch(daemon, "Resolve", [name]),
    "source": lambda daemon, integration, name: daemon.send(integration, notice("", "a")),
    "wipe": lambda daemon, integration, name: wipe(daemon, name),
    "delete": lambda daemon, integration, name: delete(daemon, name),
    "integration": delete_integration,
}
"""Whatever has a group no longer fire."""
