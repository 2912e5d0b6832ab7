"""From the daemon's own types to the contract's messages."""

import zlib

import msgspec
from google.protobuf import empty_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tocsin.v1 import (
    access_pb2,
    alert_groups_pb2,
    audit_pb2,
    heartbeats_pb2,
    integrations_pb2,
    messages_pb2,
    notes_pb2,
    templates_pb2,
)
from tocsind.domain.access import ApiToken
from tocsind.domain.heartbeat import Heartbeat, HeartbeatState
from tocsind.domain.integration import BUILT_IN, Integration
from tocsind.domain.maintenance import Maintenance
from tocsind.domain.message import MessageState
from tocsind.domain.note import Note
from tocsind.domain.units import SECOND
from tocsind.sqlite.alert_groups import GroupRow
from tocsind.sqlite.alerts import AlertRow
from tocsind.sqlite.audit import AuditRow
from tocsind.sqlite.escalations import EscalationRow
from tocsind.sqlite.events import EventRow
from tocsind.sqlite.messages import MessageRow

MOST_PAYLOAD = 255 * 1024 * 1024
"""Bytes of the largest payload that is unpacked: what a message of gRPC has room for."""


def timestamp(microseconds: int) -> Timestamp:
    """Returns a time given in microseconds since 1970."""
    seconds, rest = divmod(microseconds, SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def duration(microseconds: int) -> Duration:
    """Returns a duration that is not negative, given in microseconds."""
    seconds, rest = divmod(microseconds, SECOND)
    return Duration(seconds=seconds, nanos=rest * 1_000)


def nothing(_: None) -> empty_pb2.Empty:
    """Returns the answer where there is nothing to say."""
    return empty_pb2.Empty()


def integration(found: Integration, base_url: str, *, secrets: bool) -> integrations_pb2.Integration:
    """Returns an integration, with the URLs that the gateway at `base_url` serves for it; those that hold its token
    only with `secrets`."""
    message = integrations_pb2.Integration(
        name=found.name,
        display_name=found.display_name,
        description=found.description,
        type=found.type,
        reopen_window=duration(found.reopen_window),
        stale_after=duration(found.stale_after),
        retention=duration(found.retention),
        create_time=timestamp(found.created),
        update_time=timestamp(found.updated),
        templates=templates_pb2.Templates(**{slot.value: source for slot, source in found.templates.items()}),
        rate_limit=found.rate_limit,
        etag=found.etag,
    )
    if found.type != BUILT_IN:
        prefix = f"{base_url}/integrations/v1/{found.type}"
        message.bearer_url = f"{prefix}/{found.public_id}/"
        if secrets:
            message.url = f"{prefix}/{found.token}/"
            message.heartbeat_url = f"{prefix}/{found.token}/heartbeat/"
            message.token = found.token
    if found.maintenance is not None:
        message.maintenance.CopyFrom(maintenance(found.maintenance))
    return message


def maintenance(found: Maintenance) -> integrations_pb2.Maintenance:
    """Returns a maintenance that runs or is planned."""
    return integrations_pb2.Maintenance(
        mode=int(found.mode),  # type: ignore[arg-type]
        start_time=timestamp(found.starts),
        end_time=timestamp(found.ends),
        alert_group="" if found.group_id is None else f"alertGroups/{found.group_id}",
        actor=found.actor,
    )


def api_token(found: ApiToken, last_used: int | None, secret: str = "") -> access_pb2.ApiToken:
    """Returns an API token; its secret only where it was just made."""
    message = access_pb2.ApiToken(
        name=found.name,
        display_name=found.display_name,
        role=int(found.role),  # type: ignore[arg-type]
        create_time=timestamp(found.created),
        creator=found.creator,
        secret=secret,
    )
    if found.expires is not None:
        message.expire_time.CopyFrom(timestamp(found.expires))
    if last_used is not None:
        message.last_use_time.CopyFrom(timestamp(last_used))
    return message


def audit_entry(row: AuditRow) -> audit_pb2.AuditEntry:
    """Returns an entry of the audit log."""
    message = audit_pb2.AuditEntry(
        name=f"auditEntries/{row.id}",
        create_time=timestamp(row.at),
        actor=row.actor,
        api_token=row.api_token,
        method=row.method,
        resource=row.resource,
        trace_id=row.trace_id,
    )
    message.before.update(msgspec.json.decode(row.before))
    message.after.update(msgspec.json.decode(row.after))
    return message


def alert_group(row: GroupRow) -> alert_groups_pb2.AlertGroup:
    """Returns an alert group."""
    group = row.group
    message = alert_groups_pb2.AlertGroup(
        name=f"alertGroups/{group.id}",
        number=group.id,
        integration=row.integration,
        source=int(group.source),  # type: ignore[arg-type]
        grouping_key=row.grouping_key,
        title=row.title,
        state=int(group.state),  # type: ignore[arg-type]
        labels=row.labels,
        receiver=row.receiver,
        external_url=row.external_url,
        firing_alert_count=group.firing_count,
        resolved_alert_count=group.resolved_count,
        unreported_alert_count=group.unreported_count,
        truncated_alert_count=row.truncated,
        notification_count=group.notifications,
        last_notification_time=timestamp(group.last_received),
        source_firing=group.source_firing,
        create_time=timestamp(group.created),
        state_time=timestamp(group.state_since),
        state_actor=group.state_actor,
        route=row.route,
        message=row.message,
        source_link=row.source_link,
        collected_by="" if group.collected_by is None else f"alertGroups/{group.collected_by}",
        debug=group.debug,
    )
    if group.silence_until is not None:
        message.silence_end_time.CopyFrom(timestamp(group.silence_until))
    if group.resolve_reason is not None:
        message.resolve_time.CopyFrom(timestamp(group.state_since))
        message.resolve_reason = int(group.resolve_reason)  # type: ignore[assignment]
    if group.acknowledged is not None:
        message.acknowledge_time.CopyFrom(timestamp(group.acknowledged))
        message.acknowledge_actor = group.acknowledged_by
    if group.silenced is not None:
        message.silence_time.CopyFrom(timestamp(group.silenced))
    if row.escalation is not None:
        message.escalation.CopyFrom(escalation(row.escalation))
    return message


def escalation(found: EscalationRow) -> alert_groups_pb2.Escalation:
    """Returns how far the escalation of a group is."""
    message = alert_groups_pb2.Escalation(
        escalation_chain=f"escalationChains/{found.chain}" if found.chain else "",
        display_name=found.display_name,
        state=int(found.state),  # type: ignore[arg-type]
        next_step=found.step,
        step_count=found.steps,
        start_time=timestamp(found.started),
    )
    if found.due is not None:
        message.next_time.CopyFrom(timestamp(found.due))
    return message


def alert(row: AlertRow) -> alert_groups_pb2.Alert:
    """Returns an alert of a group."""
    reported = row.alert
    message = alert_groups_pb2.Alert(
        name=f"alertGroups/{row.group_id}/alerts/{reported.fingerprint}",
        fingerprint=reported.fingerprint,
        state=int(row.state),  # type: ignore[arg-type]
        labels=reported.labels,
        annotations=reported.annotations,
        generator_url=reported.generator_url,
    )
    if reported.started is not None:
        message.start_time.CopyFrom(timestamp(reported.started))
    if reported.ended is not None:
        message.end_time.CopyFrom(timestamp(reported.ended))
    return message


def event(row: EventRow) -> alert_groups_pb2.Event:
    """Returns a line of a timeline."""
    return alert_groups_pb2.Event(
        name=f"alertGroups/{row.event.group_id}/events/{row.revision}",
        revision=row.revision,
        create_time=timestamp(row.at),
        kind=int(row.event.kind),  # type: ignore[arg-type]
        state=int(row.event.state),  # type: ignore[arg-type]
        actor=row.event.actor,
        reason=row.event.reason,
        note=row.event.note,
        fingerprints=row.event.fingerprints,
        previous_state=int(row.event.previous or 0),  # type: ignore[arg-type]
    )


def payload(name: str, received: int, compressed: bytes) -> alert_groups_pb2.Payload | None:
    """Returns a payload as it came; None where it cannot be unpacked, or only to more than `MOST_PAYLOAD`: whoever
    handed it in, it must not break the calls of who reads it, or fill the memory."""
    unpacking = zlib.decompressobj()
    try:
        body = unpacking.decompress(compressed, MOST_PAYLOAD)
    except zlib.error:
        return None
    if not unpacking.eof:
        return None
    return alert_groups_pb2.Payload(name=name, body=body, receive_time=timestamp(received))


def note(found: Note) -> notes_pb2.Note:
    """Returns a note."""
    return notes_pb2.Note(
        name=found.name,
        text=found.text,
        author=found.author,
        create_time=timestamp(found.created),
        update_time=timestamp(found.updated),
    )


def heartbeat(public_id: str, found: Heartbeat, now: int, reading: int) -> heartbeats_pb2.Heartbeat:
    """Returns a heartbeat; `now` is the time of day at the reading `reading` of the intake clock."""
    message = heartbeats_pb2.Heartbeat(
        name=f"integrations/{public_id}/heartbeat",
        state=int(found.state),  # type: ignore[arg-type]
        interval=duration(found.interval),
        etag=found.etag,
        state_time=timestamp(found.state_since),
    )
    if found.last_beat is not None:
        message.last_beat_time.CopyFrom(timestamp(found.last_beat))
    if found.state is HeartbeatState.UP and found.deadline is not None:
        message.due_time.CopyFrom(timestamp(now + found.deadline - reading))
    return message


def message(row: MessageRow) -> messages_pb2.Message:
    """Returns a message of the outbox."""
    found = row.message
    encoded = messages_pb2.Message(
        name=found.name,
        contact_point=f"contactPoints/{row.contact}",
        on_call=f"contactPoints/{row.via}" if row.via else "",
        kind=int(found.kind),  # type: ignore[arg-type]
        state=int(found.state),  # type: ignore[arg-type]
        idempotency_key=found.key,
        attempt_count=found.attempts,
        answer=found.answer,
        create_time=timestamp(found.created),
    )
    if found.state is MessageState.PENDING:
        encoded.next_attempt_time.CopyFrom(timestamp(found.due))
    if found.ended is not None:
        encoded.end_time.CopyFrom(timestamp(found.ended))
    return encoded
