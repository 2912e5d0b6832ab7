"""What the daemon is told at its start, and by a reload."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin import configuration
from tocsin.configuration import Settings
from tocsind.domain.access import Role
from tocsind.domain.rate_limit import DEFAULT_LIMIT, DEFAULT_TOTAL_LIMIT
from tocsind.rpc.server import Listener
from tocsind.rpc.tls import TlsFiles

PROGRAM = "tocsind"

_ROLES = {f"role={role.name.lower()}": role for role in Role} | {"role=none": None}


@dataclass(frozen=True, slots=True)
class Config:
    """`data`: the folder with the file. `listen`: where to serve gRPC. `external_url`: where senders find the gateway,
    without a slash at its end. `tls`: for TCP. `insecure_plain_tcp`: whether TCP may do without beyond loopback.
    `rate_limit`: notifications, and beats, that an integration may send in 5 minutes unless it says otherwise;
    `total_rate_limit`: notifications that all may send; 0 is no limit. `webhook_networks`: the private networks that
    webhooks and calendars may be at, as CIDR. `log_level`: one of `log.LEVELS`. `courier`: the socket at which a
    courier is; without it the daemon starts one. `settings`: all of this as it was told, which can be read again."""

    data: Path
    listen: tuple[Listener, ...]
    external_url: str
    tls: TlsFiles | None = None
    insecure_plain_tcp: bool = False
    log_level: str = "info"
    rate_limit: int = DEFAULT_LIMIT
    total_rate_limit: int = DEFAULT_TOTAL_LIMIT
    webhook_networks: tuple[str, ...] = ()
    courier: Path | None = None
    settings: Settings | None = None


def parse(arguments: Sequence[str]) -> Config:
    """Reads the command line, the environment and the file; ends the program with status 2 and a message where
    something is wrong."""
    settings = configuration.resolve(
        "daemon", PROGRAM, "Tocsin's daemon: owns alert groups and heartbeats.", arguments, os.environ
    )
    try:
        return of_settings(settings)
    except configuration.Mistake as mistake:
        configuration.fail(PROGRAM, str(mistake))


def of_settings(settings: Settings) -> Config:
    """Returns what settings say together. Raises configuration.Mistake where they do not go together."""
    data = Path(settings["data"]).absolute()
    listen = tuple(map(_listener, settings["listen"] or [f"unix:{data}/tocsind.sock"]))
    if (settings["tls_certificate"] is None) != (settings["tls_key"] is None):
        raise configuration.Mistake("tls_certificate and tls_key go together")
    if settings["tls_client_ca"] is not None and settings["tls_certificate"] is None:
        raise configuration.Mistake("tls_client_ca needs tls_certificate and tls_key")
    tls = None
    if settings["tls_certificate"] is not None:
        client_ca = settings["tls_client_ca"]
        tls = TlsFiles(
            Path(settings["tls_certificate"]), Path(settings["tls_key"]), Path(client_ca) if client_ca else None
        )
    return Config(
        data,
        listen,
        settings["external_url"],
        tls,
        settings["insecure_plain_tcp"],
        settings["log_level"],
        settings["rate_limit"],
        settings["total_rate_limit"],
        settings["webhook_networks"],
        Path(settings["courier"]) if settings["courier"] is not None else None,
        settings,
    )


def _listener(text: str) -> Listener:
    address, _, option = text.partition(",")
    if option:
        return Listener(address, _ROLES[option])
    return Listener(address, Role.ADMIN if address.startswith("unix:") else None)
