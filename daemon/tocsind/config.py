"""What the daemon is told at its start."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The kernel's limit for the path of a unix socket, less the ending zero (unix(7): sun_path has 108 bytes).
MAX_SOCKET_PATH = 107


@dataclass(frozen=True, slots=True)
class Config:
    """`data`: the folder with the file. `listen`: where to serve gRPC. `external_url`: where senders find the gateway,
    without a slash at its end."""

    data: Path
    listen: tuple[str, ...]
    external_url: str


def parse(arguments: Sequence[str]) -> Config:
    """Reads the command line; ends the program with status 2 and a message where it is wrong."""
    parser = argparse.ArgumentParser(prog="tocsind", description="Tocsin's daemon: owns alert groups and heartbeats.")
    parser.add_argument("--data", type=Path, default=Path("/var/lib/tocsin"), help="the data folder (%(default)s)")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help="unix:PATH or HOST:PORT, more than once if need be (unix:DATA/tocsind.sock)",
    )
    parser.add_argument(
        "--external-url",
        default="http://127.0.0.1:8080",
        help="where senders find the gateway (%(default)s)",
    )
    found = parser.parse_args(arguments)
    data = found.data.absolute()
    listen = tuple(found.listen or [f"unix:{data}/tocsind.sock"])
    for address in listen:
        path = address.removeprefix("unix:")
        if path != address and len(os.fsencode(path)) > MAX_SOCKET_PATH:
            parser.error(f"argument --listen: the path of the socket is over {MAX_SOCKET_PATH} bytes long: {path}")
        if path == address and not address.rpartition(":")[2].isdecimal():
            parser.error(f"argument --listen: must be unix:PATH or HOST:PORT, not {address!r}")
    if not found.external_url.startswith(("http://", "https://")):
        parser.error("argument --external-url: must begin with http:// or https://")
    return Config(data, listen, found.external_url.rstrip("/"))
