"""What is encrypted on the way to the daemon, and by what: the files are read here, and no gRPC is needed for it.

A secret never goes over a network in the clear by accident. Unix sockets and loopback are plain, any other address is
TLS, and an address whose form is not understood counts as any other. Only `insecure_plaintext` makes an exception.
"""

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

# Where distributions keep what administrators trust. gRPC for Python would take a list of its own instead.
_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class Tls:
    """What the files of a channel with TLS hold, PEM: who vouches for the daemon (None: whom gRPC trusts), and the
    caller's own key and certificate, if the daemon wants one."""

    roots: bytes | None
    key: bytes | None = field(repr=False)
    certificate: bytes | None


def read(
    target: str,
    *,
    ca_file: str | os.PathLike[str] | None = None,
    cert_file: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
    insecure_plaintext: bool = False,
) -> Tls | None:
    """Return what a channel to `target` needs for TLS, or None where it is plain.

    Raises ValueError for arguments that contradict one another, OSError for a file that cannot be read.
    """
    if (cert_file is None) != (key_file is None):
        raise ValueError("cert_file and key_file belong together")
    if insecure_plaintext and (ca_file or cert_file):
        raise ValueError("insecure_plaintext means no TLS, but files for TLS are given")
    asked_for = ca_file is not None or cert_file is not None
    if insecure_plaintext or is_socket(target) or (_is_loopback(target) and not asked_for):
        return None
    return Tls(
        Path(ca_file).read_bytes() if ca_file is not None else _system_roots(),
        Path(key_file).read_bytes() if key_file is not None else None,
        Path(cert_file).read_bytes() if cert_file is not None else None,
    )


def check(files: Tls) -> None:
    """Raise OSError or ValueError where files hold nothing that can be used, or do not fit together: gRPC takes
    anything, and fails at each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whether a key is long enough is for those who made it, and for the daemon.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if files.roots is not None:
        context.load_verify_locations(cadata=files.roots.decode("ascii", "ignore"))
    if files.certificate is not None and files.key is not None:
        # OpenSSL reads them from a file only, and the files themselves may be others by now.
        with open(os.memfd_create("tocsin-tls"), "wb", buffering=0) as pair:
            pair.write(files.certificate + b"\n" + files.key)
            # With a password given OpenSSL asks nobody for one.
            context.load_cert_chain(f"/proc/self/fd/{pair.fileno()}", password="")


def is_socket(target: str) -> bool:
    """Return whether a gRPC target is a unix socket."""
    return target.startswith(("unix:", "unix-abstract:"))


def _is_loopback(target: str) -> bool:
    """Whether all addresses of a TCP target are of this machine, as far as their text tells."""
    scheme, _, rest = target.partition(":")
    addresses = rest.removeprefix("///") if scheme in ("dns", "ipv4", "ipv6") else target
    return all(_is_loopback_host(address.rpartition(":")[0].strip("[]")) for address in addresses.split(","))


def _is_loopback_host(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _system_roots() -> bytes | None:
    """Return the certificates that this machine trusts; SSL_CERT_FILE names others. None: those that gRPC brings."""
    if "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" in os.environ:  # gRPC reads it by itself
        return None
    for path in (ssl.get_default_verify_paths().cafile, *_SYSTEM_ROOTS):
        if path and os.path.isfile(path):
            return Path(path).read_bytes()
    return None
