"""Tables for people, and what there is to know about the machine."""

import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value of ascending ones, of which there must be some, below which this share of them is."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def machine(folder: Path) -> Row:
    """What the figures depend on. `folder` is where the files are."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": file_system(folder),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("tocsin", "grpcio", "protobuf", "gunicorn", "falcon", "msgspec")},
    }


def file_system(folder: Path) -> str:
    """The kind of file system, such as `ext4`; `tmpfs` is memory, where a commit costs nothing."""
    stat = shutil.which("stat")
    if stat is None:
        return "unknown"
    return subprocess.run([stat, "-f", "-c", "%T", folder], capture_output=True, text=True, check=False).stdout.strip()


class Others:
    """How busy the machine was with other things while we measured: figures taken beside them are worth little."""

    def __init__(self) -> None:
        self._from = (time.monotonic(), _busy(), _own())

    def cores(self) -> float:
        """Cores in use since then by other than us and our children that have ended; what a hypervisor took counts."""
        begin, busy, own = self._from
        return round(max(0.0, (_busy() - busy) - (_own() - own)) / (time.monotonic() - begin), 2)


def heading(text: str) -> None:
    """Begins a section."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def table(rows: Sequence[Row], columns: dict[str, str]) -> None:
    """Prints rows; `columns` gives for each key to be shown its heading, with the unit."""
    lines = [[_cell(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in lines)) for i, name in enumerate(columns.values())]
    for line in [list(columns.values()), *lines]:
        first, *rest = (
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())
    sys.stdout.flush()


def progress(text: str) -> None:
    """Says what is being done, where somebody is watching."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _cell(value: object) -> str:
    if value is None or value == {} or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return " ".join(f"{key}:{times}" for key, times in value.items())
    return str(value)


def _busy() -> float:
    user, nice, system, _idle, _wait, irq, softirq, steal = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
