"""Groups as rows, for tests that look at the file itself."""

import sqlite3

from fake_clock import START
from notices import notice

from tocsind.domain.alert_group import AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.integration import Integration
from tocsind.sqlite import alert_groups, integrations


def add_integration(connection: sqlite3.Connection, name: str = "prod", **settings: int) -> int:
    """Stores an integration; returns its id."""
    return integrations.insert(connection, Integration(0, name, "alertmanager", name, "", f"t-{name}", **settings))


def make_group(number: int, integration_id: int, state: State = State.FIRING) -> AlertGroup:
    """A group in a state."""
    return AlertGroup(
        id=number,
        integration_id=integration_id,
        source=Source.ALERTMANAGER,
        state=state,
        created=START,
        state_since=START,
        state_event=EventKind.OPENED,
        resolve_reason=ResolveReason.SOURCE if state is State.RESOLVED else None,
        silence_until=START + 1 if state is State.SILENCED else None,
    )


def add_group(connection: sqlite3.Connection, group: AlertGroup, identity: bytes) -> None:
    """Stores a group."""
    alert_groups.insert(connection, [(group, identity, notice("a"))])
