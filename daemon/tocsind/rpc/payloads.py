"""What routes and templates are tried with: a payload that somebody gives, that of a group, or the last one received.

Rules
- A given payload is read as the gateway reads one, as far as it goes: what is missing is empty, what has the wrong type
  is refused. Its labels are the common ones and those of the group.
- What an integration received last is looked for among its newest groups of each state: that is found without looking
  through the file, and misses a notification only if so many groups are newer than the one that it was about.
"""

import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from tocsind.domain.alert_group import Source
from tocsind.domain.errors import Reason, TocsinError, invalid, not_found
from tocsind.domain.integration import Integration
from tocsind.rpc import names
from tocsind.sqlite import alert_groups, alerts
from tocsind.sqlite.alert_groups import GroupRow

MAX_PAYLOAD = 32 * 1024 * 1024
"""Bytes; as much as the gateway takes."""

_Labels = dict[str, str]


class Request(Protocol):
    """What a request says of the payload: one of the two, or nothing (`given`)."""

    @property
    def payload(self) -> str: ...
    @property
    def alert_group(self) -> str: ...
    def WhichOneof(self, oneof_group: Literal["given"]) -> Literal["payload", "alert_group"] | None: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """What is tried with. `labels` are the common ones and those of the group; `payload` is JSON, None where no
    notification made the group; `group` is its name, empty where the payload was given."""

    labels: Mapping[str, str]
    payload: bytes | None
    group: str = ""


class _Alert(msgspec.Struct):
    status: str = ""


class _Webhook(msgspec.Struct):
    """What must have the right type in a payload."""

    status: str | None = None
    group_key: str | None = msgspec.field(default=None, name="groupKey")
    group_labels: _Labels | None = msgspec.field(default=None, name="groupLabels")
    common_labels: _Labels | None = msgspec.field(default=None, name="commonLabels")
    receiver: str | None = None
    external_url: str | None = msgspec.field(default=None, name="externalURL")
    alerts: list[_Alert] | None = None


_decode = msgspec.json.Decoder(_Webhook).decode


def wanted(connection: sqlite3.Connection, integration: Integration, request: Request) -> Sample:
    """Returns what a request wants to be tried with. TocsinError: INVALID, NOT_FOUND, FORBIDDEN_NOW (nothing is kept
    of it)."""
    match request.WhichOneof("given"):
        case "payload":
            return _given(request.payload)
        case "alert_group":
            return _of_group(connection, integration, request.alert_group)
        case None:
            return _last(connection, integration)


def _given(payload: str) -> Sample:
    """Returns what somebody gives. TocsinError (INVALID) where it is no JSON object, or where what is looked at has the
    wrong type."""
    body = payload.encode()
    if len(body) > MAX_PAYLOAD:
        raise invalid("payload", f"must be at most {MAX_PAYLOAD:,} bytes")
    try:
        webhook = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid("payload", f"must be a JSON object as Alertmanager sends it: {error}") from None
    except RecursionError:
        raise invalid("payload", "must be a JSON object as Alertmanager sends it: it is nested too deeply") from None
    return Sample((webhook.common_labels or {}) | (webhook.group_labels or {}), body)


def _of_group(connection: sqlite3.Connection, integration: Integration, name: str) -> Sample:
    """Returns what a group received last. TocsinError: INVALID (it is another integration's), NOT_FOUND, FORBIDDEN_NOW
    (there is nothing left of it)."""
    row = alert_groups.one(connection, names.group_number(name, "alert_group"))
    if row is None:
        raise not_found(name)
    if row.integration != integration.name:
        raise invalid("alert_group", f"must be a group of {integration.name}, not of {row.integration}")
    return _of_row(connection, row)


def _last(connection: sqlite3.Connection, integration: Integration) -> Sample:
    """Returns what an integration received last. TocsinError (FORBIDDEN_NOW) where there is nothing."""
    group_id = alerts.last_received(connection, integration.id)
    row = None if group_id is None else alert_groups.one(connection, group_id)
    if row is None:
        message = f"{integration.name} has received nothing that is still kept: give a payload"
        raise TocsinError(Reason.NO_PAYLOAD, message, resource=integration.name)
    return _of_row(connection, row)


def _of_row(connection: sqlite3.Connection, row: GroupRow) -> Sample:
    name = f"alertGroups/{row.group.id}"
    stored = alerts.payload(connection, row.group.id, latest=True)
    made_by_notification = row.group.source in (Source.ALERTMANAGER, Source.DEMO)
    if row.group.is_wiped or (stored is None and made_by_notification):
        raise TocsinError(Reason.NO_PAYLOAD, f"the payload of {name} is no longer kept: give one", resource=name)
    return Sample(row.labels, None if stored is None else zlib.decompress(stored[1]), name)
