"""`tocsin groups`: alert groups, what people act on. The commands that read them; the verbs are in group_actions.py and
group_removal.py, the stream is in watch.py.
"""

import sys
from collections.abc import Sequence
from datetime import datetime

import click

from tocsin.v1.alert_groups_pb2 import (
    AlertGroup,
    Escalation,
    Event,
    GetAlertGroupRequest,
    GetPayloadRequest,
    ListAlertGroupsRequest,
    ListAlertGroupsResponse,
    ListAlertsRequest,
    ListAlertsResponse,
    ListEventsRequest,
    ListEventsResponse,
)
from tocsin.v1.notes_pb2 import ListNotesRequest

from . import filters, names, output, pages, times
from .commands import Group, Settings, notice, pass_settings
from .connection import Connection
from .notes import print_notes

_STATES = ["firing", "acknowledged", "silenced", "resolved", "open"]
_ORDERS = {"newest": "create_time desc", "oldest": "create_time"}
_ALERTS_SHOWN = 50
_MOST_COUNTED = 100_000  # where the daemon stops counting

GROUP_COLUMNS = (
    output.Column("NAME"),
    output.Column("STATE"),
    output.Column("FIRING", right=True),
    output.Column("TITLE", folds=True),
    output.Column("OPENED", folds=True),
    output.Column("INTEGRATION"),
)
_ALERT_COLUMNS = (
    output.Column("FINGERPRINT"),
    output.Column("STATE"),
    output.Column("LABELS", folds=True),
    output.Column("ANNOTATIONS", folds=True),
    output.Column("SINCE", folds=True),
)
_EVENT_COLUMNS = (
    output.Column("REVISION", right=True),
    output.Column("TIME"),
    output.Column("WHAT"),
    output.Column("WHO", folds=True),
    output.Column("WHY AND NOTE", folds=True),
)


@click.group(cls=Group)
def groups() -> None:
    """Alert groups: what people act on.

    NAME is alertGroups/42, 42 or '#42'.
    """


@groups.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only groups in this state; open: all but resolved.")
@click.option("--integration", type=names.INTEGRATION, help="Only groups of this integration.")
@click.option("--label", "labels", type=filters.LABEL, multiple=True, help="Only groups with this label. Repeatable.")
@click.option("--title", metavar="TEXT", help="Only groups with this in their title.")
@click.option("--since", type=times.AGO, help="Only groups opened then or later: 1d, a day ago, or 2026-11-23T10:00.")
@click.option("--until", type=times.AGO, help="Only groups opened before: 1h, an hour ago, or 2026-11-24.")
@click.option(
    "--filter",
    "expression",
    metavar="EXPR",
    default="",
    help="Only groups that match, in the notation of the API: 'labels.severity = \"critical\"'.",
)
@click.option("--order", type=click.Choice(list(_ORDERS)), help="Which come first. Default: newest.")
@click.option("--total", is_flag=True, help="Say on stderr how many there are (-o json: totalSize).")
@pages.page_options
@pass_settings
def list_(
    settings: Settings,
    state: str | None,
    integration: str | None,
    labels: Sequence[str],
    title: str | None,
    since: datetime | None,
    until: datetime | None,
    expression: str,
    order: str | None,
    total: bool,
    page_size: int,
    page_token: str,
    everything: bool,
) -> None:
    """List alert groups, newest first.

    Of several conditions all have to hold.
    """
    conditions = [expression]
    if state is not None:
        conditions.append(filters.OPEN if state == "open" else f"state = {state.upper()}")
    if integration is not None:
        conditions.append(f"integration = {filters.quoted(integration)}")
    conditions += labels
    if title is not None:
        conditions.append(f"title:{filters.quoted(title)}")
    conditions += filters.created(since, until)
    request = ListAlertGroupsRequest(
        page_size=page_size,
        page_token=page_token,
        filter=filters.all_of(conditions),
        order_by=_ORDERS[order] if order is not None else "",
        include_total_size=total,
    )
    with settings.connect() as daemon:
        response = _all(daemon, request) if everything else daemon.call(daemon.groups.ListAlertGroups, request)
    if settings.json:
        output.print_json(response, "alertGroups")
        return
    pages.print_page(GROUP_COLUMNS, map(group_row, response.alert_groups), response)
    if total:
        more = " or more" if response.total_size == _MOST_COUNTED else ""
        notice(f"{response.total_size}{more} in all")


def _all(daemon: Connection, request: ListAlertGroupsRequest) -> ListAlertGroupsResponse:
    """Follow the pages; only the first is asked for the total, which the daemon counts anew each time."""
    response = daemon.call(daemon.groups.ListAlertGroups, request)
    if token := response.next_page_token:
        request.page_token, request.include_total_size = token, False
        rest = daemon.all_pages(daemon.groups.ListAlertGroups, request)
        response.alert_groups.extend(rest.alert_groups)
        response.ClearField("next_page_token")
    return response


@groups.command()
@click.argument("name", type=names.ALERT_GROUP)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one group, with who is told next, its notes, alerts and timeline. With -o json: the group alone."""
    with settings.connect() as daemon:
        group = daemon.call(daemon.groups.GetAlertGroup, GetAlertGroupRequest(name=name))
        if settings.json:
            output.print_json(group)
            return
        notes = daemon.all_pages(daemon.notes.ListNotes, ListNotesRequest(parent=name, page_size=1000))
        alerts = daemon.call(daemon.groups.ListAlerts, ListAlertsRequest(parent=name, page_size=_ALERTS_SHOWN))
        events = daemon.all_pages(daemon.groups.ListEvents, ListEventsRequest(parent=name, page_size=1000))
    _print_group(group)
    if group.message:
        output.print_heading("Message")
        for line in group.message.splitlines():
            click.echo(output.visible(line))
    if notes.notes:
        output.print_heading("Notes")
        print_notes(notes.notes)
    output.print_heading("Alerts")
    _print_alerts(alerts)
    if alerts.next_page_token:
        click.echo(f"... and more: tocsin groups alerts {name}")
    output.print_heading("Timeline")
    _print_events(events)


@groups.command()
@click.argument("name", type=names.ALERT_GROUP)
@pass_settings
def alerts(settings: Settings, name: str) -> None:
    """List all alerts of a group."""
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.groups.ListAlerts, ListAlertsRequest(parent=name, page_size=1000))
    if settings.json:
        output.print_json(response, "alerts")
    else:
        _print_alerts(response)


@groups.command()
@click.argument("name", type=names.ALERT_GROUP)
@pass_settings
def timeline(settings: Settings, name: str) -> None:
    """List everything that happened to a group, oldest first."""
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.groups.ListEvents, ListEventsRequest(parent=name, page_size=1000))
    if settings.json:
        output.print_json(response, "events")
    else:
        _print_events(response)


@groups.command()
@click.argument("name", type=names.ALERT_GROUP)
@click.option("--first", is_flag=True, help="The first one instead of the latest.")
@pass_settings
def payload(settings: Settings, name: str, first: bool) -> None:
    """Print the latest notification as it came.

    Byte for byte what the source sent. With -o json: the message around it, in which the body is base64.
    """
    request = GetPayloadRequest(name=f"{name}/payloads/{'first' if first else 'latest'}")
    with settings.connect() as daemon:
        response = daemon.call(daemon.groups.GetPayload, request)
    if settings.json:
        output.print_json(response)
        return
    click.echo(response.body, nl=False)
    if sys.stdout.isatty() and not response.body.endswith(b"\n"):
        click.echo()  # or else the prompt stands on the last line


def group_row(group: AlertGroup) -> list[str]:
    """Return a group as a row of GROUP_COLUMNS. Of what nobody is told, its state says so."""
    untold = "collected" if group.collected_by else "debug" if group.debug else ""
    return [
        group.name,
        output.enum_word(group, "state") + (f" ({untold})" if untold and group.state != AlertGroup.RESOLVED else ""),
        f"{group.firing_alert_count}/{_alert_count(group)}",
        group.title,
        output.time_and_age(group, "create_time"),
        group.integration,
    ]


def _alert_count(group: AlertGroup) -> int:
    return group.firing_alert_count + group.resolved_alert_count + group.unreported_alert_count


def _print_group(group: AlertGroup) -> None:
    counts = {
        "firing": group.firing_alert_count,
        "resolved": group.resolved_alert_count,
        "no longer reported": group.unreported_alert_count,
        "cut off by the source": group.truncated_alert_count,
    }
    resolved = group.state == AlertGroup.State.RESOLVED
    silenced = group.state == AlertGroup.State.SILENCED
    output.print_fields(
        [
            ("name", group.name),
            ("title", group.title),
            ("state", output.enum_word(group, "state")),
            ("stateActor", group.state_actor),
            ("stateTime", output.time_and_age(group, "state_time")),
            ("acknowledgeActor", group.acknowledge_actor),
            ("acknowledgeTime", output.time_and_age(group, "acknowledge_time")),
            ("silenceTime", output.time_and_age(group, "silence_time")),
            ("silenceEndTime", (output.time_and_age(group, "silence_end_time") or "never") if silenced else ""),
            ("resolveReason", output.enum_word(group, "resolve_reason") if resolved else ""),
            ("stillFiring", "at the source, which says so" if resolved and group.source_firing else ""),
            ("createTime", output.time_and_age(group, "create_time")),
            ("source", output.enum_word(group, "source")),
            ("integration", group.integration),
            ("route", group.route),
            ("sourceLink", group.source_link),
            ("collectedBy", group.collected_by),
            ("debug", "yes: nobody is told of it" if group.debug else ""),
            ("escalation", _escalation(group.escalation) if group.HasField("escalation") else ""),
            ("receiver", group.receiver),
            ("externalUrl", group.external_url),
            ("groupingKey", group.grouping_key),
            ("labels", output.labels(group.labels.items()) if group.labels else ""),
            ("alerts", ", ".join(f"{count} {what}" for what, count in counts.items() if count)),
            ("notifications", str(group.notification_count or "")),
            ("lastNotificationTime", output.time_and_age(group, "last_notification_time")),
        ]
    )


def _escalation(escalation: Escalation) -> str:
    """Return how far a chain is: `Night (escalationChains/ID), step 2 of 5 in 4m`."""
    chain = escalation.display_name
    if escalation.escalation_chain:
        chain = f"{chain} ({escalation.escalation_chain})" if chain else escalation.escalation_chain
    step = f"step {escalation.next_step} of {escalation.step_count}"
    if escalation.state == Escalation.PAUSED:
        when = "waits for more alerts"
    elif ahead := output.time_ahead(escalation, "next_time"):
        when = f"in {ahead}, at {output.local_time(escalation, 'next_time')}"
    else:
        when = "now"
    return f"{chain or 'a single contact point'}: {step} {when}"


def _print_alerts(response: ListAlertsResponse) -> None:
    rows = (
        [
            alert.fingerprint,
            output.enum_word(alert, "state"),
            output.labels(alert.labels.items()),
            output.labels(alert.annotations.items()) if alert.annotations else "",
            output.time_and_age(alert, "start_time"),
        ]
        for alert in response.alerts
    )
    output.print_table(_ALERT_COLUMNS, rows)


def _print_events(response: ListEventsResponse) -> None:
    rows = (
        [
            str(event.revision),
            output.local_time(event, "create_time"),
            output.enum_word(event, "kind"),
            event.actor,
            why(event),
        ]
        for event in response.events
    )
    output.print_table(_EVENT_COLUMNS, rows)


def why(event: Event) -> str:
    """Return the reason of an event and the note of whoever did it, in one line."""
    return " - ".join(part for part in (event.reason, event.note) if part)
