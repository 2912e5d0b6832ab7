"""What is checked in the booted machine: booted.py runs this there, as root, with nothing but the standard library.

Each check is a function, in an order in which one leaves the machine as the next wants it. What failed is printed and
does not keep the others from being run. /result/result.json has the outcomes; the exit status is 0 where all passed.
"""

import json
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Final

import guest_install
import guest_package
import guest_services
from guest_tools import CHECKS

RESULT: Final = Path("/result")

IN_ORDER: Final = (guest_services, guest_package, guest_install)
"""Each leaves the machine as the next wants it."""


def main() -> int:
    """Runs them all; returns the exit status."""
    outcomes: dict[str, str] = {}
    wanted = (RESULT / "only").read_text().split()
    for each in [each for module in IN_ORDER for each in CHECKS if each.__module__ == module.__name__]:
        if wanted and each.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            each()
            outcomes[each.__name__] = "passed"
        except Exception:
            outcomes[each.__name__] = traceback.format_exc()
        print(f"{outcomes[each.__name__]}: {each.__name__}, {time.monotonic() - began:.1f} s", flush=True)
        (RESULT / "result.json").write_text(json.dumps(outcomes, indent=1))
    with (RESULT / "journal").open("w") as log:
        subprocess.run(["journalctl", "--no-pager", "--boot"], stdout=log, check=False)
    return 0 if set(outcomes.values()) == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main())
