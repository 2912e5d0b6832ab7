"""The program `tocsin`: puts the nouns together."""

import sys

import click

from . import group_actions, group_removal, integration_actions, watch  # noqa: F401  (they add commands to nouns)
from .audit import audit
from .chains import chains
from .commands import Root
from .config import config
from .connection import EXIT_CODES
from .contacts import contacts
from .groups import groups
from .heartbeats import heartbeats
from .import_oncall import import_
from .integrations import integrations
from .messages import messages
from .metrics import metrics
from .notes import notes
from .on_call import oncall
from .routes import routes
from .templates import templates
from .tokens import tokens, whoami
from .up import up
from .upkeep import backup, check, restore

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


@click.group(cls=Root, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tocsin", message="%(prog)s %(version)s")
def tocsin() -> None:
    """Ask and steer Tocsin, the on-prem home for alerts.

    `tocsin up` starts a trial; `tocsin backup`, `restore` and `check` look after the daemon's file, and `tocsin config`
    after its configuration; everything else talks to a running daemon.
    """


for command in (
    *(integrations, routes, templates, groups, notes, heartbeats),
    *(contacts, chains, oncall, messages),
    *(tokens, whoami, audit, metrics, config, backup, restore, check, import_, up),
):
    tocsin.add_command(command)


def main() -> None:
    """Run the command line of this process, and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escaped form instead of a crash.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    tocsin.main(prog_name="tocsin")


if __name__ == "__main__":
    main()
