"""`tocsin messages`: the outbox, what was sent to contact points or is to be."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import click

from tocsin.v1.contact_points_pb2 import ContactPoint
from tocsin.v1.messages_pb2 import GetMessageRequest, ListMessagesRequest, Message, RetryMessageRequest

from . import names, output, pages, several
from .commands import Group, Settings, pass_settings

_STATES = [state.lower() for state, number in Message.State.items() if number]
_COLUMNS = (
    output.Column("NAME"),
    output.Column("TO", folds=True),
    output.Column("SAYS"),
    output.Column("STATE"),
    output.Column("ATTEMPTS", right=True),
    output.Column("DECIDED", folds=True),
    output.Column("NEXT OR END", folds=True),
    output.Column("ANSWER", folds=True),
)
_EVERYWHERE = "alertGroups/-"

_group = click.option("--group", type=names.ALERT_GROUP, help="Only those about this alert group: 42.")
_contact = click.option("--contact", type=names.CONTACT_POINT, metavar="NAME", help="Only those to this contact point.")


@click.group(cls=Group)
def messages() -> None:
    """Messages: what was sent to contact points, or is to be.

    NAME is alertGroups/42/messages/7 or 42/7.
    """


@messages.command("list")
@_group
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    multiple=True,
    help="Only those in this state; repeatable. dead: tried as often as it is, and not taken.",
)
@_contact
@pages.page_options
@pass_settings
def list_(
    settings: Settings,
    group: str | None,
    states: Sequence[str],
    contact: str | None,
    page_size: int,
    page_token: str,
    everything: bool,
) -> None:
    """List messages, newest first."""
    request = ListMessagesRequest(
        parent=group or _EVERYWHERE,
        states=[Message.State.Value(state.upper()) for state in states],
        contact_point=contact or "",
        page_size=page_size or (1000 if everything else 0),
        page_token=page_token,
    )
    with settings.connect() as daemon:
        fetch = daemon.all_pages if everything else daemon.call
        response = fetch(daemon.messages.ListMessages, request)
        called = {} if settings.json else _display_names(names.all_contact_points(daemon))
    if settings.json:
        output.print_json(response, "messages")
    else:
        pages.print_page(_COLUMNS, [_row(message, called) for message in response.messages], response)


@messages.command()
@click.argument("name", type=names.MESSAGE)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one message. Its attempts and their answers are in `tocsin groups timeline`."""
    with settings.connect() as daemon:
        message = daemon.call(daemon.messages.GetMessage, GetMessageRequest(name=name))
        called = {} if settings.json else _display_names(names.all_contact_points(daemon))
    _print(settings, message, called)


@messages.command()
@click.argument("wanted", metavar="[NAME...]", nargs=-1, type=names.MESSAGE)
@click.option("--dead", is_flag=True, help="All that are dead (with --group, --contact: of those).")
@_group
@_contact
@several.yes_option
@pass_settings
def retry(
    settings: Settings, wanted: Sequence[str], dead: bool, group: str | None, contact: str | None, yes: bool
) -> None:
    """Have messages sent now: dead ones, with all their attempts anew, and ones that wait for their next."""
    context = click.get_current_context()
    if bool(wanted) == dead:
        raise click.UsageError("which? give NAMEs, or --dead for all that are dead", context)
    if not dead and (group or contact):
        raise click.UsageError("--group and --contact go with --dead", context)
    with settings.connect() as daemon:
        if dead:
            request = ListMessagesRequest(
                parent=group or _EVERYWHERE,
                states=[Message.State.DEAD],
                contact_point=contact or "",
                page_size=1000,
            )
            found = daemon.all_pages(daemon.messages.ListMessages, request).messages
            # In the order in which they were decided, as they would have been sent.
            wanted = [message.name for message in reversed(found)]
            if wanted and several.must_ask(yes):
                called = _display_names(names.all_contact_points(daemon))
                output.print_table(_COLUMNS, [_row(message, called) for message in found], err=True)
                several.confirm(f"Send {several.count(found, 'message')} again?", "nothing was changed")

        def retry_one(name: str) -> None:
            message = daemon.call(daemon.messages.RetryMessage, RetryMessageRequest(name=name))
            if settings.json:
                output.print_json_line(message)
            else:
                click.echo(f"{name} is to be sent now")

        several.for_each(wanted, retry_one)
    if not wanted and not settings.json:
        click.echo("Nothing is dead.", err=True)


def _display_names(there: Iterable[ContactPoint]) -> Mapping[str, str]:
    return {contact.name: contact.display_name for contact in there}


def _to(message: Message, called: Mapping[str, str]) -> str:
    """Return who is told: by what it is called, or by its resource name where it is gone."""
    to = called.get(message.contact_point) or message.contact_point
    via = called.get(message.on_call) or message.on_call
    return f"{to} (on call: {via})" if via else to


def _next(message: Message) -> str:
    """Return when it is sent next, and that it is due: then it waits for others to the same contact point."""
    when = output.time_and_age(message, "next_attempt_time")
    due = when and message.next_attempt_time.ToDatetime(UTC) <= datetime.now(UTC)
    return f"due {when}" if due else when


def _row(message: Message, called: Mapping[str, str]) -> list[str]:
    return [
        message.name,
        _to(message, called),
        output.enum_word(message, "kind"),
        output.enum_word(message, "state"),
        str(message.attempt_count),
        output.time_and_age(message, "create_time"),
        _next(message) or output.time_and_age(message, "end_time"),
        message.answer,
    ]


def _print(settings: Settings, message: Message, called: Mapping[str, str]) -> None:
    if settings.json:
        output.print_json(message)
        return
    output.print_fields(
        [
            ("name", message.name),
            ("to", _to(message, called)),
            ("contactPoint", message.contact_point),
            ("onCall", message.on_call),
            ("says", output.enum_word(message, "kind")),
            ("state", output.enum_word(message, "state")),
            ("attempts", str(message.attempt_count)),
            ("answer", message.answer),
            ("createTime", output.time_and_age(message, "create_time")),
            ("nextAttemptTime", _next(message)),
            ("endTime", output.time_and_age(message, "end_time")),
            ("idempotencyKey", message.idempotency_key),
        ]
    )
