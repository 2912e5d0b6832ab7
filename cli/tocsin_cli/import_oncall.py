"""`tocsin import oncall`: takes integrations, routes and escalation chains over from Grafana OnCall.

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
- Chains come first (import_chains.py), and routes get theirs: new ones, and those that have none. A chain that a route
  has here is never replaced.
- The token goes nowhere but to the daemon.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
import grpc
from google.protobuf.field_mask_pb2 import FieldMask

import tocsin
from tocsin.v1.heartbeats_pb2 import GetHeartbeatRequest, Heartbeat, UpdateHeartbeatRequest
from tocsin.v1.integrations_pb2 import CreateIntegrationRequest, Integration, ListIntegrationsRequest
from tocsin.v1.routes_pb2 import CreateRouteRequest, ListRoutesRequest, Route, UpdateRouteRequest

from . import durations, oncall_export, output
from .commands import Group, Settings, notice, pass_settings
from .connection import FAILED, USAGE, CommandError, Connection
from .import_outcome import Outcome, is_hopeless, print_outcomes, raise_if_hopeless
from .payloads import read_text

if TYPE_CHECKING:
    from .oncall_plan import Plan

_TEMPLATES = "integration.templates."


@click.group("import", cls=Group)
def import_() -> None:
    """Take over what another system has."""


@import_.command()
@click.argument("files", metavar="FILE...|-", nargs=-1, required=True)
@click.option(
    "--contact",
    "chosen",
    metavar="OLD=NAME",
    multiple=True,
    help="Whom OnCall told (by username, mail address, name of a schedule, or id) and the contact point here; "
    "repeatable. Without it: the one that is called the same, or has it as an alias.",
)
@click.option("--dry-run", is_flag=True, help="Create nothing; say what would become of everything.")
@pass_settings
def oncall(settings: Settings, files: Sequence[str], chosen: Sequence[str], dry_run: bool) -> None:
    """Create the Alertmanager integrations, routes and escalation chains of Grafana OnCall here.

    FILE is what its API returned for GET /api/v1/integrations/, and for routes, escalation_chains, escalation_policies,
    users, schedules and webhooks: one page, several one after the other, or all in one file; - is stdin. See
    docs/moving-from-oncall.md. The last three are for their names alone: the steps of chains have ids.

    What was taken over is said for each integration, and what could not be, and why. Integrations keep their tokens.
    What exists already is left alone, so that it can be run again. The exit code is 0 if everything was taken over, 1
    if something was not.
    """
    from . import import_chains, oncall_plan  # they take Jinja2 to read templates, for which no other command waits

    export = _read(files)
    names: set[str] = set()
    chains: list[Outcome] = []
    outcomes: list[Outcome] = []
    try:
        with settings.connect() as daemon:
            became = import_chains.take_over(daemon, export, chosen, dry_run, chains.append)
            plans = [
                oncall_plan.plan(integration, export.routes.get(integration.id, []), names, became)
                for integration in export.integrations
            ]
            _carry_out(daemon, plans, dry_run, outcomes.append)
    except CommandError:
        if chains or outcomes:  # what was done before it failed has to be known above all
            _print(settings, chains, outcomes, export.missing, dry_run)
        raise
    _print(settings, chains, outcomes, export.missing, dry_run)
    if export.missing or any(outcome.left for outcome in (*chains, *outcomes)):
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
        outcome = Outcome(plan.title, plan.oncall_id, plan.oncall_type, taken=list(plan.taken), left=list(plan.left))
        tell(outcome)
        namesake = by_name.get(plan.title)
        if not plan.wanted:
            outcome.became("notTaken", "not taken over")
        elif plan.token and (same := by_token.get(plan.token)) is not None:
            _complete(daemon, plan, same, outcome, dry_run)
        elif namesake is None:
            _create(daemon, plan, outcome, dry_run)
        elif plan.token and namesake.token:
            _leave_alone(outcome, namesake, "has this name already, and another token")
        else:  # the token of the one or the other is not known: the name has to do
            _complete(daemon, plan, namesake, outcome, dry_run)


def _create(daemon: Connection, plan: "Plan", outcome: Outcome, dry_run: bool) -> None:
    if dry_run:
        outcome.became("created", "would be created")
        return
    try:
        created = _create_with_what_is_accepted(daemon, plan, outcome)
    except CommandError as error:
        outcome.refused(error)
        raise_if_hopeless(error)
        return
    outcome.became("created", f"created as {created.name}", created.name)
    _set_heartbeat(daemon, plan, outcome)
    if plan.default_chain:
        _set_chain(daemon, f"{created.name}/routes/default", plan.default_chain, outcome)
    _add_routes(daemon, created.name, [(route, None) for route in plan.routes], outcome)


def _create_with_what_is_accepted(daemon: Connection, plan: "Plan", outcome: Outcome) -> Integration:
    """Create the integration. Templates that the daemon refuses are left out; nothing was created by then."""
    request = CreateIntegrationRequest(integration=plan.integration, token=plan.token)
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


def _complete(daemon: Connection, plan: "Plan", found: Integration, outcome: Outcome, dry_run: bool) -> None:
    """Add the routes, and chains of routes, that are missing from an integration that an earlier run created."""
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
    _compare_heartbeat(daemon, plan, found.name, outcome)
    default = next((route for route in response.routes if not route.WhichOneof("condition")), Route())
    pairs = [*routes, (Route(escalation_chain=plan.default_chain), default)]
    chains = _lacking_chains([(route, same) for route, same in pairs if same is not None], outcome)
    missing = sum(same is None for _, same in routes)
    lacked = [f"{what}: {count}" for what, count in (("routes", missing), ("chains of routes", len(chains))) if count]
    if not lacked:
        outcome.became("exists", f"exists already as {found.name}, left alone", found.name)
        return
    would = "would get" if dry_run else "got"
    line = f"exists already as {found.name}, {would} what it lacked: {', '.join(lacked)}"
    outcome.became("completed", line, found.name)
    if not dry_run:
        for name, chain in chains:
            _set_chain(daemon, name, chain, outcome)
        _add_routes(daemon, found.name, routes, outcome)


def _side_by_side(wanted: Sequence[Route], there: Sequence[Route]) -> list[tuple[Route, Route | None]] | None:
    """Return the wanted routes, each with the one that is there; None if others are there, or in another order."""
    rest = list(there)
    found: list[tuple[Route, Route | None]] = []
    for route in wanted:
        is_there = bool(rest) and rest[0].jinja == route.jinja
        found.append((route, rest.pop(0) if is_there else None))
    return None if rest else found


def _lacking_chains(pairs: Sequence[tuple[Route, Route]], outcome: Outcome) -> list[tuple[str, str]]:
    """Return the routes that are there without the chain that they are to have, each with that."""
    lacking = []
    for wanted, there in pairs:
        if not wanted.escalation_chain or wanted.escalation_chain == there.escalation_chain:
            continue
        if there.escalation_chain:
            outcome.left.append(f"escalation chain of {there.name}: it has another, {there.escalation_chain}")
        else:
            lacking.append((there.name, wanted.escalation_chain))
    return lacking


def _set_chain(daemon: Connection, name: str, chain: str, outcome: Outcome) -> None:
    route = Route(name=name, escalation_chain=chain)
    request = UpdateRouteRequest(route=route, update_mask=FieldMask(paths=["escalation_chain"]))
    try:
        daemon.call(daemon.routes.UpdateRoute, request)
    except CommandError as error:
        outcome.left.append(f"escalation chain of {name}: {error.message}")
        raise_if_hopeless(error)


def _leave_alone(outcome: Outcome, found: Integration, why: str) -> None:
    outcome.became("differs", f"left alone: {found.name} {why}", found.name)
    outcome.taken = []
    outcome.left.append(f"all of it: {found.name} {why}")


def _add_routes(
    daemon: Connection, parent: str, routes: Sequence[tuple[Route, Route | None]], outcome: Outcome
) -> None:
    """Create those of the routes that are not there, each at its place."""
    position = 0
    for route, same in routes:
        if same is None:
            request = CreateRouteRequest(parent=parent, route=route, position=position)
            try:
                daemon.call(daemon.routes.CreateRoute, request)
            except CommandError as error:
                outcome.left.append(f"a route ({route.description}): {error.message}")
                if is_hopeless(error):
                    outcome.left.append("the routes after that one: run this again")
                    raise
                continue
        position += 1


def _set_heartbeat(daemon: Connection, plan: "Plan", outcome: Outcome) -> None:
    if plan.heartbeat_interval is None:
        return
    heartbeat = Heartbeat(name=f"{outcome.name}/heartbeat")
    heartbeat.interval.FromTimedelta(plan.heartbeat_interval)
    request = UpdateHeartbeatRequest(heartbeat=heartbeat, update_mask=FieldMask(paths=["interval"]))
    try:
        daemon.call(daemon.heartbeats.UpdateHeartbeat, request)
    except CommandError as error:
        outcome.left.append(f"interval of the heartbeat: {error.message}")
        raise_if_hopeless(error)


def _compare_heartbeat(daemon: Connection, plan: "Plan", owner: str, outcome: Outcome) -> None:
    """Say where the interval is another: a run that broke off did not set it, or somebody has set it since."""
    wanted = plan.heartbeat_interval
    if wanted is None:
        return
    request = GetHeartbeatRequest(name=f"{owner}/heartbeat")
    there = daemon.call(daemon.heartbeats.GetHeartbeat, request).interval.ToTimedelta()
    if there != wanted:
        line = f"interval of the heartbeat: {durations.format(wanted)}"
        outcome.taken = [taken for taken in outcome.taken if taken != line]
        outcome.left.append(f"{line}; {owner} has {durations.format(there)}")


def _print(
    settings: Settings, chains: Sequence[Outcome], outcomes: Sequence[Outcome], missing: Sequence[str], dry_run: bool
) -> None:
    if settings.json:
        report = {
            "dryRun": dry_run,
            "escalationChains": [outcome.as_json() for outcome in chains],
            "integrations": [outcome.as_json() for outcome in outcomes],
            "missing": list(missing),
        }
        click.echo(json.dumps(report, indent=2))
        return
    print_outcomes([*chains, *outcomes])
    for line in missing:
        notice(output.visible(line))
    if not chains and not outcomes and not missing:
        notice("there is no integration in the files, and no escalation chain")
