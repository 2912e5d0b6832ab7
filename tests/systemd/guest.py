"""What is checked in the booted machine: booted.py runs this there, as root, with nothing but the standard library.

Each check is a function, in an order in which one leaves the machine as the next wants it. What failed is printed and
does not keep the others from being run. /result/result.json has the outcomes; the exit status is 0 where all passed.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

RESULT: Final = Path("/result")
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


# What they have at hand


def run(*command: str, ok: bool = True, **options: Any) -> str:
    """Runs a command, which must succeed (or fail) as said; returns what it wrote."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert (done.returncode == 0) is ok, f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-3000:]}"
    return done.stdout


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


def restarted(how: Callable[[], None]) -> None:
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


# The package


@check
def package_installs_and_starts() -> None:
    """dpkg alone brings up everything, each as its own user, and nothing is open to others."""
    run("dpkg", "--install", "/packages/old.deb")
    until(lambda: active(*SERVICES, "tocsin-courier.socket", "tocsin-gateway.socket"), "the services run")
    until(ready, "the gateway is ready")
    assert user_of(main_pid()) == "tocsin"
    assert user_of(main_pid("tocsin-gateway.service")) == "tocsin-gateway"
    assert mode(DATA) == "700 tocsin:tocsin"
    assert mode(DATA / "tocsin.db") == "600 tocsin:tocsin"
    assert mode("/run/tocsin") == "750 tocsin:tocsin"
    assert mode("/run/tocsin/tocsind.sock") == "660 tocsin:tocsin"
    assert mode("/run/tocsin-courier/socket") == "660 root:tocsin"
    assert mode(CONFIGURATION) == "640 root:tocsin"
    assert mode(BACKUPS) == "700 tocsin:tocsin"
    run("tocsin", "config", "check")
    assert "enabled" in run("systemctl", "is-enabled", *SERVICES)


@check
def daemon_has_no_network() -> None:
    """Of all interfaces, the daemon's process sees the loopback of its own alone."""
    interfaces = Path(f"/proc/{main_pid()}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    assert os.readlink(f"/proc/{main_pid()}/ns/net") != os.readlink("/proc/1/ns/net")


@check
def operator_configures() -> None:
    """What is set in the packaged file holds after a restart; the watchdog's patience is shortened for these checks."""
    configure(("rate_limit", "0"), ("total_rate_limit", "0"), ("webhook_networks", '["127.0.0.0/8"]'))
    drop_in("tocsind.service", "checks", "[Service]\nWatchdogSec=5\n")
    restarted(lambda: run("systemctl", "restart", "tocsind.service") and None)


@check
def alertmanager_is_heard() -> None:
    """A notification of a real Alertmanager is a group."""
    route = {"receiver": "tocsin", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
    receivers = [{"name": "tocsin", "webhook_configs": [{"url": url()}]}]
    Path("/tmp/alertmanager.yml").write_text(json.dumps({"route": route, "receivers": receivers}))
    arguments = ["--config.file=/tmp/alertmanager.yml", "--storage.path=/tmp/alertmanager"]
    arguments += ["--web.listen-address=127.0.0.1:9093", "--cluster.listen-address="]
    with open("/tmp/alertmanager.log", "wb") as log:
        alertmanager = subprocess.Popen(["prometheus-alertmanager", *arguments], stdout=log, stderr=log)
    try:
        until(lambda: ask("GET", "/-/ready", port=9093) == 200 or alertmanager.poll() is not None, "it is ready")
        assert alertmanager.poll() is None, Path("/tmp/alertmanager.log").read_text()
        alert = json.dumps([{"labels": {"alertname": "FromAlertmanager"}}]).encode()
        assert ask("POST", "/api/v2/alerts", alert, port=9093) == 200
        until(lambda: any("FromAlertmanager" in title for title in titles()), "the group is there")
    finally:
        alertmanager.terminate()
        alertmanager.wait()


@check
def templates_are_rendered() -> None:
    """The process that renders starts and keeps its limits within the unit's."""
    run("tocsin", "templates", "set", "Checks", "title", "rendered {{ payload.groupLabels.alertname }}")
    try:
        assert post("template") == 200
        assert "rendered template" in titles(), titles()
    finally:
        run("tocsin", "templates", "set", "Checks", "title", "--default")


@check
def gateway_restart_loses_nothing() -> None:
    """While the gateway restarts and reloads under load, every request is answered 200."""
    with Load("restart") as load:
        for _ in range(3):
            run("systemctl", "restart", "tocsin-gateway.service")
            time.sleep(0.3)
        run("systemctl", "reload", "tocsin-gateway.service")
        time.sleep(1)
    assert set(load.counts) == {200}, load.counts
    assert load.sent <= {group["title"] for group in groups()}


@check
def gateway_is_killed() -> None:
    """Nobody is refused while systemd brings the gateway back: the socket is systemd's."""
    os.kill(main_pid("tocsin-gateway.service"), signal.SIGKILL)
    assert post("gateway-killed") == 200


@check
def daemon_restart_is_waited_for() -> None:
    """While the daemon restarts under load, senders hear 200, and at worst 503."""
    with Load("daemon-restart") as load:
        restarted(lambda: run("systemctl", "restart", "tocsind.service") and None)
    assert set(load.counts) <= {200, 503}, load.counts
    assert load.counts.get(503, 0) <= len(load.statuses) / 100, load.counts


@check
def daemon_is_killed() -> None:
    """A daemon that was killed is back, with everything that was answered."""
    restarted(lambda: os.kill(main_pid(), signal.SIGKILL))


@check
def daemon_that_stands_still_is_replaced() -> None:
    """A daemon that stands still is ended by the watchdog, and is back."""
    restarted(lambda: os.kill(main_pid(), signal.SIGSTOP))
    assert "watchdog" in run("journalctl", "--no-pager", "--unit=tocsind.service").lower()


@check
def daemon_reloads() -> None:
    """`systemctl reload` takes a setting without another process; a mistake keeps the old ones, and is a line."""
    pid = main_pid()
    configure(("rate_limit", "1000000"))
    run("systemctl", "reload", "tocsind.service")
    until(lambda: "rate_limit" in journal("tocsind.service"), "the daemon says what has changed")
    good = CONFIGURATION.read_text()
    CONFIGURATION.write_text(good.replace("[daemon]", "[daemon]\nrate_limitt = 5", 1))
    run("systemctl", "reload", "tocsind.service")
    until(lambda: "rate_limitt" in journal("tocsind.service"), "the daemon names the mistake")
    CONFIGURATION.write_text(good)
    configure(("rate_limit", "0"))
    run("systemctl", "reload", "tocsind.service")
    assert main_pid() == pid
    assert post("after-reload") == 200


@check
def mistake_stops_the_start() -> None:
    """A mistake in the configuration is one line with file, line and key; nothing is tried again, nothing is harmed."""
    kept = titles()
    good = CONFIGURATION.read_text()
    CONFIGURATION.write_text(good.replace("[daemon]", "[daemon]\nrate_limit_ = 5", 1))
    line = 1 + CONFIGURATION.read_text().split("rate_limit_", 1)[0].count("\n")
    run("systemctl", "restart", "tocsind.service", ok=False)
    assert f"{CONFIGURATION}:{line}: [daemon] rate_limit_: " in journal("tocsind.service")
    time.sleep(2)
    assert of_unit("tocsind.service", "ActiveState") == "failed"
    assert ask("GET", "/-/ready") == 503
    CONFIGURATION.write_text(good)
    run("systemctl", "restart", "tocsind.service")
    until(ready, "it is ready")
    assert kept <= titles()


@check
def people_are_told_by_the_courier() -> None:
    """A message goes out by the courier's unit, which its socket started, and by a new one after that was killed."""
    with receiver() as got:
        address = "http://127.0.0.1:9999/hook"
        run("tocsin", "contacts", "create", "Receiver", "--webhook-file", "-", input=address)
        run("tocsin", "chains", "create", "All", "--notify", "Receiver", "--default")
        assert post("told") == 200
        until(lambda: any("told" in body for body in got), "the message arrives")
        courier = main_pid("tocsin-courier.service")
        assert user_of(courier) == "tocsin-courier"
        os.kill(courier, signal.SIGKILL)
        assert post("told-again") == 200
        until(lambda: any("told-again" in body for body in got), "the message of the new courier arrives")
        run("tocsin", "chains", "delete", "All", "--yes")
        run("tocsin", "contacts", "delete", "Receiver", "--yes")


@check
def tcp_with_tls_and_credentials() -> None:
    """By the examples that come with the package, the gateway speaks with the daemon over TCP with TLS and a token; the
    key and the token are files of root's."""
    tls = Path("/etc/tocsin/tls")
    tls.mkdir(mode=0o700)
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    run(*make.split(), "-keyout", str(tls / "daemon.key"), "-out", str(tls / "daemon.crt"))
    shutil.copy(tls / "daemon.crt", tls / "ca.crt")
    token = Path("/etc/tocsin/gateway.token")
    token.touch(mode=0o600)
    token.write_text(tocsin("tokens", "create", "--role", "gateway", "--name", "over-tcp")["secret"])
    examples, good = Path("/usr/share/doc/tocsin/examples"), CONFIGURATION.read_text()
    own_ca = re.sub(
        r"^#(LoadCredential=ca|Environment=)", r"\1", (examples / "tocsin-gateway-tcp.conf").read_text(), flags=re.M
    )
    try:
        configure(("listen", '["unix:/run/tocsin/tocsind.sock", "127.0.0.1:9095"]'), ("target", '"localhost:9095"'))
        drop_in("tocsind.service", "tcp", (examples / "tocsind-tcp.conf").read_text())
        drop_in("tocsin-gateway.service", "tcp", own_ca)
        run("systemctl", "restart", *SERVICES)
        until(ready, "it is ready")
        assert ":9095" in run("ss", "--listening", "--tcp", "--numeric"), "nobody listens there"
        assert post("over-tcp") == 200
        # A token that does not hold: the gateway is refused, so it was the token that let it in.
        token.write_text("wrong")
        run("systemctl", "restart", "tocsin-gateway.service")
        assert post("without-token") == 503
    finally:
        CONFIGURATION.write_text(good)
        for unit in SERVICES:
            Path(f"/etc/systemd/system/{unit}.d/tcp.conf").unlink(missing_ok=True)
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", *SERVICES)
        shutil.rmtree(tls)
        token.unlink()
        until(ready, "it is ready")


@check
def full_disk_is_said_and_survived() -> None:
    """A disk without room: 503 for what is new, reading goes on, the daemon stays, and with room it takes all again."""
    run("systemctl", "stop", "tocsind.service")
    run("cp", "--archive", str(DATA), "/var/tmp/kept")
    run("mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(DATA))
    try:
        run("sh", "-c", f"cp --archive /var/tmp/kept/. {DATA}")
        run("systemctl", "start", "tocsind.service")
        until(ready, "it is ready")
        pid, kept = main_pid(), titles()
        run("sh", "-c", f"head -c 60M /dev/zero >{DATA}/filler", ok=False)
        # There is room left in the pages of the file and its log: it takes some until there is none.
        until(lambda: post(f"filling-{time.monotonic_ns()}") == 503, "no room is said")
        assert kept <= titles()
        time.sleep(7)  # longer than the watchdog's patience: to have no room is no hang
        assert main_pid() == pid
        Path(DATA, "filler").unlink()
        until(lambda: post("room-again") == 200, "there is room again")
        assert main_pid() == pid
    finally:
        run("systemctl", "stop", "tocsind.service")
        run("umount", str(DATA))
        run("rm", "-rf", "/var/tmp/kept")
        run("systemctl", "start", "tocsind.service")
        until(ready, "it is ready")


@check
def backup_and_restore() -> None:
    """The timer's service makes a backup while it works, and restoring it brings back what was there then."""
    assert post("before-backup") == 200
    with Load("backup") as load:
        run("systemctl", "start", "tocsin-backup.service")
    assert set(load.counts) == {200}, load.counts
    (backup,) = BACKUPS.glob("*.db")
    assert mode(backup) == "600 tocsin:tocsin"
    assert post("after-backup") == 200
    run("runuser", "--user", "tocsin", "--", "tocsin", "restore", str(backup), ok=False)
    run("systemctl", "stop", "tocsind.service")
    run("runuser", "--user", "tocsin", "--", "tocsin", "restore", str(backup))
    run("systemctl", "start", "tocsind.service")
    until(ready, "it is ready")
    found = " ".join(titles())
    assert "before-backup" in found
    assert "after-backup" not in found
    run("runuser", "--user", "tocsin", "--", "tocsin", "check")


@check
def timer_can_be_enabled() -> None:
    """The daily backup is there to be enabled, and is not by itself."""
    assert run("systemctl", "is-enabled", "tocsin-backup.timer", ok=False).strip() == "disabled"
    run("systemctl", "enable", "--now", "tocsin-backup.timer")
    assert active("tocsin-backup.timer")


@check
def killed_upgrade_is_finished_by_another() -> None:
    """An upgrade that was killed while it unpacked leaves what runs alone, and is finished by running it again."""
    kept, pid = titles(), main_pid()
    upgrade = subprocess.Popen(["dpkg", "--install", "/packages/new.deb"], stdout=subprocess.DEVNULL, process_group=0)
    until(lambda: any(Path("/usr/lib/tocsin/bin").glob("*.dpkg-new")) or upgrade.poll() is not None, "it unpacks")
    os.killpg(upgrade.pid, signal.SIGKILL)
    assert upgrade.wait() == -signal.SIGKILL, "it was over before it could be killed"
    assert main_pid() == pid
    assert post("half-upgraded") == 200
    run("dpkg", "--install", "/packages/old.deb")
    until(ready, "it is ready")
    assert kept <= titles()


@check
def upgrade_keeps_everything() -> None:
    """A later package over the running one, under load: data and configuration stay, senders hear 200, at worst 503."""
    kept, configured, pid = titles(), CONFIGURATION.read_text(), main_pid()
    with Load("upgrade") as load:
        run("dpkg", "--install", "/packages/new.deb")
        until(ready, "it is ready")
    assert set(load.counts) <= {200, 503}, load.counts
    assert load.counts.get(503, 0) <= len(load.statuses) / 100, load.counts
    assert main_pid() != pid
    assert run("dpkg-query", "--show", "--showformat=${Version}", "tocsin").endswith("+later")
    assert kept <= titles()
    assert CONFIGURATION.read_text() == configured
    assert mode(CONFIGURATION) == "640 root:tocsin"


@check
def removal_keeps_the_data() -> None:
    """Removing the package keeps data and configuration, and installing it again goes on with both."""
    kept = titles()
    said = run("dpkg", "--remove", "tocsin")
    assert "/var/lib/tocsin" in said
    assert not active("tocsind.service")
    assert (DATA / "tocsin.db").exists()
    assert CONFIGURATION.exists()
    assert not list(Path("/usr/lib/tocsin").rglob("*")), "something is left of the program"
    run("dpkg", "--install", "/packages/new.deb")
    until(ready, "it is ready")
    assert kept <= titles()


@check
def file_of_an_earlier_version_is_backed_up_and_migrated() -> None:
    """A package that meets the file of a version before backs it up, beside it, before it is changed."""
    run("systemctl", "stop", "tocsind.service")
    for file in DATA.glob("tocsin.db*"):
        file.unlink()
    with contextlib.closing(sqlite3.connect(DATA / "tocsin.db")) as connection:
        connection.executescript(Path("/tree/tests/daemon/sqlite/old_files/0001.sql").read_text())
    run("sh", "-c", f"chown tocsin:tocsin {DATA}/tocsin.db*")
    run("systemctl", "start", "tocsind.service")
    until(ready, "it is ready")
    (kept,) = (DATA / "backups").glob("before-*.db")
    assert mode(kept) == "600 tocsin:tocsin"
    assert groups(), "what was in the file is there"


@check
def make_install_refuses_beside_the_package() -> None:
    """Two installations would be one too many: `make install` says so, and changes nothing."""
    assert "installed as a package" in run("/tree/systemd/install.sh", ok=False)
    assert not Path("/opt/tocsin").exists()


@check
def purge_removes_the_data_and_keeps_backups() -> None:
    """Only purging removes the data; backups stay, and it says so."""
    said = run("dpkg", "--purge", "tocsin")
    assert "/var/backups/tocsin" in said
    assert not DATA.exists()
    assert not CONFIGURATION.exists()
    assert list(BACKUPS.glob("*.db"))
    assert not list(Path("/etc/systemd/system").glob("*.wants/tocsin*")), "a link is left"


# make install


def install(**environment: str) -> subprocess.Popen[str]:
    """Begins `make install`, from the wheels that are there."""
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PYTHON": "/usr/bin/python3"}
    return subprocess.Popen(
        ["/tree/systemd/install.sh"],
        env=os.environ | wheels | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def finished(installation: subprocess.Popen[str]) -> str:
    """Waits for it; returns what it said."""
    said, _ = installation.communicate()
    assert installation.returncode == 0, said
    return said


def killed_once(installation: subprocess.Popen[str], seen: Callable[[], Any], what: str) -> None:
    """Kills it, and all that it runs, once something is seen."""
    until(lambda: seen() or installation.poll() is not None, what)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(installation.pid, signal.SIGKILL)
    said, _ = installation.communicate()
    assert installation.returncode == -signal.SIGKILL, f"it ended before it could be killed:\n{said}"


VERSIONS: Final = Path("/opt/tocsin/versions")


@check
def make_install_killed_and_run_again() -> None:
    """An installation that was killed is finished by running it again; it starts nothing, and says how to."""
    killed_once(
        install(), lambda: list(VERSIONS.glob("*/lib/python3*/site-packages/grpc")), "packages are put in place"
    )
    assert not Path("/etc/systemd/system/tocsind.service").exists()
    said = finished(install())
    assert "systemctl enable --now" in said
    assert not active("tocsind.service")
    assert len(list(VERSIONS.iterdir())) == 1, "what the first left is still there"
    assert mode(CONFIGURATION) == "640 root:tocsin"
    assert mode("/etc/tocsin") == "750 root:tocsin"
    assert mode(DATA) == "700 tocsin:tocsin"
    run("/usr/local/bin/tocsin", "config", "check")
    run(*next(line for line in said.splitlines() if "systemctl enable --now tocsin-courier" in line).split())
    until(lambda: active(*SERVICES), "the services run")
    until(ready, "it is ready")
    configure(("rate_limit", "0"), ("total_rate_limit", "0"))
    run("systemctl", "restart", "tocsind.service")
    until(ready, "it is ready")


@check
def make_install_over_the_running_one() -> None:
    """An upgrade, killed and run again, leaves the running version its files until the restart that it names; senders
    notice nothing, and what is no longer needed goes with the next."""
    assert post("before-upgrade") == 200
    configured, first = CONFIGURATION.read_text(), Path("/opt/tocsin/current").resolve()
    pid = main_pid()
    with Load("make-install") as load:
        half = install()
        killed_once(half, lambda: len(list(VERSIONS.glob("*/bin/tocsind"))) > 1, "the new version is there")
        assert Path("/opt/tocsin/current").resolve() == first
        said = finished(install())
        assert main_pid() == pid
        assert first.exists()
        assert Path("/opt/tocsin/current").resolve() != first
        run(*next(line for line in said.splitlines() if "systemctl restart" in line).split())
        until(ready, "it is ready")
    assert set(load.counts) <= {200, 503}, load.counts
    assert main_pid() != pid
    assert CONFIGURATION.read_text() == configured
    assert any("before-upgrade" in title for title in titles())
    assert len(list(VERSIONS.iterdir())) == 2


@check
def package_refuses_beside_make_install() -> None:
    """The package is not installed over it."""
    assert "make uninstall" in run("dpkg", "--install", "/packages/new.deb", ok=False)
    run("dpkg", "--purge", "--force-all", "tocsin")
    assert active(*SERVICES)


@check
def make_uninstall_keeps_the_data() -> None:
    """Uninstalling takes away the program and its units, and says what it kept."""
    said = run("/tree/systemd/uninstall.sh")
    assert "/var/lib/tocsin" in said
    assert (DATA / "tocsin.db").exists()
    assert CONFIGURATION.exists()
    assert not Path("/opt/tocsin").exists()
    assert not list(Path("/etc/systemd/system").glob("tocsin*.service"))[1:], "units are left"
    assert ask("GET", "/-/ready") == 0


def main() -> int:
    """Runs them all; returns the exit status."""
    outcomes: dict[str, str] = {}
    wanted = (RESULT / "only").read_text().split()
    for each in CHECKS:
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
