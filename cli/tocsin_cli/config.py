"""`tocsin config`: the configuration file of the daemon and the gateway, looked at without either."""

from pathlib import Path

import click

from tocsin import configuration, settings

from .commands import Group
from .connection import USAGE, CommandError

DEFAULT_FILE = Path("/etc/tocsin/tocsin.toml")


@click.group(cls=Group)
def config() -> None:
    """The configuration of the daemon and the gateway: one file."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
def check(file: Path) -> None:
    """Look for mistakes in FILE (default: /etc/tocsin/tocsin.toml) and print each in a line.

    It looks at what is written there alone: not whether files exist that it names, nor whether an address is free.
    """
    try:
        found, wrong = configuration.read_file(file)
    except configuration.Mistake as mistake:
        raise CommandError(str(mistake), USAGE) from None
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        raise CommandError(f"{len(wrong)} mistake{'s' * (len(wrong) != 1)} in {file}", USAGE)
    click.echo(f"{file} is fine: it sets {len(found)} of {len(settings.SETTINGS)} settings")


@config.command()
def example() -> None:
    """Print a file with every setting, what it means, and its default, commented out."""
    click.echo(settings.example(), nl=False)
