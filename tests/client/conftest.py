"""A scripted daemon on a unix socket, real processes, and certificates."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from process_fixtures import folder, processes, shared_stack, stack
from scripted_daemon import ScriptedDaemon
from ways import Asyncio, Connect, Plain, Way

__all__ = ["folder", "processes", "shared_stack", "stack"]


@pytest.fixture
def daemon(folder: Path) -> Iterator[ScriptedDaemon]:
    """A scripted daemon that listens."""
    scripted = ScriptedDaemon(f"unix:{folder}/d.sock")
    scripted.start()
    yield scripted
    scripted.stop()


class Certificates(NamedTuple):
    """Files in PEM: an authority, and what it vouches for."""

    ca: Path
    cert: Path
    key: Path


def _openssl(*arguments: str, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> Certificates:
    """Makes an authority, and a certificate by it for this machine's addresses, of which 0.0.0.0 is no loopback."""
    folder.mkdir()
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl(
        *("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2"),
        folder=folder,
    )
    _openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=tocsin", folder=folder)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0.0.0.0\n")
    _openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "server.pem", "-days", "2", "-extfile", "names"),
        folder=folder,
    )
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """What a daemon needs for TLS."""
    return make_certificates(tmp_path_factory.mktemp("tls") / "one")


@pytest.fixture(scope="session")
def other_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The same by an authority that nobody knows."""
    return make_certificates(tmp_path_factory.mktemp("tls") / "other")


@pytest.fixture(params=[Plain, Asyncio], ids=["sync", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients, which are closed after the test. The test runs once for each kind."""
    made: list[Way] = []

    def connect(target: str, **options: Any) -> Way:
        made.append(request.param(target, **options))
        return made[-1]

    yield connect
    for way in made:
        way.close()


@pytest.fixture
def way(connect: Connect, daemon: ScriptedDaemon) -> Way:
    """A client of the scripted daemon."""
    return connect(daemon.target)
