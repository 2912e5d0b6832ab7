"""Writes docs/api.md, the reference of the API: `python proto/reference.py [--check]`.

It is `reference_introduction.md`, which is written by hand, and then what the .proto files say: services with their
methods, messages with their fields, enumerations, and the comments on all of them. A request and the answer that serves
only one method stand with that method; what several share, or what is a thing of its own, stands under "Messages". Who
may call what comes from the daemon's own table.

With `--check` nothing is written: the exit status is 1 when docs/api.md says anything else.
"""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import grpc_tools
from google.api import field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "api.md"
INTRODUCTION = "reference_introduction.md"
ROLES_HERE = "<!-- who may do what -->"
PACKAGE = ".tocsin.v1."
# What people act on first, then how it is set up, then what only programs need.
ORDER = (
    "alert_groups",
    "notes",
    "integrations",
    "routes",
    "templates",
    "heartbeats",
    "access",
    "audit",
    "monitoring",
    "intake",
)
WIDTH = 120
_GENERATED = "<!-- Written by `make proto` from the .proto files and proto/reference_introduction.md. Change those. -->"
_Path = tuple[int, ...]
_Field = descriptor_pb2.FieldDescriptorProto


class Contract:
    """The .proto files below a folder, with their comments. Raises RuntimeError where protoc refuses them."""

    def __init__(self, root: Path = HERE) -> None:
        sources = sorted(root.glob("tocsin/v1/*.proto"), key=_place)
        googleapis = Path(field_behavior_pb2.__file__).parents[2]
        includes = [root, googleapis, Path(grpc_tools.__file__).parent / "_proto"]
        with tempfile.NamedTemporaryFile() as image:
            options = ["--include_source_info", f"--descriptor_set_out={image.name}"]
            names = [str(source.relative_to(root)) for source in sources]
            if protoc.main(["protoc", *(f"-I{include}" for include in includes), *options, *names]) != 0:
                raise RuntimeError("protoc refused the contract")
            self.files = list(descriptor_pb2.FileDescriptorSet.FromString(image.read()).file)
        self.files.sort(key=lambda file: _place(Path(file.name)))
        self.messages = {m.name: (f, (4, i), m) for f in self.files for i, m in enumerate(f.message_type)}
        self._comments = {
            (file.name, tuple(place.path)): place.leading_comments
            for file in self.files
            for place in file.source_code_info.location
        }

    def comment(self, file: descriptor_pb2.FileDescriptorProto, path: _Path) -> str:
        """Returns the comment on what stands at a path, as Markdown."""
        lines = [line.removeprefix(" ").rstrip() for line in self._comments.get((file.name, path), "").splitlines()]
        text = "\n".join(line for line in lines if not line.startswith("buf:lint:ignore"))
        # On the page itself, a reference to one of its sections is a link.
        text = re.sub(r"docs/api\.md,\s+\"([^\"]+)\",?", lambda found: f"[{found[1]}](#{anchor(found[1])})", text)
        # So is the name of a method, but in code.
        parts = re.split(r"(`[^`]*`)", text)
        parts[::2] = [
            re.sub(self._methods, lambda found: f"[{found[0]}](#{anchor(found[0])})", part) for part in parts[::2]
        ]
        return "".join(parts).strip()

    @cached_property
    def _methods(self) -> str:
        """Matches the name of any method."""
        names = [method.name for file in self.files for service in file.service for method in service.method]
        return rf"\b(?:{'|'.join(names)})\b"

    @cached_property
    def at_methods(self) -> dict[str, str]:
        """The messages that stand with a method, and with which: those that one method alone takes or answers."""
        used: dict[str, set[str]] = {}
        for file in self.files:
            for service in file.service:
                for method in service.method:
                    for type_name in (method.input_type, method.output_type):
                        used.setdefault(_local(type_name), set()).add(method.name)
        inside = {_local(field.type_name) for _, _, message in self.messages.values() for field in message.field}
        return {
            name: users.pop()
            for name, users in used.items()
            if name in self.messages
            and len(users) == 1
            and name not in inside
            and not _is_resource(self.messages[name][2])
            and name.endswith(("Request", "Response"))
        }


def reference(contract: Contract, introduction: str, roles: dict[str, str]) -> str:
    """Returns the whole page. `roles`: by `Service.Method` who may call it."""
    head, _, rest = introduction.partition("\n")
    lines = [head, "", _GENERATED, *rest.rstrip().replace(ROLES_HERE, _roles(roles)).split("\n")]
    lines += ["", "## Services", ""]
    for file in contract.files:
        for number, service in enumerate(file.service):
            summary = re.split(r"(?<=\.)\s", contract.comment(file, (6, number)), maxsplit=1)[0]
            lines += _item(f"[{service.name}](#{anchor(service.name)})", summary)
    for file in contract.files:
        for number, service in enumerate(file.service):
            lines += _service(contract, file, (6, number), service, roles)
    lines += ["", "## Messages"]
    for name, (file, path, message) in contract.messages.items():
        if name not in contract.at_methods:
            lines += ["", f"### {name}", *_block(contract.comment(file, path)), *_resource(message)]
            lines += _fields(contract, file, path, message)
            lines += _enums(contract, file, path, message)
    return "\n".join(lines) + "\n"


def anchor(heading: str) -> str:
    """Returns how GitHub calls a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def roles_of() -> dict[str, str]:
    """Returns by `Service.Method` the roles that may call it, by the daemon's own table."""
    from tocsind.domain.access import Role
    from tocsind.rpc.access import NEEDED

    def names(allowed: frozenset[Role]) -> str:
        return ", ".join(f"`{role.name}`" for role in Role if role in allowed)

    return {method.removeprefix(f"/{PACKAGE[1:]}").replace("/", "."): names(roles) for method, roles in NEEDED.items()}


def _place(path: Path) -> tuple[int, str]:
    return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.stem)


def _local(type_name: str) -> str:
    return type_name.removeprefix(PACKAGE)


def _is_resource(message: descriptor_pb2.DescriptorProto) -> bool:
    return bool(message.options.Extensions[resource_pb2.resource].type)


def _roles(roles: dict[str, str]) -> str:
    """The calls that the same roles may make, together."""
    lines: list[str] = []
    for allowed in dict.fromkeys(roles.values()):
        names = (method.rpartition(".")[2] for method in roles if roles[method] == allowed)
        lines += _item(allowed, ", ".join(names))
    return "\n".join(lines)


def _service(
    contract: Contract,
    file: descriptor_pb2.FileDescriptorProto,
    path: _Path,
    service: descriptor_pb2.ServiceDescriptorProto,
    roles: dict[str, str],
) -> Iterator[str]:
    yield from ("", f"### {service.name}", *_block(contract.comment(file, path)), "")
    yield from wrapped(", ".join(f"[{method.name}](#{anchor(method.name)})" for method in service.method))
    for index, method in enumerate(service.method):
        yield from ("", f"#### {method.name}", *_block(contract.comment(file, (*path, 2, index))), "")
        allowed = roles.get(f"{service.name}.{method.name}", "nobody")
        yield f"`{PACKAGE[1:]}{service.name}/{method.name}`" + f", for {allowed}"
        sides = (
            ("Takes", method.client_streaming, method.input_type),
            ("Answers", method.server_streaming, method.output_type),
        )
        for verb, streaming, type_name in sides:
            yield from ("", *_side(contract, method.name, f"{verb}{' a stream of' * streaming}", type_name))
        for _, _, type_name in sides:
            if contract.at_methods.get(_local(type_name)) == method.name:
                yield from _enums(contract, *contract.messages[_local(type_name)])


def _side(contract: Contract, method: str, verb: str, type_name: str) -> Iterator[str]:
    """What a method takes or answers: spelled out here, or a link."""
    if contract.at_methods.get(_local(type_name)) != method:
        yield f"{verb} {_type(type_name)}."
        return
    file, path, message = contract.messages[_local(type_name)]
    yield f"{verb} `{message.name}`{':' if message.field else ', which is empty.'}"
    yield from _fields(contract, file, path, message)


def _fields(
    contract: Contract,
    file: descriptor_pb2.FileDescriptorProto,
    path: _Path,
    message: descriptor_pb2.DescriptorProto,
) -> Iterator[str]:
    """One item of a list for each field; those of a oneof below a line of their own."""
    oneof = None
    for index, field in enumerate(message.field):
        if index == 0:
            yield ""
        inside = field.oneof_index if field.HasField("oneof_index") and not field.proto3_optional else None
        if inside is not None and inside != oneof:
            what = contract.comment(file, (*path, 8, inside))
            yield from _item(f"`{message.oneof_decl[inside].name}` (at most one of these)", what)
        oneof = inside
        notes = ", ".join([_field_type(message, field), *_behaviour(field)])
        item = _item(f"`{field.name}` ({notes})", contract.comment(file, (*path, 2, index)))
        yield from (f"  {line}" if inside is not None and line else line for line in item)


def _enums(
    contract: Contract,
    file: descriptor_pb2.FileDescriptorProto,
    path: _Path,
    message: descriptor_pb2.DescriptorProto,
) -> Iterator[str]:
    for number, enum in enumerate(message.enum_type):
        at = (*path, 4, number)
        yield from ("", f"#### {message.name}.{enum.name}", *_block(contract.comment(file, at)), "")
        for index, value in enumerate(enum.value):
            yield from _item(f"`{value.name}` = {value.number}", contract.comment(file, (*at, 2, index)))


def _resource(message: descriptor_pb2.DescriptorProto) -> Iterator[str]:
    if _is_resource(message):
        described = message.options.Extensions[resource_pb2.resource]
        yield from ("", f"A resource: `{described.type}`, named {' or '.join(f'`{p}`' for p in described.pattern)}.")


def _field_type(message: descriptor_pb2.DescriptorProto, field: _Field) -> str:
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
            key, value = (_field_type(nested, part) for part in nested.field)
            return f"map from {key} to {value}"
    name = _type(field.type_name) if field.type_name else _Field.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.label == _Field.LABEL_REPEATED else name


def _type(type_name: str) -> str:
    """The name of a type, as a link to where it is explained."""
    if type_name.startswith(PACKAGE):
        return f"[{_local(type_name)}](#{anchor(_local(type_name))})"
    return f"`{type_name.removeprefix('.')}`"


def _behaviour(field: _Field) -> Iterator[str]:
    for behaviour in field.options.Extensions[field_behavior_pb2.field_behavior]:
        yield field_behavior_pb2.FieldBehavior.Name(behaviour).lower().replace("_", " ")


def _block(comment: str) -> list[str]:
    """A comment as paragraphs of their own."""
    return ["", *_paragraphs(comment)] if comment else []


def _item(head: str, comment: str) -> Iterator[str]:
    """A comment as an item of a list: its further paragraphs and lists belong to the item."""
    first, *rest = _paragraphs(f"{head}: {comment}", WIDTH - 2)
    yield f"- {first}"
    yield from (f"  {line}" if line else "" for line in rest)


def _paragraphs(text: str, width: int = WIDTH) -> Iterator[str]:
    """Lines anew to fill the width. Paragraphs, lists and what is indented like code stay what they are."""
    for number, paragraph in enumerate(re.split(r"\n{2,}", text)):
        if number:
            yield ""
        if all(line.startswith("    ") for line in paragraph.split("\n")):
            yield from paragraph.split("\n")
            continue
        for part in re.split(r"\n(?=(?:[-*]|\d+\.) )", paragraph):
            mark = re.match(r"(?:[-*]|\d+\.) ", part)
            indent = " " * len(mark[0]) if mark else ""
            first, *rest = wrapped(part, width - len(indent))
            yield first
            yield from (indent + line for line in rest)


def wrapped(text: str, width: int = WIDTH) -> Iterator[str]:
    """Yields lines of at most `width`, none of which begins with what would make it something else in Markdown."""
    line = ""
    for word in _words(text.split()):
        if line and len(line) + 1 + len(word) > width and not re.fullmatch(r"[-+*>#|]+|\d+[.)]", word):
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _words(words: Iterable[str]) -> Iterator[str]:
    """Keeps a code span in one piece: people read the page as text, too."""
    waiting = ""
    for word in words:
        waiting = f"{waiting} {word}" if waiting else word
        if waiting.count("`") % 2 == 0:
            yield waiting
            waiting = ""
    if waiting:
        yield waiting


def main() -> int:
    """Writes the page, or with `--check` compares; returns the exit status."""
    page = reference(Contract(), (HERE / INTRODUCTION).read_text(encoding="utf-8"), roles_of())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    print("docs/api.md is not what the .proto files say; run `make proto`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
