"""`tocsin chains`: who is told of an alert group, in which order, and when.

The steps are in chain_steps.py. What `show` prints is a file for `--file`: what is not a step stands in comments.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import click
import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.contact_points_pb2 import ContactPoint
from tocsin.v1.escalation_chains_pb2 import (
    CreateEscalationChainRequest,
    DeleteEscalationChainRequest,
    EscalationChain,
    EscalationStep,
    GetEscalationChainRequest,
    ListEscalationChainsRequest,
    UpdateEscalationChainRequest,
)

from . import chain_steps, names, output, payloads, several
from .commands import Group, Settings, notice, pass_settings
from .connection import USAGE, CommandError, Connection

_RESOURCE = re.compile(r"contactPoints/[A-Za-z0-9_-]+")

_REFUSED_STEP = re.compile(r"escalation_chain\.steps\[([0-9]{1,4})\]\S*: ")

_Request = TypeVar("_Request", CreateEscalationChainRequest, UpdateEscalationChainRequest)

_COLUMNS = (
    output.Column("NAME"),
    output.Column("DISPLAY NAME", folds=True),
    output.Column("DEFAULT"),
    output.Column("STEPS", folds=True),
)

_steps_option = click.option(
    "--step",
    "steps",
    metavar="STEP",
    multiple=True,
    help="One step; repeatable, in their order: 'notify Anna', 'wait 5m', 'notify \"Ben, mail\", Carla', 'within "
    "Mon-Fri 08:00-18:00 Europe/Berlin', 'more-than 5 in 10m', 'repeat 3', 'resolve'.",
)
_file = click.option("--file", metavar="FILE|-", help="The steps are in this file, one a line; - is stdin.")
_notify = click.option(
    "--notify",
    metavar="NAME",
    multiple=True,
    help="The one step tells this contact point at once; repeatable.",
)
_nobody = click.option("--nobody", is_flag=True, help="No steps: nobody is told, though there is a default chain.")
_default = click.option(
    "--default/--no-default",
    "is_default",
    default=None,
    help="Whether it holds for all routes that name no chain, and for what Tocsin reports about itself. One chain at "
    "most is the default.",
)
_description = click.option("--description", metavar="TEXT", help="What it is for.")


@click.group(cls=Group)
def chains() -> None:
    """Escalation chains: who is told of alert groups, in which order, and when.

    NAME is escalationChains/ID, the ID alone or what people call it. docs/notifying.md says what each step does.
    """


@chains.command()
@click.argument("display_name", metavar="NAME")
@_steps_option
@_file
@_notify
@_nobody
@_default
@_description
@pass_settings
def create(
    settings: Settings,
    display_name: str,
    steps: Sequence[str],
    file: str | None,
    notify: Sequence[str],
    nobody: bool,
    is_default: bool | None,
    description: str | None,
) -> None:
    """Create a chain with that name. Give its steps by --step, --file or --notify."""
    chain = EscalationChain(display_name=display_name, description=description or "", is_default=bool(is_default))
    with settings.connect() as daemon:
        there = list(names.all_contact_points(daemon))
        if (given := _given(steps, file, notify, nobody, there)) is None:
            raise click.UsageError(
                "who is told? give --step, --file or --notify (or --nobody)", click.get_current_context()
            )
        chain.steps.extend(given)
        request = CreateEscalationChainRequest(escalation_chain=chain)
        created = _store(daemon, daemon.chains.CreateEscalationChain, request, there)
    _print(settings, created, there)


@chains.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List all chains, by what they are called."""
    with settings.connect() as daemon:
        if settings.json:
            request = ListEscalationChainsRequest(page_size=1000)
            output.print_json(daemon.all_pages(daemon.chains.ListEscalationChains, request), "escalationChains")
            return
        found = list(names.all_chains(daemon))
        there = list(names.all_contact_points(daemon))
    name_of = _namer(there)
    output.print_table(_COLUMNS, [_row(chain, name_of) for chain in found])


@chains.command()
@click.argument("name", type=names.CHAIN)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one chain: its steps, one a line, below comments. `update --file` takes that again."""
    with settings.connect() as daemon:
        chain = daemon.call(daemon.chains.GetEscalationChain, GetEscalationChainRequest(name=name))
        there = [] if settings.json else list(names.all_contact_points(daemon))
    _print(settings, chain, there)


@chains.command()
@click.argument("name", type=names.CHAIN)
@click.option("--name", "display_name", metavar="TEXT", help="What people call it; unique.")
@_steps_option
@_file
@_notify
@_nobody
@_default
@_description
@pass_settings
def update(
    settings: Settings,
    name: str,
    display_name: str | None,
    steps: Sequence[str],
    file: str | None,
    notify: Sequence[str],
    nobody: bool,
    is_default: bool | None,
    description: str | None,
) -> None:
    """Change what the options name, and nothing else. Steps that are given replace all that there were.

    What fires already goes on by the steps that the chain had when it started.
    """
    chain = EscalationChain(name=name)
    paths = []
    values = {"display_name": display_name, "description": description, "is_default": is_default}
    for path, value in values.items():
        if value is not None:
            setattr(chain, path, value)
            paths.append(path)
    with settings.connect() as daemon:
        there = list(names.all_contact_points(daemon))
        if (given := _given(steps, file, notify, nobody, there)) is not None:
            chain.steps.extend(given)
            paths.append("steps")
        if not paths:
            raise click.UsageError("nothing to change: give at least one of the options", click.get_current_context())
        request = UpdateEscalationChainRequest(escalation_chain=chain, update_mask=FieldMask(paths=paths))
        updated = _store(daemon, daemon.chains.UpdateEscalationChain, request, there)
    _print(settings, updated, there)


@chains.command()
@click.argument("name", type=names.CHAIN)
@click.option("--force", is_flag=True, help="Though routes name it: they name none then, and take the default.")
@several.yes_option
@pass_settings
def delete(settings: Settings, name: str, force: bool, yes: bool) -> None:
    """Delete a chain that no route names. What has started goes on."""
    with settings.connect() as daemon:
        if several.must_ask(yes):
            doomed = daemon.call(daemon.chains.GetEscalationChain, GetEscalationChainRequest(name=name))
            several.confirm_deletion(name, doomed.display_name)
        request = DeleteEscalationChainRequest(name=name, force=force)
        response = daemon.call(daemon.chains.DeleteEscalationChain, request)
    output.print_deleted(name, response, settings.json)


def _given(
    steps: Sequence[str], file: str | None, notify: Sequence[str], nobody: bool, there: Sequence[ContactPoint]
) -> list[EscalationStep] | None:
    """Return the steps that the options say; None if they say nothing of steps. Raises CommandError."""
    if sum((bool(steps), file is not None, bool(notify), nobody)) > 1:
        raise click.UsageError("--step, --file, --notify and --nobody exclude each other", click.get_current_context())
    if nobody:
        return []
    if notify:
        step = EscalationStep()
        step.notify.contact_points.extend(names.CONTACT_POINTS.resolve(name, there) for name in notify)
        return [step]
    if file is not None:
        where = "stdin" if file == "-" else file
        lines = list(chain_steps.lines_of(payloads.read_text(file)))
        if not lines:
            raise CommandError(f"{where}: there is no step in it; for a chain without steps give --nobody", USAGE)
        return [_read(f"{where}, line {number}", text, there) for number, text in lines]
    return [_read(f"step {number}", text, there) for number, text in enumerate(steps, 1)] or None


def _read(where: str, text: str, there: Sequence[ContactPoint]) -> EscalationStep:
    def find(given: str) -> str | None:
        # What is spelled out as a resource name is the daemon's to know.
        found = names.CONTACT_POINTS.find(given, there)
        return given if found is None and _RESOURCE.fullmatch(given) else found

    try:
        return chain_steps.parse(text, find)
    except chain_steps.StepError as error:
        raise CommandError(f"{where}, {text!r}: {error}", USAGE) from error


def _store(
    daemon: Connection,
    method: "grpc.UnaryUnaryMultiCallable[_Request, EscalationChain]",
    request: _Request,
    there: Sequence[ContactPoint],
) -> EscalationChain:
    """Create or change a chain. Raises CommandError, which names the step that is refused as people wrote it."""
    try:
        return daemon.call(method, request)
    except CommandError as error:
        match = _REFUSED_STEP.match(error.message)
        if match is None or int(match.group(1)) >= len(request.escalation_chain.steps):
            raise
        number = int(match.group(1))
        step = chain_steps.format(request.escalation_chain.steps[number], _namer(there))
        where, what = error.message[: match.end()], error.message[match.end() :]
        raise CommandError(f"step {number + 1}, {step!r}: {what} ({where.rstrip(': ')})", error.exit_code) from error


def _namer(there: Iterable[ContactPoint]) -> Callable[[str], str]:
    """Return what says how a contact point is called; empty where it is gone, or is called as another's id reads."""
    there = list(there)
    called = {contact.name: contact.display_name for contact in there}
    return lambda name: called.get(name, "") if names.CONTACT_POINTS.find(called.get(name, ""), there) == name else ""


def _row(chain: EscalationChain, name_of: Callable[[str], str]) -> list[str]:
    steps = [chain_steps.format(step, name_of) for step in chain.steps]
    return [chain.name, chain.display_name, "yes" if chain.is_default else "", "; ".join(steps) or "tells nobody"]


def _print(settings: Settings, chain: EscalationChain, there: Sequence[ContactPoint]) -> None:
    if settings.json:
        output.print_json(chain)
        return
    fields = [
        ("name", chain.name),
        ("displayName", chain.display_name),
        ("description", chain.description),
        ("default", "yes" if chain.is_default else ""),
        ("createTime", output.time_and_age(chain, "create_time")),
        ("updateTime", output.time_and_age(chain, "update_time")),
    ]
    for label, value in fields:
        if value:
            click.echo(f"# {label}: {output.visible(value)}")
    known = {contact.name for contact in there}
    told = [name for step in chain.steps for name in step.notify.contact_points]
    for name in dict.fromkeys(name for name in told if name not in known):
        click.echo(f"# {name} is deleted: nobody is told there")
    name_of = _namer(there)
    for step in chain.steps:
        click.echo(output.visible(chain_steps.format(step, name_of)))
    if not chain.steps:
        notice("it has no steps: nobody is told by it")
