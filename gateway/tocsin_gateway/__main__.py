"""The command `tocsin-gateway`."""

import os
from pathlib import Path
from typing import Final

import click

from tocsin_gateway import logs, server

DEFAULT_TARGET: Final = "unix:/run/tocsin/tocsind.sock"
DEFAULT_MAX_BODY: Final = 32 * 1024 * 1024
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option("--http", default="127.0.0.1:8080", metavar="HOST:PORT", help="Where to listen (also unix:PATH, fd://N).")
@click.option(
    "--target",
    default=lambda: os.environ.get("TOCSIN_TARGET") or DEFAULT_TARGET,
    show_default=f"$TOCSIN_TARGET, or {DEFAULT_TARGET}",
    help="The daemon, as a gRPC target.",
)
@click.option("--token-file", type=_FILE, metavar="FILE", help="Holds the API token, role gateway, that TCP needs.")
@click.option("--ca-file", type=_FILE, metavar="FILE", help="Who vouches for the daemon (PEM); else the system's CAs.")
@click.option("--cert-file", type=_FILE, metavar="FILE", help="The gateway's certificate, if the daemon wants one.")
@click.option("--key-file", type=_FILE, metavar="FILE", help="The key of that certificate.")
@click.option("--insecure-plaintext", is_flag=True, help="No TLS beyond loopback: others on the way can read all.")
@click.option(
    "--max-body",
    default=DEFAULT_MAX_BODY,
    type=click.IntRange(min=1024),
    metavar="BYTES",
    help="The largest body taken.",
)
@click.option(
    "--log-level",
    default="info",
    type=click.Choice(logs.LEVELS),
    help="`debug`: each request is a line.",
)
def main(
    http: str,
    target: str,
    token_file: Path | None,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
    insecure_plaintext: bool,
    max_body: int,
    log_level: str,
) -> None:
    """Takes notifications and heartbeats by HTTP and hands them to the daemon.

    Over a unix socket nothing else is needed. Over TCP it needs a token, and the connection is TLS but for loopback.
    """
    if (cert_file is None) != (key_file is None):
        raise click.UsageError("--cert-file and --key-file go together")
    if insecure_plaintext and (ca_file or cert_file):
        raise click.UsageError("--insecure-plaintext means no TLS, but files for TLS are given")
    logging = logs.set_up(log_level)
    server.raise_open_files_limit()
    server.allow_long_numbers()

    def load_app() -> object:
        # Imported in the worker only: the process above it stays small, and gRPC is not there at the fork.
        from tocsin_gateway.app import create_app
        from tocsin_gateway.daemon_link import DaemonLink

        files = (token_file, ca_file, cert_file, key_file)
        return create_app(DaemonLink(target, *files, insecure_plaintext), max_body)

    server.Server(http, load_app, logging).run()


if __name__ == "__main__":
    main(prog_name="tocsin-gateway")
