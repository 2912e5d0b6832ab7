"""The way to the daemon: how the channel behaves; what is encrypted is for tls.py.

A daemon that restarts is back within a second, so a lost connection is tried again every half second at most. Over TCP
a dead peer may be silent: pings notice it.

UNAVAILABLE is tried again up to four times with growing pauses. Reading twice does no harm, and what changes something
bears a `request_id`, by which the daemon knows a repeat (calls.py).
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import grpc

from . import tls

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
    # A stream can be silent for days: gRPC would stop its pings after two.
    "grpc.http2.max_pings_without_data": 0,
}


def link_options(target: str) -> dict[str, int]:
    """Return how any channel to `target`, the gateway's too, comes back after the daemon did, and notices that it is
    gone."""
    return _LINK if tls.is_socket(target) else _LINK | _PINGS


def options(target: str) -> Sequence[tuple[str, Any]]:
    """Return the options of a client's channel to `target`."""
    names = [{"service": f"tocsin.v1.{service}Service"} for service in SERVICES]
    configuration = json.dumps({"methodConfig": [{"name": names, "retryPolicy": RETRIES}]})
    return (
        ("grpc.service_config", configuration),
        # gRPC's 4 MiB would cut off payloads: Alertmanager's grow beyond, and the gateway takes 32 MiB.
        ("grpc.max_receive_message_length", -1),
        *link_options(target).items(),
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
    files = tls.read(
        target, ca_file=ca_file, cert_file=cert_file, key_file=key_file, insecure_plaintext=insecure_plaintext
    )
    return credentials_of(files)


def credentials_of(files: tls.Tls | None) -> grpc.ChannelCredentials | None:
    """Return the credentials that were read from files, or None for a plain channel."""
    if files is None:
        return None
    return grpc.ssl_channel_credentials(files.roots, files.key, files.certificate)
