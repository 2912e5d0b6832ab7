"""What becomes of one integration of Grafana OnCall here: what is taken over, and what is not, and why.

Pure: it asks nobody and changes nothing. `import_oncall.py` carries a plan out.

Rules
- Only integrations of Alertmanagers have a plan at all.
- The token comes with the link, so that Alertmanager's configuration has to change the host alone.
- Templates keep their text; those that could not work here are left out, and the default holds. A condition in Jinja2
  stays as it is; a regular expression becomes the condition that searches the JSON of the payload, as OnCall did.
- A route has the escalation chain here that its chain in OnCall became, if that was taken over.
- A route that cannot be taken over leaves its alerts to the routes after it, the default one at last: nothing is lost.
- Everything that OnCall says and that has no place here is named. What is not there is not named.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.v1.integrations_pb2 import Integration
from tocsin.v1.routes_pb2 import Route

from . import durations, oncall_templates
from .oncall_export import OnCallIntegration, OnCallRoute

_TYPES = ("alertmanager", "legacy_alertmanager")
_LEGACY = "legacy_alertmanager"

# OnCall's name of a template, and ours.
_SLOTS = {
    "grouping_key": "grouping_id",
    "resolve_signal": "resolve_condition",
    "acknowledge_signal": "acknowledge_condition",
    "source_link": "source_link",
    "web.title": "title",
    "web.message": "message",
}
# Where the default here is not the same, people should know before they miss it.
_OTHER_DEFAULTS = {
    "source_link": "; here that is the address of the Alertmanager",
    "message": "; here that is none",
}
_TOKEN = re.compile(r"/integrations/v1/[a-z_]+/([A-Za-z0-9_-]{20,128})/?")
_MOST_ROUTES = 200
_LONGEST_NAME, _LONGEST_DESCRIPTION = 150, 2_000
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = timedelta(seconds=10), timedelta(days=7)


@dataclass(frozen=True)
class Chain:
    """The chain here that one of OnCall's became. `name` is its resource name, `title` what it is called."""

    name: str
    title: str


@dataclass
class Plan:
    """What is to be created. `taken` and `left` are lines for people; without `wanted` nothing is created.

    `token` is secret; empty: a new one. `routes` in their order, without the default one, of which `default_chain` is
    the chain, by its resource name.
    """

    oncall_id: str
    oncall_type: str
    integration: Integration
    wanted: bool = True
    token: str = ""
    routes: list[Route] = field(default_factory=list)
    default_chain: str = ""
    heartbeat_interval: timedelta | None = None
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.integration.display_name


def plan(
    integration: OnCallIntegration,
    routes: Sequence[OnCallRoute],
    taken_names: set[str],
    chains: Mapping[str, Chain] | None = None,
) -> Plan:
    """Return what becomes of an integration and its routes. Its name is added to `taken_names`, which it avoids.

    `chains`: what became of OnCall's escalation chains, by their ids.
    """
    made = Plan(integration.id, integration.type, Integration(type="alertmanager"))
    made.integration.display_name = _name(integration, made, taken_names)
    if integration.type not in _TYPES:
        made.wanted = False
        made.left.append(f"all of it: its type is {integration.type}, and only Alertmanagers are received here")
        return made
    _take_token(integration, made)
    if integration.description:
        made.integration.description = integration.description[:_LONGEST_DESCRIPTION]
        made.taken.append("description")
    _take_templates(integration, made)
    _take_routes(integration, routes, made, chains or {})
    _take_heartbeat(integration, made)
    if integration.team:
        made.left.append(f"team {integration.team}: there are no teams here")
    if integration.labels:
        made.left.append("labels of the integration: there are none here")
    if integration.maintenance:
        way = "`tocsin integrations start-maintenance` starts one"
        made.left.append(f"the maintenance ({integration.maintenance}) that is on: {way}")
    return made


def _name(integration: OnCallIntegration, made: Plan, taken_names: set[str]) -> str:
    name, changed = unique_name(integration.name or f"OnCall {integration.id}", integration.id, taken_names)
    if changed:
        made.left.append(changed)
    return name


def unique_name(name: str, oncall_id: str, taken_names: set[str]) -> tuple[str, str]:
    """Return a name that is not taken, and what is to be said if it is another. It is added to `taken_names`.

    In OnCall names are unique within a team, here everywhere: the second of a name bears its id.
    """
    changed = ""
    if len(name) > _LONGEST_NAME or name in taken_names:
        mark = f" ({oncall_id})"
        name = name[: _LONGEST_NAME - len(mark)] + mark
        changed = f"its name as it was: it is {name!r} here, as names are unique and have 150 characters at most"
    taken_names.add(name)
    return name, changed


def _take_token(integration: OnCallIntegration, made: Plan) -> None:
    match = _TOKEN.search(integration.link)
    if match is not None:
        made.token = match.group(1)
        made.taken.append("token: the URL differs in what stands before /integrations/v1/ alone")
    else:
        why = "its link has none that can be used here" if integration.link else "it has no link in the files"
        made.left.append(f"token: {why}; it gets a new one, and Alertmanager needs the new URL")


def _take_templates(integration: OnCallIntegration, made: Plan) -> None:
    for name, source in sorted(integration.templates.items()):
        if name not in _SLOTS:
            made.left.append(f"template {name}: {_why_no_template(name)}")
            continue
        slot = _SLOTS[name]
        reading = oncall_templates.read(source)
        if oncall_templates.is_default(source):
            made.taken.append(f"template {name}, as the default: it is OnCall's" + _OTHER_DEFAULTS.get(slot, ""))
        elif integration.type == _LEGACY:
            made.left.append(f"template {name}: {_OLDER_KIND}")
        elif reading.problem:
            made.left.append(f"template {name}: {reading.problem}")
        else:
            setattr(made.integration.templates, slot, source)
            made.taken.append(f"template {name}" + (f" as {slot}" if name != slot else ""))
            made.left.extend(f"something in template {name}: {remark}" for remark in reading.remarks)


_OLDER_KIND = "it is for OnCall's older kind of Alertmanager integration, in which the payload is a single alert"


def _why_no_template(name: str) -> str:
    if name.endswith("image_url"):
        return "there are no images here"
    return f"there is no {name.partition('.')[0].replace('_', ' ')} here"


def _take_routes(
    integration: OnCallIntegration, routes: Sequence[OnCallRoute], made: Plan, chains: Mapping[str, Chain]
) -> None:
    if not routes:
        made.left.append("routes: the files have none of it, not even the default one; GET /api/v1/routes/ lists them")
    for number, route in enumerate((route for route in routes if not route.is_default), 1):
        what = f"route {number} ({route.id})"
        condition, problem, remarks = _condition(integration, route)
        if not problem and len(made.routes) == _MOST_ROUTES:
            problem = f"{_MOST_ROUTES} routes are the most that an integration has"
        if problem:
            made.left.append(f"{what}: {problem}; its alerts go to the routes after it")
            continue
        chain = _take_chain(f"of {what}", route.escalation_chain, made, chains)
        made.routes.append(Route(jinja=condition, description=_description(route), escalation_chain=chain))
        made.taken.append(what + (", as a search in the JSON of the payload" if route.kind == "regex" else ""))
        made.left.extend(f"something in {what}: {remark}" for remark in remarks)
        made.left.extend(_channels(f"of {what}", route.channels))
    default = next((route for route in routes if route.is_default), None)
    chain = integration.default_chain or (default.escalation_chain if default else "")
    channels = integration.default_channels or (default.channels if default else ())
    made.default_chain = _take_chain("of the default route", chain, made, chains)
    made.left.extend(_channels("of the default route", channels))


def _condition(integration: OnCallIntegration, route: OnCallRoute) -> tuple[str, str, tuple[str, ...]]:
    """Return the condition in Jinja2, or why there is none; and what is not there when it is used."""
    if integration.type == _LEGACY:
        return "", _OLDER_KIND, ()
    if route.kind not in ("jinja2", "regex"):
        return "", f"its kind is {route.kind}", ()
    if not route.condition.strip():
        return "", "it has no condition", ()
    condition = route.condition
    if route.kind == "regex":
        if problem := oncall_templates.regex_problem(condition):
            return "", problem, ()
        condition = oncall_templates.regex_condition(condition)
    reading = oncall_templates.read(condition)
    return condition, reading.problem, reading.remarks


def _description(route: OnCallRoute) -> str:
    chain = f", escalation chain {route.escalation_chain}" if route.escalation_chain else ""
    return f"from OnCall: route {route.id}{chain}"


def _take_chain(of: str, oncall_id: str, made: Plan, chains: Mapping[str, Chain]) -> str:
    """Return the resource name of a route's chain, empty where it has none or it is not here."""
    if not oncall_id:
        return ""
    if (chain := chains.get(oncall_id)) is not None:
        made.taken.append(f"escalation chain {chain.title!r} {of}")
        return chain.name
    why = "it was not created, or is not in the files (GET /api/v1/escalation_chains/ lists them)"
    made.left.append(f"escalation chain {oncall_id} {of}: {why}")
    return ""


def _channels(of: str, channels: Sequence[str]) -> list[str]:
    """Return that nothing is posted here to where a route posts in OnCall."""
    return [f"{channel} channel {of}: a contact point in its chain can do that" for channel in channels]


def _take_heartbeat(integration: OnCallIntegration, made: Plan) -> None:
    if not integration.has_heartbeat:
        return
    if integration.heartbeat_interval is None:
        made.left.append(
            "interval of the heartbeat: OnCall's API does not tell it; it is 10m here until `tocsin heartbeats set`"
        )
        return
    interval = timedelta(seconds=min(max(integration.heartbeat_interval, 0), 10**9))
    if _SHORTEST_INTERVAL <= interval <= _LONGEST_INTERVAL:
        made.heartbeat_interval = interval
        made.taken.append(f"interval of the heartbeat: {durations.format(interval)}")
    elif interval:
        made.left.append(f"interval of the heartbeat: {durations.format(interval)} is not within 10s and 7d")
