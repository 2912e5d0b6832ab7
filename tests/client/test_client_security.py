"""What goes over a network in the clear: nothing, unless it was asked for by name. Both clients are held to it."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from certificates import Certificate
from scripted_daemon import ScriptedDaemon
from ways import Connect

import tocsin
from tocsin import channel
from tocsin.v1.alert_groups_pb2 import AlertGroup, GetAlertGroupRequest

ASKED = GetAlertGroupRequest(name="alertGroups/1")
GROUP = AlertGroup(name="alertGroups/1")


def serve(address: str, credentials: grpc.ServerCredentials | None = None) -> Iterator[ScriptedDaemon]:
    """A daemon on a TCP port."""
    daemon = ScriptedDaemon(f"{address}:0", credentials)
    daemon.start()
    daemon.script["GetAlertGroup"].append(GROUP)
    yield daemon
    daemon.stop()


@pytest.fixture
def plain() -> Iterator[ScriptedDaemon]:
    """A daemon without TLS. 0.0.0.0 can be reached from here, and is no loopback address by its text."""
    yield from serve("0.0.0.0")


@pytest.fixture
def encrypted(certificate: Certificate) -> Iterator[ScriptedDaemon]:
    """A daemon with TLS."""
    pair = (certificate.key.read_bytes(), certificate.certificate.read_bytes())
    yield from serve("0.0.0.0", grpc.ssl_server_credentials([pair]))


@pytest.fixture
def mutual(ca: Certificate, certificate: Certificate) -> Iterator[ScriptedDaemon]:
    """A daemon that wants certificates of its callers, too."""
    pair = (certificate.key.read_bytes(), certificate.certificate.read_bytes())
    yield from serve("0.0.0.0", grpc.ssl_server_credentials([pair], ca.certificate.read_bytes(), True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "ipv4:127.0.0.1", "dns:///localhost"])
def test_loopback_is_plain(connect: Connect, plain: ScriptedDaemon, host: str) -> None:
    """Within this machine no TLS is needed, and a token may go."""
    target = plain.target.replace("0.0.0.0", host)
    assert connect(target, token="s3cret").call("GetAlertGroup", ASKED, wait_for_ready=False) == GROUP
    assert plain.calls[0].metadata["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("notation", ["{}", "ipv4:{}", "dns:///{}"])
def test_no_token_goes_anywhere_else_in_the_clear(connect: Connect, plain: ScriptedDaemon, notation: str) -> None:
    """A daemon without TLS is not talked to, whatever way its address is written."""
    way = connect(notation.format(plain.target), token="s3cret", timeout=2)
    with pytest.raises(tocsin.Error, match="UNAVAILABLE"):
        way.call("GetAlertGroup", ASKED, wait_for_ready=False)
    assert plain.calls == []


@pytest.mark.parametrize(
    ("target", "is_plain"),
    [
        ("unix:/run/tocsin/tocsind.sock", True),
        ("unix-abstract:tocsin", True),
        ("[::1]:9095", True),
        ("ipv6:[::1]:9095", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", True),
        ("ipv4:127.0.0.1:1,192.0.2.1:2", False),
        ("alerts.example:9095", False),
        ("localhost.example:9095", False),
        ("127.0.0.1.example:9095", False),
        ("192.0.2.1:9095", False),
        ("dns://192.0.2.1/localhost:9095", False),
        ("xds:///localhost:9095", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_which_addresses_are_plain(target: str, is_plain: bool) -> None:
    """Only what is clearly within this machine; what is not understood is TLS."""
    assert (channel.credentials(target) is None) is is_plain


def test_plain_by_name(connect: Connect, plain: ScriptedDaemon) -> None:
    """`insecure_plaintext` is how to go without TLS nevertheless."""
    way = connect(plain.target, token="s3cret", insecure_plaintext=True)
    assert way.call("GetAlertGroup", ASKED, wait_for_ready=False) == GROUP


def test_tls_with_an_authority_of_ones_own(connect: Connect, encrypted: ScriptedDaemon, ca: Certificate) -> None:
    """`ca_file` names who vouches for the daemon, on loopback, too."""
    for target in (encrypted.target, encrypted.target.replace("0.0.0.0", "127.0.0.1")):
        way = connect(target, token="s3cret", ca_file=ca.certificate)
        assert way.call("GetAlertGroup", ASKED, wait_for_ready=False) == GROUP


def test_tls_with_whom_this_machine_trusts(
    connect: Connect, encrypted: ScriptedDaemon, ca: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `ca_file` it is the system's list, for which OpenSSL's SSL_CERT_FILE can name another."""
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)  # gRPC's own; it comes first
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.certificate))
    assert connect(encrypted.target).call("GetAlertGroup", ASKED, wait_for_ready=False) == GROUP


def test_an_unknown_authority_is_refused_and_said_so(
    connect: Connect, encrypted: ScriptedDaemon, other_ca: Certificate
) -> None:
    """Somebody else's certificate is no daemon, and the error says that it is the certificate."""
    way = connect(encrypted.target, token="s3cret", timeout=1, ca_file=other_ca.certificate)
    with pytest.raises(tocsin.Error, match="CERTIFICATE_VERIFY_FAILED"):
        way.call("GetAlertGroup", ASKED)
    assert encrypted.calls == []


def test_a_certificate_of_ones_own(
    connect: Connect, mutual: ScriptedDaemon, ca: Certificate, certificate: Certificate
) -> None:
    """A daemon that wants to know its callers by certificate is shown one."""
    known = connect(
        mutual.target, ca_file=ca.certificate, cert_file=certificate.certificate, key_file=str(certificate.key)
    )
    assert known.call("GetAlertGroup", ASKED, wait_for_ready=False) == GROUP
    with pytest.raises(tocsin.Error):
        connect(mutual.target, ca_file=ca.certificate).call("GetAlertGroup", ASKED, wait_for_ready=False)
    assert len(mutual.calls) == 1


def test_arguments_that_contradict_each_other(connect: Connect, ca: Certificate, certificate: Certificate) -> None:
    """Half a certificate, or no TLS with files for TLS, is a mistake that must not be guessed around."""
    with pytest.raises(ValueError, match="belong together"):
        connect("alerts.example:9095", cert_file=certificate.certificate)
    with pytest.raises(ValueError, match="insecure_plaintext"):
        connect("alerts.example:9095", ca_file=ca.certificate, insecure_plaintext=True)


def test_a_file_that_is_not_there(connect: Connect, folder: Path) -> None:
    """It is missed when connecting, not at some later call."""
    with pytest.raises(FileNotFoundError):
        connect("alerts.example:9095", ca_file=folder / "none.pem")


def test_a_proxy_for_the_web_is_not_asked(
    connect: Connect, plain: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http_proxy does not catch calls."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    way = connect(plain.target, insecure_plaintext=True)
    assert way.call("GetAlertGroup", ASKED, wait_for_ready=False) == GROUP


def test_a_client_does_not_show_its_token() -> None:
    """Whoever logs a client, or its parts, logs no secret."""
    with tocsin.connect("127.0.0.1:9", token="s3cret") as client:
        assert "s3cret" not in repr(client) + repr(client._interceptor) + repr(client._interceptor._defaults)
