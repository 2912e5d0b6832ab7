"""`tocsin metrics` against a fake daemon."""

import json

from cli_program import Run
from fake_daemon import FakeDaemon


def test_metrics_are_printed_byte_for_byte(run: Run, daemon: FakeDaemon) -> None:
    """The daemon's text is all that is printed; with -o json it is base64 in its message."""
    daemon.metrics = '# HELP tocsin_x ü\ntocsin_x{a="b"} 1\n'.encode()
    assert run("metrics").stdout_bytes == daemon.metrics
    daemon.metrics = b"{}"
    answer = json.loads(run("metrics", "-o", "json").stdout)
    assert answer == {"contentType": "text/plain; version=0.0.4", "data": "e30="}
