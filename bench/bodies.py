"""Requests as Alertmanager sends them, with a number in fixed-width places.

A group is known by a number of twelve digits, which stands in its groupKey, its labels and its fingerprints. The places
are always the same, so a request for another group is made by overwriting a few bytes, and one and the same number
always gives the same bytes: a repeat.
"""

import json
from dataclasses import dataclass
from typing import Any

WIDTH = 12
"""Digits of a number."""

_MARK = "@" * WIDTH


@dataclass(frozen=True)
class Template:
    """An HTTP request, or only its body, and where the number of the group stands in it."""

    text: str
    offsets: tuple[int, ...]

    def filled(self, number: int) -> bytes:
        """The bytes for one group."""
        return self.text.replace(_MARK, f"{number:0{WIDTH}d}").encode()


def notification(alerts: int, firing: bool = True) -> Template:
    """The body of one notification: about 0.8 KB an alert, 1.9 KB for two."""
    own = {"alertname": "HighRequestLatency", "cluster": f"prod-{_MARK}"}
    common = {**own, "job": "node", "namespace": "payments", "severity": "critical"}
    body = {
        "receiver": "tocsin",
        "status": "firing" if firing else "resolved",
        "alerts": [_alert(common, index, firing) for index in range(alerts)],
        "groupLabels": own,
        "commonLabels": common,
        "commonAnnotations": {"runbook_url": "https://runbooks.example.org/HighRequestLatency"},
        "externalURL": "http://alertmanager-0.example.org:9093",
        "version": "4",
        "groupKey": f'{{}}/{{severity="critical"}}:{{alertname="HighRequestLatency", cluster="prod-{_MARK}"}}',
        "truncatedAlerts": 0,
    }
    return _template(json.dumps(body, separators=(",", ":")) + "\n")


def post(path: str, body: Template) -> Template:
    """A whole POST request with this body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Alertmanager/0.28.0\r\n"
        f"Content-Length: {len(body.text)}\r\nContent-Type: application/json\r\n\r\n"
    )
    return _template(head + body.text)


def get(path: str) -> str:
    """A whole GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.0\r\n\r\n"


def _alert(common: dict[str, str], index: int, firing: bool) -> dict[str, Any]:
    instance = f"node-{index:03d}.example.org:9100"
    return {
        "status": "firing" if firing else "resolved",
        "labels": {**common, "instance": instance},
        "annotations": {
            "description": f"The 99th percentile of the latency on {instance} has been above 1.5 s for 10 minutes.",
            "runbook_url": "https://runbooks.example.org/HighRequestLatency",
            "summary": f"Requests to {instance} are slow",
        },
        "startsAt": "2026-11-23T03:33:02.231147Z",
        "endsAt": "0001-01-01T00:00:00Z" if firing else "2026-11-23T04:33:02.231147Z",
        "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=histogram_quantile%280.99%2C+rate%28latency"
        "%5B5m%5D%29%29+%3E+1.5&g0.tab=1",
        "fingerprint": f"{_MARK}{index:04x}",
    }


def _template(text: str) -> Template:
    assert text.isascii(), "offsets are counted in characters and used in bytes"
    offsets = []
    at = text.find(_MARK)
    while at >= 0:
        offsets.append(at)
        at = text.find(_MARK, at + WIDTH)
    return Template(text, tuple(offsets))
