"""The verbs of `tocsin groups`: what people do to alert groups.

Each takes one or more names and does them one after the other. One that fails does not keep the others from being
done: every failure is reported, and the exit code is that of the first.

With -o json each answer, the group as it is afterwards, is one line.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import click
import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tocsin.v1.alert_groups_pb2 import (
    AcknowledgeAlertGroupRequest,
    AlertGroup,
    ResolveAlertGroupRequest,
    SilenceAlertGroupRequest,
    UnacknowledgeAlertGroupRequest,
    UnresolveAlertGroupRequest,
    UnsilenceAlertGroupRequest,
)
from tocsin.v1.alert_groups_pb2_grpc import AlertGroupServiceStub

from . import names, output
from .commands import Settings, pass_settings, report
from .connection import CommandError
from .durations import DURATION
from .groups import groups

Request = TypeVar("Request", bound=Message)
Function = TypeVar("Function", bound=Callable[..., None])


def _names_and_note(function: Function) -> Function:
    """Add what all actions take: names, and a note for the timeline."""
    note = click.option("--note", default="", metavar="TEXT", help="What to write into the timeline.")
    several = click.argument("several", metavar="NAME...", nargs=-1, required=True, type=names.ALERT_GROUP)
    return several(note(function))


@groups.command()
@_names_and_note
@pass_settings
def ack(settings: Settings, several: Sequence[str], note: str) -> None:
    """Acknowledge: say that you are on it."""
    _do(
        settings,
        several,
        lambda name: AcknowledgeAlertGroupRequest(name=name, note=note),
        lambda stub: stub.AcknowledgeAlertGroup,
    )


@groups.command()
@_names_and_note
@pass_settings
def unack(settings: Settings, several: Sequence[str], note: str) -> None:
    """Take an acknowledgement back: the group fires again."""
    _do(
        settings,
        several,
        lambda name: UnacknowledgeAlertGroupRequest(name=name, note=note),
        lambda stub: stub.UnacknowledgeAlertGroup,
    )


@groups.command()
@click.option("--for", "duration", type=DURATION, help="Until so much time from now has passed: 2h.")
@click.option("--forever", is_flag=True, help="Until somebody ends it.")
@_names_and_note
@pass_settings
def silence(settings: Settings, several: Sequence[str], note: str, duration: timedelta | None, forever: bool) -> None:
    """Keep quiet for a time or for ever.

    Needs --for or --forever. A group that is silenced already gets the new end.
    """
    if (duration is None) == (not forever):
        raise click.UsageError("say how long: either --for 2h or --forever", click.get_current_context())
    length = None if duration is None else Duration(seconds=int(duration.total_seconds()))
    _do(
        settings,
        several,
        lambda name: SilenceAlertGroupRequest(name=name, note=note, duration=length),
        lambda stub: stub.SilenceAlertGroup,
    )


@groups.command()
@_names_and_note
@pass_settings
def unsilence(settings: Settings, several: Sequence[str], note: str) -> None:
    """End a silence early: the group fires again."""
    _do(
        settings,
        several,
        lambda name: UnsilenceAlertGroupRequest(name=name, note=note),
        lambda stub: stub.UnsilenceAlertGroup,
    )


@groups.command()
@_names_and_note
@pass_settings
def resolve(settings: Settings, several: Sequence[str], note: str) -> None:
    """Close by hand."""
    _do(
        settings,
        several,
        lambda name: ResolveAlertGroupRequest(name=name, note=note),
        lambda stub: stub.ResolveAlertGroup,
    )


@groups.command()
@_names_and_note
@pass_settings
def unresolve(settings: Settings, several: Sequence[str], note: str) -> None:
    """Open a resolved group again.

    Refused while another group has taken its place.
    """
    _do(
        settings,
        several,
        lambda name: UnresolveAlertGroupRequest(name=name, note=note),
        lambda stub: stub.UnresolveAlertGroup,
    )


def _do(
    settings: Settings,
    several: Sequence[str],
    request_for: Callable[[str], Request],
    method_of: "Callable[[AlertGroupServiceStub], grpc.UnaryUnaryMultiCallable[Request, AlertGroup]]",
) -> None:
    """Act on each of the names, print each answer, report each failure; end with the first failure's code."""
    first_failure: CommandError | None = None
    with settings.connect() as daemon:
        method = method_of(daemon.groups)
        for name in several:
            try:
                group = daemon.call(method, request_for(name))
            except CommandError as error:
                first_failure = first_failure or error
                report(CommandError(f"{name}: {error.message}") if len(several) > 1 else error)
            else:
                _print(settings, group)
    if first_failure is not None:
        raise click.exceptions.Exit(first_failure.exit_code)


def _print(settings: Settings, group: AlertGroup) -> None:
    if settings.json:
        output.print_json_line(group)
        return
    state = output.enum_word(group, "state")
    end = ""
    if group.state == AlertGroup.State.SILENCED:
        end = (
            f" until {output.local_time(group, 'silence_end_time')}"
            if group.HasField("silence_end_time")
            else (" for ever")
        )
    click.echo(f"{group.name} is {output.styled(state, output.STATE_STYLES.get(state, ''))}{end}")
