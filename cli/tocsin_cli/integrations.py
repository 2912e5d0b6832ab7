"""`tocsin integrations`: where alerts come from.

An integration's URL is a secret: whoever knows it can send alerts. `create`, `show` and `rotate-token` print it, the
table of `list` does not. The daemon tells it to admins only; to others `show` says that it is kept from them, so that
nobody takes an integration for one without a URL.
"""

from datetime import timedelta

import click
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.integrations_pb2 import (
    CreateIntegrationRequest,
    DeleteIntegrationRequest,
    GetIntegrationRequest,
    Integration,
    ListIntegrationsRequest,
    RotateIntegrationTokenRequest,
    UpdateIntegrationRequest,
)

from . import durations, names, output, several
from .commands import Group, Settings, notice, pass_settings
from .durations import DURATION

_COLUMNS = (
    output.Column("NAME"),
    output.Column("TYPE"),
    output.Column("DISPLAY NAME", folds=True),
    output.Column("REOPEN"),
    output.Column("STALE AFTER"),
    output.Column("RETENTION"),
    output.Column("CREATED", folds=True),
)


@click.group(cls=Group)
def integrations() -> None:
    """Where alerts come from: one secret URL for each source."""


@integrations.command()
@click.option("--type", "type_", required=True, metavar="TYPE", help="The kind of sender: alertmanager.")
@click.option("--name", "display_name", required=True, metavar="TEXT", help="What people call it; unique.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option(
    "--reopen-window",
    type=DURATION,
    help="A group that fires again this soon after its source resolved it is reopened. Default: 5m; 0s: never.",
)
@click.option(
    "--stale-after",
    type=DURATION,
    help="Resolve groups not heard of for this long; a bit over twice Alertmanager's repeat_interval is a good value. "
    "Default: 0s, never.",
)
@click.option("--retention", type=DURATION, help="How long to keep resolved groups. Default: 90d.")
@pass_settings
def create(
    settings: Settings,
    type_: str,
    display_name: str,
    description: str | None,
    reopen_window: timedelta | None,
    stale_after: timedelta | None,
    retention: timedelta | None,
) -> None:
    """Create an integration, and print its secret URLs."""
    integration, _ = _with_values(
        Integration(type=type_), display_name, description, reopen_window, stale_after, retention
    )
    with settings.connect() as daemon:
        created = daemon.call(daemon.integrations.CreateIntegration, CreateIntegrationRequest(integration=integration))
    _print_urls(settings, created)


@integrations.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List all integrations, oldest first."""
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.integrations.ListIntegrations, ListIntegrationsRequest())
    if settings.json:
        output.print_json(response, "integrations")
    else:
        output.print_table(_COLUMNS, map(_row, response.integrations))


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one integration; to admins, its secret URLs as well."""
    with settings.connect() as daemon:
        integration = daemon.call(daemon.integrations.GetIntegration, GetIntegrationRequest(name=name))
    _print(settings, integration)


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@click.option("--name", "display_name", metavar="TEXT", help="What people call it; unique.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option(
    "--reopen-window",
    type=DURATION,
    help="A group that fires again this soon after its source resolved it is reopened; 0s: never.",
)
@click.option("--stale-after", type=DURATION, help="Resolve groups not heard of for this long; 0s: never.")
@click.option("--retention", type=DURATION, help="How long to keep resolved groups.")
@pass_settings
def update(
    settings: Settings,
    name: str,
    display_name: str | None,
    description: str | None,
    reopen_window: timedelta | None,
    stale_after: timedelta | None,
    retention: timedelta | None,
) -> None:
    """Change what the options name, and nothing else."""
    integration, paths = _with_values(
        Integration(name=name), display_name, description, reopen_window, stale_after, retention
    )
    if not paths:
        raise click.UsageError("nothing to change: give at least one of the options", click.get_current_context())
    request = UpdateIntegrationRequest(integration=integration, update_mask=FieldMask(paths=paths))
    with settings.connect() as daemon:
        updated = daemon.call(daemon.integrations.UpdateIntegration, request)
    _print(settings, updated)


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@pass_settings
def rotate_token(settings: Settings, name: str) -> None:
    """Replace the secret token. The old URLs are dead at once; the new ones are printed."""
    with settings.connect() as daemon:
        integration = daemon.call(daemon.integrations.RotateIntegrationToken, RotateIntegrationTokenRequest(name=name))
    _print_urls(settings, integration)


@integrations.command()
@click.argument("name", type=names.INTEGRATION)
@several.yes_option
@pass_settings
def delete(settings: Settings, name: str, yes: bool) -> None:
    """Delete an integration: its URL is dead at once, its open groups are resolved."""
    with settings.connect() as daemon:
        if several.must_ask(yes):
            doomed = daemon.call(daemon.integrations.GetIntegration, GetIntegrationRequest(name=name))
            question = f"Delete {name} ({output.visible(doomed.display_name)}), and resolve its open alert groups?"
            several.confirm(question, f"{name} is still there")
        response = daemon.call(daemon.integrations.DeleteIntegration, DeleteIntegrationRequest(name=name))
    if settings.json:
        output.print_json(response)
    else:
        click.echo(f"{name} deleted")


def _with_values(
    integration: Integration,
    display_name: str | None,
    description: str | None,
    reopen_window: timedelta | None,
    stale_after: timedelta | None,
    retention: timedelta | None,
) -> tuple[Integration, list[str]]:
    """Set what was given on `integration`; return it with the paths of those fields, for an update mask."""
    paths = []
    texts = {"display_name": display_name, "description": description}
    for path, text in texts.items():
        if text is not None:
            setattr(integration, path, text)
            paths.append(path)
    lengths = {"reopen_window": reopen_window, "stale_after": stale_after, "retention": retention}
    for path, length in lengths.items():
        if length is not None:
            getattr(integration, path).FromTimedelta(length)
            paths.append(path)
    return integration, paths


def _window(integration: Integration, field: str) -> str:
    """A duration of which none means that the rule does not apply: `0s` would read as "at once"."""
    shown = output.length(integration, field)
    return "off" if shown == durations.format(timedelta()) else shown


def _row(integration: Integration) -> list[str]:
    return [
        integration.name,
        integration.type,
        integration.display_name,
        _window(integration, "reopen_window"),
        _window(integration, "stale_after"),
        output.length(integration, "retention"),
        output.time_and_age(integration, "create_time"),
    ]


def _print(settings: Settings, integration: Integration) -> None:
    if settings.json:
        output.print_json(integration)
        return
    output.print_fields(
        [
            ("name", integration.name),
            ("displayName", integration.display_name),
            ("description", integration.description),
            ("type", integration.type),
            ("url", integration.url),
            ("heartbeatUrl", integration.heartbeat_url),
            ("bearerUrl", integration.bearer_url),
            ("token", integration.token),
            ("reopenWindow", _window(integration, "reopen_window")),
            ("staleAfter", _window(integration, "stale_after")),
            ("retention", output.length(integration, "retention")),
            ("createTime", output.time_and_age(integration, "create_time")),
            ("updateTime", output.time_and_age(integration, "update_time")),
        ]
    )
    # The built-in integration has none of the URLs; of others, everybody may know the one without the secret.
    if integration.bearer_url and not integration.url:
        notice("its secret URLs are shown to admins only")


def _print_urls(settings: Settings, integration: Integration) -> None:
    if settings.json:
        output.print_json(integration)
        return
    output.print_fields(
        [
            ("name", integration.name),
            ("url", integration.url),
            ("heartbeatUrl", integration.heartbeat_url),
        ]
    )
    if not integration.url:
        notice(f"done; its URLs are shown to admins only, by `tocsin integrations show {integration.name}`")
