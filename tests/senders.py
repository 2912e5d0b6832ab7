"""What sends to a gateway as Alertmanager does, and what it sends."""

import http.client
import json
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    text: str


class Sender:
    """A sender with one connection, kept as Alertmanager keeps its own. It never follows a redirect."""

    def __init__(self, port: int, timeout: float = 20) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Makes a request; OSError where no answer came."""
        path = path.removeprefix(f"http://127.0.0.1:{self._connection.port}")
        try:
            self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read().decode())
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(repr(error)) from error
        except OSError:
            self.close()
            raise

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        """Posts as Alertmanager does; returns the status, or 0 where no answer came."""
        try:
            return self.ask("POST", path, body, {"Content-Type": "application/json"} | (headers or {})).status
        except OSError:
            return 0

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


def notification(key: str, *, firing: Sequence[str] = ("a",), resolved: Sequence[str] = (), **fields: Any) -> bytes:
    """A notification with the grouping key `key` about alerts on the instances that fire and are resolved."""
    alerts = [
        {
            "status": status,
            "labels": {"alertname": "Load", "instance": instance},
            "annotations": {"summary": f"load of {instance}"},
            "startsAt": "2026-03-01T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-01T11:00:00Z",
            "generatorURL": "",
            "fingerprint": f"{zlib.crc32(instance.encode()):016x}",
        }
        for status, instances in (("firing", firing), ("resolved", resolved))
        for instance in instances
    ]
    body = {
        "receiver": "tocsin",
        "status": "firing" if firing else "resolved",
        "alerts": alerts,
        "groupLabels": {"alertname": "Load", "key": key},
        "commonLabels": {"alertname": "Load"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
    }
    return json.dumps(body | fields).encode()
