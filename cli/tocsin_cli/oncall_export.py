"""What Grafana OnCall's public API says about integrations, routes and escalation chains, read from files.

A file holds what `GET /api/v1/integrations/` returns, or `routes`, `escalation_chains`, `escalation_policies` (the
steps of chains), and `users`, `schedules` and `webhooks` (whose names the steps do not have, but only their ids): pages
(objects with `results`), one or several of them one after the other; or bare lists, single things, or an object with
lists of these names. In which file or order they come does not matter: each kind is known by fields that no other has.

Nothing is guessed at. What is not JSON, or none of these, or has a field of a wrong kind, ends with an error that says
where. What is missing for the whole (another page) is said as well, but is no error. Fields that are not known are left
alone: other versions of OnCall have others.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

_SPACE = re.compile(r"\s*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Value = TypeVar("Value")


class ExportError(ValueError):
    """A file that is no export; the message says what and where."""


@dataclass(frozen=True)
class OnCallRoute:
    """A route. `channels`: which messengers it posts to."""

    id: str
    integration_id: str
    kind: str
    condition: str
    position: int
    is_default: bool
    escalation_chain: str
    channels: Sequence[str]


@dataclass(frozen=True)
class OnCallIntegration:
    """An integration. `templates` by dotted name (`web.title`), those that are set; `heartbeat_interval` in seconds."""

    id: str
    name: str
    type: str
    description: str
    link: str
    team: str
    templates: Mapping[str, str]
    has_heartbeat: bool
    heartbeat_interval: int | None
    maintenance: str
    labels: int
    default_chain: str
    default_channels: Sequence[str]


@dataclass(frozen=True)
class OnCallStep:
    """A step of a chain ("escalation policy"). `targets`: the ids of who is told, of whatever kind. `duration` in
    seconds. What a step of its kind does not have is empty or None."""

    id: str
    kind: str
    position: int
    important: bool
    targets: Sequence[str]
    duration: int | None
    time_from: str
    time_to: str
    alerts: int | None
    minutes: int | None


@dataclass(frozen=True)
class OnCallChain:
    """An escalation chain with its steps in their order."""

    id: str
    name: str
    team: str
    steps: Sequence[OnCallStep]


@dataclass
class Export:
    """Everything that was read. `routes` by the integration's id, in their order. `called`: what users, schedules and
    webhooks are called, by their ids; several names for each. `missing`: what the files lack."""

    integrations: list[OnCallIntegration] = field(default_factory=list)
    routes: dict[str, list[OnCallRoute]] = field(default_factory=dict)
    chains: list[OnCallChain] = field(default_factory=list)
    called: dict[str, Sequence[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


_KINDS = ("integrations", "routes", "escalation_chains", "escalation_policies", "users", "schedules", "webhooks")
_SCHEDULE_TYPES = ("web", "ical", "calendar")


def read(texts: Mapping[str, str]) -> Export:
    """Return what the files hold together, by their names. Raises ExportError."""
    things: dict[str, dict[str, tuple[Mapping[str, Any], str]]] = {kind: {} for kind in _KINDS}
    export = Export()
    promised: dict[str, int] = {}
    for file, text in texts.items():
        found_any = False
        for document, where in _documents(file, text):
            items = list(_items(document, where))
            for item, place in items:
                _keep(things[_kind_of(item, place)], item, place)
                found_any = True
            if items and isinstance(document, dict) and isinstance(count := document.get("count"), int):
                kind = _kind_of(*items[0])
                promised[kind] = max(promised.get(kind, 0), count)
            found_any = found_any or document == [] or (isinstance(document, dict) and "results" in document)
        if not found_any:
            raise ExportError(f"{file}: there is nothing in it")
    for kind, there in things.items():
        if (count := promised.get(kind, 0)) > len(there):
            what = kind.replace("_", " ")
            export.missing.append(
                f"the files have {len(there)} of {count} {what}: the pages after the first are missing"
            )
    export.integrations = [_integration(item, place) for item, place in things["integrations"].values()]
    _read_routes(export, things["routes"].values())
    _read_chains(export, things["escalation_chains"].values(), things["escalation_policies"].values())
    for kind in ("users", "schedules", "webhooks"):
        for item, place in things[kind].values():
            names = [_text(item, field, place).strip() for field in ("username", "email", "name")]
            export.called[_text(item, "id", place)] = [name for name in names if name]
    return export


_Placed = Iterable[tuple[Mapping[str, Any], str]]


def _read_routes(export: Export, items: _Placed) -> None:
    known = {integration.id for integration in export.integrations}
    for item, place in items:
        route = _route(item, place)
        export.routes.setdefault(route.integration_id, []).append(route)
    for of_one in export.routes.values():
        of_one.sort(key=lambda route: (route.is_default, route.position))
    strangers = sorted(set(export.routes) - known)
    if strangers:
        export.missing.append(f"there are routes of integrations that are not in the files: {', '.join(strangers)}")


def _read_chains(export: Export, chains: _Placed, policies: _Placed) -> None:
    steps: dict[str, list[OnCallStep]] = {}
    for item, place in policies:
        steps.setdefault(_text(item, "escalation_chain_id", place), []).append(_step(item, place))
    for item, place in chains:
        id_ = _text(item, "id", place)
        of_it = sorted(steps.pop(id_, []), key=lambda step: step.position)
        name = _text(item, "name", place).strip()
        export.chains.append(OnCallChain(id_, name, _text(item, "team_id", place), of_it))
    if steps:
        strangers = ", ".join(sorted(steps))
        export.missing.append(f"there are steps of escalation chains that are not in the files: {strangers}")


def _documents(file: str, text: str) -> Iterator[tuple[Any, str]]:
    """Yield the JSON documents of a file, each with where it is."""
    decoder, position, number = json.JSONDecoder(), 0, 0
    text = text.removeprefix("\ufeff")
    while (position := _space(text, position)) < len(text):
        number += 1
        try:
            document, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise ExportError(f"{file}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # numbers and nestings beyond what Python reads
            raise ExportError(f"{file}: JSON that cannot be read: {error}") from error
        yield document, file if number == 1 else f"{file}, document {number}"


def _space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _items(document: Any, where: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the integrations and routes of one document, each with where it is."""
    if isinstance(document, list):
        for index, item in enumerate(document):
            yield _item(item, f"{where}[{index}]"), f"{where}[{index}]"
    elif isinstance(document, dict) and "results" in document:
        yield from _items(_list(document["results"], f"{where}: results"), f"{where}: results")
    elif isinstance(document, dict) and (set(_KINDS) & document.keys()) and "type" not in document:
        for name in _KINDS:
            if name in document:
                inner = document[name]
                # A page each is as good as a list each.
                yield from _items(
                    inner if isinstance(inner, dict) else _list(inner, f"{where}: {name}"), f"{where}: {name}"
                )
    elif isinstance(document, dict) and isinstance(document.get("detail"), str):
        raise ExportError(f"{where}: OnCall refused: {document['detail']}")
    else:
        yield _item(document, where), where


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ExportError(f"{where}: a list is wanted, not {_kind(value)}")
    return value


def _item(item: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise ExportError(f"{where}: an integration or a route is wanted, not {_kind(item)}")
    _kind_of(item, where)
    return item


def _kind_of(item: Mapping[str, Any], where: str) -> str:
    """Return which of the kinds something is, by what it has. Raises ExportError."""
    if "integration_id" in item:
        return "routes"
    if "escalation_chain_id" in item:
        return "escalation_policies"
    if "username" in item:
        return "users"
    if "type" in item:
        return "schedules" if item["type"] in _SCHEDULE_TYPES and "link" not in item else "integrations"
    if {"trigger_type", "http_method", "url"} & item.keys():
        return "webhooks"
    if "name" in item and not {"email", "avatar_url"} & item.keys():  # those are teams
        return "escalation_chains"
    raise ExportError(
        f"{where}: neither an integration (it has no type) nor a route (it has no integration_id), nor of a chain"
    )


def _keep(things: dict[str, tuple[Mapping[str, Any], str]], item: Mapping[str, Any], where: str) -> None:
    """Remember an item by its id. The same page twice does no harm; two that differ cannot both be right."""
    id_ = _text(item, "id", where)
    if not id_:
        raise ExportError(f"{where}: it has no id")
    if id_ in things and things[id_][0] != item:
        raise ExportError(f"{where}: {id_} was there before, in {things[id_][1]}, and was not the same")
    things.setdefault(id_, (item, where))


def _integration(item: Mapping[str, Any], where: str) -> OnCallIntegration:
    default_route = _object(item, "default_route", where)
    heartbeat = _object(item, "heartbeat", where)
    maintenance = _text(item, "maintenance_mode", where)
    labels = item.get("labels")
    return OnCallIntegration(
        id=_text(item, "id", where),
        name=_text(item, "name", where).strip(),
        type=_text(item, "type", where),
        description=_text(item, "description_short", where).strip(),
        link=_text(item, "link", where),
        team=_text(item, "team_id", where),
        templates=dict(_templates(_object(item, "templates", where), "", f"{where}: templates")),
        has_heartbeat=bool(heartbeat),
        heartbeat_interval=_number(heartbeat, "timeout_seconds", f"{where}: heartbeat"),
        maintenance=maintenance.lower(),
        labels=len(labels) if isinstance(labels, list) else 0,
        default_chain=_text(default_route, "escalation_chain_id", f"{where}: default_route"),
        default_channels=_channels(default_route),
    )


def _route(item: Mapping[str, Any], where: str) -> OnCallRoute:
    is_default = item.get("is_the_last_route", False)
    if not isinstance(is_default, bool):
        raise ExportError(f"{where}: is_the_last_route: true or false is wanted, not {_kind(is_default)}")
    return OnCallRoute(
        id=_text(item, "id", where),
        integration_id=_text(item, "integration_id", where),
        kind=_text(item, "routing_type", where) or "regex",  # what the field is where it is not given, as in OnCall
        condition=_text(item, "routing_regex", where),
        position=_number(item, "position", where) or 0,
        is_default=is_default,
        escalation_chain=_text(item, "escalation_chain_id", where),
        channels=_channels(item),
    )


def _step(item: Mapping[str, Any], where: str) -> OnCallStep:
    important = item.get("important")
    targets: list[str] = []
    for name in ("persons_to_notify", "persons_to_notify_next_each_time"):
        ids = _value(item, name, list, "a list", where) or []
        if not all(isinstance(id_, str) for id_ in ids):
            raise ExportError(f"{where}: {name}: a list of texts is wanted")
        targets += ids
    for name in ("notify_on_call_from_schedule", "team_to_notify", "group_to_notify", "action_to_trigger"):
        targets += [id_] if (id_ := _text(item, name, where)) else []
    return OnCallStep(
        id=_text(item, "id", where),
        kind=_text(item, "type", where),
        position=_number(item, "position", where) or 0,
        important=important is True,
        targets=targets,
        duration=_number(item, "duration", where),
        time_from=_text(item, "notify_if_time_from", where),
        time_to=_text(item, "notify_if_time_to", where),
        alerts=_number(item, "num_alerts_in_window", where),
        minutes=_number(item, "num_minutes_in_window", where),
    )


def _templates(templates: Mapping[str, Any], prefix: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield the templates that are set, by dotted name."""
    for name in templates:
        if isinstance(templates[name], dict):
            yield from _templates(templates[name], f"{prefix}{name}.", f"{where}.{name}")
        elif source := _text(templates, name, where):
            yield prefix + name, source


def _channels(route: Mapping[str, Any]) -> Sequence[str]:
    """Return to which messengers a route posts: whatever has `enabled` and a channel."""
    return [
        name
        for name, value in sorted(route.items())
        if isinstance(value, dict) and value.get("enabled") and (value.get("channel_id") or value.get("id"))
    ]


def _text(item: Mapping[str, Any], name: str, where: str) -> str:
    value = _value(item, name, str, "a text", where)
    # Half of a character of two: JSON can say it, nothing else can.
    return _LONE_SURROGATE.sub("\ufffd", value) if value is not None else ""


def _number(item: Mapping[str, Any], name: str, where: str) -> int | None:
    return _value(item, name, int, "a whole number", where)


def _object(item: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] | None = _value(item, name, dict, "an object", where)
    return value or {}


def _value(item: Mapping[str, Any], name: str, kind: type[Value], words: str, where: str) -> Value | None:
    """Return a field, None where it is null or missing."""
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ExportError(f"{where}: {name}: {words} is wanted, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    """Return what something is, without repeating it: it may be secret, or long."""
    if value is None:
        return "null"
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return kinds.get(type(value), "an object")
