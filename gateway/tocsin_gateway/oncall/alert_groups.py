"""`/api/v1/alert_groups/`: reading alert groups, acting on them, wiping and deleting them.

An action looks at the group first, and refuses in OnCall's words what its state does not allow. So one that is
acknowledged cannot be acknowledged again with the same token either, other than by gRPC: scripts that share a token
rely on it. What changes between the look and the action is for the daemon to judge.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from tocsin.v1 import alert_groups_pb2
from tocsin_gateway.oncall import fields, filters, ids, replies
from tocsin_gateway.oncall.caller import Caller, Daemon
from tocsin_gateway.oncall.payloads import Payloads
from tocsin_gateway.oncall.query import Page, Query
from tocsin_gateway.oncall.replies import Refusal, Reply
from tocsin_gateway.oncall.resource import Places, Request, Resource, Response, said
from tocsin_gateway.oncall.walks import Walks

PAGE_SIZE: Final = 50

WRITTEN_AT_ONCE: Final = 10
"""Groups of a page that are written before others have their turn; each takes some 70 microseconds."""

LONGEST_SILENCE: Final = 366 * 86_400
"""Seconds; the daemon's limit for one that ends."""

_Group = alert_groups_pb2.AlertGroup
_State = _Group.State


class _Action(NamedTuple):
    """One action: its method of the daemon, the request, and how a group is called that it is not for, by state."""

    method: str
    request: type
    refused: dict[int, str]


ACTIONS: Final = {
    "acknowledge": _Action(
        "AcknowledgeAlertGroup",
        alert_groups_pb2.AcknowledgeAlertGroupRequest,
        {_State.ACKNOWLEDGED: "an acknowledged", _State.RESOLVED: "a resolved"},
    ),
    "unacknowledge": _Action(
        "UnacknowledgeAlertGroup",
        alert_groups_pb2.UnacknowledgeAlertGroupRequest,
        {
            _State.FIRING: "an unacknowledged",
            _State.SILENCED: "an unacknowledged",
            _State.RESOLVED: "a resolved",
        },
    ),
    "silence": _Action(
        "SilenceAlertGroup",
        alert_groups_pb2.SilenceAlertGroupRequest,
        {_State.ACKNOWLEDGED: "an acknowledged", _State.RESOLVED: "a resolved"},
    ),
    "unsilence": _Action(
        "UnsilenceAlertGroup",
        alert_groups_pb2.UnsilenceAlertGroupRequest,
        {_State.FIRING: "an unsilenced", _State.ACKNOWLEDGED: "an acknowledged", _State.RESOLVED: "a resolved"},
    ),
    "resolve": _Action("ResolveAlertGroup", alert_groups_pb2.ResolveAlertGroupRequest, {_State.RESOLVED: "a resolved"}),
    "unresolve": _Action(
        "UnresolveAlertGroup",
        alert_groups_pb2.UnresolveAlertGroupRequest,
        {
            _State.FIRING: "an unresolved",
            _State.ACKNOWLEDGED: "an unresolved",
            _State.SILENCED: "an unresolved",
        },
    ),
}


class AlertGroups(Resource):
    """`/api/v1/alert_groups/`."""

    def __init__(self, daemon: Daemon, places: Places, payloads: Payloads) -> None:
        super().__init__(daemon, places)
        self._payloads = payloads
        self._walks = Walks()

    async def on_get(self, req: Request, resp: Response) -> None:
        """A page of the groups that the query wants, newest first."""

        async def work(caller: Caller, _: bytes) -> Reply:
            query = Query(req)
            page, count, groups = await self._find(caller, query)
            last_alerts = await self._payloads.last_alerts(caller, groups)
            results = []
            for group, last_alert in zip(groups, last_alerts, strict=True):
                results.append(fields.alert_group(group, last_alert))
                if not len(results) % WRITTEN_AT_ONCE:
                    await asyncio.sleep(0)
            return replies.of(200, query.answer(page, count, results))

        await self._serve(req, resp, work)

    on_head = on_get

    async def _find(self, caller: Caller, query: Query) -> tuple[Page, int, Sequence[_Group]]:
        """Which page it is, how many groups the query wants, and those of the page."""
        page = query.page(PAGE_SIZE)
        try:
            wanted = filters.wanted(query)
        except Refusal:
            await caller.check()
            raise
        nothing: tuple[Page, int, Sequence[_Group]] = (Page(1, page.size), 0, [])
        id_ = query.last("id")
        if wanted is None or (id_ and ids.group_name(id_) is None):
            await caller.check()
            return nothing
        try:
            if not id_:
                return await self._walks.read(caller, wanted.text(), page)
            group = await _get(caller, id_)
        except grpc.aio.AioRpcError as error:
            # No such group; or no such integration, which the daemon would rather say.
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return nothing
            raise
        return (Page(1, page.size), 1, [group]) if wanted.fits(group) else nothing


class AlertGroup(Resource):
    """`/api/v1/alert_groups/{id}/`."""

    def __init__(self, daemon: Daemon, places: Places, payloads: Payloads) -> None:
        super().__init__(daemon, places)
        self._payloads = payloads

    async def on_get(self, req: Request, resp: Response, group_id: str) -> None:
        """One group."""

        async def work(caller: Caller, _: bytes) -> Reply:
            group = await _get(caller, group_id)
            (last_alert,) = await self._payloads.last_alerts(caller, [group])
            return replies.of(200, fields.alert_group(group, last_alert))

        await self._serve(req, resp, work)

    on_head = on_get

    async def on_delete(self, req: Request, resp: Response, group_id: str) -> None:
        """Removes what the group says or, with the mode `delete`, the group. It is done when it is answered."""

        async def work(caller: Caller, content: bytes) -> Reply:
            group = await _get(caller, group_id)
            body = said(req, content)
            # OnCall's answers to these two are no objects.
            if not isinstance(body, dict):
                return replies.of(400, "A dict with a `mode` key is expected")
            match body.get("mode", "wipe"):
                case "wipe":
                    wipe = alert_groups_pb2.WipeAlertGroupRequest(name=group.name)
                    await caller.call(caller.groups.WipeAlertGroup, wipe)
                case "delete":
                    delete = alert_groups_pb2.DeleteAlertGroupRequest(name=group.name)
                    await caller.call(caller.groups.DeleteAlertGroup, delete)
                case _:
                    return replies.of(400, "Invalid mode")
            return Reply(204)

        await self._serve(req, resp, work, takes_body=True)


class AlertGroupAction(Resource):
    """`/api/v1/alert_groups/{id}/acknowledge/` and its like."""

    def __init__(self, daemon: Daemon, places: Places, verb: str) -> None:
        """`verb` is one of `ACTIONS`."""
        super().__init__(daemon, places)
        self._verb = verb
        self._action = ACTIONS[verb]

    async def on_post(self, req: Request, resp: Response, group_id: str) -> None:
        """Does it."""

        async def work(caller: Caller, content: bytes) -> Reply:
            group = await _get(caller, group_id)
            request = self._action.request(name=group.name)
            if self._verb == "silence" and (duration := _duration(said(req, content))):
                request.duration.CopyFrom(duration)
            refused = self._action.refused.get(group.state)
            if refused is not None:
                return replies.detail(400, f"Can't {self._verb} {refused} alert group")
            await caller.call(getattr(caller.groups, self._action.method), request)
            return Reply(200)

        await self._serve(req, resp, work, takes_body=self._verb == "silence")


async def _get(caller: Caller, id_: str) -> _Group:
    """The group with an id. Raises `Refusal`, and `grpc.aio.AioRpcError`."""
    name = ids.group_name(id_)
    if name is None:
        await caller.check()
        raise Refusal(replies.NOT_FOUND)
    return await caller.call(caller.groups.GetAlertGroup, alert_groups_pb2.GetAlertGroupRequest(name=name))


def _duration(body: Any) -> Duration | None:
    """How long a silence is to be; None is for ever, which 0 means too, as in OnCall. Raises `Refusal`."""
    delay = body.get("delay") if isinstance(body, dict) else None
    if delay is None:
        raise Refusal(replies.detail(400, "delay is required"))
    try:
        seconds = int(delay)
    except (ValueError, TypeError, OverflowError):
        seconds = -2
    if not -1 <= seconds <= LONGEST_SILENCE:
        raise Refusal(replies.detail(400, "invalid delay value"))
    return Duration(seconds=seconds) if seconds > 0 else None
