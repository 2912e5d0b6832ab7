"""`tocsin config`: the configuration file of the daemon and the gateway, looked at without either."""

import os
import pwd
import stat
from pathlib import Path

import click

from tocsin import configuration, settings

from .commands import Group
from .connection import USAGE, CommandError

DEFAULT_FILE = Path("/etc/tocsin/tocsin.toml")
READERS = ("tocsin", "tocsin-gateway")
"""The users of the units, which read that file."""


@click.group(cls=Group)
def config() -> None:
    """The configuration of the daemon and the gateway: one file."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
def check(file: Path) -> None:
    """Look for mistakes in FILE (default: /etc/tocsin/tocsin.toml) and print each in a line.

    It looks at what is written there alone: not whether files exist that it names, nor whether an address is free. Of
    the default file it looks at whether the services may read it, too.
    """
    try:
        found, wrong = configuration.read_file(file)
    except configuration.Mistake as mistake:
        raise CommandError(str(mistake), USAGE) from None
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        raise CommandError(f"{len(wrong)} mistake{'s' * (len(wrong) != 1)} in {file}", USAGE)
    if file == DEFAULT_FILE:
        for user in READERS:
            _refuse_unreadable(file, user)
    click.echo(f"{file} is fine: it sets {len(found)} of {len(settings.SETTINGS)} settings")


@config.command()
def example() -> None:
    """Print a file with every setting, what it means, and its default, commented out."""
    click.echo(settings.example(), nl=False)


def _refuse_unreadable(file: Path, user: str) -> None:
    """Raises CommandError where the user of a unit, who must be there to count, may not read a file."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return
    groups = os.getgrouplist(user, entry.pw_gid)
    for path, owner, group, other in (
        *((folder, stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH) for folder in reversed(file.parents)),
        (file, stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH),
    ):
        found = path.stat()
        needed = owner if found.st_uid == entry.pw_uid else group if found.st_gid in groups else other
        if not found.st_mode & needed:
            mode = "644" if path == file else "755"
            raise CommandError(
                f"{path}: {user} may not read it, and its service would not start: chmod {mode} {path}", USAGE
            )
