"""Refusals in the daemon's code: each has a reason of the table, and names fields that a caller can find."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract_methods import METHODS
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tocsin.v1 import intake_pb2
from tocsind.domain.errors import Reason

DAEMON = Path(__file__).parents[2] / "daemon" / "tocsind"
TABLE = DAEMON / "domain" / "reasons.py"
SOURCES = {path: ast.parse(path.read_text()) for path in sorted(DAEMON.rglob("*.py"))}
REQUESTS: set[Descriptor] = {method.input_type for method in METHODS.values()}
METADATA = {"authorization", "tocsin-actor", "x-request-id"}


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """All calls in a module, with the bare name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node, node.func.id if isinstance(node.func, ast.Name) else node.func.attr


def errors() -> Iterator[tuple[str, ast.Call]]:
    """All places where a TocsinError is made."""
    for path, tree in SOURCES.items():
        for call, name in calls(tree):
            if name == "TocsinError":
                yield f"{path.relative_to(DAEMON)}:{call.lineno}", call


def reason_of(call: ast.Call) -> str:
    """Which reason of the table an error is made with; "" where none is written there."""
    first = call.args[0] if call.args else None
    named = isinstance(first, ast.Attribute) and isinstance(first.value, ast.Name) and first.value.id == "Reason"
    return first.attr if named and isinstance(first, ast.Attribute) else ""


def test_every_error_names_its_reason() -> None:
    """A reader, and the test below, see at each place which reason it is."""
    assert [place for place, call in errors() if reason_of(call) not in Reason.__members__] == []


def test_every_reason_is_used() -> None:
    """What docs/errors.md explains can happen."""
    used = {reason_of(call) for _, call in errors()}

    assert {reason.name for reason in Reason} - used == set()


def test_no_reason_is_written_as_a_string() -> None:
    """There is one table of them."""
    literals = [
        f"{path.relative_to(DAEMON)}:{node.lineno} {node.value}"
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in Reason.__members__ and path != TABLE
    ]

    assert literals == []


def test_metadata_are_those_of_the_table() -> None:
    """Whatever an error tells beside its resource and its fields is documented, and always told."""
    for place, call in errors():
        told = {keyword.arg for keyword in call.keywords} - {"field", "violations", "resource"}
        assert told == set(Reason[reason_of(call)].value.metadata), place


def test_an_error_about_a_thing_names_it() -> None:
    """Where the state of a thing forbids something, or it is there already, programs learn which thing."""
    for place, call in errors():
        if Reason[reason_of(call)].code.name in ("NOT_FOUND", "EXISTS", "FORBIDDEN_NOW"):
            assert "resource" in {keyword.arg for keyword in call.keywords}, place


def takers() -> dict[str, int]:
    """What has a parameter `field`, and where among its positional ones; -1 where it is none of those."""
    found = {}
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            owned = [(node, node.name)] if isinstance(node, ast.FunctionDef) else []
            if isinstance(node, ast.ClassDef):
                owned = [(f, node.name) for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
            for function, name in owned:
                positional = [argument.arg for argument in function.args.args if argument.arg != "self"]
                if "field" in positional or "field" in {argument.arg for argument in function.args.kwonlyargs}:
                    found[name] = positional.index("field") if "field" in positional else -1
    return found


def text_of(node: ast.expr) -> str:
    """A string that is written down, with `*` for what is filled in; "" for what is computed elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "*" for part in node.values)
    return ""


def fields() -> Iterator[tuple[str, str]]:
    """All fields that the daemon's code names for errors, as arguments or as defaults."""
    known = takers()
    assert {"invalid", "too_many", "TocsinError", "integration_id", "microseconds"} <= set(known)
    for path, tree in SOURCES.items():
        place = path.relative_to(DAEMON)
        for call, name in calls(tree):
            if name in known:
                at = [call.args[known[name]]] if 0 <= known[name] < len(call.args) else []
                for given in [*at, *(keyword.value for keyword in call.keywords if keyword.arg == "field")]:
                    if text := text_of(given):
                        yield f"{place}:{call.lineno}", text
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                with_default = node.args.args[len(node.args.args) - len(node.args.defaults) :]
                for argument, default in zip(with_default, node.args.defaults, strict=True):
                    if argument.arg == "field" and text_of(default):
                        yield f"{place}:{node.lineno}", text_of(default)


def leads_somewhere(message: Descriptor, path: str) -> bool:
    """Whether a path such as `deliveries[*].notification.title` is one of a message."""
    head, _, rest = path.partition(".")
    if head == "*":
        return any(leads_somewhere(message, f"{field.name}{path[1:]}") for field in message.fields)
    found = re.fullmatch(r"(\w+)(\[\*\])?", head)
    field: FieldDescriptor | None = message.fields_by_name.get(found[1]) if found else None
    if found is None or field is None or (found[2] and not field.is_repeated):
        return False
    return not rest or (field.message_type is not None and leads_somewhere(field.message_type, rest))


def test_fields_are_fields_of_requests() -> None:
    """What a BadRequest names is a path in a request message, or one of the metadata that callers send."""
    named = dict(fields())
    assert len(named) >= 20

    wrong = {
        place: path
        for place, path in fields()
        if path not in METADATA and not any(leads_somewhere(request, path) for request in REQUESTS)
    }

    assert wrong == {}


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("deliveries[*].notification.title", True),
        ("deliveries.age_micros", True),
        ("*.age_micros", True),
        ("sent_micros[*]", False),
        ("deliveries[*].titel", False),
        ("sent_micros.seconds", False),
        ("", False),
    ],
)
def test_a_wrong_path_is_seen(path: str, good: bool) -> None:
    """The test above could fail."""
    assert leads_somewhere(intake_pb2.DeliverRequest.DESCRIPTOR, path) is good
