"""What all sections need: where to put files, how long to measure, and a place for what was found."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.report import file_system


@dataclass
class Run:
    """One run of the benchmark. `found` becomes the JSON: a list of rows or one row for each section. `made` holds what
    one section made and another can use."""

    folder: Path
    quick: bool
    found: dict[str, Any] = field(default_factory=dict)
    made: dict[str, object] = field(default_factory=dict)
    _folders: int = 0

    @property
    def cell(self) -> float:
        """Seconds for which one figure is measured."""
        return 1.5 if self.quick else 4.0

    @property
    def many(self) -> int:
        """Groups in the large file."""
        return 250_000 if self.quick else 1_000_000

    def new_folder(self, name: str) -> Path:
        """An empty folder; its path is short, as that of a unix socket must be."""
        self._folders += 1
        folder = self.folder / f"{self._folders}-{name}"
        folder.mkdir()
        return folder


def place(wanted: Path | None) -> Path:
    """Where to make the temporary folder: on a disk, not in memory, as commits are what is measured."""
    if wanted is not None:
        return wanted
    usual = Path(tempfile.gettempdir())
    if file_system(usual) == "tmpfs" and Path("/var/tmp").is_dir():
        return Path("/var/tmp")
    return usual
