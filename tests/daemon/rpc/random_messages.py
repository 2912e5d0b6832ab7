"""Random requests: any message of the contract, filled with the plausible, the marginal and the absurd."""

from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

_NAMES = st.one_of(
    st.integers(0, 12).map(lambda n: f"alertGroups/{n}"),
    st.integers(0, 12).map(lambda n: f"alertGroups/{n}/payloads/latest"),
    st.integers(0, 5).flatmap(lambda n: st.integers(0, 5).map(lambda m: f"alertGroups/{n}/notes/{m}")),
    st.sampled_from(["integrations/KNOWN", "integrations/KNOWN/heartbeat", "integrations/tocsin", "integrations/none"]),
    st.sampled_from(
        ["integrations/tocsin/heartbeat", "apiTokens/none", "alertGroups/999999999999999999", "", "/", "*"]
    ),
    st.sampled_from(["escalationChains/KNOWN", "escalationChains/none"]),
)
_FILTERS = st.sampled_from(
    [
        "",
        "state = FIRING",
        'state != RESOLVED AND labels.alertname = "DiskFull"',
        'title : "disk"',
        'create_time >= "2026-01-01T00:00:00Z"',
        'actor = "local"',
        'resource = "alertGroups/1"',
        "state = ",
        "NOT x",
        'labels."a.b" != "c" AND source = SELF',
    ]
)
_TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "a" * 5_000, "\x00", "\U0001f4a3", "create_time desc", "create_time", "text", "interval"]),
    st.sampled_from(["UTC", "Europe/Berlin", "steps", "is_default", "escalation_chain", "notify_on_resolve"]),
    _NAMES,
    _FILTERS,
)
_INT32 = st.one_of(st.integers(-3, 3), st.sampled_from([50, 1_000, 2**31 - 1, -(2**31)]))
_INT64 = st.one_of(st.integers(-3, 5), st.sampled_from([10**6, 10**12, 2**63 - 1, -(2**63)]))

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: _TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=60),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    # Open enumerations: any number can come.
    FieldDescriptor.TYPE_ENUM: st.integers(-1, 12),
}
_MOST_ITEMS = 4
_DEEPEST = 3


def messages(descriptor: Descriptor, depth: int = 0) -> st.SearchStrategy[Message]:
    """Messages of this kind, in which each field is likely to be set."""

    @st.composite
    def build(draw: st.DrawFn) -> Message:
        message: Message = message_factory.GetMessageClass(descriptor)()
        for field in descriptor.fields:
            if depth < _DEEPEST and draw(st.integers(0, 3)):
                _fill(draw, message, field, depth)
        return message

    return build()


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        pairs = draw(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
        if entry.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING:
            getattr(message, field.name).update(pairs)
    elif entry is not None and field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(messages(entry, depth + 1), max_size=_MOST_ITEMS)))
    elif entry is not None:
        getattr(message, field.name).CopyFrom(draw(messages(entry, depth + 1)))
    else:
        values = _NAMES if field.name in ("name", "names", "parent") and draw(st.booleans()) else _SCALARS[field.type]
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(values, max_size=_MOST_ITEMS)))
        else:
            setattr(message, field.name, draw(values))
