"""What is committed of the contract is what the .proto files say, and it is explained and well-formed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc_tools
import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

PROTO = Path(__file__).parents[2] / "proto"
BUF = Path(sys.executable).with_name("buf")


def image_of(root: Path, into: Path) -> Path:
    """The contract below `root` with comments, positions and all that it imports, as buf reads it."""
    image = into / "image.binpb"
    googleapis = Path(field_behavior_pb2.__file__).parents[2]
    includes = [root, googleapis, Path(grpc_tools.__file__).parent / "_proto"]
    sources = sorted(str(path.relative_to(root)) for path in root.glob("tocsin/v1/*.proto"))
    options = ["--include_imports", "--include_source_info", f"--descriptor_set_out={image}"]
    assert protoc.main(["protoc", *(f"-I{include}" for include in includes), *options, *sources]) == 0
    return image


def check(root: Path) -> subprocess.CompletedProcess[str]:
    """What the generator says of what is committed below `root`; it finds its plugins on the path."""
    environment = os.environ | {"PATH": f"{BUF.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [sys.executable, str(root / "generate.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def stale(checked: subprocess.CompletedProcess[str]) -> list[str]:
    """The files of which the generator says that they are not what they should be."""
    return re.findall(r"^proto/(\S+) is not what the \.proto files say", checked.stderr, re.MULTILINE)


def lint(image: Path) -> subprocess.CompletedProcess[str]:
    """What buf says of an image, by our settings."""
    command = [str(BUF), "lint", str(image), "--config", str(PROTO / "buf.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contract as buf reads it."""
    return image_of(PROTO, tmp_path_factory.mktemp("image"))


def test_stubs_and_text_descriptor_are_fresh() -> None:
    """Generating them anew gives what is committed."""
    checked = check(PROTO)

    assert (checked.returncode, stale(checked)) == (0, [])


def test_the_check_sees_a_change(tmp_path: Path) -> None:
    """A field that is only in the .proto file is noticed: the test above could fail."""
    copy = copy_of_contract(tmp_path)
    (copy / "generate.py").write_text((PROTO / "generate.py").read_text())
    (copy / "tocsin.v1.txtpb").write_text((PROTO / "tocsin.v1.txtpb").read_text())
    for stub in (PROTO / "tocsin" / "v1").glob("*_pb2*"):
        (copy / "tocsin" / "v1" / stub.name).write_text(stub.read_text())
    change(copy, "message Beat {}", "message Beat {\n  // New.\n  int64 number = 1;\n}")

    checked = check(copy)

    assert checked.returncode == 1
    assert stale(checked) == ["tocsin.v1.txtpb", "tocsin/v1/intake_pb2.py", "tocsin/v1/intake_pb2.pyi"]


def test_buf_finds_nothing_to_complain_of(image: Path) -> None:
    """The contract keeps buf's STANDARD rules, but for those that buf.yaml gives a reason for."""
    complaints = lint(image)

    assert (complaints.stdout, complaints.stderr, complaints.returncode) == ("", "", 0)


def test_buf_sees_a_missing_comment(tmp_path: Path) -> None:
    """Taking one comment away is noticed: the test above could fail."""
    copy = copy_of_contract(tmp_path)
    change(copy, "// One beat. That it arrived is all there is to it.\n", "")

    complaints = lint(image_of(copy, tmp_path))

    assert complaints.returncode != 0
    assert 'Message "Beat" should have a non-empty comment' in complaints.stdout


def test_everything_has_a_comment(image: Path) -> None:
    """Each service, method, message, field, enumeration and value says what it is."""
    contract = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    ours = [file for file in contract.file if file.package == "tocsin.v1"]
    assert len(ours) == 13

    silent = [name for file in ours for name in uncommented(file)]

    assert silent == []


def uncommented(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    """The names of what has no comment in a file."""
    said = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
    for path, name in named(file):
        if not said.get(path):
            yield f"{file.name}: {name}"


def named(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path (as in SourceCodeInfo) and name of all that a file declares. Entries of maps are protoc's own."""
    for number, service in enumerate(file.service):
        yield (6, number), service.name
        for index, method in enumerate(service.method):
            yield (6, number, 2, index), f"{service.name}.{method.name}"
    for number, enum in enumerate(file.enum_type):
        yield from named_of_enum((5, number), enum)
    for number, message in enumerate(file.message_type):
        yield from named_of_message((4, number), message)


def named_of_message(
    path: tuple[int, ...], message: descriptor_pb2.DescriptorProto
) -> Iterator[tuple[tuple[int, ...], str]]:
    """The same of a message and what stands in it."""
    if message.options.map_entry:
        return
    yield path, message.name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{message.name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        if not oneof.name.startswith("_"):
            yield (*path, 8, index), f"{message.name}.{oneof.name}"
    for index, enum in enumerate(message.enum_type):
        yield from named_of_enum((*path, 4, index), enum)
    for index, nested in enumerate(message.nested_type):
        yield from named_of_message((*path, 3, index), nested)


def named_of_enum(
    path: tuple[int, ...], enum: descriptor_pb2.EnumDescriptorProto
) -> Iterator[tuple[tuple[int, ...], str]]:
    """The same of an enumeration and its values."""
    yield path, enum.name
    for index, value in enumerate(enum.value):
        yield (*path, 2, index), f"{enum.name}.{value.name}"


def copy_of_contract(into: Path) -> Path:
    """The .proto files, to be changed."""
    copy = into / "proto"
    (copy / "tocsin" / "v1").mkdir(parents=True)
    for source in (PROTO / "tocsin" / "v1").glob("*.proto"):
        (copy / "tocsin" / "v1" / source.name).write_text(source.read_text())
    return copy


def change(copy: Path, before: str, after: str) -> None:
    """Replaces a text in intake.proto."""
    path = copy / "tocsin" / "v1" / "intake.proto"
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
