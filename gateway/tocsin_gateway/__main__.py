"""The command `tocsin-gateway`."""

import os
from typing import Final

import click

from tocsin_gateway import logs, server

DEFAULT_TARGET: Final = "unix:/run/tocsin/tocsind.sock"
DEFAULT_MAX_BODY: Final = 32 * 1024 * 1024


@click.command(context_settings={"show_default": True})
@click.option("--http", default="127.0.0.1:8080", metavar="HOST:PORT", help="Where to listen (also unix:PATH, fd://N).")
@click.option(
    "--target",
    default=lambda: os.environ.get("TOCSIN_TARGET") or DEFAULT_TARGET,
    show_default=f"$TOCSIN_TARGET, or {DEFAULT_TARGET}",
    help="The daemon, as a gRPC target.",
)
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
def main(http: str, target: str, max_body: int, log_level: str) -> None:
    """Takes notifications and heartbeats by HTTP and hands them to the daemon."""
    logging = logs.set_up(log_level)
    server.raise_open_files_limit()
    server.allow_long_numbers()

    def load_app() -> object:
        # Imported in the worker only: the process above it stays small, and gRPC is not there at the fork.
        from tocsin_gateway.app import create_app

        return create_app(target, max_body)

    server.Server(http, load_app, logging).run()


if __name__ == "__main__":
    main(prog_name="tocsin-gateway")
