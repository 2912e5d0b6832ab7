"""Certificates for tests, made with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """PEM files: a certificate and its key."""

    certificate: Path
    key: Path


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder: Path, name: str = "ca") -> Certificate:
    """A new certificate authority."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", "-x509", *curve, "-keyout", str(made.key), "-out", str(made.certificate), "-subj", f"/CN={name}")
    return made


def signed(by: Certificate, folder: Path, name: str) -> Certificate:
    """A new certificate signed by an authority, with the subject `name`, for `localhost`, 127.0.0.1 and 0.0.0.0, which
    by its text is no loopback address."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0.0.0.0\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", *curve, "-keyout", str(made.key), "-out", str(request), "-subj", f"/CN={name}")
    authority_files = ("-CA", str(by.certificate), "-CAkey", str(by.key), "-CAcreateserial")
    _openssl("x509", "-req", "-in", str(request), *authority_files, "-extfile", str(extensions), "-out",
             str(made.certificate))  # fmt: skip
    return made
