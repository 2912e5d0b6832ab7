"""The latest payloads of the groups of a page, within limits.

A payload can be as large as the gateway takes bodies, 32 MiB, and a page has up to 100. So they are fetched a few at a
time and by few requests at once, and what is over `PAGE_BYTES` together is left out of a list: such an alert has
`"payload": null`. A group that is asked for alone comes with its payload whatever its size.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import grpc
import grpc.aio

from tocsin.v1 import alert_groups_pb2
from tocsin_gateway.oncall import fields
from tocsin_gateway.oncall.caller import Caller

PAGE_BYTES: Final = 8 * 1024 * 1024
"""Bytes of payloads after which a list has no more of them."""

BATCH: Final = 10
"""Payloads in one call."""

AT_ONCE: Final = 4
"""Requests whose payloads are being fetched and written."""

LARGE: Final = 256 * 1024
"""Bytes from which payloads are looked over by another thread (for some milliseconds), so that others are not held
up."""

_Group = alert_groups_pb2.AlertGroup
_LastAlert = dict[str, Any] | None


class Payloads:
    """Fetches payloads for all callers."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def last_alerts(self, caller: Caller, groups: Sequence[_Group]) -> list[_LastAlert]:
        """What `last_alert` says in each of the groups of a page. Raises `grpc.aio.AioRpcError`."""
        last_alerts: list[_LastAlert] = []
        size = 0
        async with self._places:
            for start in range(0, len(groups), BATCH):
                batch = groups[start : start + BATCH]
                payloads = await _fetch(caller, batch) if size < PAGE_BYTES else None
                if payloads is None:
                    last_alerts += map(_left_out, batch)
                    continue
                batch_size = sum(len(payload.body) for payload in payloads.values())
                size += batch_size
                if batch_size > LARGE:
                    last_alerts += await asyncio.to_thread(_written, batch, payloads)
                else:
                    last_alerts += _written(batch, payloads)
        return last_alerts


async def _fetch(caller: Caller, groups: Sequence[_Group]) -> dict[str, alert_groups_pb2.Payload] | None:
    """The payloads that the groups have, by name; None where they are too large together to be fetched."""
    request = alert_groups_pb2.BatchGetPayloadsRequest(names=map(_name, groups))
    try:
        response = await caller.call(caller.groups.BatchGetPayloads, request)
    except grpc.aio.AioRpcError as error:
        # gRPC's own refusal of an answer over the channel's limit, other than the daemon's of too many calls.
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (error.details() or ""):
            return None
        raise
    return {payload.name: payload for payload in response.payloads}


def _written(groups: Sequence[_Group], payloads: dict[str, alert_groups_pb2.Payload]) -> list[_LastAlert]:
    return [
        fields.last_alert(group, payload, fields.content(payload)) if (payload := payloads.get(_name(group))) else None
        for group in groups
    ]


def _left_out(group: _Group) -> _LastAlert:
    if not group.notification_count or group.resolve_reason == _Group.ResolveReason.WIPED:
        return None
    return fields.last_alert(group, None, None)


def _name(group: _Group) -> str:
    return f"{group.name}/payloads/latest"
