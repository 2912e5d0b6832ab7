"""`python -m bench`: measures, prints tables, and compares with the goals. It asserts nothing."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import (
    commits,
    escalations,
    goals,
    growth,
    listing,
    memory,
    purge,
    report,
    startup,
    templates,
    throughput,
    timers,
    watchers,
)
from bench.run import Run, place

_QUIET = 0.15
"""Cores that others may use without our saying that they disturb."""

SECTIONS: dict[str, Callable[[Run], None]] = {
    "throughput": throughput.measure,
    "commits": commits.measure,
    "beats": throughput.measure_beats,
    "growth": growth.measure,
    "purge": purge.measure,
    "listing": listing.measure,
    "startup": startup.measure,
    "timers": timers.measure,
    "watchers": watchers.measure,
    "templates": templates.measure,
    "escalations": escalations.measure,
    "memory": memory.measure,
}


def main() -> None:
    """Reads the command line and runs the sections."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and less exact: under 4 minutes instead of 19")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="NAME", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures as JSON")
    parser.add_argument("--folder", type=Path, help="where to put temporary files, about 4 GB (a folder for such)")
    wanted = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=place(wanted.folder)))
    began = time.monotonic()
    others = report.Others()
    try:
        run = Run(folder, wanted.quick)
        run.found["machine"] = report.machine(folder)
        report.heading("Machine")
        print("\n".join(f"{key:12} {value}" for key, value in run.found["machine"].items()))
        for name in wanted.only or SECTIONS:
            SECTIONS[name](run)
        goals.compare(run)
        run.found["seconds"] = round(time.monotonic() - began)
        run.found["others_cores"] = others.cores()
        if wanted.json is not None:
            wanted.json.write_text(json.dumps(run.found, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{run.found['seconds']} seconds in all; other programs used {run.found['others_cores']} cores meanwhile")
    if run.found["others_cores"] > _QUIET:
        print("The machine was busy with other things: do not trust these figures too much.")


if __name__ == "__main__":
    main()
