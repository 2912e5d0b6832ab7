"""The batches of AlertGroupService: many names in one request, what became of each in the answer.

A name of the wrong form makes the whole request INVALID, with its place in the list: the caller has a defect. What
bears a name of the right form may be gone by now: that is told in the result of that one.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.alert_group import Action
from tocsind.domain.errors import TocsinError, invalid
from tocsind.engine import groups as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import encode, error_details, names
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import Repeatable, change
from tocsind.sqlite import alerts
from tocsind.sqlite.alert_groups import GroupRow

MOST_GROUPS = 1_000
MOST_PAYLOADS = 100
# An answer is held in memory as a whole, several times over.
MOST_PAYLOAD_BYTES = 64 * 1024 * 1024

Response = TypeVar("Response", bound=Message)


class ActingOnMany(Repeatable, Protocol):
    """What the requests of all batches of actions have in common."""

    note: str

    @property
    def names(self) -> Sequence[str]: ...


def act(
    engine: Engine,
    request: ActingOnMany,
    response: Callable[..., Response],
    action: Action,
    silence_for: int | None = None,
) -> Response:
    """Acts on many groups; `response` is the type of the answer."""
    numbers = _numbers(request.names)

    def respond(outcomes: list[GroupRow | TocsinError]) -> Response:
        pairs = zip(request.names, outcomes, strict=True)
        return response(results=[_result(name, outcome) for name, outcome in pairs])

    return change(
        engine,
        request,
        respond,
        jobs.act_on_many,
        numbers,
        action,
        by=caller(),
        note=request.note,
        silence_for=silence_for,
    )


def payloads(engine: Engine, asked: Sequence[str]) -> alert_groups_pb2.BatchGetPayloadsResponse:
    """Returns the payloads with these names, as far as there are any."""
    if not 1 <= len(asked) <= MOST_PAYLOADS:
        raise invalid("names", f"must be 1 to {MOST_PAYLOADS}")
    wanted = [names.payload_of(name, f"names[{index}]") for index, name in enumerate(asked)]
    with engine.store.reading() as connection:
        rows = [alerts.payload(connection, number, latest) for number, latest in wanted]
    found: list[alert_groups_pb2.Payload] = []
    size = 0
    for name, row in zip(asked, rows, strict=True):
        if row is None:
            continue
        payload = encode.payload(name, *row)
        if payload is None:
            continue
        size += len(payload.body)
        if size > MOST_PAYLOAD_BYTES and found:
            raise invalid("names", f"these payloads are over {MOST_PAYLOAD_BYTES} bytes long together: ask for fewer")
        found.append(payload)
    return alert_groups_pb2.BatchGetPayloadsResponse(payloads=found)


def _numbers(asked: Sequence[str]) -> list[int]:
    if not 1 <= len(asked) <= MOST_GROUPS:
        raise invalid("names", f"must be 1 to {MOST_GROUPS}")
    numbers: dict[int, int] = {}
    for index, name in enumerate(asked):
        number = names.group_number(name, f"names[{index}]")
        if number in numbers:
            raise invalid(f"names[{index}]", f"{name} is also names[{numbers[number]}]: each must be there once")
        numbers[number] = index
    return list(numbers)


def _result(name: str, outcome: GroupRow | TocsinError) -> alert_groups_pb2.BatchResult:
    if isinstance(outcome, TocsinError):
        return alert_groups_pb2.BatchResult(name=name, error=error_details.refusal(outcome))
    return alert_groups_pb2.BatchResult(name=name, alert_group=encode.alert_group(outcome))
