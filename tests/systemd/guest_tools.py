"""What the checks in the booted machine have at hand."""

import http.client
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

DATA: Final = Path("/var/lib/tocsin")
BACKUPS: Final = Path("/var/backups/tocsin")
CONFIGURATION: Final = Path("/etc/tocsin/tocsin.toml")
SERVICES: Final = ("tocsind.service", "tocsin-gateway.service")
PATIENCE: Final = 40.0

CHECKS: Final[list[Callable[[], None]]] = []


def check(function: Callable[[], None]) -> Callable[[], None]:
    """Adds one."""
    CHECKS.append(function)
    return function


def run(*command: str, ok: bool = True, **options: Any) -> str:
    """Runs a command, which must succeed (or fail) as said; returns what it wrote."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert (done.returncode == 0) is ok, f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-3000:]}"
    return str(done.stdout)


def until(look: Callable[[], T], what: str) -> T:
    """Looks until something true is seen."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what} (last seen: {seen!r})"
        time.sleep(0.1)
    return seen


def of_unit(unit: str, name: str) -> str:
    """A property of a unit."""
    return run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def active(*units: str) -> bool:
    """Whether these run."""
    return all(of_unit(unit, "ActiveState") == "active" for unit in units)


def journal(unit: str) -> str:
    """What a unit has said so far."""
    run("journalctl", "--sync")
    return run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")


REFUSED: Final[list[str]] = []
"""Why there was no answer, for those who read what failed."""


def ask(method: str, path: str, body: bytes | None = None, port: int = 8080) -> int:
    """The status of an answer, over a connection of its own; 0 where there was none."""
    path = re.sub(r"^http://[^/]*", "", path)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException) as error:
        REFUSED.append(f"{method} {path[:20]} at {time.strftime('%T')}: {error!r}")
        return 0
    finally:
        connection.close()


def ready() -> bool:
    """Whether notifications can be stored."""
    return ask("GET", "/-/ready") == 200


def tocsin(*arguments: str) -> Any:
    """What the command line answers, as JSON."""
    return json.loads(run("tocsin", *arguments, "-o", "json"))


def groups() -> list[dict[str, Any]]:
    """All groups."""
    found: list[dict[str, Any]] = tocsin("groups", "list", "--all", "--page-size", "1000").get("alertGroups", [])
    return found


def titles() -> set[str]:
    """What they are called."""
    return {group["title"] for group in groups()}


def url() -> str:
    """Where the integration of these checks takes notifications, which is made if need be."""
    for integration in tocsin("integrations", "list").get("integrations", []):
        if integration["displayName"] == "Checks":
            return str(tocsin("integrations", "show", "Checks")["url"])
    return str(tocsin("integrations", "create", "--type", "alertmanager", "--name", "Checks")["url"])


def notification(name: str) -> bytes:
    """A notification about an alert of that name."""
    labels = {"alertname": name}
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z"}
    group = {"groupKey": f'{{}}:{{alertname="{name}"}}', "groupLabels": labels, "truncatedAlerts": 0}
    body = {"version": "4", "status": "firing", "receiver": "tocsin", "alerts": [alert], **group}
    return json.dumps(body | {"commonLabels": labels, "commonAnnotations": {}, "externalURL": ""}).encode()


def post(name: str) -> int:
    """Sends one; returns the status."""
    return ask("POST", url(), notification(name))


class Load:
    """Senders that send one after another, each over a new connection, as long as the `with` lasts. They leave room for
    what is tested on a machine with few processors."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._url = url()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(4)]
        self.statuses: list[int] = []
        self.sent: set[str] = set()

    def _send(self, sender: int) -> None:
        count = 0
        while not self._over.is_set():
            count += 1
            name = f"{self._name}-{sender}-{count % 10}"
            self.statuses.append(ask("POST", self._url, notification(name)))
            self.sent.add(name)
            time.sleep(0.02)

    def __enter__(self) -> "Load":
        REFUSED.clear()
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.5)
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def counts(self) -> dict[int, int]:
        """How many answers of each status there were; 0 is no answer, and why is printed."""
        if 0 in self.statuses:
            print(*REFUSED, sep="\n", flush=True)
        return {status: self.statuses.count(status) for status in sorted(set(self.statuses))}


@contextmanager
def receiver() -> Iterator[list[str]]:
    """A receiver of webhooks at port 9999; yields what it got."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 9999), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield got
    finally:
        server.shutdown()
        server.server_close()


def configure(*changes: tuple[str, str]) -> None:
    """Sets what stands commented out in the configuration."""
    text = CONFIGURATION.read_text()
    for key, value in changes:
        text, count = re.subn(rf"^#?{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
        assert count, f"there is no {key} in the packaged configuration"
    CONFIGURATION.write_text(text)


def drop_in(unit: str, name: str, text: str) -> None:
    """Overrides something of a unit, as `systemctl edit` does."""
    folder = Path("/etc/systemd/system", f"{unit}.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.conf").write_text(text)
    run("systemctl", "daemon-reload")


def restarted(how: Callable[[], object]) -> None:
    """Does something to the daemon after which another process must serve, with everything that there was."""
    before, kept = of_unit("tocsind.service", "MainPID"), titles()
    how()
    until(lambda: of_unit("tocsind.service", "MainPID") not in (before, "0"), "another daemon runs")
    until(ready, "it is ready")
    assert kept <= titles()
    assert post("after-restart") == 200


def main_pid(unit: str = "tocsind.service") -> int:
    """The process of a service."""
    return int(of_unit(unit, "MainPID"))


def user_of(pid: int) -> str:
    """Whose a process is."""
    return Path(f"/proc/{pid}").owner()


def mode(path: str | Path) -> str:
    """Mode, owner and group."""
    return run("stat", "--format=%a %U:%G", str(path)).strip()
