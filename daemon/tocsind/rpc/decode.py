"""From the contract's messages to the daemon's own types, refusing what they may not hold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tocsin.v1 import intake_pb2, integrations_pb2
from tocsind.domain.errors import invalid
from tocsind.domain.maintenance import Mode
from tocsind.domain.notification import Notification, ReportedAlert
from tocsind.domain.units import SECOND


class LazyAlerts(Sequence[ReportedAlert]):
    """The alerts of a notification, decoded when they are first looked at: a repeat that says what is known already is
    recognised by its digest, and most notifications are repeats."""

    def __init__(self, message: intake_pb2.Notification) -> None:
        self._message = message
        self._decoded: list[ReportedAlert] | None = None

    def _all(self) -> list[ReportedAlert]:
        if self._decoded is None:
            self._decoded = [_alert(alert) for alert in self._message.alerts]
        return self._decoded

    def __len__(self) -> int:
        return len(self._message.alerts)

    def __iter__(self) -> Iterator[ReportedAlert]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> ReportedAlert: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReportedAlert]: ...
    def __getitem__(self, index: int | slice) -> ReportedAlert | list[ReportedAlert]:
        return self._all()[index]


def notification(message: intake_pb2.Notification) -> Notification:
    """Returns a notification."""
    return Notification(
        grouping_key=message.grouping_key,
        firing=message.firing,
        title=message.title,
        labels=_plain(message.labels),
        alerts=LazyAlerts(message),
        digest=message.content_digest,
        receiver=message.receiver,
        external_url=message.external_url,
        truncated=message.truncated_alerts,
        reason=message.reason,
        payload=message.payload,
    )


def microseconds(duration: Duration, field: str) -> int:
    """Returns a duration in microseconds; TocsinError (INVALID) where it is not one."""
    whole = duration.seconds * SECOND + duration.nanos // 1_000
    if whole < 0 or abs(duration.seconds) > 315_576_000_000 or not 0 <= duration.nanos < 1_000_000_000:
        raise invalid(field, "must not be negative, and must be a valid duration")
    return whole


def time(message: Timestamp, field: str) -> int:
    """Returns a time in microseconds since 1970; TocsinError (INVALID) where it is not one."""
    if not -62_135_596_800 <= message.seconds <= 253_402_300_799 or not 0 <= message.nanos < 1_000_000_000:
        raise invalid(field, "must be a valid time, of the years 1 to 9999")
    return _time(message)


def maintenance(request: integrations_pb2.StartMaintenanceRequest) -> tuple[Mode, int, int | None]:
    """Returns mode, duration and start of the maintenance that is asked for; the start is None for now. TocsinError
    (INVALID)."""
    if request.mode not in (Mode.DEBUG.value, Mode.MAINTENANCE.value):
        raise invalid("mode", "must be DEBUG or MAINTENANCE")
    starts = time(request.start_time, "start_time") if request.HasField("start_time") else None
    return Mode(request.mode), microseconds(request.duration, "duration"), starts


def _alert(message: intake_pb2.ReportedAlert) -> ReportedAlert:
    return ReportedAlert(
        message.fingerprint,
        message.firing,
        _plain(message.labels),
        _plain(message.annotations),
        _time(message.start_time) if message.HasField("start_time") else None,
        _time(message.end_time) if message.HasField("end_time") else None,
        message.generator_url,
    )


def _plain(mapping: Mapping[str, str]) -> dict[str, str]:
    # A protobuf map has no fast way into `dict`: this takes two thirds of the time of `dict(mapping)` (measured).
    return {key: mapping[key] for key in mapping}


def _time(message: Timestamp) -> int:
    return message.seconds * SECOND + message.nanos // 1_000
