"""Prints the configuration that an installation gets: `tocsin config example`, with what the units need set.

Rules
- Every setting stands in it, commented out, but for those that differ where systemd runs Tocsin.
- Files with secrets are shown as credentials (LoadCredential=), which the units explain.
- A setting that is no more in the table is a defect of ours, and no file is printed.
"""

import re
import sys
from typing import Final

from tocsin.settings import example

SET: Final = {
    # The default is for a trial. Here the command line looks for it in the runtime folder, and the gateway has a socket
    # of its own, where it may deliver and no more.
    ("daemon", "listen"): '["unix:/run/tocsin/tocsind.sock", "unix:/run/tocsin-gateway/daemon.sock,role=gateway"]',
    ("gateway", "target"): '"unix:/run/tocsin-gateway/daemon.sock"',
}

SHOWN: Final = {
    ("daemon", "tls_certificate"): '"/run/credentials/tocsind.service/tls-certificate"',
    ("daemon", "tls_key"): '"/run/credentials/tocsind.service/tls-key"',
    ("gateway", "token_file"): '"/run/credentials/tocsin-gateway.service/token"',
}


def packaged(example: str) -> str:
    """The example with those lines in place."""
    wanted = {place: f"{place[1]} = {value}" for place, value in SET.items()}
    wanted |= {place: f"#{place[1]} = {value}" for place, value in SHOWN.items()}
    lines = []
    section = ""
    for line in example.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        key = re.match(r"#(\w+) = ", line)
        lines.append(wanted.pop((section, key[1]), line) if key else line)
    if wanted:
        sys.exit(f"no such settings: {', '.join('.'.join(place) for place in wanted)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(packaged(example()))
