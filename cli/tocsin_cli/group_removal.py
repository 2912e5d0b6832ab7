"""`tocsin groups wipe` and `tocsin groups delete`: what must not be kept, such as a secret in a label, goes for good.

Neither can be undone, so on a terminal the groups are shown and somebody has to agree. With -o json each answer is one
line: the group for `wipe`, an empty object for `delete`.
"""

from collections.abc import Sequence

import click

from tocsin.v1.alert_groups_pb2 import DeleteAlertGroupRequest, GetAlertGroupRequest, WipeAlertGroupRequest

from . import names, output, several
from .commands import Settings, pass_settings
from .connection import Connection
from .groups import GROUP_COLUMNS, group_row, groups

_named = click.argument("named", metavar="NAME...", nargs=-1, required=True, type=names.ALERT_GROUP)


@groups.command()
@_named
@several.yes_option
@pass_settings
def wipe(settings: Settings, named: Sequence[str], yes: bool) -> None:
    """Remove for good what groups say, and keep their shells.

    Alerts, payloads, labels, notes and the texts of the timeline go; the group is resolved, and notifications no longer
    reach it.
    """
    with settings.connect() as daemon:
        _agree(daemon, named, yes, "Wipe")

        def wipe_one(name: str) -> None:
            group = daemon.call(daemon.groups.WipeAlertGroup, WipeAlertGroupRequest(name=name))
            if settings.json:
                output.print_json_line(group)
            else:
                click.echo(f"{name} wiped")

        several.for_each(named, wipe_one)


@groups.command()
@_named
@several.yes_option
@pass_settings
def delete(settings: Settings, named: Sequence[str], yes: bool) -> None:
    """Remove groups for good, with all that belongs to them.

    If the source still fires, its next notification opens a new group.
    """
    with settings.connect() as daemon:
        _agree(daemon, named, yes, "Delete")

        def delete_one(name: str) -> None:
            response = daemon.call(daemon.groups.DeleteAlertGroup, DeleteAlertGroupRequest(name=name))
            if settings.json:
                output.print_json_line(response)
            else:
                click.echo(f"{name} deleted")

        several.for_each(named, delete_one)


def _agree(daemon: Connection, named: Sequence[str], yes: bool, verb: str) -> None:
    """On a terminal, show what would go, and ask."""
    if several.must_ask(yes):
        several.confirm_each(
            daemon,
            daemon.groups.GetAlertGroup,
            [GetAlertGroupRequest(name=name) for name in named],
            GROUP_COLUMNS,
            group_row,
            lambda found: f"{verb} {several.count(found, 'alert group')} for good?",
        )
