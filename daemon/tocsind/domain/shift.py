"""Shifts: who is on call when, as a calendar has it.

Rules
- Times are microseconds since 1970, UTC; a shift is on from its start until just before its end.
- Shifts may overlap: then all their people are on call.
- An override stands instead of what the schedule says for as long as it lasts, and no longer: what it cuts out of a
  shift leaves what comes before it, and what comes after.
- People are found by what they are called, in any case of letters and with any number of spaces.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tocsind.domain.units import DAY

AHEAD = 62 * DAY
"""How far ahead shifts are told of."""

BACK = 7 * DAY
"""How far back they are."""

MOST_TEXT = 4 * 1024 * 1024
"""Bytes of a calendar."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A time for which these people are on call. `is_override`: whether it is instead of what the schedule says."""

    start: int
    end: int
    people: tuple[str, ...]
    is_override: bool = False


def overlaid(schedule: Iterable[Shift], overrides: Sequence[Shift]) -> list[Shift]:
    """Returns what holds of a schedule and its overrides, by the begin of each."""
    blocks = _merged(overrides)
    left = [replace(shift, is_override=True) for shift in overrides]
    first = 0
    for shift in sorted(schedule, key=_order):
        # Later shifts begin no earlier, so what ended before this one never matters again.
        while first < len(blocks) and blocks[first][1] <= shift.start:
            first += 1
        left.extend(_cut(shift, blocks, first))
    return sorted(left, key=_order)


def key(person: str) -> str:
    """Returns what two ways to write a person's name have in common."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", person)).strip().casefold()


def _order(shift: Shift) -> tuple[int, int, tuple[str, ...]]:
    return shift.start, shift.end, shift.people


def _merged(shifts: Iterable[Shift]) -> list[tuple[int, int]]:
    """Returns the times that shifts cover, one after the other and apart from each other."""
    found: list[tuple[int, int]] = []
    for shift in sorted(shifts, key=_order):
        if found and shift.start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], shift.end))
        else:
            found.append((shift.start, shift.end))
    return found


def _cut(shift: Shift, blocks: Sequence[tuple[int, int]], first: int) -> Iterable[Shift]:
    """Yields what is left of a shift between the blocks from `first` on."""
    start = shift.start
    for index in range(first, len(blocks)):
        begin, end = blocks[index]
        if begin >= shift.end:
            break
        if start < begin:
            yield replace(shift, start=start, end=begin)
        start = max(start, end)
    if start < shift.end:
        yield replace(shift, start=start)
