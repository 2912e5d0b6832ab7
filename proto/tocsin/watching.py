"""What a watch does when its stream breaks off: the rules, without any input or output.

- It goes on after the last revision that it handed out. Nothing is missed, nothing comes twice.
- A snapshot that broke off is begun anew, so a group of it can come twice.
- What came between two revisions may be gone when it comes back (REVISION_TOO_OLD). Who asked for a snapshot gets
  another one; anybody else must know, so it is raised.
- Before the first message ever, every failure is raised, like that of any other call: the address may be misspelt.
  After it, only what would fail again: wrong arguments, missing rights, a group that is gone.
- Pauses grow from 0.1 s to 5 s, a bit at random so that not all come back at once, and are never shorter than the
  daemon asked for. A stream that brought something new, or lived for longer than that, makes them short again.
- A watch of one group ends after that group's DELETED event.
"""

import copy
import random
from typing import Generic, TypeVar

import grpc

from .errors import Error, RevisionTooOld
from .v1.alert_groups_pb2 import (
    Event,
    WatchAlertGroupsRequest,
    WatchAlertGroupsResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)

Asked = TypeVar("Asked", WatchAlertGroupsRequest, WatchEventsRequest)
Response = TypeVar("Response", WatchAlertGroupsResponse, WatchEventsResponse)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

_FINAL = {
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}


class Course(Generic[Asked]):
    """How far a watch is."""

    def __init__(self, request: Asked) -> None:
        """Begin where the request says."""
        self._asked: Asked = copy.deepcopy(request)
        self._pause = FIRST_PAUSE
        self.revision: int | None = request.revision if request.HasField("revision") else None
        self.reached = False
        self.finished = False

    def next_request(self) -> Asked:
        """Return what to ask for now."""
        request: Asked = copy.deepcopy(self._asked)
        if self.revision is not None:
            request.revision = self.revision
            if isinstance(request, WatchAlertGroupsRequest) and self.reached:
                request.initial_snapshot = False
        return request

    def took(self, message: WatchAlertGroupsResponse | WatchEventsResponse) -> None:
        """Note a message that is handed out."""
        self.reached = True
        if message.HasField("event"):
            self._pause = FIRST_PAUSE
        if isinstance(message, WatchEventsResponse):
            self.revision = message.revision
            self.finished = message.event.kind == Event.Kind.DELETED
        elif message.HasField("event") or message.snapshot_complete or not self._in_snapshot:
            self.revision = message.revision

    def broke(self, error: Error, lived: float) -> float:
        """Note that the stream broke off after `lived` seconds; return how long to wait, or raise the error."""
        if isinstance(error, RevisionTooOld) and self._wants_snapshot and self.reached:
            self.revision = None
        elif not self.reached or error.code in _FINAL:
            raise error
        if lived > LONGEST_PAUSE:
            self._pause = FIRST_PAUSE
        pause = random.uniform(self._pause / 2, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return max(pause, error.retry_delay.total_seconds() if error.retry_delay is not None else 0)

    @property
    def _wants_snapshot(self) -> bool:
        return isinstance(self._asked, WatchAlertGroupsRequest) and self._asked.initial_snapshot

    @property
    def _in_snapshot(self) -> bool:
        """Whether a snapshot is not complete yet: what its messages say is no place to resume."""
        return self._wants_snapshot and self.revision is None


def stream_ended() -> Error:
    """Return the error for a stream that the daemon ended without one."""
    return Error(grpc.StatusCode.UNAVAILABLE, "the daemon ended the stream")
