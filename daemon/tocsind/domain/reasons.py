"""The one table of what a request can be refused for.

Rules
- A reason never changes its name or its code: programs decide by them. What people read may change at any time.
- There is a reason of its own where a program could do something of its own about it. Where all it could do is to show
  the message, an existing one is enough.
- `docs/errors.md` is written from this table, and a test keeps literals of these names out of the rest of the daemon.
"""

from enum import Enum, auto, unique
from typing import NamedTuple


class Code(Enum):
    """What kind of refusal it is. The names are ours; `rpc/error_details.py` has gRPC's."""

    INVALID = auto()
    NOT_FOUND = auto()
    EXISTS = auto()
    FORBIDDEN_NOW = auto()
    OUT_OF_RANGE = auto()
    ABORTED = auto()
    EXHAUSTED = auto()
    UNAVAILABLE = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    INTERNAL = auto()


class Entry(NamedTuple):
    """A line of the table.

    `meaning` and `advice` (what the caller can do) are sentences for docs/errors.md. `metadata` names what the
    ErrorInfo tells beside `resource` and `field`. `retry_after` is how many seconds to wait before the same request may
    succeed without anybody's doing; 0 where repeating it is no use.
    """

    code: Code
    meaning: str
    advice: str
    metadata: tuple[str, ...] = ()
    retry_after: int = 0


@unique
class Reason(Enum):
    """Why a request was refused, for machines."""

    INVALID_FIELD = Entry(
        Code.INVALID,
        "A value in the request is not what it must be; the message says what it must be.",
        "Correct the field that BadRequest names. With a hyphen, such as `tocsin-actor`, it is one of the metadata.",
    )
    TOO_MANY = Entry(
        Code.INVALID,
        "A list in the request has more items than one request may have.",
        "Send several requests, each with at most `most` items.",
        metadata=("most",),
    )
    REQUEST_ID_REUSED = Entry(
        Code.INVALID,
        "The `request_id` was used within the last 24 hours for another request. Nothing was done.",
        "Make a new id for each new request, and keep it only for repeats of that very request.",
    )
    NOT_FOUND = Entry(
        Code.NOT_FOUND,
        "Nothing bears this resource name, or not any more.",
        "Look at the name in ResourceInfo; list what there is.",
    )
    NAME_TAKEN = Entry(
        Code.EXISTS,
        "Another resource, the one in ResourceInfo, has the display name that was asked for.",
        "Choose another display name, or use what is there already.",
    )
    TOKEN_TAKEN = Entry(
        Code.EXISTS,
        "The token that the integration was to have is another one's, or was that of one that is deleted.",
        "Look for that integration: its senders would be heard under the wrong name. Else let the daemon make a token.",
    )
    ETAG_MISMATCH = Entry(
        Code.ABORTED,
        "The resource was changed since the `etag` was read. Nothing was done.",
        "Read it again, look at what is different, and decide anew.",
    )
    WRONG_STATE = Entry(
        Code.FORBIDDEN_NOW,
        "The state of the alert group does not allow the action.",
        "Read the group: somebody else may have acted on it. `state` is where it stands.",
        metadata=("state",),
    )
    ANOTHER_IS_OPEN = Entry(
        Code.FORBIDDEN_NOW,
        "A resolved group cannot be opened again, because `other` is open for the same source.",
        "Act on `other`: it is the one that notifications reach.",
        metadata=("other",),
    )
    INTEGRATION_DELETED = Entry(
        Code.FORBIDDEN_NOW,
        "A resolved group cannot be opened again, because its integration is deleted.",
        "Leave it resolved: no notification could reach it any more.",
    )
    WIPED = Entry(
        Code.FORBIDDEN_NOW,
        "A wiped group cannot be opened again, and takes no notes: what it said is gone.",
        "Leave it as it is: if its source still fires, the next notification opens a new group.",
    )
    BUILT_IN = Entry(
        Code.FORBIDDEN_NOW,
        "The integration is the one for what Tocsin reports about itself; it cannot be changed or deleted.",
        "Leave it as it is. Its alert groups can be acted on like all others.",
    )
    DEFAULT_ROUTE = Entry(
        Code.FORBIDDEN_NOW,
        "The route is the default one: it takes what no other route takes, and has neither a condition nor another "
        "place.",
        "Create another route, which comes before it.",
    )
    TOO_MANY_ROUTES = Entry(
        Code.FORBIDDEN_NOW,
        "The integration has as many routes as it may have.",
        "Delete a route that is not needed. `most` is how many there can be.",
        metadata=("most",),
    )
    TOO_MANY_CONTACT_POINTS = Entry(
        Code.FORBIDDEN_NOW,
        "There are as many contact points as there may be.",
        "Delete a contact point that is not needed. `most` is how many there can be.",
        metadata=("most",),
    )
    IN_USE = Entry(
        Code.FORBIDDEN_NOW,
        "Others refer to the resource that was to be deleted; the message names some of them.",
        "Change those first, or set `force`.",
    )
    CALENDAR_UNREADABLE = Entry(
        Code.INVALID,
        "A calendar could not be read, or is none.",
        "Look at the address or the file that BadRequest names; the message says what is wrong.",
    )
    NO_MAINTENANCE = Entry(
        Code.FORBIDDEN_NOW,
        "No maintenance of the integration runs or is planned.",
        "Nothing needs to be stopped.",
    )
    OTHER_MAINTENANCE = Entry(
        Code.FORBIDDEN_NOW,
        "A maintenance of the other mode runs: groups would be neither collected nor released rightly.",
        "Stop the one that runs first. `mode` is its mode.",
        metadata=("mode",),
    )
    NO_PAYLOAD = Entry(
        Code.FORBIDDEN_NOW,
        "The integration has received nothing yet that a template or a route could be tried with.",
        "Give a payload.",
    )
    REVISION_TOO_OLD = Entry(
        Code.OUT_OF_RANGE,
        "Something that happened after the revision is no longer kept, so the stream would have a gap.",
        "Begin anew with `initial_snapshot`. `oldest_revision` is the oldest that can still be resumed from.",
        metadata=("oldest_revision",),
    )
    REVISION_IN_FUTURE = Entry(
        Code.OUT_OF_RANGE,
        "Nothing has happened after `last_revision` yet: the revision is of another daemon, or of a file that was "
        "since replaced by an older one.",
        "Begin anew with `initial_snapshot`.",
        metadata=("last_revision",),
    )
    TOO_MANY_LISTS = Entry(
        Code.EXHAUSTED,
        "As many lists as can be made at once of what has to be compared group by group are being made already.",
        "Try again later; ask for `state`, `integration` and times of creation, which an index knows, and for the "
        "total only where it is shown. `most` is how many there can be.",
        metadata=("most",),
        retry_after=1,
    )
    TOO_MANY_WATCHERS = Entry(
        Code.EXHAUSTED,
        "As many callers as can watch at once do so already.",
        "Try again later; end streams that nobody reads. `most` is how many there can be.",
        metadata=("most",),
        retry_after=5,
    )
    SLOW_WATCHER = Entry(
        Code.EXHAUSTED,
        "The caller did not take what the stream sent, and the stream was ended so that nothing piles up.",
        "Resume from the last revision received; read faster, or with a narrower filter.",
        retry_after=1,
    )
    STORE_UNAVAILABLE = Entry(
        Code.UNAVAILABLE,
        "The file cannot be written, for example because the disk is full. Nothing was committed.",
        "Try again later with the same `request_id`. It recovers by itself once there is room.",
        retry_after=1,
    )
    NOT_IN_TIME = Entry(
        Code.UNAVAILABLE,
        "It could not be done in time: the caller no longer waited when its turn came, or templates could not be "
        "looked at. Nothing was committed.",
        "Try again with the same `request_id`, and a longer deadline where that was short.",
        retry_after=1,
    )
    STOPPING = Entry(
        Code.UNAVAILABLE,
        "The daemon is stopping. Nothing was committed.",
        "Try again with the same `request_id` once it is back.",
        retry_after=1,
    )
    TOKEN_MISSING = Entry(
        Code.UNAUTHENTICATED,
        "The call bears no token, and it needs one here.",
        "Send the metadata `authorization: Bearer SECRET`.",
    )
    TOKEN_INVALID = Entry(
        Code.UNAUTHENTICATED,
        "No token is like the one that was sent: it is mistyped, cut off, revoked, or of another daemon.",
        "Look at what is sent: it must be the whole secret, after `Bearer` and one space.",
    )
    TOKEN_EXPIRED = Entry(
        Code.UNAUTHENTICATED,
        "The token's `expire_time` has passed.",
        "Have an admin create another token.",
    )
    TOKEN_REVOKED = Entry(
        Code.UNAUTHENTICATED,
        "The token was revoked while a stream that used it stood.",
        "Have an admin create another token.",
    )
    ROLE_TOO_SMALL = Entry(
        Code.FORBIDDEN,
        "The caller is known, and its `role` does not allow the call `method`.",
        "Use a token of another role: see [who may do what](api.md#who-may-do-what).",
        metadata=("role", "method"),
    )
    INTERNAL = Entry(
        Code.INTERNAL,
        "Something happened that nobody foresaw: a defect of Tocsin. The daemon's log says more.",
        "Report it, with what the log says. A repeat is likely to fail alike; with the same `request_id` it is safe.",
    )

    @property
    def code(self) -> Code:
        """What kind of refusal it is."""
        return self.value.code
