"""Escalation chains of a running daemon, as tests ask for them, and contact points for them to name."""

from typing import Any

import grpc
from changing import audit_log, by
from google.protobuf.json_format import MessageToDict
from google.type import timeofday_pb2  # type: ignore[import-untyped]
from running_daemon import RunningDaemon, details, duration

from tocsin.v1 import escalation_chains_pb2, escalation_chains_pb2_grpc
from tocsind.domain.contact_point import ContactPoint, Webhook
from tocsind.engine.memory import Memory
from tocsind.sqlite import contact_points
from tocsind.sqlite.writer import Transaction

Chain = escalation_chains_pb2.EscalationChain
Step = escalation_chains_pb2.EscalationStep
TimeOfDay = timeofday_pb2.TimeOfDay
NINE, FIVE, MIDNIGHT = TimeOfDay(hours=9), TimeOfDay(hours=17, minutes=30), TimeOfDay(hours=24)


def chain_service(daemon: RunningDaemon) -> escalation_chains_pb2_grpc.EscalationChainServiceStub:
    """Its escalation chains."""
    return escalation_chains_pb2_grpc.EscalationChainServiceStub(daemon.channel)


def make_chain(daemon: RunningDaemon, display_name: str = "ops", *steps: Step, **fields: Any) -> Chain:
    """A new chain."""
    chain = Chain(display_name=display_name, steps=steps, **fields)
    request = escalation_chains_pb2.CreateEscalationChainRequest(escalation_chain=chain)
    return chain_service(daemon).CreateEscalationChain(request, metadata=by())


def get_chain(daemon: RunningDaemon, name: str) -> Chain:
    """One chain."""
    return chain_service(daemon).GetEscalationChain(escalation_chains_pb2.GetEscalationChainRequest(name=name))


def update_chain(daemon: RunningDaemon, name: str, *paths: str, **fields: Any) -> Chain:
    """A chain with other values."""
    request = escalation_chains_pb2.UpdateEscalationChainRequest(escalation_chain=Chain(name=name, **fields))
    request.update_mask.paths.extend(paths)
    return chain_service(daemon).UpdateEscalationChain(request, metadata=by())


def remove_chain(daemon: RunningDaemon, name: str, **fields: Any) -> None:
    """No chain."""
    request = escalation_chains_pb2.DeleteEscalationChainRequest(name=name, **fields)
    chain_service(daemon).DeleteEscalationChain(request, metadata=by())


def chains_of(daemon: RunningDaemon) -> list[Chain]:
    """All chains."""
    request = escalation_chains_pb2.ListEscalationChainsRequest(page_size=1000)
    return list(chain_service(daemon).ListEscalationChains(request).escalation_chains)


def wait(microseconds: int) -> Step:
    """A step."""
    return Step(wait={"duration": duration(microseconds)})


def notify(*contacts: str) -> Step:
    """A step."""
    return Step(notify={"contact_points": contacts})


def within(zone: str, start: TimeOfDay | None = None, end: TimeOfDay | None = None, *weekdays: str | int) -> Step:
    """A step."""
    return Step(within={"time_zone": zone, "start": start, "end": end, "weekdays": weekdays})


def more_than(alerts: int, microseconds: int) -> Step:
    """A step."""
    return Step(more_than={"alerts": alerts, "duration": duration(microseconds)})


def repeat(times: int) -> Step:
    """A step."""
    return Step(repeat={"times": times})


def resolve() -> Step:
    """A step."""
    return Step(resolve={})


def add_contact(daemon: RunningDaemon, public_id: str) -> str:
    """A new contact point, past the service of them; its resource name."""

    def job(transaction: Transaction, memory: Memory) -> None:
        url = f"https://{public_id}.example/"
        contact_points.insert(transaction.connection, ContactPoint(0, public_id, public_id, "", (), Webhook(url)))

    daemon.engine.change(job)
    return f"contactPoints/{public_id}"


def lose_contact(daemon: RunningDaemon, name: str) -> None:
    """Marks a contact point as deleted, past the service of them."""

    def job(transaction: Transaction, memory: Memory) -> None:
        transaction.connection.execute(
            "UPDATE contact_points SET deleted_at = 1, settings = '{}' WHERE public_id = ?", (name.rpartition("/")[2],)
        )

    daemon.engine.change(job)


def fields_of(error: grpc.RpcError) -> list[str]:
    """The fields that are to blame."""
    return [violation.field for violation in details(error)[1].field_violations]


def said(daemon: RunningDaemon, first: int = 0) -> list[tuple[str, str, Any, Any]]:
    """The audit log from an entry on: the method, the resource, before and after."""
    return [
        (entry.method.rpartition(".")[2], entry.resource, MessageToDict(entry.before), MessageToDict(entry.after))
        for entry in audit_log(daemon)[first:]
    ]
