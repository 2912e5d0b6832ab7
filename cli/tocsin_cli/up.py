"""`tocsin up`: a trial of Tocsin in the foreground.

Starts the daemon, then the gateway, makes sure that there is an integration, prints what to paste where, and minds
the two until it is told to stop: the gateway stops first, so that nothing is accepted that nobody keeps.

A child that ends is started again, and a line says so. One that ends three times in a row within 10 seconds of its
start is given up, and everything stops. While starting, one end is enough: whatever the child said is the reason.
"""

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click

from tocsin.settings import MAX_SOCKET_PATH
from tocsin.v1.integrations_pb2 import CreateIntegrationRequest, Integration, ListIntegrationsRequest

from .children import Child, Ended, Inbox, StopWanted
from .commands import notice
from .connection import UNREACHABLE, CommandError, Connection
from .sheet import sheet

_START_PATIENCE = 15.0  # seconds, for both together
_STOP_PATIENCE = 8.0  # seconds, for each
_PROBE_INTERVAL = 0.05  # seconds between two looks at whether something is ready
_SHORT_LIFE = 10.0  # seconds
_SHORT_LIVES = 3


@dataclass(frozen=True)
class Address:
    """Where the gateway listens, and how it is reached."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `HOST:PORT` or `[IPV6]:PORT`. Raises ValueError."""
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{text!r}: write an IPv6 address in brackets, like [::1]:8080")
        if not colon or not host or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65535:
            raise ValueError(f"{text!r} is no address: write it like 127.0.0.1:8080, with a port from 1 to 65535")
        return cls(host, int(port))

    def __str__(self) -> str:
        """Return it as `HOST:PORT`."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def external_url(self) -> str:
        """Return the URL for others: with this machine's name, where the gateway listens on all its addresses."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{_bracketed(host)}:{self.port}"

    @property
    def local_url(self) -> str:
        """Return the URL by which this machine itself reaches the gateway."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{_bracketed(host)}:{self.port}"


class AddressType(click.ParamType[Address]):
    """A command-line value that Address understands."""

    name = "address"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Return the address; a value that is none ends as wrong usage."""
        if isinstance(value, Address):
            return value
        try:
            return Address.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tocsin-data"),
    metavar="DIR",
    help="Where to keep everything; made if missing. Default: ./tocsin-data.",
)
@click.option(
    "--http",
    type=AddressType(),
    default="127.0.0.1:8080",
    metavar="HOST:PORT",
    help="Where to take alerts. Default: 127.0.0.1:8080; 0.0.0.0:8080 takes them from other machines.",
)
@click.option(
    "--webhook-network",
    "networks",
    metavar="CIDR",
    multiple=True,
    help="A private network that webhooks and calendars may be at, such as 127.0.0.0/8; repeatable. Default: public "
    "addresses only.",
)
def up(data: Path, http: Address, networks: Sequence[str]) -> None:
    """Try Tocsin: run everything in the foreground, until Ctrl-C.

    Starts a daemon and a gateway, creates an integration if there is none, and prints its URLs together with an
    alertmanager.yml to paste, and with what makes Tocsin tell you: a contact point and an escalation chain.
    """
    data = Path(os.path.abspath(data))
    listen = data / "tocsind.sock"
    if len(os.fsencode(listen)) > MAX_SOCKET_PATH:
        raise click.UsageError(
            f"the path of the socket would be {listen}, which is {len(os.fsencode(listen))} bytes long; "
            f"the system allows {MAX_SOCKET_PATH}: choose a --data folder with a shorter path",
            click.get_current_context(),
        )
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # the tokens are in there
    except OSError as error:
        raise CommandError(f"cannot make the data folder {data}: {error.strerror}") from error
    _check_free(http)
    trial = Trial(data, listen, http, networks)
    try:
        trial.start()
        click.echo(trial.sheet())
        trial.mind()
    except _Stopped:
        notice("stopping")
    finally:
        trial.stop()


class _Stopped(Exception):
    """Somebody wants us to stop."""


class Trial:
    """The daemon and the gateway, from start to stop."""

    def __init__(self, data: Path, listen: Path, http: Address, networks: Sequence[str] = ()) -> None:
        """Prepare; nothing is started yet. From here on, stop signals are messages."""
        self._data = data
        self._listen = listen
        self._target = f"unix:{listen}"
        self._http = http
        self._networks = networks
        self._inbox = Inbox()
        self._daemon: Child | None = None
        self._gateway: Child | None = None
        self._integration = Integration()

    def start(self) -> None:
        """Start both and wait until they are ready. Raises CommandError if they do not get there."""
        deadline = time.monotonic() + _START_PATIENCE
        # Another daemon may hold the folder and answer in place of ours, which is about to say so and end.
        occupied = _accepts(self._listen)
        self._daemon = self._start_daemon()
        integration = None
        while integration is None:
            self._pause(deadline, "the daemon does not answer")
            # A call would be tried again for 1.5 s, in which nobody minds signals and children.
            if not occupied and _accepts(self._listen):
                integration = self._ask_for_integration()
        self._integration = integration
        self._gateway = self._start_gateway()
        trouble: str | None = ""
        while trouble is not None:
            self._pause(deadline, f"the gateway is not ready: {trouble}")
            trouble = _unreadiness(f"{self._http.local_url}/-/ready")

    def sheet(self) -> str:
        """Return what people need to know now."""
        return sheet(self._integration, self._target, str(self._data))

    def mind(self) -> None:
        """Start children again that end. Raises _Stopped when it is time, CommandError when it is no use."""
        short_lives = {"tocsind": 0, "tocsin-gateway": 0}
        while True:
            message = self._inbox.get()
            if isinstance(message, StopWanted):
                raise _Stopped
            if not isinstance(message, Ended):
                continue
            child = message.child
            child.kill_rest()
            short = time.monotonic() - child.started < _SHORT_LIFE
            short_lives[child.name] = short_lives[child.name] + 1 if short else 0
            if short_lives[child.name] >= _SHORT_LIVES:
                raise CommandError(
                    f"{child.name} {child.end}, {_SHORT_LIVES} times in a row within {_SHORT_LIFE:g} s of its start: "
                    "giving up"
                )
            notice(f"{child.name} {child.end}; starting it again")
            if child is self._daemon:
                self._daemon = self._start_daemon()
            else:
                self._gateway = self._start_gateway()

    def stop(self) -> None:
        """Stop what runs: first what takes alerts, then what keeps them."""
        for child in (self._gateway, self._daemon):
            if child is not None:
                child.stop(_STOP_PATIENCE)

    def _start_daemon(self) -> Child:
        arguments = ["--data", str(self._data), "--listen", self._target, "--external-url", self._http.external_url]
        arguments += [f"--webhook-network={network}" for network in self._networks]
        return Child("tocsind", [sys.executable, "-m", "tocsind", *arguments], self._inbox)

    def _start_gateway(self) -> Child:
        arguments = ["--http", str(self._http), "--target", self._target]
        return Child("tocsin-gateway", [sys.executable, "-m", "tocsin_gateway", *arguments], self._inbox)

    def _pause(self, deadline: float, trouble: str) -> None:
        """Wait a moment. Raises if meanwhile a child ended, somebody wants us to stop, or the time is over."""
        message = self._inbox.get(timeout=_PROBE_INTERVAL)
        if isinstance(message, StopWanted):
            raise _Stopped
        if isinstance(message, Ended):
            raise CommandError(f"{message.child.name} {message.child.end} while it was starting; what it said is above")
        if time.monotonic() > deadline:
            raise CommandError(f"not up within {_START_PATIENCE:g} s: {trouble}")

    def _ask_for_integration(self) -> Integration | None:
        """Return the first Alertmanager integration, a new one if there is none; None while the daemon is silent."""
        with Connection(self._target, timedelta(seconds=2)) as daemon:
            try:
                known = daemon.all_pages(daemon.integrations.ListIntegrations, ListIntegrationsRequest())
                for integration in known.integrations:
                    if integration.type == "alertmanager":
                        return integration
                wanted = Integration(type="alertmanager", display_name="Alertmanager")
                return daemon.call(daemon.integrations.CreateIntegration, CreateIntegrationRequest(integration=wanted))
            except CommandError as error:
                if error.exit_code == UNREACHABLE:
                    return None
                raise


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_free(http: Address) -> None:
    """Raise CommandError where the gateway could not listen. It could say so itself, but only after retries."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            http.host, http.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandError(f"cannot listen on {http}: {error.strerror}; --http HOST:PORT chooses another") from error


def _accepts(path: Path) -> bool:
    """Return whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _unreadiness(url: str) -> str | None:
    """Return why the gateway is not ready, or None if it is."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine, whatever http_proxy says
    try:
        with direct.open(url, timeout=2):
            return None
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(300).decode(errors="replace")
        return f"{url} says {error.code} {' '.join(body.split())}"
    except OSError as error:
        return f"{url}: {getattr(error, 'reason', error)}"
