"""How the services of the package work, and what becomes of them when they are hurt."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from guest_tools import (
    BACKUPS,
    CONFIGURATION,
    DATA,
    SERVICES,
    Load,
    active,
    ask,
    check,
    configure,
    drop_in,
    groups,
    journal,
    main_pid,
    mode,
    of_unit,
    post,
    ready,
    receiver,
    restarted,
    run,
    titles,
    tocsin,
    until,
    url,
    user_of,
)


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
    assert mode("/run/tocsin-gateway") == "2750 tocsin:tocsin-gateway"
    assert mode("/run/tocsin-gateway/daemon.sock") == "660 tocsin:tocsin-gateway"
    assert mode(CONFIGURATION) == "644 root:root"
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
    restarted(lambda: run("systemctl", "restart", "tocsind.service"))


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
    """While the gateway restarts, alone or with the others, and reloads under load, every request is answered 200."""
    with Load("restart") as load:
        for _ in range(3):
            run("systemctl", "restart", "tocsin-gateway.service")
            time.sleep(0.3)
        for _ in range(4):
            run("systemctl", "restart", "tocsind", "tocsin-courier", "tocsin-gateway")
            time.sleep(0.5)
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
        restarted(lambda: run("systemctl", "restart", "tocsind.service"))
    assert set(load.counts) <= {200, 503}, load.counts
    assert load.counts.get(503, 0) <= len(load.statuses) / 100, load.counts


@check
def daemon_is_killed() -> None:
    """A daemon that was killed is back, with everything that was answered; also where it was asked to end, and not by
    systemd."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        restarted(lambda number=number: os.kill(main_pid(), number))


@check
def daemon_that_stands_still_is_replaced() -> None:
    """A daemon that stands still is ended by the watchdog, and is back."""
    restarted(lambda: os.kill(main_pid(), signal.SIGSTOP))
    assert "watchdog" in run("journalctl", "--no-pager", "--unit=tocsind.service").lower()


@check
def daemon_reloads() -> None:
    """`systemctl reload` takes a setting without another process; with a mistake it fails, and keeps the old ones."""
    pid = main_pid()
    configure(("rate_limit", "1000000"))
    run("systemctl", "reload", "tocsind.service")
    until(lambda: "rate_limit" in journal("tocsind.service"), "the daemon says what has changed")
    good = CONFIGURATION.read_text()
    CONFIGURATION.write_text(good.replace("[daemon]", "[daemon]\nrate_limitt = 5", 1))
    for unit in SERVICES:
        run("systemctl", "reload", unit, ok=False)
        until(lambda unit=unit: "rate_limitt" in journal(unit), "the journal names the mistake")
    CONFIGURATION.write_text(good)
    CONFIGURATION.chmod(0o600)
    assert f"chmod 644 {CONFIGURATION}" in run("tocsin", "config", "check", ok=False)
    CONFIGURATION.chmod(0o644)
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
    run("tocsin", "restore", str(backup), ok=False)  # the daemon runs
    run("systemctl", "stop", "tocsind.service")
    run("tocsin", "restore", str(backup))
    run("systemctl", "start", "tocsind.service")
    until(ready, "it is ready")
    assert mode(DATA / "tocsin.db") == "600 tocsin:tocsin"
    found = " ".join(titles())
    assert "before-backup" in found
    assert "after-backup" not in found
    run("tocsin", "check")
    assert post("after-restore") == 200, "root's check left files that the daemon cannot write"


@check
def timer_can_be_enabled() -> None:
    """The daily backup is there to be enabled, and is not by itself."""
    assert run("systemctl", "is-enabled", "tocsin-backup.timer", ok=False).strip() == "disabled"
    run("systemctl", "enable", "--now", "tocsin-backup.timer")
    assert active("tocsin-backup.timer")
