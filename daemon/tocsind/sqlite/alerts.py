"""Queries of the alerts of groups, and of the payloads that brought them."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tocsind.domain.alert_group import Source, State
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.snapshot import AlertState, KnownAlert
from tocsind.sqlite.alert_groups import labels, text
from tocsind.sqlite.rows import read_rows, write_rows

_KNOWN = """
WITH wanted (id) AS (VALUES {values})
SELECT a.group_id, a.fingerprint, a.state, a.fired, a.fired_at FROM wanted JOIN alerts AS a ON a.group_id = wanted.id
"""

_UPSERT = """
INSERT INTO alerts (
    group_id, fingerprint, state, fired, started_at, ended_at, labels, annotations, generator_url, fired_at
) VALUES {values}
ON CONFLICT (group_id, fingerprint) DO UPDATE SET
    state = excluded.state, fired = excluded.fired, started_at = excluded.started_at, ended_at = excluded.ended_at,
    labels = excluded.labels, annotations = excluded.annotations, generator_url = excluded.generator_url,
    fired_at = excluded.fired_at
"""

_RESTATE = """
UPDATE alerts SET state = new.column3
FROM (VALUES {values}) AS new WHERE alerts.group_id = new.column1 AND alerts.fingerprint = new.column2
"""

_PAYLOAD = """
INSERT INTO payloads (id, received_at, body) VALUES {values}
ON CONFLICT (id) DO UPDATE SET received_at = excluded.received_at, body = excluded.body
"""

_LOOKED_AT = 100
_ALERT = "fingerprint, state, started_at, ended_at, labels, annotations, generator_url"


@dataclass(slots=True)
class AlertRow:
    """An alert as readers see it."""

    group_id: int
    state: AlertState
    alert: ReportedAlert


def known(connection: sqlite3.Connection, group_ids: Sequence[int]) -> dict[int, dict[str, KnownAlert]]:
    """Returns what is known of the alerts of groups, by group and fingerprint."""
    found: dict[int, dict[str, KnownAlert]] = {group_id: {} for group_id in group_ids}
    for group_id, fingerprint, state, fired, fired_at in read_rows(connection, _KNOWN, group_ids):
        found[group_id][fingerprint] = KnownAlert(AlertState(state), bool(fired), fired_at)
    return found


def upsert(connection: sqlite3.Connection, reported: Iterable[tuple[int, ReportedAlert, KnownAlert]]) -> None:
    """Stores alerts as reported, each with its group."""
    values = [
        (
            group_id,
            alert.fingerprint,
            known.state,
            known.fired,
            alert.started,
            alert.ended,
            text(alert.labels),
            text(alert.annotations),
            alert.generator_url,
            known.fired_at,
        )
        for group_id, alert, known in reported
    ]
    write_rows(connection, _UPSERT, values)


def restate(connection: sqlite3.Connection, states: Sequence[tuple[int, str, AlertState]]) -> None:
    """Stores new states of alerts that were not listed."""
    write_rows(connection, _RESTATE, states)


def page(connection: sqlite3.Connection, group_id: int, after: str, limit: int) -> list[AlertRow]:
    """Returns at most `limit` alerts of a group by fingerprint, with fingerprints above `after`."""
    rows = connection.execute(
        f"SELECT {_ALERT} FROM alerts WHERE group_id = ? AND fingerprint > ? ORDER BY fingerprint LIMIT ?",
        (group_id, after, limit),
    )
    return [_alert(group_id, row) for row in rows]


def firing_first(connection: sqlite3.Connection, group_id: int, limit: int) -> list[AlertRow]:
    """Returns at most `limit` alerts of a group, those that fire first, each state by fingerprint."""
    found: list[AlertRow] = []
    for state in (AlertState.FIRING, AlertState.UNREPORTED, AlertState.RESOLVED):
        rows = connection.execute(
            f"SELECT {_ALERT} FROM alerts WHERE group_id = ? AND state = ? ORDER BY fingerprint LIMIT ?",
            (group_id, state, limit - len(found)),
        )
        found.extend(_alert(group_id, row) for row in rows)
    return found


def store_payloads(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, int, bytes]]) -> None:
    """Stores payloads: group, 0 for its first or 1 for its latest, when it was received, compressed body."""
    values = [(2 * group_id + latest, received, body) for group_id, latest, received, body in rows]
    write_rows(connection, _PAYLOAD, values)


def payload(connection: sqlite3.Connection, group_id: int, latest: bool) -> tuple[int, bytes] | None:
    """Returns when a payload was received and its compressed body; the first serves as the latest of a group whose
    content never changed."""
    row = connection.execute(
        "SELECT received_at, body FROM payloads WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
        (2 * group_id, 2 * group_id + latest),
    ).fetchone()
    return (row[0], row[1]) if row else None


def last_received(connection: sqlite3.Connection, integration_id: int) -> int | None:
    """Returns the group of which the last notification of an integration was, of the newest groups in each state; None
    where none of them has a payload."""
    found = [
        row
        for state in State
        for row in connection.execute(
            "SELECT last_received, id, source FROM alert_groups AS g WHERE integration_id = ? AND state = ? "
            "ORDER BY created_at DESC LIMIT ?",
            (integration_id, state, _LOOKED_AT),
        )
    ]
    for _, group_id, source in sorted(found, reverse=True):
        if source == Source.ALERTMANAGER and payload(connection, group_id, latest=True) is not None:
            return int(group_id)
    return None


def _alert(group_id: int, row: Sequence[Any]) -> AlertRow:
    """An alert from the columns `_ALERT`."""
    reported = ReportedAlert(
        row[0], row[1] == AlertState.FIRING, labels(row[4]), labels(row[5]), row[2], row[3], row[6]
    )
    return AlertRow(group_id, AlertState(row[1]), reported)
