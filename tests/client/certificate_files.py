"""Certificates for tests of TLS, made by the `openssl` command."""

import subprocess
from pathlib import Path
from typing import NamedTuple


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
