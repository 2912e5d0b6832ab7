"""Queries of escalation chains and of their versions.

Steps are stored as a JSON list, each a list of its kind and its values: `[["wait", 300000000], ["notify", [4, 7]]]`.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from tocsind.domain.escalation_chain import MoreThan, Notify, Repeat, Resolve, Step, Version, Wait, Within


def steps_text(steps: Sequence[Step]) -> str:
    """Returns steps as they are stored."""
    return msgspec.json.encode([_stored(step) for step in steps]).decode()


def steps_of(stored: str) -> tuple[Step, ...]:
    """Returns steps from how they are stored."""
    return tuple(_step(*parts) for parts in msgspec.json.decode(stored))


def version(connection: sqlite3.Connection, version_id: int) -> Version:
    """Returns a version of a chain, which is there as long as anything refers to it."""
    row = connection.execute(
        "SELECT id, chain, display_name, steps FROM chain_versions WHERE id = ?", (version_id,)
    ).fetchone()
    return Version(row[0], row[1], row[2], steps_of(row[3]))


def current(connection: sqlite3.Connection, chain_id: int | None) -> Version | None:
    """Returns a chain as it is now; that which is the default where `chain_id` is None, or None where none is."""
    which = "c.is_default = 1 AND ? IS NULL" if chain_id is None else "c.id = ?"
    row = connection.execute(
        "SELECT v.id, v.chain, v.display_name, v.steps FROM escalation_chains AS c "
        f"JOIN chain_versions AS v ON v.id = c.version_id WHERE {which}",
        (chain_id,),
    ).fetchone()
    return Version(row[0], row[1], row[2], steps_of(row[3])) if row else None


def insert_version(connection: sqlite3.Connection, chain: str, display_name: str, steps: Sequence[Step]) -> int:
    """Stores a version, or finds the very same; returns its id."""
    text = steps_text(steps)
    known = connection.execute(
        "SELECT id FROM chain_versions WHERE chain = ? AND display_name = ? AND steps = ?", (chain, display_name, text)
    ).fetchone()
    if known:
        return int(known[0])
    cursor = connection.execute(
        "INSERT INTO chain_versions (chain, display_name, steps) VALUES (?, ?, ?)", (chain, display_name, text)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _stored(step: Step) -> list[Any]:
    match step:
        case Wait(duration):
            return ["wait", duration]
        case Notify(contacts):
            return ["notify", list(contacts)]
        case Resolve():
            return ["resolve"]
        case Within(weekdays, start, end, zone):
            return ["within", list(weekdays), start, end, zone]
        case MoreThan(alerts, duration):
            return ["more_than", alerts, duration]
        case Repeat(times):
            return ["repeat", times]


def _step(kind: str, *values: Any) -> Step:
    match kind:
        case "wait":
            return Wait(*values)
        case "notify":
            return Notify(tuple(values[0]))
        case "resolve":
            return Resolve()
        case "within":
            return Within(tuple(values[0]), *values[1:])
        case "more_than":
            return MoreThan(*values)
        case _:
            return Repeat(*values)
