"""The commands of `tocsin integrations` that do something with one: maintenance, and demo alerts."""

from datetime import datetime, timedelta

import click

from tocsin.v1.integrations_pb2 import (
    Maintenance,
    SendDemoAlertRequest,
    StartMaintenanceRequest,
    StopMaintenanceRequest,
)

from . import names, output, times
from .commands import Settings, pass_settings
from .durations import DURATION
from .integrations import integrations, print_integration


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@click.option(
    "--mode",
    type=click.Choice(["debug", "maintenance"]),
    required=True,
    help="debug: everything as usual, but nobody is told; maintenance: groups that open meanwhile are collected under "
    "one group, and those that are open at its end are released.",
)
@click.option("--for", "duration", type=DURATION, required=True, help="How long it lasts: 1m to 30d.")
@click.option(
    "--from", "start", type=times.AHEAD, help="When it starts: 2h from now, or 2027-01-01T22:00. Default: now."
)
@pass_settings
def start_maintenance(settings: Settings, name: str, mode: str, duration: timedelta, start: datetime | None) -> None:
    """Start a maintenance, or plan one. It ends by itself; a new end or start replaces the old."""
    request = StartMaintenanceRequest(name=name, mode=Maintenance.Mode.Value(mode.upper()))
    request.duration.FromTimedelta(duration)
    if start is not None:
        request.start_time.FromDatetime(start)
    with settings.connect() as daemon:
        integration = daemon.call(daemon.integrations.StartMaintenance, request)
    print_integration(settings, integration)


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@pass_settings
def stop_maintenance(settings: Settings, name: str) -> None:
    """End a maintenance now, or cancel one that is planned. What was collected and is still open is released."""
    with settings.connect() as daemon:
        integration = daemon.call(daemon.integrations.StopMaintenance, StopMaintenanceRequest(name=name))
    print_integration(settings, integration)


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@click.option(
    "--contact",
    type=names.CONTACT_POINT,
    metavar="NAME",
    help="Tell this contact point alone, at once. Default: whom the chain of its route names.",
)
@pass_settings
def demo(settings: Settings, name: str, contact: str | None) -> None:
    """Send a made-up alert the whole way of a real one, and print the name of the group that it opened.

    People are told of it as of any other, by the chain of its route.
    """
    request = SendDemoAlertRequest(name=name, contact_point=contact or "")
    with settings.connect() as daemon:
        response = daemon.call(daemon.integrations.SendDemoAlert, request)
    if settings.json:
        output.print_json(response)
    else:
        click.echo(response.alert_group)
