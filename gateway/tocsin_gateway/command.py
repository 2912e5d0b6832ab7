"""The command `tocsin-gateway`: what it is told, and what a reload takes of it.

A reload (SIGHUP) reads the command line, the environment and the file again, and takes what the table of settings says
can be taken: the largest body, the level of the log. What else has changed is named in the log and needs a restart. A
mistake in it is a line in the log, and everything stays as it was.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from tocsin import configuration
from tocsin.configuration import Mistake, Settings
from tocsin_gateway import logs, server

_log = structlog.get_logger("tocsin_gateway")

PROGRAM = "tocsin-gateway"
_DESCRIPTION = (
    "Takes notifications and heartbeats by HTTP and hands them to the daemon. Over a unix socket nothing else is "
    "needed. Over TCP it needs a token, and the connection is TLS but for loopback."
)


@dataclass(frozen=True, slots=True)
class Config:
    """What the gateway is told: as the table of settings has it (tocsin/settings.py). `settings`: all of this as
    it was told, which can be read again."""

    http: str
    target: str
    token_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    insecure_plaintext: bool
    max_body: int
    log_level: str
    settings: Settings


def parse(arguments: Sequence[str]) -> Config:
    """Reads the command line, the environment and the file; ends the program with status 2 and a message where
    something is wrong."""
    settings = configuration.resolve("gateway", PROGRAM, _DESCRIPTION, arguments, os.environ)
    try:
        return of_settings(settings)
    except Mistake as mistake:
        configuration.fail(PROGRAM, str(mistake))


def of_settings(settings: Settings) -> Config:
    """Returns what settings say together. Raises Mistake where they do not go together."""
    files: dict[str, Path | None] = {}
    for key in ("token_file", "ca_file", "cert_file", "key_file"):
        files[key] = Path(settings[key]) if settings[key] is not None else None
        # Not Path's own is_file, which raises where a folder may not be looked into: that would end a reload, and all.
        if files[key] is not None and not os.path.isfile(settings[key]):
            raise Mistake(f"{key}: there is no file {settings[key]}, or it is not open to this user")
    if (files["cert_file"] is None) != (files["key_file"] is None):
        raise Mistake("cert_file and key_file go together")
    if settings["insecure_plaintext"] and (files["ca_file"] or files["cert_file"]):
        raise Mistake("insecure_plaintext means no TLS, but files for TLS are given")
    return Config(
        settings["http"],
        settings["target"],
        **files,
        insecure_plaintext=settings["insecure_plaintext"],
        max_body=settings["max_body"],
        log_level=settings["log_level"],
        settings=settings,
    )


class Running:
    """What the gateway runs with: `config`, as it was at the start but for what reloads have changed."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._settings = dict(config.settings)

    def reload(self) -> dict[str, Any]:
        """Takes what can be taken of what the settings are now; returns what `logs.set_up` returns."""
        try:
            read = of_settings(self.config.settings.again())
        except Mistake as mistake:
            _log.error("not reloaded: everything stays as it was", mistake=str(mistake))
            return logs.set_up(self.config.log_level)
        taken, left = configuration.differences("gateway", self._settings, read.settings)
        changed = {key: {"from": self._settings[key], "to": read.settings[key]} for key in taken}
        self._settings.update((key, read.settings[key]) for key in taken)
        self.config = replace(self.config, max_body=read.max_body, log_level=read.log_level)
        _log.info("reloaded", changed=changed)
        if left:
            _log.warning("changed in the configuration, but taken by a restart only", settings=left)
        return logs.set_up(self.config.log_level)


def serve(early: Sequence[int]) -> None:
    """Serves until it is told to stop. `early` fills with reloads that were asked for before the server takes them."""
    running = Running(parse(sys.argv[1:]))
    logging = logs.set_up(running.config.log_level)
    server.raise_open_files_limit()
    server.allow_long_numbers()

    def load_app() -> object:
        # Imported in the worker only: the process above it stays small, and gRPC is not there at the fork.
        from tocsin_gateway.app import create_app
        from tocsin_gateway.daemon_link import DaemonLink

        config = running.config
        files = (config.token_file, config.ca_file, config.cert_file, config.key_file)
        return create_app(DaemonLink(config.target, *files, config.insecure_plaintext), config.max_body)

    server.Server(running.config.http, load_app, logging, running.reload, early).run()
