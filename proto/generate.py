"""Regenerates what is committed of the contract: `python proto/generate.py [--check]`.

Writes the stubs (`*_pb2.py`, `*_pb2.pyi`, `*_pb2_grpc.py`, `*_pb2_grpc.pyi`) beside the .proto files and
`tocsin.v1.txtpb`, the whole contract as a text descriptor without comments and positions, so that a change of the API
is a diff that people can read. With `--check` nothing is written: the exit status is 1, and the files that differ are
named, when what is committed is not what the .proto files say.
"""

import os
import sys
import tempfile
from pathlib import Path

import grpc_tools
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, text_format
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
GOLDEN = "tocsin.v1.txtpb"


def generate(into: Path) -> None:
    """Writes every generated file of the contract below `into`; raises RuntimeError when protoc refuses a .proto."""
    sources = sorted(str(path.relative_to(HERE)) for path in HERE.glob("tocsin/v1/*.proto"))
    descriptors = into / "descriptors.binpb"
    # protoc finds its plugins by PATH: those of this very Python are meant, whether its environment is active or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    googleapis = Path(field_behavior_pb2.__file__).parents[2]
    includes = [HERE, googleapis, Path(grpc_tools.__file__).parent / "_proto"]
    common = [f"-I{include}" for include in includes]
    outputs = [f"--{kind}_out={into}" for kind in ("python", "mypy", "grpc_python", "mypy_grpc")]
    if protoc.main(["protoc", *common, *outputs, f"--descriptor_set_out={descriptors}", *sources]) != 0:
        raise RuntimeError("protoc refused the contract")
    contract = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())
    descriptors.unlink()
    (into / GOLDEN).write_text(text_format.MessageToString(contract), encoding="utf-8")


def generated(root: Path) -> dict[str, str]:
    """Returns the text of every generated file below `root`, by its path relative to it."""
    paths = [*root.glob("tocsin/v1/*_pb2*.py*"), root / GOLDEN]
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def main() -> int:
    """Regenerates, or with `--check` compares; returns the exit status."""
    if "--check" not in sys.argv[1:]:
        generate(HERE)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = generated(Path(scratch))
    committed = generated(HERE)
    stale = sorted(path for path in fresh.keys() | committed.keys() if fresh.get(path) != committed.get(path))
    for path in stale:
        print(f"proto/{path} is not what the .proto files say; run `make proto`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
