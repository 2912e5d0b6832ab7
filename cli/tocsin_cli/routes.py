"""`tocsin routes`: which way an integration's alert groups take.

The order is what counts: the first route that matches is the group's. `list` shows it, `test` shows who says what.
"""

import click
from google.protobuf.field_mask_pb2 import FieldMask

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

_COLUMNS = (
    output.Column("POSITION", right=True),
    output.Column("NAME"),
    output.Column("CONDITION", folds=True),
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
@pass_settings
def create(
    settings: Settings,
    integration: str,
    matchers: str | None,
    jinja: str | None,
    jinja_file: str | None,
    description: str | None,
    position: int | None,
) -> None:
    """Create a route. Give one condition."""
    route = Route(description=description or "")
    if _set_condition(route, matchers, jinja, jinja_file) is None:
        raise click.UsageError("which groups? give --matchers, --jinja or --jinja-file", click.get_current_context())
    request = CreateRouteRequest(parent=integration, route=route, position=position)
    with settings.connect() as daemon:
        created = daemon.call(daemon.routes.CreateRoute, request)
    _print(settings, created)


@routes.command("list")
@click.argument("integration", type=names.INTEGRATION)
@pass_settings
def list_(settings: Settings, integration: str) -> None:
    """List the routes of an integration in their order, the default one last."""
    request = ListRoutesRequest(parent=integration, page_size=1000)
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.routes.ListRoutes, request)
    if settings.json:
        output.print_json(response, "routes")
    else:
        output.print_table(_COLUMNS, map(_row, response.routes))


@routes.command()
@click.argument("name", type=names.ROUTE)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one route."""
    with settings.connect() as daemon:
        route = daemon.call(daemon.routes.GetRoute, GetRouteRequest(name=name))
    _print(settings, route)


@routes.command()
@click.argument("name", type=names.ROUTE)
@_matchers
@_jinja
@_jinja_file
@_description
@pass_settings
def update(
    settings: Settings,
    name: str,
    matchers: str | None,
    jinja: str | None,
    jinja_file: str | None,
    description: str | None,
) -> None:
    """Change what the options name, and nothing else. A new condition replaces the old one, of either kind."""
    route = Route(name=name, description=description or "")
    paths = ["description"] if description is not None else []
    if (condition := _set_condition(route, matchers, jinja, jinja_file)) is not None:
        paths.append(condition)
    if not paths:
        raise click.UsageError("nothing to change: give at least one of the options", click.get_current_context())
    with settings.connect() as daemon:
        request = UpdateRouteRequest(route=route, update_mask=FieldMask(paths=paths))
        updated = daemon.call(daemon.routes.UpdateRoute, request)
    _print(settings, updated)


@routes.command()
@click.argument("name", type=names.ROUTE)
@click.argument("position", type=click.IntRange(0))
@pass_settings
def move(settings: Settings, name: str, position: int) -> None:
    """Move a route to another place in the order, from 0; beyond the last: before the default route."""
    with settings.connect() as daemon:
        moved = daemon.call(daemon.routes.MoveRoute, MoveRouteRequest(name=name, position=position))
    _print(settings, moved)


@routes.command()
@click.argument("name", type=names.ROUTE)
@several.yes_option
@pass_settings
def delete(settings: Settings, name: str, yes: bool) -> None:
    """Delete a route. Its groups live on under the default route."""
    with settings.connect() as daemon:
        if several.must_ask(yes):
            doomed = daemon.call(daemon.routes.GetRoute, GetRouteRequest(name=name))
            several.confirm(f"Delete {name} ({output.visible(_condition(doomed))})?", f"{name} is still there")
        response = daemon.call(daemon.routes.DeleteRoute, DeleteRouteRequest(name=name))
    if settings.json:
        output.print_json(response)
    else:
        click.echo(f"{name} deleted")


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


def _row(route: Route) -> list[str]:
    return [str(route.position), route.name, _condition(route), route.description]


def _print(settings: Settings, route: Route) -> None:
    if settings.json:
        output.print_json(route)
        return
    output.print_fields(
        [
            ("name", route.name),
            ("position", str(route.position)),
            ("description", route.description),
            (route.WhichOneof("condition") or "condition", _condition(route)),
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
