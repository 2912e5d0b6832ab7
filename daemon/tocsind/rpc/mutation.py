"""The way of every change that a caller asks for: done once, by whoever calls, while the caller still waits.

Rules
- A request with a `request_id` is done once (`engine/once.py`); what the repeat is answered is what the first was.
- Secrets are not kept for repeats: what is kept would be one more place for them to be found in.
- What the caller no longer waits for when its turn comes is not done: it was told that it failed, and may have done
  something else since.
"""

import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from tocsind.domain.errors import invalid, not_in_time
from tocsind.engine.engine import Engine
from tocsind.engine.memory import Memory
from tocsind.engine.once import find, once
from tocsind.rpc.access import caller
from tocsind.sqlite.writer import Transaction

# The fields of answers that hold secrets.
_SECRETS = ("secret", "token", "url", "heartbeat_url")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

P = ParamSpec("P")
T = TypeVar("T")
Response = TypeVar("Response", bound=Message)


class Repeatable(Protocol):
    """What the requests of all changes have in common."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


def repeated(engine: Engine, request: Repeatable, kind: type[Response]) -> Response | None:
    """Returns what a request was answered, which is of this kind, or None where it was not done yet: for requests that
    need a look outside before their job, which may fail where the first time it did not."""
    if not request.request_id:
        return None
    now, whole = engine.clock.wall(), request.SerializeToString(deterministic=True)
    with engine.store.reading() as connection:
        kept = find(connection, caller(), request.request_id, whole, now)
    answer = None if kept is None else _parsed(kept)
    return answer if isinstance(answer, kind) else None


def change(
    engine: Engine,
    request: Repeatable,
    respond: Callable[[T], Response],
    job: Callable[Concatenate[Transaction, Memory, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    """Runs `job` with these arguments for the caller (`by` among them, given by whoever calls this), and returns what
    `respond` makes of its answer; to a repeat, what that was without its secrets."""
    by = caller()
    if request.request_id and _REQUEST_ID.fullmatch(request.request_id) is None:
        raise invalid("request_id", "must be 1 to 64 letters, digits, dots, hyphens and underscores")

    def timely(transaction: Transaction, memory: Memory) -> T:
        if by.deadline is not None and by.deadline < transaction.steady:
            raise not_in_time("the caller no longer waits")
        return job(transaction, memory, *args, **kwargs)

    if not request.request_id:
        return respond(engine.change(timely))
    answers: list[Response] = []

    def do_once(transaction: Transaction, memory: Memory) -> bytes | None:
        def do() -> bytes:
            answers[:] = [respond(timely(transaction, memory))]
            return _kept(answers[0])

        whole = request.SerializeToString(deterministic=True)
        return once(transaction, by, request.request_id, whole, do)

    kept = engine.change(do_once)
    return answers[0] if kept is None else _parsed(kept)


def _kept(response: Message) -> bytes:
    """Returns a response as it is kept: with its type, and without secrets."""
    packed = any_pb2.Any()
    secrets = [field for field in _SECRETS if field in response.DESCRIPTOR.fields_by_name]
    if secrets:
        copy = type(response)()
        copy.CopyFrom(response)
        for field in secrets:
            copy.ClearField(field)
        response = copy
    packed.Pack(response)
    return packed.SerializeToString()


def _parsed(kept: bytes) -> Any:
    packed = any_pb2.Any.FromString(kept)
    kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(packed.TypeName()))
    return kind.FromString(packed.value)
