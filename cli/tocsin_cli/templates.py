"""`tocsin templates`: how an integration's notifications are read, and what people see of them.

A slot that has no template has its default. `show INTEGRATION SLOT` prints the source as it is, so that it can be
edited in a file and set again. `preview` changes nothing, and fails where the template does.
"""

import sys

import click
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.integrations_pb2 import GetIntegrationRequest, Integration, UpdateIntegrationRequest
from tocsin.v1.templates_pb2 import PreviewTemplateRequest, PreviewTemplateResponse, Templates

from . import names, output, payloads
from .commands import Group, Settings, notice, pass_settings
from .connection import FAILED, CommandError

SLOTS = tuple(descriptor.name for descriptor in Templates.DESCRIPTOR.fields)
_DEFAULTS = {
    "grouping_id": "Alertmanager's groupKey",
    "resolve_condition": "what Alertmanager says of the group as a whole",
    "acknowledge_condition": "never",
    "source_link": "the address of the Alertmanager",
    "title": "alertname and the values of the other group labels",
    "message": "none",
}
_ROUTE = "route_condition"
_CONDITIONS = ("resolve_condition", "acknowledge_condition", _ROUTE)

_SLOT = click.Choice(SLOTS)  # by this name in usage lines, which all of them would make unreadable
_slot = click.argument("slot", type=_SLOT, metavar="SLOT")
_text = click.argument("text", required=False)
_file = click.option("--file", metavar="FILE|-", help="The template is in this file; - is stdin.")


@click.group(cls=Group)
def templates() -> None:
    """Templates: how notifications are read, and what is shown of them, in Jinja2.

    INTEGRATION is integrations/ID, the ID alone or its display name. docs/templates.md has what templates can use.
    """


@templates.command()
@click.argument("integration", type=names.INTEGRATION)
@click.argument("slot", type=_SLOT, metavar="[SLOT]", required=False)
@pass_settings
def show(settings: Settings, integration: str, slot: str | None) -> None:
    """Show all templates; or, with SLOT, the source of that one as it is.

    SLOT is grouping_id, resolve_condition, acknowledge_condition, source_link, title or message.
    """
    with settings.connect() as daemon:
        found = daemon.call(daemon.integrations.GetIntegration, GetIntegrationRequest(name=integration))
    if settings.json:
        output.print_json(found.templates)
    elif slot is None:
        print_templates(found)
    else:
        _print_source(getattr(found.templates, slot))


@templates.command("set")
@click.argument("integration", type=names.INTEGRATION)
@_slot
@_text
@_file
@click.option("--default", "to_default", is_flag=True, help="Remove the template: the default holds again.")
@pass_settings
def set_(settings: Settings, integration: str, slot: str, text: str | None, file: str | None, to_default: bool) -> None:
    """Set one template: TEXT, or --file, or --default.

    SLOT is grouping_id, resolve_condition, acknowledge_condition, source_link, title or message.
    """
    changed = Integration(name=integration)
    changed.templates.SetInParent()  # without a template in it, it says that the default is wanted
    if not to_default:
        setattr(changed.templates, slot, _source(text, file, "TEXT, --file or --default"))
        if not getattr(changed.templates, slot):
            raise click.UsageError("it is empty: for the default give --default", click.get_current_context())
    elif text is not None or file is not None:
        raise click.UsageError("give TEXT, --file or --default, one of them", click.get_current_context())
    request = UpdateIntegrationRequest(integration=changed, update_mask=FieldMask(paths=[f"templates.{slot}"]))
    with settings.connect() as daemon:
        updated = daemon.call(daemon.integrations.UpdateIntegration, request)
    if settings.json:
        output.print_json(updated.templates)
    else:
        print_templates(updated)


@templates.command()
@click.argument("integration", type=names.INTEGRATION)
@_text
@_file
@click.option(
    "--for",
    "use",
    type=click.Choice([*SLOTS, _ROUTE]),
    help="What it is for, which decides its limits. Default: any text.",
)
@payloads.payload_options
@pass_settings
def preview(
    settings: Settings,
    integration: str,
    text: str | None,
    file: str | None,
    use: str | None,
    payload: str | None,
    group: str | None,
) -> None:
    """Print what a template makes of a payload. Nothing is changed.

    Where it fails, it is said in which line and why, and the exit code is 1.
    """
    if file == "-" and payload == "-":
        raise click.UsageError("stdin cannot be both the template and the payload", click.get_current_context())
    request = PreviewTemplateRequest(
        integration=integration,
        template=_source(text, file, "TEXT or --file"),
        use=PreviewTemplateRequest.Use.Value(use.upper() if use else "USE_UNSPECIFIED"),
        **payloads.given(payload, group),
    )
    with settings.connect() as daemon:
        response = daemon.call(daemon.templates.PreviewTemplate, request)
    if settings.json:
        output.print_json(response)
        if response.error:
            raise click.exceptions.Exit(FAILED)
        return
    _print_preview(response, use in _CONDITIONS)


def print_templates(integration: Integration) -> None:
    """Print every template, or what the default is."""
    for slot in SLOTS:
        lines = getattr(integration.templates, slot).splitlines()
        if len(lines) < 2:
            shown = lines[0] if lines else f"(default: {_DEFAULTS[slot]})"
            click.echo(f"{slot}: {output.visible(shown)}")
            continue
        click.echo(f"{slot}:")
        for line in lines:
            click.echo(f"  {output.visible(line)}")


def _source(text: str | None, file: str | None, choice: str) -> str:
    if (text is None) == (file is None):
        raise click.UsageError(f"give {choice}, one of them", click.get_current_context())
    return text if text is not None else payloads.read_text(file or "")


def _print_source(source: str) -> None:
    if not source:
        notice("it is the default")
    click.echo(source, nl=False)
    if sys.stdout.isatty() and source and not source.endswith("\n"):
        click.echo()  # or else the prompt stands on the last line


def _print_preview(response: PreviewTemplateResponse, is_condition: bool) -> None:
    payloads.say_whose(response.alert_group)
    if response.error:
        where = f"line {response.error_line}: " if response.error_line else ""
        raise CommandError(f"{where}{response.error}")
    # What a template makes of a payload is the sender's text.
    lines = response.result.splitlines() if sys.stdout.isatty() else []
    click.echo("\n".join(map(output.visible, lines)) if lines else response.result)
    if is_condition:
        notice("that is true" if response.is_true else "that is not true")
    if response.shortened:
        notice("it was cut to its limit")
