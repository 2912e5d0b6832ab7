"""Writes the lock files: `make lock`.

Rules
- requirements.lock has what Tocsin needs to run, down to the last dependency, build.lock what builds its wheel. Both
  pin each version, with the digests of every wheel that pip would take on Linux (glibc) for CPython 3.11 to 3.14 on
  x86_64 and aarch64. Any other machine finds no digest that fits, and pip refuses rather than takes what nobody looked
  at.
- Versions are what pip resolves with the Python that runs this; use the oldest that is served, since newer ones need no
  more. Nothing is installed: pip is asked what it would do.
- Where wheels come from is pip's own configuration, and stands in no file here.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
BUILDERS: Final = ("hatchling>=1.27,<2",)
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
MACHINES: Final = ("x86_64", "aarch64")

# The tags that a glibc of 2.28 (Debian 10) or newer accepts. pip expands none of these when it is told a platform.
_TAGS: Final = ("manylinux1", "manylinux2010", "manylinux2014", *(f"manylinux_2_{minor}" for minor in range(5, 29)))

_HEAD: Final = """\
# {what}
# Written by `make lock`. Digests: Linux (glibc 2.28 or newer), CPython {pythons}, {machines}.
"""


def report(*arguments: str) -> list[dict[str, Any]]:
    """What pip would install, as its report has it (pip's documentation: installation report)."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        # pip is silent on its errors' standard output, and noisy about folders of a mirror that are not there.
        done = subprocess.run([*command, "--report", str(file), *arguments], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        found: list[dict[str, Any]] = json.loads(file.read_text())["install"]
        return found


def resolved(requirements: Sequence[str]) -> dict[str, str]:
    """The versions of all that these requirements need, by name; what is not from an index is left out."""
    return {
        package["metadata"]["name"].lower().replace("_", "-"): package["metadata"]["version"]
        for package in report(*requirements)
        if "archive_info" in package["download_info"]
    }


def digests(versions: dict[str, str]) -> dict[str, set[str]]:
    """The SHA-256 of each wheel that would be taken somewhere, by name."""
    found: dict[str, set[str]] = {name: set() for name in versions}
    pins = [f"{name}=={version}" for name, version in versions.items()]
    for python, machine in itertools.product(PYTHONS, MACHINES):
        platforms = [f"--platform={tag}_{machine}" for tag in _TAGS]
        elsewhere = ("--target=/nonexistent", "--no-deps", "--only-binary=:all:", f"--python-version={python}")
        for package in report(*elsewhere, *platforms, *pins):
            name = package["metadata"]["name"].lower().replace("_", "-")
            found[name].add(package["download_info"]["archive_info"]["hashes"]["sha256"])
    return found


def lines(what: str, requirements: Sequence[str]) -> Iterator[str]:
    """The lines of a lock file."""
    yield _HEAD.format(what=what, pythons=", ".join(PYTHONS), machines=" and ".join(MACHINES))
    versions = resolved(requirements)
    of_wheels = digests(versions)
    for name in sorted(versions):
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(of_wheels[name]))
        yield f"{name}=={versions[name]}{hashes}\n"


def main() -> None:
    """Writes both."""
    for name, what, requirements in (
        ("requirements.lock", "What Tocsin needs to run.", (str(HERE.parent),)),
        ("build.lock", "What builds Tocsin's wheel.", BUILDERS),
    ):
        text = "".join(lines(what, requirements))
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
