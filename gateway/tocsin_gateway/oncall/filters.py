"""Which alert groups a list is to show: from OnCall's parameters to the daemon's filter.

What can match nothing (a route or an integration of an impossible id, an empty label) is known here; the daemon would
refuse it as malformed, where OnCall shows an empty list.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tocsin.v1 import alert_groups_pb2
from tocsin_gateway.oncall import ids, replies
from tocsin_gateway.oncall.query import Query
from tocsin_gateway.oncall.replies import Refusal

_State = alert_groups_pb2.AlertGroup.State

STATES: Final = {
    "new": _State.FIRING,
    "acknowledged": _State.ACKNOWLEDGED,
    "resolved": _State.RESOLVED,
    "silenced": _State.SILENCED,
}

_TIME: Final = "%Y-%m-%dT%H:%M:%S"
_MICROSECOND: Final = timedelta(microseconds=1)
# The words of the grammar are none that can stand without quotes.
_PLAIN: Final = re.compile(r"(?!(?:AND|OR|NOT)\Z)[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups are wanted; whatever is None, or empty, does not matter. `route` is a name of the daemon's. `until`
    is the first moment too late."""

    state: "_State.ValueType | None"
    integration: str | None
    route: str | None
    labels: tuple[tuple[str, str], ...]
    since: datetime | None
    until: datetime | None

    def text(self) -> str:
        """The daemon's filter (https://google.aip.dev/160)."""
        parts = []
        if self.state is not None:
            parts.append(f"state = {_State.Name(self.state)}")
        if self.route is not None:
            parts.append(f'route = "{self.route}"')
        elif self.integration is not None:
            parts.append(f'integration = "{ids.integration_name(self.integration)}"')
        for key, value in self.labels:
            parts.append(f"labels.{key if _PLAIN.fullmatch(key) else _quoted(key)} = {_quoted(value)}")
        if self.since is not None:
            parts.append(f'create_time >= "{_written(self.since)}"')
        if self.until is not None:
            parts.append(f'create_time < "{_written(self.until)}"')
        return " AND ".join(parts)

    def fits(self, group: alert_groups_pb2.AlertGroup) -> bool:
        """Whether a group is wanted; for a group that was asked for by its id."""
        opened = group.create_time.ToDatetime(UTC)
        return (
            self.state in (None, group.state)
            and self.integration in (None, ids.of_integration(group.integration))
            and self.route in (None, group.route)
            and all(group.labels.get(key) == value for key, value in self.labels)
            and (self.since is None or self.since <= opened)
            and (self.until is None or opened < self.until)
        )


def wanted(query: Query) -> Wanted | None:
    """What a query wants; None if no group can be it. Raises `Refusal`."""
    query.check_team()
    state = _state(query.last("state"))
    since, until = _range(query.last("started_at"))
    # What is no pair is ignored, as in OnCall.
    labels = tuple((key, value) for key, colon, value in map(_pair, query.every("label")) if colon)
    integration = query.last("integration_id") or None
    route = None
    if route_id := query.last("route_id"):
        route = ids.route_name(route_id)
        if route is None or integration not in (None, ids.integration_of_route(route)):
            return None
    if integration is not None and not ids.is_integration(integration):
        return None
    if not all(key and value for key, value in labels):
        return None
    return Wanted(state, integration, route, labels, since, until)


def _state(text: str) -> "_State.ValueType | None":
    if not text:
        return None
    try:
        return STATES[text.lower()]
    except KeyError:
        raise Refusal(replies.of(400, {"state": f"Must be one of the following: {', '.join(STATES)}"})) from None


def _pair(text: str) -> tuple[str, str, str]:
    return text.partition(":") if text.count(":") == 1 else ("", "", "")


def _range(text: str) -> tuple[datetime | None, datetime | None]:
    """From `START_END`, both included, in UTC."""
    if not text:
        return None, None
    try:
        start, end = (datetime.strptime(part, _TIME).replace(tzinfo=UTC) for part in text.split("_"))
        if start <= end:
            return start, end + _MICROSECOND
    except ValueError:
        pass
    raise Refusal(replies.detail(400, "Invalid range value"))


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
