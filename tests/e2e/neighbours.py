"""Tocsin's neighbours: a real Alertmanager and a real Prometheus, with something to watch."""

import contextlib
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from processes import Process, Processes, free_port, until

from tocsin.v1.integrations_pb2 import Integration

NEEDS_ALERTMANAGER = pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None, reason="there is no prometheus-alertmanager in the PATH"
)
NEEDS_PROMETHEUS = pytest.mark.skipif(shutil.which("prometheus") is None, reason="there is no prometheus in the PATH")


def ask(url: str, body: Any = None) -> bytes:
    """Makes a request of a neighbour's API: a GET, or a POST of `body` as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=10) as response:
        answer: bytes = response.read()
    return answer


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        ask(url)
    except (urllib.error.URLError, OSError):
        return False
    return True


def webhook(url: str, **fields: Any) -> dict[str, Any]:
    """A configuration that sends everything to one webhook at once, and again after a second."""
    return {
        "route": {
            "receiver": "tocsin",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "tocsin", "webhook_configs": [{"url": url, "send_resolved": True} | fields]}],
    }


def webhook_and_heartbeat(integration: Integration) -> dict[str, Any]:
    """The configuration of a newcomer: alerts to one URL, the alert that always fires to the other, each second."""
    configuration = webhook(integration.url)
    configuration["route"]["routes"] = [
        {"receiver": "heartbeat", "matchers": ['alertname="heartbeat"'], "repeat_interval": "1s"}
    ]
    configuration["receivers"].append(
        {"name": "heartbeat", "webhook_configs": [{"url": integration.heartbeat_url, "send_resolved": False}]}
    )
    return configuration


class Alertmanager:
    """An Alertmanager that can be stopped and started again."""

    def __init__(
        self, processes: Processes, folder: Path, configuration: dict[str, Any] | str, name: str = "alertmanager"
    ) -> None:
        self._processes = processes
        self._folder = folder
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = folder / f"{name}.yml"
        # JSON is YAML.
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        self.file.write_text(text)
        self.process: Process

    def start(self, *cluster: str) -> "Alertmanager":
        """Starts it, alone unless there are flags about its cluster."""
        arguments = [
            "prometheus-alertmanager",
            f"--config.file={self.file}",
            f"--storage.path={self._folder}/{self.name}-data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *(cluster or ["--cluster.listen-address="]),
        ]
        self.process = self._processes.start(arguments, self._folder / f"{self.name}.log")
        until(lambda: answers(f"{self.url}/-/ready"), "Alertmanager is ready")
        return self

    def fire(self, alertname: str, *instances: str, ended: bool = False, **annotations: str) -> None:
        """Raises an alert for each instance, or ends it."""
        now = datetime.now(UTC).isoformat()
        alerts = [
            {"labels": {"alertname": alertname, "instance": instance}, "annotations": annotations}
            | ({"endsAt": now} if ended else {})
            for instance in instances
        ]
        ask(f"{self.url}/api/v2/alerts", alerts)

    def failures(self) -> int:
        """How many requests to its webhook have failed."""
        lines = ask(f"{self.url}/metrics").decode().splitlines()
        prefix = "alertmanager_notification_requests_failed_total"
        return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(prefix)))

    def members(self) -> int:
        """How many Alertmanagers its cluster has, once that has settled."""
        cluster = json.loads(ask(f"{self.url}/api/v2/status"))["cluster"]
        return len(cluster.get("peers", [])) if cluster["status"] == "ready" else 0


class Demo:
    """Something for Prometheus to watch: a gauge that a test can switch."""

    def __init__(self) -> None:
        self.up = 1
        demo = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"demo_up {demo.up}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def prometheus(processes: Processes, folder: Path, alertmanager: Alertmanager, demo: Demo) -> Iterator[Process]:
    """A Prometheus with the rules `heartbeat` (always) and `DemoDown` (the gauge is 0), which looks each second."""
    port = free_port()
    rules = {
        "groups": [
            {
                "name": "rules",
                "rules": [
                    {"alert": "heartbeat", "expr": "vector(1)"},
                    {"alert": "DemoDown", "expr": "demo_up == 0", "annotations": {"summary": "the demo is down"}},
                ],
            }
        ]
    }
    (folder / "rules.yml").write_text(json.dumps(rules))
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]},
        "scrape_configs": [{"job_name": "demo", "static_configs": [{"targets": [demo.address]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    process = processes.start(
        [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus-data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--rules.alert.resend-delay=1s",
            "--log.level=warn",
        ],
        folder / "prometheus.log",
    )
    until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), "Prometheus is ready")
    yield process
    process.stop()
