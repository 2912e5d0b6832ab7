"""`tocsin routes`: which way an integration's alert groups take, and by which chain people are told of them.

The order is what counts: the first route that matches is the group's. `list` shows it, `test` shows who says what.
"""

from collections.abc import Sequence

import click
from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.escalation_chains_pb2 import EscalationChain
from tocsin.v1.routes_pb2 import (
    CreateRouteRequest,
    DeleteRouteRequest,
    GetRouteRequest,
    ListRoutesRequest,
    MoveRouteRequest,
    Route,
    TestRoutesRequest,
    TestRoutesResponse,
    UpdateRouteRequest,
)

from . import names, output, payloads, several
from .commands import Group, Settings, pass_settings
from .connection import Connection

_COLUMNS = (
    output.Column("POSITION", right=True),
    output.Column("NAME"),
    output.Column("CONDITION", folds=True),
    output.Column("CHAIN", folds=True),
    output.Column("ON RESOLVE"),
    output.Column("DESCRIPTION", folds=True),
)
_VERDICT_COLUMNS = (
    output.Column(""),
    output.Column("ROUTE"),
    output.Column("WHY", folds=True),
)
_EVERYTHING = "everything else"

_matchers = click.option(
    "--matchers",
    metavar="TEXT",
    help="Alertmanager's matchers on the group's labels, as amtool takes them: 'severity=~\"critical|page\"'.",
)
_jinja = click.option(
    "--jinja", metavar="TEXT", help="A Jinja2 template over payload and labels: it matches where it says true, ok or 1."
)
_jinja_file = click.option("--jinja-file", metavar="FILE|-", help="The Jinja2 template is in this file; - is stdin.")
_description = click.option("--description", metavar="TEXT", help="What it is for.")
_chain = click.option(
    "--chain",
    type=names.CHAIN_OR_NONE,
    metavar="NAME|''",
    help="The escalation chain by which people are told; '': the one that is the default, if one is.",
)
_on_resolve = click.option(
    "--notify-on-resolve/--no-notify-on-resolve",
    default=None,
    help="Whether those who were told that a group fires are told when it is resolved. Default: no.",
)


@click.group(cls=Group)
def routes() -> None:
    """Routes: which way the alert groups of an integration take.

    INTEGRATION is integrations/ID, the ID alone or its display name. NAME is integrations/ID/routes/ID, or ID/ID.
    """


@routes.command()
@click.argument("integration", type=names.INTEGRATION)
@_matchers
@_jinja
@_jinja_file
@_description
@click.option(
    "--position",
    type=click.IntRange(0),
    help="Its place in the order, from 0. Default: the last before the default route.",
)
@_chain
@_on_resolve
@pass_settings
def create(
    settings: Settings,
    integration: str,
    matchers: str | None,
    jinja: str | None,
    jinja_file: str | None,
    description: str | None,
    position: int | None,
    chain: str | None,
    notify_on_resolve: bool | None,
) -> None:
    """Create a route. Give one condition."""
    route = Route(description=description or "")
    _set_telling(route, chain, notify_on_resolve)
    if _set_condition(route, matchers, jinja, jinja_file) is None:
        raise click.UsageError("which groups? give --matchers, --jinja or --jinja-file", click.get_current_context())
    request = CreateRouteRequest(parent=integration, route=route, position=position)
    with settings.connect() as daemon:
        created = daemon.call(daemon.routes.CreateRoute, request)
        _print(settings, daemon, created)


@routes.command("list")
@click.argument("integration", type=names.INTEGRATION)
@pass_settings
def list_(settings: Settings, integration: str) -> None:
    """List the routes of an integration in their order, the default one last."""
    request = ListRoutesRequest(parent=integration, page_size=1000)
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.routes.ListRoutes, request)
        chains = [] if settings.json else list(names.all_chains(daemon))
    if settings.json:
        output.print_json(response, "routes")
    else:
        output.print_table(_COLUMNS, [_row(route, chains) for route in response.routes])


@routes.command()
@click.argument("name", type=names.ROUTE)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one route."""
    with settings.connect() as daemon:
        route = daemon.call(daemon.routes.GetRoute, GetRouteRequest(name=name))
        _print(settings, daemon, route)


@routes.command()
@click.argument("name", type=names.ROUTE)
@_matchers
@_jinja
@_jinja_file
@_description
@_chain
@_on_resolve
@pass_settings
def update(
    settings: Settings,
    name: str,
    matchers: str | None,
    jinja: str | None,
    jinja_file: str | None,
    description: str | None,
    chain: str | None,
    notify_on_resolve: bool | None,
) -> None:
    """Change what the options name, and nothing else. A new condition replaces the old one, of either kind.

    The default route, INTEGRATION/default, has a chain and --notify-on-resolve only. Another chain is for groups that
    begin to fire from now on.
    """
    route = Route(name=name, description=description or "")
    paths = ["description"] if description is not None else []
    paths += _set_telling(route, chain, notify_on_resolve)
    if (condition := _set_condition(route, matchers, jinja, jinja_file)) is not None:
        paths.append(condition)
    if not paths:
        raise click.UsageError("nothing to change: give at least one of the options", click.get_current_context())
    with settings.connect() as daemon:
        request = UpdateRouteRequest(route=route, update_mask=FieldMask(paths=paths))
        updated = daemon.call(daemon.routes.UpdateRoute, request)
        _print(settings, daemon, updated)


@routes.command()
@click.argument("name", type=names.ROUTE)
@click.argument("position", type=click.IntRange(0))
@pass_settings
def move(settings: Settings, name: str, position: int) -> None:
    """Move a route to another place in the order, from 0; beyond the last: before the default route."""
    with settings.connect() as daemon:
        moved = daemon.call(daemon.routes.MoveRoute, MoveRouteRequest(name=name, position=position))
        _print(settings, daemon, moved)


@routes.command()
@click.argument("name", type=names.ROUTE)
@several.yes_option
@pass_settings
def delete(settings: Settings, name: str, yes: bool) -> None:
    """Delete a route. Its groups live on under the default route."""
    with settings.connect() as daemon:
        if several.must_ask(yes):
            doomed = daemon.call(daemon.routes.GetRoute, GetRouteRequest(name=name))
            several.confirm_deletion(name, _condition(doomed))
        response = daemon.call(daemon.routes.DeleteRoute, DeleteRouteRequest(name=name))
    output.print_deleted(name, response, settings.json)


@routes.command()
@click.argument("integration", type=names.INTEGRATION)
@payloads.payload_options
@pass_settings
def test(settings: Settings, integration: str, payload: str | None, group: str | None) -> None:
    """Show which route a payload would take, and why: each route in its order up to that one. Nothing is changed."""
    request = TestRoutesRequest(parent=integration, **payloads.given(payload, group))
    with settings.connect() as daemon:
        response = daemon.call(daemon.routes.TestRoutes, request)
    if settings.json:
        output.print_json(response, "verdicts")
        return
    _print_verdicts(response)
    payloads.say_whose(response.alert_group)


def _set_condition(route: Route, matchers: str | None, jinja: str | None, jinja_file: str | None) -> str | None:
    """Set the condition that was given; return the field that bears it, None if none was."""
    if sum(each is not None for each in (matchers, jinja, jinja_file)) > 1:
        raise click.UsageError("a route has one condition: give one option", click.get_current_context())
    if matchers is not None:
        route.matchers = matchers
    elif jinja is not None:
        route.jinja = jinja
    elif jinja_file is not None:
        route.jinja = payloads.read_text(jinja_file)
    return route.WhichOneof("condition")


def _condition(route: Route) -> str:
    kind = route.WhichOneof("condition")
    if kind is None:
        return _EVERYTHING
    return route.matchers if kind == "matchers" else route.jinja


def _set_telling(route: Route, chain: str | None, notify_on_resolve: bool | None) -> list[str]:
    """Set who is told; return the paths of what was given."""
    paths = []
    if chain is not None:
        route.escalation_chain = chain
        paths.append("escalation_chain")
    if notify_on_resolve is not None:
        route.notify_on_resolve = notify_on_resolve
        paths.append("notify_on_resolve")
    return paths


def _told_by(route: Route, chains: Sequence[EscalationChain]) -> str:
    """Return what the chain is called by which people are told of the route's groups."""
    if route.escalation_chain:
        named = (chain.display_name for chain in chains if chain.name == route.escalation_chain)
        return next(named, route.escalation_chain)
    default = next((chain.display_name for chain in chains if chain.is_default), None)
    return f"{default} (the default)" if default is not None else "none: nobody is told"


def _row(route: Route, chains: Sequence[EscalationChain]) -> list[str]:
    return [
        str(route.position),
        route.name,
        _condition(route),
        _told_by(route, chains),
        "told" if route.notify_on_resolve else "",
        route.description,
    ]


def _print(settings: Settings, daemon: Connection, route: Route) -> None:
    if settings.json:
        output.print_json(route)
        return
    output.print_fields(
        [
            ("name", route.name),
            ("position", str(route.position)),
            ("description", route.description),
            (route.WhichOneof("condition") or "condition", _condition(route)),
            ("escalationChain", route.escalation_chain),
            ("toldBy", _told_by(route, list(names.all_chains(daemon)))),
            ("notifyOnResolve", "yes" if route.notify_on_resolve else "no"),
            ("createTime", output.time_and_age(route, "create_time")),
            ("updateTime", output.time_and_age(route, "update_time")),
        ]
    )


def _print_verdicts(response: TestRoutesResponse) -> None:
    rows = []
    for verdict in response.verdicts:
        why = ": ".join(part for part in (verdict.reason, verdict.error) if part)
        rows.append(["->" if verdict.route == response.route else "", verdict.route, why])
    if all(verdict.route != response.route for verdict in response.verdicts):
        rows.append(["->", response.route, ""])
    output.print_table(_VERDICT_COLUMNS, rows)
