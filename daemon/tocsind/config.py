"""What the daemon is told at its start."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from tocsind import log
from tocsind.domain.access import Role
from tocsind.domain.integration import MAX_RATE_LIMIT
from tocsind.domain.rate_limit import DEFAULT_LIMIT, DEFAULT_TOTAL_LIMIT
from tocsind.rpc.server import Listener
from tocsind.rpc.tls import TlsFiles

_ROLES = {f"role={role.name.lower()}": role for role in Role} | {"role=none": None}

# The kernel's limit for the path of a unix socket, less the ending zero (unix(7): sun_path has 108 bytes).
MAX_SOCKET_PATH = 107


@dataclass(frozen=True, slots=True)
class Config:
    """`data`: the folder with the file. `listen`: where to serve gRPC. `external_url`: where senders find the gateway,
    without a slash at its end. `tls`: for TCP. `insecure_plain_tcp`: whether TCP may do without beyond loopback.
    `rate_limit`: notifications, and beats, that an integration may send in 5 minutes unless it says otherwise;
    `total_rate_limit`: notifications that all may send; 0 is no limit.
    `webhook_networks`: the private networks that webhooks and calendars may be at, as CIDR. `log_level`: one of
    `log.LEVELS`."""

    data: Path
    listen: tuple[Listener, ...]
    external_url: str
    tls: TlsFiles | None = None
    insecure_plain_tcp: bool = False
    log_level: str = "info"
    rate_limit: int = DEFAULT_LIMIT
    total_rate_limit: int = DEFAULT_TOTAL_LIMIT
    webhook_networks: tuple[str, ...] = ()


def parse(arguments: Sequence[str]) -> Config:
    """Reads the command line; ends the program with status 2 and a message where it is wrong."""
    parser = argparse.ArgumentParser(prog="tocsind", description="Tocsin's daemon: owns alert groups and heartbeats.")
    parser.add_argument("--data", type=Path, default=Path("/var/lib/tocsin"), help="the data folder (%(default)s)")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help="unix:PATH or HOST:PORT, more than once if need be (unix:DATA/tocsind.sock). Over TCP every call needs a "
        "token. Over a unix socket the file mode (0660) is the gate, and whoever passes it without a token is an "
        "admin; unix:PATH,role=ROLE makes it an editor, viewer or gateway, and role=none demands a token",
    )
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="serve TCP with TLS: the chain, PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="the key of the certificate, PEM")
    parser.add_argument(
        "--tls-client-ca", type=Path, metavar="FILE", help="demand a client certificate signed by one of these CAs, PEM"
    )
    parser.add_argument(
        "--insecure-plain-tcp",
        action="store_true",
        help="allow TCP without TLS beyond loopback, where whoever listens on the network can read tokens",
    )
    parser.add_argument(
        "--external-url",
        default="http://127.0.0.1:8080",
        help="where senders find the gateway (%(default)s)",
    )
    parser.add_argument(
        "--rate-limit",
        type=_limit,
        default=DEFAULT_LIMIT,
        metavar="N",
        help="notifications that an integration may send in 5 minutes, and beats as well, apart from these "
        "(%(default)s; 0: any number); its own rate_limit overrides this",
    )
    parser.add_argument(
        "--total-rate-limit",
        type=_limit,
        default=DEFAULT_TOTAL_LIMIT,
        metavar="N",
        help="notifications that all integrations together may send in 5 minutes (%(default)s; 0: any number); what is "
        "too much is answered 503, and the sender tries again",
    )
    parser.add_argument(
        "--webhook-network",
        type=_network,
        action="append",
        default=[],
        metavar="CIDR",
        help="a private, loopback or link-local network that webhooks and calendars may be at, such as 10.0.0.0/8; "
        "more than once if need be (none: only public addresses)",
    )
    parser.add_argument(
        "--log-level",
        choices=log.LEVELS,
        default="info",
        help="%(default)s, or debug: also calls that only read, and each commit with the ids of the requests in it",
    )
    found = parser.parse_args(arguments)
    data = found.data.absolute()
    listen = tuple(_listener(parser, text) for text in found.listen or [f"unix:{data}/tocsind.sock"])
    if (found.tls_certificate is None) != (found.tls_key is None):
        parser.error("--tls-certificate and --tls-key go together")
    if found.tls_client_ca is not None and found.tls_certificate is None:
        parser.error("argument --tls-client-ca: needs --tls-certificate and --tls-key")
    tls = None
    if found.tls_certificate is not None:
        tls = TlsFiles(found.tls_certificate, found.tls_key, found.tls_client_ca)
    if not found.external_url.startswith(("http://", "https://")):
        parser.error("argument --external-url: must begin with http:// or https://")
    return Config(
        data,
        listen,
        found.external_url.rstrip("/"),
        tls,
        found.insecure_plain_tcp,
        found.log_level,
        found.rate_limit,
        found.total_rate_limit,
        tuple(found.webhook_network),
    )


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a network such as 10.0.0.0/8: {error}") from None


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_RATE_LIMIT:
        raise argparse.ArgumentTypeError(f"must be 0 to {MAX_RATE_LIMIT}, not {text!r}")
    return int(text)


def _listener(parser: argparse.ArgumentParser, text: str) -> Listener:
    address, comma, option = text.partition(",")
    path = address.removeprefix("unix:") if address.startswith("unix:") else None
    if path is not None and len(os.fsencode(path)) > MAX_SOCKET_PATH:
        parser.error(f"argument --listen: the path of the socket is over {MAX_SOCKET_PATH} bytes long: {path}")
    if path is None and not address.rpartition(":")[2].isdecimal():
        parser.error(f"argument --listen: must be unix:PATH or HOST:PORT, not {address!r}")
    if not comma:
        return Listener(address, Role.ADMIN if path is not None else None)
    if path is None:
        parser.error(f"argument --listen: over TCP every call needs a token; {option!r} is for unix sockets")
    if option not in _ROLES:
        parser.error(f"argument --listen: after the comma must come one of {', '.join(_ROLES)}; not {option!r}")
    return Listener(address, _ROLES[option])
