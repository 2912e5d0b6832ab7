"""The way to the daemon: what is encrypted, and how the channel behaves.

A secret never goes over a network in the clear by accident. Unix sockets and loopback are plain, any other address is
TLS, and an address whose form is not understood counts as any other. Only `insecure_plaintext` makes an exception.

A daemon that restarts is back within a second, so a lost connection is tried again every half second at most. Over TCP
a dead peer may be silent: pings notice it.

UNAVAILABLE is tried again up to four times with growing pauses. Reading twice does no harm, and what changes something
bears a `request_id`, by which the daemon knows a repeat (calls.py).
"""

import ipaddress
import json
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

SERVICES = (
    "Access",
    "AlertGroup",
    "Audit",
    "ContactPoint",
    "EscalationChain",
    "Heartbeat",
    "Integration",
    "Message",
    "Monitoring",
    "Note",
    "Route",
    "Template",
)
"""Those that people and tools call: all of the contract but IntakeService, which is the gateways'."""

RETRIES: dict[str, Any] = {
    "maxAttempts": 5,  # the most that gRPC allows
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
"""How calls are tried again, as gRPC's service configuration has it."""

_LINK = {
    # The daemon is on this machine or this network; a proxy meant for the web must not catch its calls.
    "grpc.enable_http_proxy": 0,
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.min_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 500,
}

_PINGS = {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
}

# Where distributions keep what administrators trust. gRPC for Python would take a list of its own instead.
_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def link_options(target: str) -> dict[str, int]:
    """Return how any channel to `target`, the gateway's too, comes back after the daemon did, and notices that it is
    gone."""
    return _LINK if _is_socket(target) else _LINK | _PINGS


def options(target: str) -> Sequence[tuple[str, Any]]:
    """Return the options of a client's channel to `target`."""
    names = [{"service": f"tocsin.v1.{service}Service"} for service in SERVICES]
    configuration = json.dumps({"methodConfig": [{"name": names, "retryPolicy": RETRIES}]})
    # A watch can be silent for days: gRPC would stop its pings after two.
    pings = () if _is_socket(target) else (("grpc.http2.max_pings_without_data", 0),)
    return (
        ("grpc.service_config", configuration),
        # gRPC's 4 MiB would cut off payloads: Alertmanager's grow beyond, and the gateway takes 32 MiB.
        ("grpc.max_receive_message_length", -1),
        *link_options(target).items(),
        *pings,
    )


def credentials(
    target: str,
    *,
    ca_file: str | os.PathLike[str] | None = None,
    cert_file: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
    insecure_plaintext: bool = False,
) -> grpc.ChannelCredentials | None:
    """Return the credentials of a channel to `target`, or None for a plain one.

    Raises ValueError for arguments that contradict one another, OSError for a file that cannot be read.
    """
    if (cert_file is None) != (key_file is None):
        raise ValueError("cert_file and key_file belong together")
    if insecure_plaintext and (ca_file or cert_file):
        raise ValueError("insecure_plaintext means no TLS, but files for TLS are given")
    asked_for = ca_file is not None or cert_file is not None
    if insecure_plaintext or _is_socket(target) or (_is_loopback(target) and not asked_for):
        return None
    return grpc.ssl_channel_credentials(
        Path(ca_file).read_bytes() if ca_file is not None else _system_roots(),
        Path(key_file).read_bytes() if key_file is not None else None,
        Path(cert_file).read_bytes() if cert_file is not None else None,
    )


def _is_socket(target: str) -> bool:
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
