"""RouteService."""

import sqlite3
from dataclasses import replace
from functools import partial
from typing import Any

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import routes_pb2, routes_pb2_grpc
from tocsind.domain import route as rules
from tocsind.domain.errors import invalid, not_found, refuse
from tocsind.domain.integration import Integration
from tocsind.domain.route import DEFAULT, ConditionKind, DefaultRoute, Route, Verdict, judge, name_of
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.engine import routes as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import encode, names, paging, payloads
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
from tocsind.rpc.templates import jinja_violations
from tocsind.sqlite import integrations
from tocsind.sqlite import routes as rows

_CONDITIONS = tuple(kind.field for kind in ConditionKind)


class RouteServicer(routes_pb2_grpc.RouteServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateRoute(self, request: routes_pb2.CreateRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Creates a route."""
        owner = names.integration_id(request.parent, "parent")
        kind = _condition(request.route)
        if kind is None:
            raise invalid("route", "must have a condition: matchers or jinja")
        condition: str = getattr(request.route, kind.field)
        wanted = Route(
            0,
            0,
            "",
            0,
            kind,
            condition,
            request.route.description,
            notify_on_resolve=request.route.notify_on_resolve,
            chain=_chain(request.route),
        )
        self._check(wanted)
        position = request.position if request.HasField("position") else None
        if position is not None and position < 0:
            raise invalid("position", "must not be negative")
        return change(self._engine, request, partial(_encode, owner), jobs.create, owner, wanted, position, by=caller())

    def GetRoute(self, request: routes_pb2.GetRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Returns one route."""
        owner, public_id = names.route_id(request.name)
        with self._engine.store.reading() as connection:
            integration = _integration(connection, owner)
            if public_id == DEFAULT:
                return _encode_default(owner, rows.default(connection, integration))
            found = rows.one(connection, integration.id, public_id)
        if found is None:
            raise not_found(request.name)
        return _encode(owner, found)

    def ListRoutes(
        self, request: routes_pb2.ListRoutesRequest, context: grpc.ServicerContext
    ) -> routes_pb2.ListRoutesResponse:
        """Lists routes."""
        owner = names.integration_id(request.parent, "parent")
        size = paging.size(request.page_size)
        scope = f"{request.parent}/routes"
        after = paging.number_after(scope, request.page_token, -1)
        with self._engine.store.reading() as connection:
            integration = _integration(connection, owner)
            found = rows.of_integration(connection, integration.id)
            default = rows.default(connection, integration)
        every = [*(_encode(owner, route) for route in found), _encode_default(owner, default)]
        page, next_token = paging.cut(
            scope, [route for route in every if route.position > after], size, lambda route: route.position
        )
        return routes_pb2.ListRoutesResponse(routes=page, next_page_token=next_token)

    def UpdateRoute(self, request: routes_pb2.UpdateRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Changes a route."""
        owner, public_id = names.route_id(request.route.name, "route.name")
        changes = _changes(request)
        if "condition" in changes:
            self._check(Route(0, 0, "", 0, changes["kind"], changes["condition"]))
        given = request.route.etag
        respond = partial(_encode_any, owner)
        return change(self._engine, request, respond, jobs.update, owner, public_id, changes, given, by=caller())

    def MoveRoute(self, request: routes_pb2.MoveRouteRequest, context: grpc.ServicerContext) -> routes_pb2.Route:
        """Moves a route."""
        owner, public_id = names.route_id(request.name)
        if request.position < 0:
            raise invalid("position", "must not be negative")
        respond, place = partial(_encode, owner), request.position
        return change(self._engine, request, respond, jobs.move, owner, public_id, place, request.etag, by=caller())

    def DeleteRoute(self, request: routes_pb2.DeleteRouteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Deletes a route."""
        owner, public_id = names.route_id(request.name)
        return change(self._engine, request, encode.nothing, jobs.delete, owner, public_id, request.etag, by=caller())

    def TestRoutes(
        self, request: routes_pb2.TestRoutesRequest, context: grpc.ServicerContext
    ) -> routes_pb2.TestRoutesResponse:
        """Tells which route a payload would take."""
        owner = names.integration_id(request.parent, "parent")
        with self._engine.store.reading() as connection:
            integration = _integration(connection, owner)
            rulebook = Rulebook(integration, rows.of_integration(connection, integration.id))
            sample = payloads.wanted(connection, integration, request)
        rendered = Rendered(rulebook.digest)
        if rulebook.conditions and sample.payload is not None:
            # Only what is asked for: the templates of the integration are of no use here.
            conditions = Rulebook(replace(integration, templates={}), rulebook.routes)
            rendered = self._engine.renderer.render_blocking(conditions, sample.payload)
        failures = {
            route.id: rendered.condition_failures[route.id].removeprefix(f"{name_of(owner, route.public_id)}: ")
            for route in rulebook.routes
            if route.id in rendered.condition_failures
        }
        verdicts = judge(rulebook.routes, rulebook.matchers, sample.labels, rendered.matched, failures)
        told = [_verdict(owner, verdict) for verdict in verdicts]
        return routes_pb2.TestRoutesResponse(route=told[-1].route, verdicts=told, alert_group=sample.group)

    def _check(self, route: Route) -> None:
        """Refuses a condition before the writer is bothered with it: compiling one takes its time."""
        rules.check(route)
        if route.kind is ConditionKind.JINJA:
            refuse(list(jinja_violations(self._engine, {"route.jinja": route.condition})))


def _integration(connection: sqlite3.Connection, public_id: str) -> Integration:
    found = integrations.by_public_id(connection, public_id)
    if found is None:
        raise not_found(f"integrations/{public_id}")
    return found


def _condition(message: routes_pb2.Route) -> ConditionKind | None:
    kind = message.WhichOneof("condition")
    return ConditionKind[kind.upper()] if kind else None


def _changes(request: routes_pb2.UpdateRouteRequest) -> dict[str, Any]:
    """Returns the fields of the domain's route that a request sets."""
    asked, paths = request.route, request.update_mask.paths
    for path in paths:
        if path not in jobs.CHANGEABLE:
            raise invalid("update_mask", f"{path!r} cannot be changed; what can: {', '.join(jobs.CHANGEABLE)}")
    changes: dict[str, Any] = {}
    if "description" in paths or (not paths and asked.description):
        changes["description"] = asked.description
    if "escalation_chain" in paths or (not paths and asked.escalation_chain):
        changes["chain"] = _chain(asked)
    if "notify_on_resolve" in paths or (not paths and asked.notify_on_resolve):
        changes["notify_on_resolve"] = asked.notify_on_resolve
    kind = _condition(asked)
    named = [field for field in paths if field in _CONDITIONS]
    if named and (kind is None or kind.field not in named):
        raise invalid(f"route.{named[0]}", "must be set, as the update_mask names it: a route has a condition")
    if kind is not None and (named or not paths):
        changes["kind"], changes["condition"] = kind, getattr(asked, kind.field)
    return changes


def _chain(message: routes_pb2.Route) -> str:
    """Returns the public id of the chain that a route is to name, or "" for none."""
    name = message.escalation_chain
    return names.chain_id(name, "route.escalation_chain") if name else ""


def _encode_any(owner: str, found: Route | DefaultRoute) -> routes_pb2.Route:
    return _encode(owner, found) if isinstance(found, Route) else _encode_default(owner, found)


def _encode(owner: str, found: Route) -> routes_pb2.Route:
    message = routes_pb2.Route(
        name=name_of(owner, found.public_id),
        description=found.description,
        position=found.position,
        etag=found.etag,
        create_time=encode.timestamp(found.created),
        update_time=encode.timestamp(found.updated),
        escalation_chain=_chain_name(found),
        notify_on_resolve=found.notify_on_resolve,
    )
    setattr(message, found.kind.field, found.condition)
    return message


def _encode_default(owner: str, found: DefaultRoute) -> routes_pb2.Route:
    return routes_pb2.Route(
        name=name_of(owner),
        position=found.position,
        etag=found.etag,
        escalation_chain=_chain_name(found),
        notify_on_resolve=found.notify_on_resolve,
    )


def _chain_name(route: Route | DefaultRoute) -> str:
    return f"escalationChains/{route.chain}" if route.chain else ""


def _verdict(owner: str, verdict: Verdict) -> routes_pb2.RouteVerdict:
    return routes_pb2.RouteVerdict(
        route=name_of(owner, verdict.route.public_id if verdict.route is not None else DEFAULT),
        matched=verdict.matched,
        reason=verdict.reason,
        error=verdict.error,
    )
