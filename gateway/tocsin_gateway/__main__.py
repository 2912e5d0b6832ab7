"""The command `tocsin-gateway`."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin import configuration
from tocsin_gateway import logs, server

PROGRAM = "tocsin-gateway"
_DESCRIPTION = (
    "Takes notifications and heartbeats by HTTP and hands them to the daemon. Over a unix socket nothing else is "
    "needed. Over TCP it needs a token, and the connection is TLS but for loopback."
)


@dataclass(frozen=True, slots=True)
class Config:
    """What the gateway is told: as the table of settings has it (tocsin/configuration.py)."""

    http: str
    target: str
    token_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    insecure_plaintext: bool
    max_body: int
    log_level: str


def parse(arguments: Sequence[str]) -> Config:
    """Reads the command line, the environment and the file; ends the program with status 2 and a message where
    something is wrong."""
    settings = configuration.resolve("gateway", PROGRAM, _DESCRIPTION, arguments, os.environ)
    files: dict[str, Path | None] = {}
    for key in ("token_file", "ca_file", "cert_file", "key_file"):
        files[key] = Path(settings[key]) if settings[key] is not None else None
        if files[key] is not None and not Path(settings[key]).is_file():
            configuration.fail(PROGRAM, f"{key}: there is no file {settings[key]}")
    if (files["cert_file"] is None) != (files["key_file"] is None):
        configuration.fail(PROGRAM, "cert_file and key_file go together")
    if settings["insecure_plaintext"] and (files["ca_file"] or files["cert_file"]):
        configuration.fail(PROGRAM, "insecure_plaintext means no TLS, but files for TLS are given")
    return Config(
        settings["http"],
        settings["target"],
        **files,
        insecure_plaintext=settings["insecure_plaintext"],
        max_body=settings["max_body"],
        log_level=settings["log_level"],
    )


def main() -> None:
    """Serves until it is told to stop."""
    config = parse(sys.argv[1:])
    logging = logs.set_up(config.log_level)
    server.raise_open_files_limit()
    server.allow_long_numbers()

    def load_app() -> object:
        # Imported in the worker only: the process above it stays small, and gRPC is not there at the fork.
        from tocsin_gateway.app import create_app
        from tocsin_gateway.daemon_link import DaemonLink

        files = (config.token_file, config.ca_file, config.cert_file, config.key_file)
        return create_app(DaemonLink(config.target, *files, config.insecure_plaintext), config.max_body)

    server.Server(config.http, load_app, logging).run()


if __name__ == "__main__":
    main()
