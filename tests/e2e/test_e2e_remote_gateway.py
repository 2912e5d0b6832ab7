"""A gateway on another machine than its daemon: TCP, TLS, and a token with the role of a gateway."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from certificates import authority, signed
from daemon_client import Client
from processes import Process, Processes, free_port, until
from senders import Sender, notification

import tocsin
from tocsin.v1 import access_pb2, alert_groups_pb2
from tocsin.v1.access_pb2 import ApiToken


class Remote:
    """A daemon that serves TCP with TLS, and a gateway that reaches it only so."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.processes = processes
        self.folder = folder
        self.tcp = f"127.0.0.1:{free_port()}"
        self.port = free_port()
        ca = authority(folder)
        served, self.client = signed(ca, folder, "daemon"), signed(ca, folder, "gateway")
        self.ca_file = ca.certificate
        self.served = served
        self.token_file = folder / "token"
        self.daemon = processes.python(
            "tocsind",
            *("--data", str(folder / "data"), "--external-url", f"http://127.0.0.1:{self.port}"),
            *("--listen", f"unix:{folder}/admin.sock", "--listen", self.tcp),
            *("--tls-certificate", str(served.certificate), "--tls-key", str(served.key)),
            *("--tls-client-ca", str(ca.certificate)),
            log=folder / "daemon.log",
        )
        self.admin = Client(f"unix:{folder}/admin.sock")

    def create_token(self, role: "ApiToken.Role.ValueType", name: str) -> ApiToken:
        """A new token."""
        with tocsin.connect(f"unix:{self.folder}/admin.sock") as client:
            wanted = ApiToken(display_name=name, role=role)
            return client.access.CreateApiToken(access_pb2.CreateApiTokenRequest(api_token=wanted), timeout=30)

    def install(self, token: ApiToken) -> None:
        """Gives the gateway a token."""
        fresh = self.token_file.with_suffix(".new")
        fresh.write_text(token.secret + "\n")
        os.replace(fresh, self.token_file)

    def start_gateway(self) -> Process:
        """Starts the gateway."""
        self.gateway = self.processes.python(
            "tocsin_gateway",
            *("--http", f"127.0.0.1:{self.port}", "--target", self.tcp, "--token-file", str(self.token_file)),
            *("--ca-file", str(self.ca_file)),
            *("--cert-file", str(self.client.certificate), "--key-file", str(self.client.key)),
            log=self.folder / "gateway.log",
        )
        return self.gateway

    def with_a_new_worker(self, number: int, to: int) -> None:
        """Sends a signal to a process of the gateway, and returns when another worker serves than before."""
        before = set(self.gateway.children())
        os.kill(to, number)
        until(lambda: not before & set(self.gateway.children()), "the old worker has ended")
        until(lambda: self.get("/-/ready")[0] == 200, "the new one serves")

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """What the gateway answers to a GET; 0 where it does not."""
        sender = Sender(self.port)
        try:
            answer = sender.ask("GET", path, headers=headers)
            return answer.status, answer.text
        except OSError:
            return 0, ""
        finally:
            sender.close()


@pytest.fixture
def remote(processes: Processes, folder: Path) -> Remote:
    """A daemon, and all that a gateway needs to reach it over the network."""
    return Remote(processes, folder)


def test_a_remote_gateway_hands_in_and_reads_nothing(remote: Remote) -> None:
    """With its own token it attends, delivers and relays metrics; what callers of the REST API ask for is asked for in
    their name."""
    integration = remote.admin.create("prod")
    remote.install(remote.create_token(ApiToken.Role.GATEWAY, "gw"))
    remote.start_gateway()
    until(lambda: remote.get("/-/ready")[0] == 200, "the gateway is ready")
    sender = Sender(remote.port)

    assert sender.post(integration.url, notification("k")) == 200
    assert sender.post(integration.heartbeat_url, b"") == 200

    (group,) = remote.admin.groups()
    assert group.grouping_key == "k"
    assert "tocsin_attending_gateways 1" in remote.get("/metrics/daemon")[1]
    viewer = remote.create_token(ApiToken.Role.VIEWER, "script")
    status, listed = remote.get("/api/v1/alert_groups/", Authorization=viewer.secret)
    assert (status, '"count": 1' in listed or '"count":1' in listed) == (200, True)
    assert remote.get("/api/v1/alert_groups/")[0] == 403
    with (
        tocsin.connect(
            remote.tcp,
            token=remote.token_file.read_text().strip(),
            ca_file=remote.ca_file,
            cert_file=remote.client.certificate,
            key_file=remote.client.key,
        ) as client,
        pytest.raises(tocsin.Error) as refusal,
    ):
        client.alert_groups.ListAlertGroups(alert_groups_pb2.ListAlertGroupsRequest(), timeout=30)
    assert refusal.value.reason == "ROLE_TOO_SMALL"


def test_a_renewed_token_is_used_without_a_restart(remote: Remote) -> None:
    """While the old one is revoked senders are told to try again; with the new one in place deliveries go on."""
    integration = remote.admin.create("prod")
    old = remote.create_token(ApiToken.Role.GATEWAY, "gw")
    remote.install(old)
    remote.start_gateway()
    until(lambda: remote.get("/-/ready")[0] == 200, "the gateway is ready")
    sender = Sender(remote.port)
    assert sender.post(integration.url, notification("a")) == 200
    new = remote.create_token(ApiToken.Role.GATEWAY, "gw 2")
    with tocsin.connect(f"unix:{remote.folder}/admin.sock") as client:
        client.access.DeleteApiToken(access_pb2.DeleteApiTokenRequest(name=old.name), timeout=30)
    assert sender.post(integration.url, notification("b")) == 503

    remote.install(new)

    until(lambda: sender.post(integration.url, notification("b")) == 200, "the new token is used")
    assert {group.grouping_key for group in remote.admin.groups()} == {"a", "b"}


def test_files_that_are_gone_keep_no_worker_from_serving(remote: Remote) -> None:
    """While a renewal replaces them a reload is refused, or a worker is killed: the next one has what they held."""
    remote.install(remote.create_token(ApiToken.Role.GATEWAY, "gw"))
    gateway = remote.start_gateway()
    until(lambda: remote.get("/-/ready")[0] == 200, "the gateway is ready")
    integration = remote.admin.create("prod")
    for file in (remote.ca_file, remote.client.certificate, remote.client.key, remote.token_file):
        file.unlink()

    remote.with_a_new_worker(signal.SIGHUP, gateway.pid)
    assert "not reloaded: everything stays as it was" in gateway.log
    (worker,) = gateway.children()
    remote.with_a_new_worker(signal.SIGKILL, worker)

    sender = Sender(remote.port)
    assert sender.post(integration.url, notification("k")) == 200


def test_a_reload_takes_renewed_files(remote: Remote) -> None:
    """All of another authority, at the daemon and at the gateway: no restart of either is needed."""
    integration = remote.admin.create("prod")
    remote.install(remote.create_token(ApiToken.Role.GATEWAY, "gw"))
    gateway = remote.start_gateway()
    until(lambda: remote.get("/-/ready")[0] == 200, "the gateway is ready")
    (remote.folder / "new").mkdir()
    ca = authority(remote.folder / "new")
    for old in (remote.served, remote.client):
        new = signed(ca, remote.folder / "new", old.certificate.stem)
        shutil.copy(new.certificate, old.certificate)
        shutil.copy(new.key, old.key)
    shutil.copy(ca.certificate, remote.ca_file)

    remote.with_a_new_worker(signal.SIGHUP, gateway.pid)

    sender = Sender(remote.port)
    assert sender.post(integration.url, notification("k")) == 200


@pytest.mark.parametrize("half", ["ca.pem", "gateway.key"])
def test_a_reload_does_not_take_files_that_cannot_be_used(remote: Remote, half: str) -> None:
    """Such as half of what a renewal replaces: the ones before are used, by new connections too."""
    integration = remote.admin.create("prod")
    remote.install(remote.create_token(ApiToken.Role.GATEWAY, "gw"))
    gateway = remote.start_gateway()
    until(lambda: remote.get("/-/ready")[0] == 200, "the gateway is ready")
    whole = (remote.folder / half).read_text()
    (remote.folder / half).write_text(whole[: len(whole) // 2])

    remote.with_a_new_worker(signal.SIGHUP, gateway.pid)

    assert "not reloaded: everything stays as it was" in gateway.log
    sender = Sender(remote.port)
    assert sender.post(integration.url, notification("k")) == 200
