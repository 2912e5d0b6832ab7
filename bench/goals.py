"""What was found, beside what we want. Nothing fails here: a figure of a busy machine proves little by itself."""

from collections.abc import Iterator
from typing import Any

from bench.memory import GROUPS
from bench.report import Row, heading, table
from bench.run import Run

_COLUMNS = {"goal": "goal", "wanted": "wanted", "aim": "aim", "found": "found", "verdict": "verdict"}


def compare(run: Run) -> None:
    """The section `goals`: one line for each goal whose section was run."""
    parts = (_throughput, _growth, _templates, _purge, _timers, _escalations, _listing, _startup, _memory)
    rows = [row for part in parts for row in part(run)]
    if rows:
        heading("Goals")
        table(rows, _COLUMNS)
        run.found["goals"] = rows


def _throughput(run: Run) -> Iterator[Row]:
    for connections, wanted, aim in ((64, 1 / 3, 1 / 2), (16, 1 / 4, 1 / 3)):
        found = _one(run, "throughput", what="new groups", alerts=2, connections=connections)
        if found:
            yield _at_least(f"new groups, {connections} connections, part of no-op", wanted, aim, found["of_noop"])


def _growth(run: Run) -> Iterator[Row]:
    for what in ("new groups", "repeats"):
        found = _one(run, "growth", what=what, file=f"{run.many:,} groups")
        if found:
            yield _at_most(f"{what}, {run.many:,} groups, times slower than empty", 2.0, found["slower"])


def _templates(run: Run) -> Iterator[Row]:
    for found in run.found.get("templates", ()):
        if "of_alone" in found:
            yield _at_least(f"{found['what']}, beside {found['beside']}, of alone", 0.5, None, found["of_alone"])


def _purge(run: Run) -> Iterator[Row]:
    found = _one(run, "purge", what="while groups are removed")
    if found:
        yield _at_most("p99 while groups are removed, times that of before", 2.0, found["times_p99"])
        yield _at_most("the file after that, times as large", 1.1, run.found["purge_grown"])


def _timers(run: Run) -> Iterator[Row]:
    for found in run.found.get("timers", ()):
        if found["earliest"] is not None:
            yield _at_least(f"timers, {found['what']}: earliest, ms late", 0.0, None, found["earliest"])
            yield _at_most(f"timers, {found['what']}: p99, ms late", 150.0, found["p99"])
        yield _at_most(f"timers, {found['what']}: not noticed", 0, found["expired"] - found["noticed"])
        yield _at_most(f"timers, {found['what']}: false alarms", 0, found["false"])


def _escalations(run: Run) -> Iterator[Row]:
    for found in run.found.get("escalations", ()):
        if "of_none" in found:
            yield _at_least(f"new groups, {found['what']}, of no chain", 0.5, None, found["of_none"])
            yield _at_most(f"steps after a wait, {found['what']}: p99, ms late", 500.0, found["second_p99"])


def _listing(run: Run) -> Iterator[Row]:
    for found in run.found.get("listing", ()):
        yield _at_most(f"listing, {found['what']}, p99 ms", 10.0, found["p99"])


def _startup(run: Run) -> Iterator[Row]:
    for found in run.found.get("startup", ()):
        yield _at_most(f"ready, {found['what']}, s", 3.0, found["seconds"])


def _memory(run: Run) -> Iterator[Row]:
    found = _one(run, "memory", when=f"{GROUPS:,} open groups")
    if found:
        yield _at_most(f"daemon with {GROUPS:,} open groups, RSS MB", 100.0, found["daemon_rss"])


def _one(run: Run, section: str, **wanted: object) -> dict[str, Any] | None:
    for row in run.found.get(section, ()):
        if all(row.get(key) == value for key, value in wanted.items()):
            found: dict[str, Any] = row
            return found
    return None


def _at_least(goal: str, wanted: float, aim: float | None, found: float) -> Row:
    reached = aim is not None and found >= aim
    verdict = "OK" if found >= wanted else "MISSED"
    return {
        "goal": goal,
        "wanted": f">= {wanted:.2f}",
        "aim": None if aim is None else f">= {aim:.2f}",
        "found": found,
        "verdict": f"{verdict}, aim reached" if reached else verdict,
    }


def _at_most(goal: str, wanted: float, found: float) -> Row:
    verdict = "OK" if found <= wanted else "MISSED"
    return {"goal": goal, "wanted": f"<= {wanted:g}", "found": found, "verdict": verdict}
