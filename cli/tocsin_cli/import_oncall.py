"""`tocsin import oncall`: takes integrations and routes over from Grafana OnCall.

Rules
- The files are read to their end first: what is wrong with them is said before anything is created.
- An integration is created with its templates in one call, so it is there with them or not at all. Templates that the
  daemon refuses are named, and it is created without them, by the defaults.
- Its routes follow one by one, in their order. One that is refused is named, and the rest goes on: its alerts take the
  routes after it. An integration is never deleted again: it would take its token with it for good, and one whose routes
  are not all there still receives every alert.
- Who runs it twice, or again after it was interrupted, gets what is missing. An integration is known by its token, or
  by its name where the files have no token. One whose templates and routes are those that would be created, or the
  first of them, gets the rest; any other is somebody's work, and is left alone.
- The token goes nowhere but to the daemon.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
import grpc
from google.protobuf.field_mask_pb2 import FieldMask

import tocsin
from tocsin.v1.heartbeats_pb2 import GetHeartbeatRequest, Heartbeat, UpdateHeartbeatRequest
from tocsin.v1.integrations_pb2 import CreateIntegrationRequest, Integration, ListIntegrationsRequest
from tocsin.v1.routes_pb2 import CreateRouteRequest, ListRoutesRequest, Route

from . import durations, oncall_export, output
from .commands import Group, Settings, notice, pass_settings
from .connection import FAILED, NOT_ALLOWED, UNREACHABLE, USAGE, CommandError, Connection
from .payloads import read_text

if TYPE_CHECKING:
    from .oncall_plan import Plan

_TEMPLATES = "integration.templates."


@dataclass
class Outcome:
    """What became of one plan. `word` is for programs, `line` for people; `left` grows while it is carried out."""

    plan: "Plan"
    word: str = "notTried"
    line: str = "not tried"
    name: str = ""
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def became(self, word: str, line: str, name: str = "") -> None:
        """Note what came of it."""
        self.word, self.line, self.name = word, line, name


@click.group("import", cls=Group)
def import_() -> None:
    """Take over what another system has."""


@import_.command()
@click.argument("files", metavar="FILE...|-", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Create nothing; say what would become of everything.")
@pass_settings
def oncall(settings: Settings, files: Sequence[str], dry_run: bool) -> None:
    """Create the Alertmanager integrations and routes of Grafana OnCall here.

    FILE is what its API returned for GET /api/v1/integrations/ or /api/v1/routes/: one page, several one after the
    other, or both in one file; - is stdin. See docs/moving-from-oncall.md.

    What was taken over is said for each integration, and what could not be, and why. Integrations keep their tokens.
    What exists already is left alone, so that it can be run again. The exit code is 0 if everything was taken over, 1
    if something was not.
    """
    from . import oncall_plan  # it takes Jinja2 to read templates, for which no other command waits

    export = _read(files)
    names: set[str] = set()
    plans = [
        oncall_plan.plan(integration, export.routes.get(integration.id, []), names)
        for integration in export.integrations
    ]
    outcomes: list[Outcome] = []
    try:
        with settings.connect() as daemon:
            _carry_out(daemon, plans, dry_run, outcomes.append)
    except CommandError:
        if outcomes:  # what was done before it failed has to be known above all
            _print(settings, outcomes, export.missing, dry_run)
        raise
    _print(settings, outcomes, export.missing, dry_run)
    if export.missing or any(outcome.left for outcome in outcomes):
        raise click.exceptions.Exit(FAILED)


def _read(files: Sequence[str]) -> oncall_export.Export:
    texts = {"stdin" if file == "-" else file: read_text(file) for file in files}
    try:
        return oncall_export.read(texts)
    except oncall_export.ExportError as error:
        raise CommandError(str(error), USAGE) from error


def _carry_out(daemon: Connection, plans: "Sequence[Plan]", dry_run: bool, tell: Callable[[Outcome], None]) -> None:
    """Carry out each plan; `tell` gets each outcome when it begins. Raises CommandError where going on is no use."""
    existing = daemon.all_pages(daemon.integrations.ListIntegrations, ListIntegrationsRequest()).integrations
    by_token = {integration.token: integration for integration in existing if integration.token}
    by_name = {integration.display_name: integration for integration in existing}
    for plan in plans:
        outcome = Outcome(plan, taken=list(plan.taken), left=list(plan.left))
        tell(outcome)
        namesake = by_name.get(plan.title)
        if not plan.wanted:
            outcome.became("notTaken", "not taken over")
        elif plan.token and (same := by_token.get(plan.token)) is not None:
            _complete(daemon, same, outcome, dry_run)
        elif namesake is None:
            _create(daemon, outcome, dry_run)
        elif plan.token and namesake.token:
            _leave_alone(outcome, namesake, "has this name already, and another token")
        else:  # the token of the one or the other is not known: the name has to do
            _complete(daemon, namesake, outcome, dry_run)


def _create(daemon: Connection, outcome: Outcome, dry_run: bool) -> None:
    if dry_run:
        outcome.became("created", "would be created")
        return
    try:
        created = _create_with_what_is_accepted(daemon, outcome)
    except CommandError as error:
        outcome.became("refused", "not created")
        outcome.taken = []
        outcome.left.append(f"all of it: {error.message}")
        _raise_if_hopeless(error)
        return
    outcome.became("created", f"created as {created.name}", created.name)
    _set_heartbeat(daemon, outcome)
    _add_routes(daemon, created.name, [(route, False) for route in outcome.plan.routes], outcome)


def _create_with_what_is_accepted(daemon: Connection, outcome: Outcome) -> Integration:
    """Create the integration. Templates that the daemon refuses are left out; nothing was created by then."""
    request = CreateIntegrationRequest(integration=outcome.plan.integration, token=outcome.plan.token)
    while True:
        try:
            return daemon.call(daemon.integrations.CreateIntegration, request)
        except CommandError as error:
            refused = _refused_templates(error, request.integration)
            if not refused:
                raise
            for slot, why in refused.items():
                request.integration.templates.ClearField(slot)  # type: ignore[arg-type]  # one of its fields
                outcome.left.append(f"template for {slot}, which has its default now: {why}")


def _refused_templates(error: CommandError, integration: Integration) -> dict[str, str]:
    """Return why which templates were refused, if nothing else was."""
    cause = error.__cause__
    if not isinstance(cause, tocsin.Error) or cause.code is not grpc.StatusCode.INVALID_ARGUMENT:
        return {}
    refused = {path.removeprefix(_TEMPLATES): why for path, why in cause.fields.items() if path.startswith(_TEMPLATES)}
    there = {descriptor.name for descriptor, _ in integration.templates.ListFields()}
    return refused if len(refused) == len(cause.fields) and refused.keys() <= there else {}


def _complete(daemon: Connection, found: Integration, outcome: Outcome, dry_run: bool) -> None:
    """Add the routes that are missing from an integration that an earlier run created."""
    plan = outcome.plan
    wanted = {descriptor.name: source for descriptor, source in plan.integration.templates.ListFields()}
    there = {descriptor.name: source for descriptor, source in found.templates.ListFields()}
    if not there.items() <= wanted.items():
        _leave_alone(outcome, found, "has other templates")
        return
    response = daemon.all_pages(daemon.routes.ListRoutes, ListRoutesRequest(parent=found.name, page_size=1000))
    routes = _side_by_side(plan.routes, [route for route in response.routes if route.WhichOneof("condition")])
    if routes is None:
        _leave_alone(outcome, found, "has other routes")
        return
    outcome.left.extend(f"template for {slot}: {found.name} has its default" for slot in wanted.keys() - there.keys())
    _compare_heartbeat(daemon, found.name, outcome)
    missing = sum(not is_there for _, is_there in routes)
    if not missing:
        outcome.became("exists", f"exists already as {found.name}, left alone", found.name)
        return
    would = "would get" if dry_run else "got"
    lacked = f"routes that it lacked: {missing}"
    outcome.became("completed", f"exists already as {found.name}, {would} the {lacked}", found.name)
    if not dry_run:
        _add_routes(daemon, found.name, routes, outcome)


def _side_by_side(wanted: Sequence[Route], there: Sequence[Route]) -> list[tuple[Route, bool]] | None:
    """Return the wanted routes, each with whether it is there; None if others are there, or in another order."""
    rest = list(there)
    found = []
    for route in wanted:
        is_there = bool(rest) and rest[0].jinja == route.jinja
        if is_there:
            del rest[0]
        found.append((route, is_there))
    return None if rest else found


def _leave_alone(outcome: Outcome, found: Integration, why: str) -> None:
    outcome.became("differs", f"left alone: {found.name} {why}", found.name)
    outcome.taken = []
    outcome.left.append(f"all of it: {found.name} {why}")


def _add_routes(daemon: Connection, parent: str, routes: Sequence[tuple[Route, bool]], outcome: Outcome) -> None:
    """Create those of the routes that are not there, each at its place."""
    position = 0
    for route, is_there in routes:
        if not is_there:
            request = CreateRouteRequest(parent=parent, route=route, position=position)
            try:
                daemon.call(daemon.routes.CreateRoute, request)
            except CommandError as error:
                outcome.left.append(f"a route ({route.description}): {error.message}")
                if _is_hopeless(error):
                    outcome.left.append("the routes after that one: run this again")
                    raise
                continue
        position += 1


def _set_heartbeat(daemon: Connection, outcome: Outcome) -> None:
    if outcome.plan.heartbeat_interval is None:
        return
    heartbeat = Heartbeat(name=f"{outcome.name}/heartbeat")
    heartbeat.interval.FromTimedelta(outcome.plan.heartbeat_interval)
    request = UpdateHeartbeatRequest(heartbeat=heartbeat, update_mask=FieldMask(paths=["interval"]))
    try:
        daemon.call(daemon.heartbeats.UpdateHeartbeat, request)
    except CommandError as error:
        outcome.left.append(f"interval of the heartbeat: {error.message}")
        _raise_if_hopeless(error)


def _compare_heartbeat(daemon: Connection, owner: str, outcome: Outcome) -> None:
    """Say where the interval is another: a run that broke off did not set it, or somebody has set it since."""
    wanted = outcome.plan.heartbeat_interval
    if wanted is None:
        return
    request = GetHeartbeatRequest(name=f"{owner}/heartbeat")
    there = daemon.call(daemon.heartbeats.GetHeartbeat, request).interval.ToTimedelta()
    if there != wanted:
        line = f"interval of the heartbeat: {durations.format(wanted)}"
        outcome.taken = [taken for taken in outcome.taken if taken != line]
        outcome.left.append(f"{line}; {owner} has {durations.format(there)}")


def _raise_if_hopeless(error: CommandError) -> None:
    """Raise what would fail for everything that follows as well."""
    if _is_hopeless(error):
        raise error


def _is_hopeless(error: CommandError) -> bool:
    return error.exit_code in (UNREACHABLE, NOT_ALLOWED)


def _print(settings: Settings, outcomes: Sequence[Outcome], missing: Sequence[str], dry_run: bool) -> None:
    if settings.json:
        report = {
            "dryRun": dry_run,
            "integrations": [
                {
                    "oncallId": outcome.plan.oncall_id,
                    "oncallType": outcome.plan.oncall_type,
                    "displayName": outcome.plan.title,
                    "outcome": outcome.word,
                    "name": outcome.name,
                    "taken": outcome.taken,
                    "notTaken": outcome.left,
                }
                for outcome in outcomes
            ],
            "missing": list(missing),
        }
        click.echo(json.dumps(report, indent=2))
        return
    for number, outcome in enumerate(outcomes):
        if number:
            click.echo()
        click.echo(output.visible(f"{outcome.plan.title} ({outcome.plan.oncall_id}): {outcome.line}"))
        for heading, lines in (("taken over", outcome.taken), ("NOT taken over", outcome.left)):
            if lines:
                click.echo(f"  {heading}:")
            for line in lines:
                click.echo(output.visible(f"    {line}"))
    for line in missing:
        notice(output.visible(line))
    if not outcomes and not missing:
        notice("there is no integration in the files")
