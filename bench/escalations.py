"""What telling people costs: 10,000 groups that open in a burst, without a chain and with one each.

The chain tells a webhook, waits five seconds, and tells it again. The receiver answers at once, or never: then all
messages wait, and the daemon has a contact point that hangs. Lateness is from when a step was due (when the group
opened; five seconds after the first step) to the transaction that did it; the wait for a tick is in it. The receiver
and the process that sends run on the same cores as everything else.
"""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from bench import bodies
from bench.load import Spec
from bench.processes import Daemon, Web, running, stack
from bench.report import Row, heading, progress, quantile, table
from bench.run import Run
from bench.throughput import Numbers, watched
from tocsin.v1 import contact_points_pb2, contact_points_pb2_grpc, escalation_chains_pb2, escalation_chains_pb2_grpc
from tocsind.domain.alert_group import EventKind
from tocsind.domain.message import MessageState

_CONNECTIONS = 64
_WAIT = 5
_PATIENCE = 600.0
_COLUMNS = {
    "what": "what",
    "rate": "per second",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "of_none": "of no chain",
    "daemon_us": "daemon us",
    "first_p50": "1st step p50 ms late",
    "first_p99": "p99",
    "second_p50": "2nd step p50 ms late",
    "second_p99": "p99 ms",
    "delivered": "delivered",
    "delivered_rate": "delivered/s",
    "other": "not 200",
}


def measure(run: Run) -> None:
    """The section `escalations`."""
    groups = 2_000 if run.quick else 10_000
    rows = [
        _burst(run, "no chain", groups),
        _burst(run, "a chain each", groups, ["bench.receiver", "{http}"]),
        _burst(run, "a chain each, a receiver that hangs", groups, ["bench.receiver", "{http}", "--hang"]),
    ]
    for row in rows[1:]:
        row["of_none"] = round(row["rate"] / rows[0]["rate"], 2)
    heading(f"{groups:,} groups that open in a burst, {_CONNECTIONS} connections, 2 alerts")
    table(rows, _COLUMNS)
    run.found["escalations"] = rows


def _burst(run: Run, what: str, groups: int, receiver: Sequence[str] = ()) -> Row:
    progress(f"escalations: {what}")
    folder = run.new_folder("chain")
    with ExitStack() as parts:
        web = parts.enter_context(running(Web(receiver, folder / "receiver.log"))) if receiver else None
        tocsin = parts.enter_context(stack(folder))
        if web is not None:
            _tell(tocsin.daemon, web.port)
        (path,) = tocsin.daemon.integrate(1)
        request = bodies.post(path, bodies.notification(2))
        first = Numbers().take(groups)
        spec = Spec(
            tocsin.gateway.port,
            _CONNECTIONS,
            _PATIENCE,
            0.0,
            text=request.text,
            offsets=request.offsets,
            first=first,
            requests=groups,
        )
        began = time.perf_counter()
        row = watched(what, spec, tocsin, None)
        if web is not None:
            database = folder / "tocsin.db"
            _until(database, "SELECT count(*) FROM events WHERE kind = ?", EventKind.NOTIFIED, 2 * groups)
            row.update(_lateness(database))
            if "--hang" not in receiver:
                delivered = "SELECT count(*) FROM messages WHERE state = ?"
                _until(database, delivered, MessageState.DELIVERED, 2 * groups)
                row["delivered"] = 2 * groups
                row["delivered_rate"] = round(2 * groups / (time.perf_counter() - began))
    return row


def _tell(daemon: Daemon, port: int) -> None:
    """Has every group tell a webhook twice."""
    with daemon.channel() as channel:
        contacts = contact_points_pb2_grpc.ContactPointServiceStub(channel)
        webhook = contact_points_pb2.Webhook(url=f"http://127.0.0.1:{port}/")
        contact = contacts.CreateContactPoint(
            contact_points_pb2.CreateContactPointRequest(
                contact_point=contact_points_pb2.ContactPoint(display_name="bench", webhook=webhook)
            )
        )
        notify = escalation_chains_pb2.EscalationStep(
            notify=escalation_chains_pb2.NotifyStep(contact_points=[contact.name])
        )
        wait = escalation_chains_pb2.EscalationStep(
            wait=escalation_chains_pb2.WaitStep(duration=Duration(seconds=_WAIT))
        )
        chain = escalation_chains_pb2.EscalationChain(
            display_name="bench", steps=[notify, wait, notify], is_default=True
        )
        escalation_chains_pb2_grpc.EscalationChainServiceStub(channel).CreateEscalationChain(
            escalation_chains_pb2.CreateEscalationChainRequest(escalation_chain=chain)
        )


def _lateness(database: Path) -> Row:
    """How late the steps were, in milliseconds."""
    query = (
        "SELECT g.created_at, min(e.at), max(e.at) FROM alert_groups AS g JOIN events AS e ON e.group_id = g.id "
        "WHERE e.kind = ? GROUP BY g.id"
    )
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(query, (int(EventKind.NOTIFIED),)).fetchall()
    first = sorted((told - opened) / 1e3 for opened, told, _ in rows)
    second = sorted((again - told) / 1e3 - _WAIT * 1e3 for _, told, again in rows)
    return {
        "first_p50": round(quantile(first, 0.5), 1),
        "first_p99": round(quantile(first, 0.99), 1),
        "second_p50": round(quantile(second, 0.5), 1),
        "second_p99": round(quantile(second, 0.99), 1),
    }


def _until(database: Path, query: str, value: int, wanted: int) -> None:
    deadline = time.perf_counter() + _PATIENCE
    while True:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute(query, (int(value),)).fetchone()
        if found >= wanted:
            return
        if time.perf_counter() > deadline:
            raise RuntimeError(f"only {found} of {wanted}: {query}")
        time.sleep(1.0)
