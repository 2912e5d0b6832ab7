"""Many rows in one statement, with constant SQL texts.

Measured: beside other threads, each step of a statement must win the interpreter lock back, so one statement for many
rows is up to seven times faster than a statement a row (`executemany` hardly helps); and texts that differ with the
number of rows defeat the statement cache (-40 %). So rows go in blocks of a few fixed sizes, each with one text.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

_BLOCKS = (64, 16, 4, 1)


def write_rows(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Executes `sql`, whose `{values}` stands for the rows, as often as the blocks need."""
    start = 0
    for size in _BLOCKS:
        while len(rows) - start >= size:
            block = rows[start : start + size]
            connection.execute(_text(sql, len(block[0]), size), tuple(chain.from_iterable(block)))
            start += size


def read_rows(connection: sqlite3.Connection, sql: str, keys: Sequence[Any]) -> Iterator[Any]:
    """Yields the rows of `sql`, whose `{values}` stands for the keys, one column each; blocks are filled up with NULL,
    which equals nothing."""
    start = 0
    while start < len(keys):
        rest = len(keys) - start
        size = next(size for size in reversed(_BLOCKS) if size >= rest or size == _BLOCKS[0])
        block = list(keys[start : start + size])
        block.extend([None] * (size - len(block)))
        yield from connection.execute(_text(sql, 1, size), block)
        start += size


@cache
def _text(sql: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.replace("{values}", ", ".join([row] * rows))
