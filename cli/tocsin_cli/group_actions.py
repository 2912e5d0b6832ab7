"""The verbs of `tocsin groups`: what people do to alert groups.

Each takes one or more names. One that fails does not keep the others from being done: every failure is reported, and
the exit code is that of the first. `ack`, `silence` and `resolve` go to the daemon as batches, each of which is one
transaction; the others one after the other.

Instead of names, the verbs with batches take a filter. A filter finds more than one thinks, so that on a terminal what
it found is shown first, and a filter that says nothing is refused: a script whose variable is empty must not resolve
everything. Groups to which the verb cannot apply are left out. One that changes between the list and the batch is a
failure like any other.

With -o json each answer, the group as it is afterwards, is one line.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import click
import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tocsin.v1.alert_groups_pb2 import (
    AlertGroup,
    BatchAcknowledgeAlertGroupsRequest,
    BatchResolveAlertGroupsRequest,
    BatchResult,
    BatchSilenceAlertGroupsRequest,
    ListAlertGroupsRequest,
    UnacknowledgeAlertGroupRequest,
    UnresolveAlertGroupRequest,
    UnsilenceAlertGroupRequest,
)
from tocsin.v1.alert_groups_pb2_grpc import AlertGroupServiceStub

from . import filters, names, output, several
from .commands import Settings, notice, pass_settings
from .connection import CommandError, Connection, exit_code_of
from .durations import DURATION
from .groups import GROUP_COLUMNS, group_row, groups

Request = TypeVar("Request", bound=Message)
Function = TypeVar("Function", bound=Callable[..., None])

_BATCH = 1000  # what the API takes at once
_STATUS_OF = {status.value[0]: status for status in grpc.StatusCode}

_note = click.option("--note", default="", metavar="TEXT", help="What to write into the timeline.")


@dataclass(frozen=True)
class Wanted:
    """Which groups to act on: those named, or those that match a filter."""

    names: Sequence[str]
    expression: str | None
    yes: bool

    def __post_init__(self) -> None:
        """Refuse both and neither."""
        context = click.get_current_context()
        if bool(self.names) == (self.expression is not None):
            raise click.UsageError("say which: either names or --filter", context)
        if self.expression is not None and not self.expression.strip():
            raise click.UsageError(
                "an empty filter would mean every group: say at least --filter 'state = FIRING'", context
            )


def _named(function: Function) -> Function:
    """Add the arguments of an action that takes names."""
    argument = click.argument("named", metavar="NAME...", nargs=-1, required=True, type=names.ALERT_GROUP)
    return argument(_note(function))


def _wanted(function: Function) -> Function:
    """Add the arguments of an action that takes names or a filter."""
    for decorate in (
        several.yes_option,
        click.option(
            "--filter",
            "expression",
            metavar="EXPR",
            help="Instead of names: all groups that match and to which this can be done. Asks on a terminal.",
        ),
        _note,
        click.argument("named", metavar="[NAME...]", nargs=-1, type=names.ALERT_GROUP),
    ):
        function = decorate(function)
    return function


@groups.command()
@_wanted
@pass_settings
def ack(settings: Settings, named: Sequence[str], expression: str | None, yes: bool, note: str) -> None:
    """Acknowledge: say that you are on it."""
    _do_batches(
        settings,
        Wanted(named, expression, yes),
        filters.NOT_TAKEN,
        "Acknowledge",
        lambda daemon, batch: (
            daemon.call(
                daemon.groups.BatchAcknowledgeAlertGroups, BatchAcknowledgeAlertGroupsRequest(names=batch, note=note)
            ).results
        ),
    )


@groups.command()
@_named
@pass_settings
def unack(settings: Settings, named: Sequence[str], note: str) -> None:
    """Take an acknowledgement back: the group fires again."""
    _do_each(
        settings,
        named,
        lambda name: UnacknowledgeAlertGroupRequest(name=name, note=note),
        lambda stub: stub.UnacknowledgeAlertGroup,
    )


@groups.command()
@click.option("--for", "duration", type=DURATION, help="Until so much time from now has passed: 2h.")
@click.option("--forever", is_flag=True, help="Until somebody ends it.")
@_wanted
@pass_settings
def silence(
    settings: Settings,
    named: Sequence[str],
    expression: str | None,
    yes: bool,
    note: str,
    duration: timedelta | None,
    forever: bool,
) -> None:
    """Keep quiet for a time or for ever.

    Needs --for or --forever. A group that is silenced already gets the new end.
    """
    if (duration is None) == (not forever):
        raise click.UsageError("say how long: either --for 2h or --forever", click.get_current_context())
    length = None if duration is None else Duration(seconds=int(duration.total_seconds()))
    _do_batches(
        settings,
        Wanted(named, expression, yes),
        filters.NOT_TAKEN,
        "Silence",
        lambda daemon, batch: (
            daemon.call(
                daemon.groups.BatchSilenceAlertGroups,
                BatchSilenceAlertGroupsRequest(names=batch, note=note, duration=length),
            ).results
        ),
    )


@groups.command()
@_named
@pass_settings
def unsilence(settings: Settings, named: Sequence[str], note: str) -> None:
    """End a silence early: the group fires again."""
    _do_each(
        settings,
        named,
        lambda name: UnsilenceAlertGroupRequest(name=name, note=note),
        lambda stub: stub.UnsilenceAlertGroup,
    )


@groups.command()
@_wanted
@pass_settings
def resolve(settings: Settings, named: Sequence[str], expression: str | None, yes: bool, note: str) -> None:
    """Close by hand."""
    _do_batches(
        settings,
        Wanted(named, expression, yes),
        filters.OPEN,
        "Resolve",
        lambda daemon, batch: (
            daemon.call(
                daemon.groups.BatchResolveAlertGroups, BatchResolveAlertGroupsRequest(names=batch, note=note)
            ).results
        ),
    )


@groups.command()
@_named
@pass_settings
def unresolve(settings: Settings, named: Sequence[str], note: str) -> None:
    """Open a resolved group again.

    Refused while another group has taken its place.
    """
    _do_each(
        settings,
        named,
        lambda name: UnresolveAlertGroupRequest(name=name, note=note),
        lambda stub: stub.UnresolveAlertGroup,
    )


def _do_each(
    settings: Settings,
    named: Sequence[str],
    request_for: Callable[[str], Request],
    method_of: "Callable[[AlertGroupServiceStub], grpc.UnaryUnaryMultiCallable[Request, AlertGroup]]",
) -> None:
    """Act on one group after the other."""
    with settings.connect() as daemon:
        method = method_of(daemon.groups)
        several.for_each(named, lambda name: _print(settings, daemon.call(method, request_for(name))))


def _do_batches(
    settings: Settings,
    wanted: Wanted,
    applicable: str,
    verb: str,
    act: Callable[[Connection, Sequence[str]], Iterable[BatchResult]],
) -> None:
    """Act on many groups at once; `applicable` restricts a filter to what the verb can be done to."""
    with settings.connect() as daemon:
        if wanted.expression is None:
            chosen = list(dict.fromkeys(wanted.names))
        else:
            chosen = _matching(daemon, wanted.expression, applicable, verb, wanted.yes)
        failures = several.Failures(len(chosen))
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            try:
                results = act(daemon, batch)
            except CommandError as error:  # of the whole batch: nothing of it was done, as far as is known
                failures.add(batch[0] if len(batch) == 1 else f"{batch[0]} and {len(batch) - 1} more", error)
                continue
            for result in results:
                if result.HasField("error"):
                    status = _STATUS_OF.get(result.error.code, grpc.StatusCode.UNKNOWN)
                    failures.add(result.name, CommandError(result.error.message or status.name, exit_code_of(status)))
                else:
                    _print(settings, result.alert_group)
        failures.end()


def _matching(daemon: Connection, expression: str, applicable: str, verb: str, yes: bool) -> list[str]:
    """Return the names of the groups that match; on a terminal, once somebody has agreed to them."""
    request = ListAlertGroupsRequest(page_size=_BATCH, filter=filters.all_of([expression, applicable]))
    found = daemon.all_pages(daemon.groups.ListAlertGroups, request).alert_groups
    if not found:
        notice("no alert group matches to which this can be done")
    elif several.must_ask(yes):
        output.print_table(GROUP_COLUMNS, map(group_row, found), err=True)
        several.confirm(f"{verb} {several.count(found, 'alert group')}?", "nothing was changed")
    return list(dict.fromkeys(group.name for group in found))


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
