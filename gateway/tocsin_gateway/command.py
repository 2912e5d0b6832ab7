"""The command `tocsin-gateway`: what it is told, and what a reload takes of it.

A reload (SIGHUP) reads the command line, the environment and the file again, and takes what the table of settings says
can be taken: the largest body, the level of the log. What else has changed is named in the log and needs a restart. A
mistake in it is a line in the log, and everything stays as it was.

The files that settings name are read here, at the start and at a reload, and no worker needs them: a new one is made
after each reload, and whenever one dies, and where it cannot begin gunicorn gives up. So files that a renewal is just
replacing are a mistake like any other. Where others are named than before, what they hold waits for the restart too.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from tocsin import configuration, tls
from tocsin.configuration import Mistake, Settings
from tocsin.tls import Tls
from tocsin_gateway import logs, server
from tocsin_gateway import token_file as token_files

_log = structlog.get_logger("tocsin_gateway")

PROGRAM = "tocsin-gateway"
_DESCRIPTION = (
    "Takes notifications and heartbeats by HTTP and hands them to the daemon. Over a unix socket nothing else is "
    "needed. Over TCP it needs a token, and the connection is TLS but for loopback."
)

_OF_THE_LINK: Final = frozenset({"target", "token_file", "ca_file", "cert_file", "key_file", "insecure_plaintext"})


@dataclass(frozen=True, slots=True)
class Config:
    """What the gateway is told: as the table of settings has it (tocsin/settings.py), and what the files hold that it
    names. `token` is empty where its file holds none: it may come later. `settings`: all of this as it was told, which
    can be read again."""

    http: str
    target: str
    token_file: Path | None
    token: str = field(repr=False)
    tls: Tls | None
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
    token_file = files.pop("token_file")
    try:
        used = tls.read(settings["target"], insecure_plaintext=settings["insecure_plaintext"], **files)
        if used is not None:
            tls.check(used)
    except (OSError, ValueError) as error:
        names = ", ".join(str(file) for file in files.values() if file is not None)
        raise Mistake(f"the files for TLS cannot be used ({names or 'the CAs of the system'}): {error}") from None
    return Config(
        http=settings["http"],
        target=settings["target"],
        token_file=token_file,
        token=_token(token_file),
        tls=used,
        max_body=settings["max_body"],
        log_level=settings["log_level"],
        settings=settings,
    )


def _token(file: Path | None) -> str:
    try:
        return token_files.read(file) if file is not None else ""
    except (OSError, ValueError):
        # Who needs it reads it again, and says so (daemon_link.py).
        return ""


class Running:
    """What the gateway runs with: `config`, as it was at the start but for what reloads have changed."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._settings = dict(config.settings)

    def reload(self) -> dict[str, Any]:
        """Takes what can be taken of what the settings are now; returns what `logs.set_up` returns."""
        try:
            self._take(of_settings(self.config.settings.again()))
        except Mistake as mistake:
            _log.error("not reloaded: everything stays as it was", mistake=str(mistake))
        except Exception:
            # Whatever it is: gunicorn would end over it, and all that comes be refused.
            _log.exception("not reloaded: everything stays as it was")
        return logs.set_up(self.config.log_level)

    def _take(self, read: Config) -> None:
        taken, left = configuration.differences("gateway", self._settings, read.settings)
        changed = {key: {"from": self._settings[key], "to": read.settings[key]} for key in taken}
        config = replace(self.config, max_body=read.max_body, log_level=read.log_level)
        if not _OF_THE_LINK.intersection(left):
            config = replace(config, tls=read.tls, token=read.token or config.token)
        self._settings.update((key, read.settings[key]) for key in taken)
        self.config = config
        _log.info("reloaded", changed=changed)
        if left:
            _log.warning("changed in the configuration, but taken by a restart only", settings=left)


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
        return create_app(DaemonLink(config.target, config.tls, config.token_file, config.token), config.max_body)

    server.Server(running.config.http, load_app, logging, running.reload, early).run()
