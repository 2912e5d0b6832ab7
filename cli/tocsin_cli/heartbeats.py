"""`tocsin heartbeats`: the expectation that a source is heard from. Each integration has exactly one."""

from collections.abc import Mapping
from datetime import timedelta

import click
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.heartbeats_pb2 import (
    GetHeartbeatRequest,
    Heartbeat,
    ListHeartbeatsRequest,
    PauseHeartbeatRequest,
    ResetHeartbeatRequest,
    ResumeHeartbeatRequest,
    UpdateHeartbeatRequest,
)

from . import names, output
from .commands import Group, Settings, pass_settings
from .durations import DURATION

_COLUMNS = (
    output.Column("NAME"),
    output.Column("DISPLAY NAME", folds=True),
    output.Column("STATE"),
    output.Column("INTERVAL"),
    output.Column("LAST BEAT", folds=True),
    output.Column("DUE", folds=True),
)


@click.group(cls=Group)
def heartbeats() -> None:
    """The expectation that a source is heard from.

    NAME is integrations/ID, as `tocsin integrations list` shows it, the ID alone, integrations/ID/heartbeat, or what
    people call the integration.
    """


@heartbeats.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List the heartbeats of all integrations, oldest integration first."""
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.heartbeats.ListHeartbeats, ListHeartbeatsRequest())
        there = () if settings.json else names.all_integrations(daemon)
    if settings.json:
        output.print_json(response, "heartbeats")
    else:
        called = {integration.name: integration.display_name for integration in there}
        output.print_table(_COLUMNS, [_row(heartbeat, called) for heartbeat in response.heartbeats])


@heartbeats.command()
@click.argument("name", type=names.HEARTBEAT)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one heartbeat."""
    with settings.connect() as daemon:
        heartbeat = daemon.call(daemon.heartbeats.GetHeartbeat, GetHeartbeatRequest(name=name))
    _print(settings, heartbeat)


@heartbeats.command("set")
@click.argument("name", type=names.HEARTBEAT)
@click.option(
    "--interval",
    type=DURATION,
    required=True,
    help="The longest time between two beats, 10s to 7d. A running deadline moves with it.",
)
@pass_settings
def set_(settings: Settings, name: str, interval: timedelta) -> None:
    """Set how often to expect a beat."""
    heartbeat = Heartbeat(name=name)
    heartbeat.interval.FromTimedelta(interval)
    request = UpdateHeartbeatRequest(heartbeat=heartbeat, update_mask=FieldMask(paths=["interval"]))
    with settings.connect() as daemon:
        updated = daemon.call(daemon.heartbeats.UpdateHeartbeat, request)
    _print(settings, updated)


@heartbeats.command()
@click.argument("name", type=names.HEARTBEAT)
@pass_settings
def pause(settings: Settings, name: str) -> None:
    """Expect nothing until it is resumed; its open group is resolved."""
    with settings.connect() as daemon:
        heartbeat = daemon.call(daemon.heartbeats.PauseHeartbeat, PauseHeartbeatRequest(name=name))
    _print(settings, heartbeat)


@heartbeats.command()
@click.argument("name", type=names.HEARTBEAT)
@pass_settings
def resume(settings: Settings, name: str) -> None:
    """Expect beats again, the next one within a whole interval from now."""
    with settings.connect() as daemon:
        heartbeat = daemon.call(daemon.heartbeats.ResumeHeartbeat, ResumeHeartbeatRequest(name=name))
    _print(settings, heartbeat)


@heartbeats.command()
@click.argument("name", type=names.HEARTBEAT)
@pass_settings
def reset(settings: Settings, name: str) -> None:
    """Forget the beats: wait for a first one again; its open group is resolved."""
    with settings.connect() as daemon:
        heartbeat = daemon.call(daemon.heartbeats.ResetHeartbeat, ResetHeartbeatRequest(name=name))
    _print(settings, heartbeat)


def _row(heartbeat: Heartbeat, called: Mapping[str, str]) -> list[str]:
    return [
        heartbeat.name,
        called.get(heartbeat.name.removesuffix("/heartbeat"), ""),
        output.enum_word(heartbeat, "state"),
        output.length(heartbeat, "interval"),
        output.time_and_age(heartbeat, "last_beat_time"),
        output.time_and_age(heartbeat, "due_time"),
    ]


def _print(settings: Settings, heartbeat: Heartbeat) -> None:
    if settings.json:
        output.print_json(heartbeat)
        return
    output.print_fields(
        [
            ("name", heartbeat.name),
            ("state", output.enum_word(heartbeat, "state")),
            ("interval", output.length(heartbeat, "interval")),
            ("lastBeatTime", output.time_and_age(heartbeat, "last_beat_time")),
            ("dueTime", output.time_and_age(heartbeat, "due_time")),
            ("stateTime", output.time_and_age(heartbeat, "state_time")),
        ]
    )
