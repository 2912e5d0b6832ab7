"""What is known of a group when people are told of it: read when a message is sent, not when it was decided on.

A group that was deleted or wiped meanwhile is told of by its number alone: somebody may have been told that it fires,
and is owed an end.
"""

import sqlite3
from dataclasses import dataclass, replace

from tocsind.domain.alert_group import AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.bulletin import Told
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.message import Kind, Message
from tocsind.domain.notification import Notification
from tocsind.domain.snapshot import AlertState
from tocsind.sqlite import alert_groups, alerts, contact_points, integrations
from tocsind.sqlite.alert_groups import GroupRow
from tocsind.sqlite.alerts import AlertRow


@dataclass(frozen=True, slots=True)
class Facts:
    """A message, and what the group that it is about says now. `integration` and `type` are what its integration is
    called, and of which kind that is. `alerts`: the first of them, those that fire first. `via` is the contact point
    by whose calendar the reader is on call."""

    message: Message
    row: GroupRow
    integration: str = ""
    type: str = ""
    alerts: tuple[AlertRow, ...] = ()
    via: ContactPoint | None = None

    @property
    def told(self) -> Told:
        """What the default texts need of it."""
        row = self.row
        return Told(
            kind=self.message.kind,
            group=row.group,
            title=row.title,
            integration=self.integration,
            labels=row.labels,
            message=row.message,
            source_link=row.source_link,
            alerts=[(each.state, each.alert) for each in self.alerts],
            truncated=row.truncated,
            on_call=self.via.display_name if self.via is not None else "",
            step=self.message.step,
        )


def read(connection: sqlite3.Connection, message: Message, most: int) -> Facts:
    """Returns what is known of the group of a message, with at most so many of its alerts."""
    via = None if message.via_id is None else contact_points.by_id(connection, message.via_id)
    row = alert_groups.one(connection, message.group_id)
    if row is None:
        return Facts(message, _deleted(message), via=via)
    if row.group.is_wiped:
        row = replace(row, title=f"alert group {message.group_id} (wiped)", message="", source_link="")
    called = integrations.any_described(connection, row.integration.removeprefix("integrations/"))
    name, type = called or ("", "")
    return Facts(message, row, name, type, tuple(alerts.firing_first(connection, message.group_id, most)), via)


def made_up(message: Message, notification: Notification, now: int) -> Facts:
    """Returns facts of a group that does not exist, which a notification would have opened, and which is resolved where
    the message says so."""
    group = AlertGroup(
        id=message.group_id,
        integration_id=0,
        source=Source.DEMO,
        state=State.FIRING,
        created=now,
        state_since=now,
        state_event=EventKind.OPENED,
        firing_count=len(notification.alerts),
    )
    state = AlertState.FIRING
    if message.kind is Kind.RESOLVED:
        state, group.state, group.resolve_reason = AlertState.RESOLVED, State.RESOLVED, ResolveReason.SOURCE
        group.resolved_count, group.firing_count = group.firing_count, 0
    row = GroupRow(
        group=group,
        integration="integrations/example",
        grouping_key=notification.grouping_key,
        title=notification.title,
        labels=dict(notification.labels),
        receiver=notification.receiver,
        external_url=notification.external_url,
        truncated=0,
        route="integrations/example/routes/default",
        message="",
        source_link=notification.external_url,
    )
    listed = tuple(AlertRow(message.group_id, state, alert) for alert in notification.alerts)
    return Facts(message, row, "Example", "alertmanager", listed)


def _deleted(message: Message) -> GroupRow:
    group = AlertGroup(
        id=message.group_id,
        integration_id=0,
        source=Source.ALERTMANAGER,
        state=State.RESOLVED,
        created=message.created,
        state_since=message.created,
        state_event=EventKind.DELETED,
        resolve_reason=ResolveReason.USER,
    )
    return GroupRow(group, "", "", f"alert group {message.group_id} (deleted)", {}, "", "", 0, "", "", "")
