"""Runs `tocsin backup`, `restore` and `check` as who looks after a machine does."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Ran(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def path(self) -> Path:
        """The backup that it says it made."""
        found = re.search(r" to (\S+\.db): ", self.out)
        assert found, self
        return Path(found[1])


def upkeep(
    *arguments: object, env: dict[str, str] | None = None, within: Sequence[str] = (), cwd: Path | None = None
) -> Ran:
    """Runs the program to its end, by the command `within` if there is one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    command = [*within, sys.executable, "-P", "-m", "tocsin_cli", *map(str, arguments)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment | (env or {}), timeout=100, cwd=cwd
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)
