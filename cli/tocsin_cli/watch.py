"""`tocsin groups watch`: what happens to alert groups, as it happens.

Each event bears a revision, its place in the order of everything. When the connection breaks (the daemon restarts,
say), the watch connects again and asks for everything after the last revision it saw: nothing is missed and nothing
comes twice. Only a daemon that was never reached at all is an error.

A watch has no end of its own. Ctrl-C is how it ends, so that is a success.
"""

import time
from datetime import timedelta

import click
import grpc

from tocsin.v1.alert_groups_pb2 import WatchAlertGroupsRequest, WatchAlertGroupsResponse

from . import connection, durations, output
from .commands import Settings, notice, pass_settings
from .connection import CommandError, Connection
from .groups import groups, why

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(milliseconds=100), timedelta(seconds=5)

# What a daemon that stops, starts or is overloaded makes of a stream. Anything else would only fail again.
_PASSING = {grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL}


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
            _follow(settings, daemon, since)
    except KeyboardInterrupt:
        return


def _follow(settings: Settings, daemon: Connection, revision: int | None) -> None:
    """Print events for ever, connecting again after `revision` whenever the stream breaks off."""
    reached, lost, pause = False, False, _FIRST_PAUSE
    while True:
        try:
            for message in daemon.watch(WatchAlertGroupsRequest(revision=revision)):
                if lost:
                    notice(f"the daemon is back; going on after revision {revision}")
                reached, lost, pause = True, False, _FIRST_PAUSE
                revision = message.revision
                if message.HasField("event"):
                    _print(settings, message)
            reason = "the daemon ended the stream"
        except grpc.RpcError as error:
            reason = _passing_reason(daemon, error, reached)
        if not lost:
            notice(f"lost the connection ({reason}); trying again")
        lost = True
        time.sleep(pause.total_seconds())
        pause = min(2 * pause, _LONGEST_PAUSE)


def _passing_reason(daemon: Connection, error: grpc.RpcError, reached: bool) -> str:
    """Return why the stream broke off. Raises CommandError where trying again is no use."""
    status, _ = connection.status_of(error)
    explained = daemon.explain(error)
    if reached and (explained.exit_code == connection.UNREACHABLE or status in _PASSING):
        return explained.message
    if status is grpc.StatusCode.CANCELLED:  # by our own impatience
        patience = durations.format(daemon.timeout)
        raise CommandError(f"no answer from the daemon at {daemon.target} within {patience}", connection.UNREACHABLE)
    raise explained


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
