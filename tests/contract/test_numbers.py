"""Numbers that stand in the contract, in the domain and in the file mean the same everywhere."""

from enum import Enum

import pytest

from tocsin.v1 import access_pb2, alert_groups_pb2, heartbeats_pb2, intake_pb2, integrations_pb2, messages_pb2
from tocsind.domain.access import Role
from tocsind.domain.alert_group import EventKind, ResolveReason, Source, State
from tocsind.domain.heartbeat import HeartbeatState
from tocsind.domain.maintenance import Mode
from tocsind.domain.message import Kind, MessageState
from tocsind.domain.snapshot import AlertState
from tocsind.engine.deliver import Outcome

SAME = [
    (State, alert_groups_pb2.AlertGroup.State),
    (ResolveReason, alert_groups_pb2.AlertGroup.ResolveReason),
    (Source, alert_groups_pb2.AlertGroup.Source),
    (AlertState, alert_groups_pb2.Alert.State),
    (EventKind, alert_groups_pb2.Event.Kind),
    (HeartbeatState, heartbeats_pb2.Heartbeat.State),
    (Outcome, intake_pb2.Receipt.Outcome),
    (Mode, integrations_pb2.Maintenance.Mode),
    (Role, access_pb2.ApiToken.Role),
    (Kind, messages_pb2.Message.Kind),
    (MessageState, messages_pb2.Message.State),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME, ids=lambda enum: getattr(enum, "__name__", ""))
def test_an_enumeration_is_the_same_on_both_sides(ours: type[Enum], theirs: object) -> None:
    """Same names, same numbers, and beside them only the value that is never sent."""
    values = dict(theirs.items())  # type: ignore[attr-defined]
    unspecified = [name for name, number in values.items() if number == 0]

    assert unspecified[0].endswith("_UNSPECIFIED")
    assert {member.name: member.value for member in ours} == {name: n for name, n in values.items() if n}
