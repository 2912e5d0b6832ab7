"""`tocsin contacts`: where people and programs are told of alert groups.

What is set is never shown again where it is a secret: addresses, the values of headers, keys, addresses of calendars.
Whoever has to change one gives it whole. The options are in contact_options.py.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import click
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.contact_points_pb2 import (
    Calendar,
    ContactPoint,
    CreateContactPointRequest,
    DeleteContactPointRequest,
    GetContactPointRequest,
    ListContactPointsRequest,
    TestContactPointRequest,
    TestOutcome,
    UpdateContactPointRequest,
    Webhook,
)

from . import contact_options, names, output, several
from .commands import Group, Settings, notice, pass_settings
from .connection import FAILED, CommandError

# Before it stores anything the daemon reads calendars, 20 s at most for each; a test waits for who is tested, 60 s at
# most (`ContactPoint.webhook.timeout`).
_PATIENCE_TO_STORE = timedelta(seconds=50)
_PATIENCE_TO_TEST = timedelta(seconds=90)

_COLUMNS = (
    output.Column("NAME"),
    output.Column("DISPLAY NAME", folds=True),
    output.Column("KIND"),
    output.Column("TARGET", folds=True),
    output.Column("WAITING", right=True),
    output.Column("LAST ERROR", folds=True),
)


@click.group(cls=Group)
def contacts() -> None:
    """Contact points: where people and programs are told of alert groups.

    NAME is contactPoints/ID, the ID alone or what people call it. Secrets are best given in files, or on stdin: other
    users of this machine can read what stands on a command line. docs/notifying.md has examples.
    """


@contacts.command()
@click.argument("display_name", metavar="NAME")
@contact_options.settings
@pass_settings
def create(settings: Settings, /, display_name: str, **given: Any) -> None:
    """Create a contact point with that name: over apprise, a webhook, or whoever is on call."""
    contact = ContactPoint(display_name=display_name)
    contact_options.apply(contact, given)
    if contact.WhichOneof("kind") is None:
        ways = "--apprise-file, --webhook or --on-call-..."
        raise click.UsageError(f"how is it reached? give {ways}", click.get_current_context())
    with settings.connect(_PATIENCE_TO_STORE) as daemon:
        created = daemon.call(daemon.contacts.CreateContactPoint, CreateContactPointRequest(contact_point=contact))
    _print_with_secret(settings, created, contact if given["sign"] else None)


@contacts.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List all contact points, by what they are called, without their secrets."""
    with settings.connect() as daemon:
        request = ListContactPointsRequest(page_size=1000)
        response = daemon.all_pages(daemon.contacts.ListContactPoints, request)
    if settings.json:
        output.print_json(response, "contactPoints")
    else:
        output.print_table(_COLUMNS, map(_row, response.contact_points))


@contacts.command()
@click.argument("name", type=names.CONTACT_POINT)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one contact point, without its secrets."""
    with settings.connect() as daemon:
        contact = daemon.call(daemon.contacts.GetContactPoint, GetContactPointRequest(name=name))
    _print(settings, contact)


@contacts.command()
@click.argument("name", type=names.CONTACT_POINT)
@click.option("--name", "display_name", metavar="TEXT", help="What people call it; unique.")
@contact_options.settings
@contact_options.removals
@pass_settings
def update(settings: Settings, /, name: str, display_name: str | None, **given: Any) -> None:
    """Change what the options name, and nothing else. The kind stays. What waits to be sent takes the new way."""
    contact = ContactPoint(name=name)
    paths = contact_options.apply(contact, given)
    if display_name is not None:
        contact.display_name = display_name
        paths.append("display_name")
    if not paths:
        raise click.UsageError("nothing to change: give at least one of the options", click.get_current_context())
    request = UpdateContactPointRequest(contact_point=contact, update_mask=FieldMask(paths=paths))
    with settings.connect(_PATIENCE_TO_STORE) as daemon:
        updated = daemon.call(daemon.contacts.UpdateContactPoint, request)
    _print_with_secret(settings, updated, contact if given["sign"] else None)


@contacts.command()
@click.argument("name", type=names.CONTACT_POINT)
@click.option("--force", is_flag=True, help="Though chains name it: they go on with the next, and timelines say so.")
@several.yes_option
@pass_settings
def delete(settings: Settings, name: str, force: bool, yes: bool) -> None:
    """Delete a contact point that no chain names, with its secrets. What waits to be sent to it is not sent."""
    with settings.connect() as daemon:
        if several.must_ask(yes):
            doomed = daemon.call(daemon.contacts.GetContactPoint, GetContactPointRequest(name=name))
            several.confirm_deletion(name, doomed.display_name)
        request = DeleteContactPointRequest(name=name, force=force)
        response = daemon.call(daemon.contacts.DeleteContactPoint, request)
    output.print_deleted(name, response, settings.json)


@contacts.command()
@click.argument("name", type=names.CONTACT_POINT)
@pass_settings
def test(settings: Settings, name: str) -> None:
    """Send a test message now, once, and say what came of it; of whoever is on call, to each of them.

    The exit code is 0 only if somebody was told, and everybody who was to be.
    """
    with settings.connect(_PATIENCE_TO_TEST) as daemon:
        response = daemon.call(daemon.contacts.TestContactPoint, TestContactPointRequest(name=name))
        called = {} if settings.json else _display_names(names.all_contact_points(daemon))
    if settings.json:
        output.print_json(response, "outcomes")
    else:
        for outcome in response.outcomes:
            click.echo(_outcome(outcome, called))
            if outcome.template_error:
                notice(f"its templates failed, and the default was sent: {output.visible(outcome.template_error)}")
    if not response.outcomes:
        raise CommandError(f"{name}: nobody is on call whom a contact point could tell (see `tocsin oncall`)")
    if not all(outcome.delivered for outcome in response.outcomes):
        raise click.exceptions.Exit(FAILED)


def _display_names(there: Iterable[ContactPoint]) -> dict[str, str]:
    return {contact.name: contact.display_name for contact in there}


def _outcome(outcome: TestOutcome, called: dict[str, str]) -> str:
    """Return what came of a test in one line."""
    word = output.styled("delivered", "green") if outcome.delivered else output.styled("NOT delivered", "bold red")
    took = f"{outcome.duration.ToTimedelta().total_seconds():.1f} s"
    who = called.get(outcome.contact_point, "")
    who = f"{who} ({outcome.contact_point})" if who else outcome.contact_point
    return f"{word}: {output.visible(who)}, {took}: {output.visible(outcome.answer) or 'no answer'}"


def _kind(contact: ContactPoint) -> str:
    """Return how it is reached, in a word."""
    kind = contact.WhichOneof("kind")
    if kind == "apprise":
        return contact.apprise.service or "apprise"
    return {"webhook": "webhook", "on_call": "on call"}.get(kind or "", "")


def _row(contact: ContactPoint) -> list[str]:
    return [
        contact.name,
        contact.display_name,
        _kind(contact),
        contact.target,
        str(contact.pending_message_count),
        contact.last_error,
    ]


def _print_with_secret(settings: Settings, stored: ContactPoint, given: ContactPoint | None) -> None:
    """Print a contact point; where a signing secret was made here, with that, for the only time."""
    if given is None:
        _print(settings, stored)
        return
    stored.webhook.signing_secret = given.webhook.signing_secret
    _print(settings, stored)
    if not settings.json:
        notice("the signing secret is not shown again: give it to the receiver now")


def _print(settings: Settings, contact: ContactPoint) -> None:
    if settings.json:
        output.print_json(contact)
        return
    bundled = output.length(contact, "bundle_window")
    output.print_fields(
        [
            ("name", contact.name),
            ("displayName", contact.display_name),
            ("description", contact.description),
            ("aliases", ", ".join(contact.aliases)),
            ("kind", _kind(contact)),
            ("target", contact.target),
            *(_webhook(contact.webhook) if contact.HasField("webhook") else ()),
            *(_calendar("schedule", contact.on_call.schedule) if contact.HasField("on_call") else ()),
            *(_calendar("overrides", contact.on_call.overrides) if contact.on_call.HasField("overrides") else ()),
            ("titleTemplate", contact.title_template),
            ("bodyTemplate", contact.body_template),
            ("bundleWindow", bundled if contact.HasField("apprise") else ""),
            ("waiting", str(contact.pending_message_count or "")),
            ("lastError", contact.last_error),
            ("createTime", output.time_and_age(contact, "create_time")),
            ("updateTime", output.time_and_age(contact, "update_time")),
        ]
    )


def _webhook(webhook: Webhook) -> list[tuple[str, str]]:
    return [
        ("method", output.enum_word(webhook, "method").upper()),
        ("headers", ", ".join(sorted(webhook.headers))),
        ("signed", "yes" if webhook.is_signed else "no"),
        ("signingSecret", webhook.signing_secret),
        ("requestTimeout", output.length(webhook, "timeout")),
        ("caCertificates", "its own" if webhook.ca_certificates else ""),
        ("clientCertificate", "yes" if webhook.client_certificate else ""),
        ("insecureSkipVerify", "yes: anybody in between can read and forge" if webhook.insecure_skip_verify else ""),
    ]


def _calendar(label: str, calendar: Calendar) -> list[tuple[str, str]]:
    read = output.time_and_age(calendar, "read_time")
    return [
        (label, calendar.target + (f", read {read}" if read else "")),
        (f"{label}Error", f"{calendar.error}; the copy that was read last is used" if calendar.error else ""),
    ]
