"""`tocsin groups watch`: what happens to alert groups, as it happens.

Each event bears a revision, its place in the order of everything. When the connection breaks (the daemon restarts,
say), the watch connects again and asks for everything after the last revision it saw: nothing is missed and nothing
comes twice. Only a daemon that was never reached at all is an error.

A watch has no end of its own. Ctrl-C is how it ends, so that is a success.
"""

import click
import grpc

import tocsin
from tocsin.v1.alert_groups_pb2 import WatchAlertGroupsRequest, WatchAlertGroupsResponse

from . import connection, durations, output
from .commands import Settings, notice, pass_settings
from .connection import CommandError, Connection
from .groups import groups, why


@groups.command()
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="REVISION",
    help="Begin after this revision; 0: with everything still kept. Default: from now on.",
)
@pass_settings
def watch(settings: Settings, since: int | None) -> None:
    """Print one line for each event, until Ctrl-C. Connects again by itself.

    With -o json each line is a JSON object with revision, event and alertGroup.
    """
    try:
        with settings.connect() as daemon:
            _follow(settings, daemon, WatchAlertGroupsRequest(revision=since))
    except KeyboardInterrupt:
        return


def _follow(settings: Settings, daemon: Connection, request: WatchAlertGroupsRequest) -> None:
    """Print events for ever."""
    lost = False

    def on_break(error: tocsin.Error) -> None:
        nonlocal lost
        if not lost:
            notice(f"lost the connection ({daemon.explain(error).message}); trying again")
        lost = True

    with daemon.watch(request, on_break) as watch:
        try:
            for message in watch:
                if lost:
                    notice(f"the daemon is back; going on after revision {watch.revision}")
                lost = False
                if message.HasField("event"):
                    _print(settings, message)
        except tocsin.Error as error:
            if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                patience = durations.format(daemon.timeout)
                text = f"no answer from the daemon at {daemon.target} within {patience}"
                raise CommandError(text, connection.UNREACHABLE) from error
            raise daemon.explain(error) from error


def _print(settings: Settings, message: WatchAlertGroupsResponse) -> None:
    if settings.json:
        output.print_json_line(message)
    else:
        event, group = message.event, message.alert_group
        kind = output.enum_word(event, "kind")
        words = [
            output.local_time(event, "create_time"),
            group.name,
            output.styled(kind, output.STATE_STYLES.get(output.enum_word(event, "state"), "")),
            f"by {output.visible(event.actor)}" if event.actor else "",
            output.visible(group.title),
            f"({output.visible(why(event))})" if why(event) else "",
        ]
        click.echo("  ".join(word for word in words if word))
