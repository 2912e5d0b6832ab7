"""Queries of the escalations that run, and of which chain is meant for a group.

`repeats` is stored as a JSON object. The chain that a demo alert brought along is a row of its own (`chosen_versions`),
as it must outlive the escalation: the chain may stop, and start anew.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tocsind.domain.escalation import Escalation, EscalationState
from tocsind.sqlite.rows import read_rows, write_rows

_COLUMNS = "group_id, version_id, state, step, started_at, set_at, due_at, repeats"
_STORE = f"INSERT OR REPLACE INTO escalations ({_COLUMNS}) VALUES {{values}}"
_REMOVE = "DELETE FROM escalations WHERE group_id IN (VALUES {values})"
_LOAD = f"SELECT {_COLUMNS} FROM escalations WHERE group_id IN (VALUES {{values}})"
_NONE = "{}"

# Looked up for a page of groups, and not joined to it: measured, two more joins and their columns made all lists 9 %
# slower, those without escalations too.
_AS_READ = """
WITH wanted (id) AS (VALUES {values})
SELECT x.group_id, x.state, x.step, x.started_at, x.due_at, v.chain, v.display_name, json_array_length(v.steps)
FROM wanted CROSS JOIN escalations AS x ON x.group_id = wanted.id
CROSS JOIN chain_versions AS v ON v.id = x.version_id
"""


@dataclass(slots=True)
class EscalationRow:
    """An escalation as readers see it. `step` counts from 1; `chain` is the public id, or empty."""

    state: EscalationState
    step: int
    started: int
    due: int | None
    chain: str
    display_name: str
    steps: int


def store(connection: sqlite3.Connection, escalations: Iterable[Escalation]) -> None:
    """Stores escalations, each in the place of the one that its group had."""
    values = [
        (e.group_id, e.version_id, e.state, e.step, e.started, e.set, e.due, _text(e.repeats)) for e in escalations
    ]
    write_rows(connection, _STORE, values)


def remove(connection: sqlite3.Connection, group_ids: Sequence[int]) -> None:
    """Removes the escalations of groups, as far as they have any."""
    write_rows(connection, _REMOVE, [(group_id,) for group_id in group_ids])


def load(connection: sqlite3.Connection, group_ids: Sequence[int]) -> list[Escalation]:
    """Returns the escalations of groups, as far as they have any; in no order."""
    return [_escalation(row) for row in read_rows(connection, _LOAD, group_ids)]


def every(connection: sqlite3.Connection) -> Iterable[Escalation]:
    """Yields all of them, what is due first first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM escalations ORDER BY due_at, group_id")
    return (_escalation(row) for row in rows)


def several(connection: sqlite3.Connection, group_ids: Sequence[int]) -> dict[int, EscalationRow]:
    """Returns the escalations of groups as readers see them, as far as they have any."""
    if not group_ids or connection.execute("SELECT max(group_id) FROM escalations").fetchone()[0] is None:
        return {}
    return {
        group_id: EscalationRow(EscalationState(state), step + 1, *rest)
        for group_id, state, step, *rest in read_rows(connection, _AS_READ, group_ids)
    }


def count_fired(connection: sqlite3.Connection, group_id: int, after: int) -> int:
    """Returns how many alerts of a group began to fire after that time."""
    row = connection.execute("SELECT count(*) FROM alerts WHERE group_id = ? AND fired_at > ?", (group_id, after))
    return int(row.fetchone()[0])


def meant_version(connection: sqlite3.Connection, chain_id: int | None) -> int | None:
    """Returns the present version of a chain, of that which is the default where `chain_id` is None; None where there
    is none, or it has no steps."""
    which = "is_default = 1" if chain_id is None else "c.id = ?"
    values = () if chain_id is None else (chain_id,)
    # What steps say is not read here: a group opens even where nobody could read them.
    row = connection.execute(
        "SELECT v.id FROM escalation_chains AS c JOIN chain_versions AS v ON v.id = c.version_id "
        f"WHERE {which} AND v.steps <> '[]'",
        values,
    ).fetchone()
    return int(row[0]) if row else None


def choose_version(connection: sqlite3.Connection, group_id: int, version_id: int) -> None:
    """Has a group's chain be this version, whatever its route names."""
    connection.execute("INSERT INTO chosen_versions (group_id, version_id) VALUES (?, ?)", (group_id, version_id))


def chosen_version(connection: sqlite3.Connection, group_id: int) -> int | None:
    """Returns the version that was chosen for a group, or None."""
    row = connection.execute("SELECT version_id FROM chosen_versions WHERE group_id = ?", (group_id,)).fetchone()
    return int(row[0]) if row else None


def _text(repeats: dict[int, int]) -> str:
    return msgspec.json.encode(repeats).decode() if repeats else _NONE


def _escalation(row: Sequence[Any]) -> Escalation:
    group_id, version_id, state, step, started, set_at, due, repeats = row
    done = {} if repeats == _NONE else msgspec.json.decode(repeats, type=dict[int, int])
    return Escalation(group_id, version_id, EscalationState(state), step, started, set_at, due, done)
