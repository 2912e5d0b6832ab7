"""`tocsin integrations`: where alerts come from.

An integration's URL is a secret: whoever knows it can send alerts. `create`, `show` and `rotate-token` print it, the
table of `list` does not, nor does what only changes something. The daemon tells it to admins only; to others `show`
says that it is kept from them, so that nobody takes an integration for one without a URL.

An integration that moves here from elsewhere can keep the token of its URL. It is read from a file or from stdin, never
from an argument: everybody can read those of a process. Maintenance and demo alerts are in integration_actions.py.
"""

import contextlib
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
from tocsin.v1.routes_pb2 import ListRoutesRequest

from . import durations, names, output, payloads, several
from .commands import Group, Settings, notice, pass_settings
from .durations import DURATION

# What a line of 120 has room for; `show` has the rest.
_COLUMNS = (
    output.Column("NAME"),
    output.Column("TYPE"),
    output.Column("DISPLAY NAME", folds=True),
    output.Column("MAINTENANCE", folds=True),
    output.Column("CREATED", folds=True),
)
_DEFAULT_LIMIT = -1
_MAX_LIMIT = 1_000_000  # the daemon's (tocsin/v1/integrations.proto)


class RateLimitType(click.ParamType[int]):
    """A number of notifications, or `default`: the daemon's."""

    name = "rate limit"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or _DEFAULT_LIMIT; what is neither ends as wrong usage."""
        if value == "default":
            return _DEFAULT_LIMIT
        with contextlib.suppress(ValueError):
            if 0 <= (number := int(value)) <= _MAX_LIMIT:
                return number
        advice = f"write how many notifications in 5 minutes, 0 (any number) to {_MAX_LIMIT}, or default"
        self.fail(f"{value!r} is no rate limit: {advice}", param, ctx)


_rate_limit = click.option(
    "--rate-limit",
    type=RateLimitType(),
    metavar="N|default",
    help="How many notifications it may send in 5 minutes; 0: any number; default: as many as the daemon's "
    "--rate-limit says. Beats are counted apart.",
)


@click.group(cls=Group)
def integrations() -> None:
    """Where alerts come from: one secret URL for each source.

    NAME is integrations/ID, the ID alone, or what people call it.
    """


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
@_rate_limit
@click.option(
    "--url-token-file",
    metavar="FILE|-",
    help="The secret token of its URL, for one that moves here: what the senders have in their URL already, in a file; "
    "- is stdin. Default: a new one.",
)
@pass_settings
def create(
    settings: Settings,
    type_: str,
    display_name: str,
    description: str | None,
    reopen_window: timedelta | None,
    stale_after: timedelta | None,
    retention: timedelta | None,
    rate_limit: int | None,
    url_token_file: str | None,
) -> None:
    """Create an integration, and print its secret URLs."""
    integration, _ = _with_values(
        Integration(type=type_), display_name, description, reopen_window, stale_after, retention, rate_limit
    )
    token = payloads.read_text(url_token_file).strip() if url_token_file is not None else ""
    if url_token_file is not None and not token:  # a new one instead would leave the senders behind
        raise click.UsageError(f"there is no token in {url_token_file}", click.get_current_context())
    request = CreateIntegrationRequest(integration=integration, token=token)
    with settings.connect() as daemon:
        created = daemon.call(daemon.integrations.CreateIntegration, request)
    _print_urls(settings, created)


@integrations.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List all integrations, oldest first. `show` tells more of one."""
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
        if settings.json:
            output.print_json(integration)
            return
        routes = daemon.all_pages(daemon.routes.ListRoutes, ListRoutesRequest(parent=integration.name, page_size=1000))
    print_integration(settings, integration, secrets=True, routes=len(routes.routes))


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
@_rate_limit
@pass_settings
def update(
    settings: Settings,
    name: str,
    display_name: str | None,
    description: str | None,
    reopen_window: timedelta | None,
    stale_after: timedelta | None,
    retention: timedelta | None,
    rate_limit: int | None,
) -> None:
    """Change what the options name, and nothing else. Templates are changed by `tocsin templates set`."""
    integration, paths = _with_values(
        Integration(name=name), display_name, description, reopen_window, stale_after, retention, rate_limit
    )
    if not paths:
        raise click.UsageError("nothing to change: give at least one of the options", click.get_current_context())
    request = UpdateIntegrationRequest(integration=integration, update_mask=FieldMask(paths=paths))
    with settings.connect() as daemon:
        updated = daemon.call(daemon.integrations.UpdateIntegration, request)
    print_integration(settings, updated)


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
            several.confirm_deletion(name, doomed.display_name, ", and resolve its open alert groups")
        response = daemon.call(daemon.integrations.DeleteIntegration, DeleteIntegrationRequest(name=name))
    output.print_deleted(name, response, settings.json)


def _with_values(
    integration: Integration,
    display_name: str | None,
    description: str | None,
    reopen_window: timedelta | None,
    stale_after: timedelta | None,
    retention: timedelta | None,
    rate_limit: int | None,
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
    if rate_limit is not None:
        if rate_limit != _DEFAULT_LIMIT:
            integration.rate_limit = rate_limit
        paths.append("rate_limit")
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
        _maintenance_in_short(integration),
        output.time_and_age(integration, "create_time"),
    ]


def _rate(integration: Integration) -> str:
    if not integration.HasField("rate_limit"):
        return "default"
    return f"{integration.rate_limit} in 5m" if integration.rate_limit else "off"


def _templates(integration: Integration) -> str:
    return ", ".join(descriptor.name for descriptor, _ in integration.templates.ListFields())


def _maintenance(integration: Integration) -> str:
    """Return the maintenance in a few words; empty if there is none."""
    if not integration.HasField("maintenance"):
        return ""
    maintenance = integration.maintenance
    starts = output.time_and_age(maintenance, "start_time")
    planned = f"from {starts} " if "(in " in starts else ""
    return f"{output.enum_word(maintenance, 'mode')} {planned}until {output.time_and_age(maintenance, 'end_time')}"


def _maintenance_in_short(integration: Integration) -> str:
    """Return what comes next of the maintenance, `debug, ends in 59m`; empty if there is none."""
    if not integration.HasField("maintenance"):
        return ""
    maintenance = integration.maintenance
    for verb, field in (("starts", "start_time"), ("ends", "end_time")):
        ahead = output.time_ahead(maintenance, field)
        if ahead:
            return f"{output.enum_word(maintenance, 'mode')}, {verb} in {ahead}"
    return f"{output.enum_word(maintenance, 'mode')}, ends now"


def print_integration(settings: Settings, integration: Integration, *, secrets: bool = False, routes: int = 0) -> None:
    """Print one integration, with its secret URLs or without.

    `routes`: how many it has, the default one included, if that is known.
    """
    if settings.json:
        output.print_json(integration)
        return
    output.print_fields(
        [
            ("name", integration.name),
            ("displayName", integration.display_name),
            ("description", integration.description),
            ("type", integration.type),
            ("url", integration.url if secrets else ""),
            ("heartbeatUrl", integration.heartbeat_url if secrets else ""),
            ("bearerUrl", integration.bearer_url),
            ("token", integration.token if secrets else ""),
            ("reopenWindow", _window(integration, "reopen_window")),
            ("staleAfter", _window(integration, "stale_after")),
            ("retention", output.length(integration, "retention")),
            ("rateLimit", _rate(integration)),
            ("templates", _templates(integration) or "default"),
            ("routes", "the default one" if routes == 1 else f"{routes}, with the default one" if routes else ""),
            ("maintenance", _maintenance(integration)),
            ("maintenanceGroup", integration.maintenance.alert_group),
            ("maintenanceActor", integration.maintenance.actor),
            ("createTime", output.time_and_age(integration, "create_time")),
            ("updateTime", output.time_and_age(integration, "update_time")),
        ]
    )
    # The built-in integration has none of the URLs; of others, everybody may know the one without the secret.
    if secrets and integration.bearer_url and not integration.url:
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
