"""Starting processes of the daemon's own: for templates, for calendars and for what goes out over the network.

Rules
- One inherits nothing but what it is given: no file but the streams that it is started with, and of the environment
  only where Python finds its modules, and what its room adds.
- It is this Python, and the modules that the daemon has: never what happens to lie in a folder that it is started from.
- What it writes as errors goes nowhere: a library's complaint may hold what was sent.
"""

import os
import subprocess
import sys
from collections.abc import Mapping


def start(module: str, *, stdin: int, stdout: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts `python -m module`; the streams are as those of Popen. OSError where the system refuses."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), **environment},
    )
