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
@click.option("--filter", "wanted", metavar="FILTER", help="Only groups that this filter of the API matches.")
@click.option("--snapshot", is_flag=True, help="Begin with all groups as they are now. Not together with --since.")
@pass_settings
def watch(settings: Settings, since: int | None, wanted: str | None, snapshot: bool) -> None:
    """Print one line for each event, until Ctrl-C. Connects again by itself.

    With -o json each line is a JSON object with revision, event and alertGroup. Groups of a snapshot have only
    alertGroup, and the line after the last of them has snapshotComplete.
    """
    if snapshot and since is not None:
        raise click.UsageError("--snapshot and --since exclude each other", click.get_current_context())
    request = WatchAlertGroupsRequest(revision=since, filter=wanted or "", initial_snapshot=snapshot)
    try:
        with settings.connect() as daemon:
            _follow(settings, daemon, request)
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
                    where = "with a new snapshot" if watch.revision is None else f"after revision {watch.revision}"
                    notice(f"the daemon is back; going on {where}")
                lost = False
                _print(settings, message)
        except tocsin.Error as error:
            if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                patience = durations.format(daemon.timeout)
                text = f"no answer from the daemon at {daemon.target} within {patience}"
                raise CommandError(text, connection.UNREACHABLE) from error
            raise daemon.explain(error) from error


def _print(settings: Settings, message: WatchAlertGroupsResponse) -> None:
    """Print what a message tells. One that tells only how far the stream is tells people and programs nothing."""
    if settings.json:
        if message.HasField("alert_group") or message.HasField("event") or message.snapshot_complete:
            output.print_json_line(message)
    elif message.HasField("event"):
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
    elif message.HasField("alert_group"):
        group = message.alert_group
        state = output.enum_word(group, "state")
        words = [
            output.local_time(group, "state_time"),
            group.name,
            output.styled(state, output.STATE_STYLES.get(state, "")),
            output.visible(group.title),
        ]
        click.echo("  ".join(word for word in words if word))
