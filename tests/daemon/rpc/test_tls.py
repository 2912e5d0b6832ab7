"""TCP: encrypted, with certificates that can be renewed while the daemon runs, and always with a token."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from certificates import Certificate, authority, signed
from processes import free_port
from running_daemon import RunningDaemon, Start

from tocsin.v1 import access_pb2
from tocsind.config import Config
from tocsind.main import Main
from tocsind.rpc.server import Listener, ListenError
from tocsind.rpc.tls import TlsFiles

CALLER = "/tocsin.v1.AccessService/GetCaller"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """An authority that clients trust."""
    return authority(tmp_path_factory.mktemp("ca"))


class Encrypted:
    """A daemon that listens on TCP with TLS, and its files."""

    def __init__(self, start: Start, ca: Certificate, client_ca: Certificate | None) -> None:
        plain = start()
        plain.close()
        self.ca = ca
        self.folder = plain.folder
        self.address = f"127.0.0.1:{free_port()}"
        self.served = Certificate(self.folder / "served.pem", self.folder / "served.key")
        self.install(signed(ca, self.folder, "first"))
        files = TlsFiles(
            self.served.certificate, self.served.key, client_ca.certificate if client_ca is not None else None
        )
        self.daemon = RunningDaemon(self.folder, plain.clock, listen=[Listener(self.address, None)], tls=files)
        token = access_pb2.ApiToken(display_name="remote", role=access_pb2.ApiToken.VIEWER)
        request = access_pb2.CreateApiTokenRequest(api_token=token)
        self.secret = self.daemon.access.CreateApiToken(request).secret

    def install(self, certificate: Certificate) -> None:
        """Replaces the files that are served."""
        for source, target in ((certificate.key, self.served.key), (certificate.certificate, self.served.certificate)):
            fresh = target.with_suffix(".new")
            shutil.copy(source, fresh)
            fresh.rename(target)

    @contextmanager
    def channel(self, client: Certificate | None = None, *, plain: bool = False) -> Iterator[grpc.Channel]:
        """A new connection, with a client certificate if there is one."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        credentials = grpc.ssl_channel_credentials(
            self.ca.certificate.read_bytes(),
            client.key.read_bytes() if client else None,
            client.certificate.read_bytes() if client else None,
        )
        channel = (
            grpc.insecure_channel(self.address, options)
            if plain
            else grpc.secure_channel(self.address, credentials, options)
        )
        with channel:
            yield channel

    def served_name(self) -> str:
        """The subject of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=self.ca.certificate)
        context.set_alpn_protocols(["h2"])
        host, _, port = self.address.partition(":")
        with (
            socket.create_connection((host, int(port)), timeout=20) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as encrypted,
        ):
            subject = dict(pair[0] for pair in encrypted.getpeercert()["subject"])  # type: ignore[index, misc]
        return str(subject["commonName"])


def caller(channel: grpc.Channel, secret: str | None) -> access_pb2.Caller:
    """As whom a caller is seen; RpcError."""
    method = channel.unary_unary(CALLER, access_pb2.GetCallerRequest.SerializeToString, access_pb2.Caller.FromString)
    metadata = [("authorization", f"Bearer {secret}")] if secret is not None else []
    seen = method(access_pb2.GetCallerRequest(), metadata=metadata, timeout=5)
    assert isinstance(seen, access_pb2.Caller)
    return seen


@pytest.fixture
def encrypted(start: Start, ca: Certificate) -> Encrypted:
    """A daemon that listens on TCP with TLS."""
    return Encrypted(start, ca, None)


def test_over_tls_a_token_is_still_needed(encrypted: Encrypted) -> None:
    """The certificate is the server's; the caller is known by its token."""
    with encrypted.channel() as channel:
        assert caller(channel, encrypted.secret).actor == "remote"
        with pytest.raises(grpc.RpcError) as refusal:
            caller(channel, None)

    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_plain_callers_are_not_answered(encrypted: Encrypted) -> None:
    """Nobody sends a token in the clear to a port that is encrypted and gets away with it."""
    with encrypted.channel(plain=True) as channel, pytest.raises(grpc.RpcError) as refusal:
        caller(channel, encrypted.secret)

    assert refusal.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_a_renewed_certificate_is_served_at_once(encrypted: Encrypted) -> None:
    """The next connection gets it, without a restart; what is open goes on."""
    assert encrypted.served_name() == "first"
    with encrypted.channel() as before:
        assert caller(before, encrypted.secret).actor == "remote"

        encrypted.install(signed(encrypted.ca, encrypted.folder, "second"))

        assert encrypted.served_name() == "second"
        assert caller(before, encrypted.secret).actor == "remote"
        with encrypted.channel() as after:
            assert caller(after, encrypted.secret).actor == "remote"


@pytest.mark.parametrize("broken", ["garbage", "missing", "key of another"])
def test_files_that_do_not_fit_are_not_used(
    encrypted: Encrypted, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ones before serve on, the log says why once, and files that fit again are used."""
    third = signed(encrypted.ca, encrypted.folder, "third")
    if broken == "garbage":
        encrypted.served.certificate.write_text("no certificate")
    elif broken == "missing":
        encrypted.served.certificate.unlink()
    else:
        encrypted.install(Certificate(third.certificate, signed(encrypted.ca, encrypted.folder, "other").key))

    assert [encrypted.served_name() for _ in range(3)] == ["first"] * 3
    assert capsys.readouterr().out.count("cannot be used; the ones before serve on") == 1

    encrypted.install(third)
    assert encrypted.served_name() == "third"


def test_clients_can_be_made_to_show_a_certificate(start: Start, ca: Certificate, tmp_path: Path) -> None:
    """Signed by the authority that the daemon was given; the token is needed all the same."""
    clients = authority(tmp_path, "clients")
    encrypted = Encrypted(start, ca, clients)
    good = signed(clients, tmp_path, "good")
    stranger = signed(authority(tmp_path, "others"), tmp_path, "stranger")

    with encrypted.channel(good) as channel:
        assert caller(channel, encrypted.secret).actor == "remote"
        with pytest.raises(grpc.RpcError) as refusal:
            caller(channel, None)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    for other in (None, stranger):
        with encrypted.channel(other) as channel, pytest.raises(grpc.RpcError) as refusal:
            caller(channel, encrypted.secret)
        assert refusal.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_plain_tcp_is_for_loopback_only(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond it the daemon does not start, unless it is told to in so many words, and then it says so loudly."""
    daemon = start()
    daemon.close()
    listeners = (Listener(f"0.0.0.0:{free_port()}", None),)

    with pytest.raises(ListenError, match="without TLS: tokens could be read on the way"):
        Main(Config(daemon.folder, listeners, "http://x"), daemon.clock)
    Main(Config(daemon.folder, listeners, "http://x", insecure_plain_tcp=True), daemon.clock).close()

    assert "INSECURE: plain TCP beyond loopback" in capsys.readouterr().out


def test_plain_tcp_on_loopback_needs_a_token(start: Start) -> None:
    """Any program of the machine could connect: the file mode of a socket is no gate there."""
    daemon = start()
    daemon.close()
    address = f"127.0.0.1:{free_port()}"
    daemon = RunningDaemon(daemon.folder, daemon.clock, listen=[Listener(address, None)])

    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refusal:
        caller(channel, None)

    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_files_that_cannot_be_used_at_the_start_are_told(start: Start, tmp_path: Path) -> None:
    """By their names, and nothing is served."""
    daemon = start()
    daemon.close()
    files = TlsFiles(tmp_path / "none.pem", tmp_path / "none.key")

    with pytest.raises(ListenError, match=r"the TLS files cannot be used \(.*none\.pem, .*none\.key\)"):
        Main(Config(daemon.folder, (Listener(f"127.0.0.1:{free_port()}", None),), "http://x", files), daemon.clock)
