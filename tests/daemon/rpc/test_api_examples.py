"""What docs/api.md shows can be called."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from running_daemon import RunningDaemon

API = Path(__file__).parents[3] / "docs" / "api.md"


def examples() -> Iterator[list[str]]:
    """The words of each line of grpcurl on the page."""
    for block in re.findall(r"(?s)```console\n(.*?)```", API.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", "").splitlines():
            if line.startswith("$ grpcurl "):
                yield shlex.split(line)[2:]


def test_the_examples_can_be_called(daemon: RunningDaemon) -> None:
    """By reflection, as grpcurl does: each service and method is there, and takes what the example sends."""
    database = ProtoReflectionDescriptorDatabase(daemon.channel)
    pool = descriptor_pool.DescriptorPool(database)
    served = set(database.get_services())
    seen = 0
    for words in examples():
        assert set(words) & {"-plaintext", "-expand-headers"}
        if "list" in words:
            continue
        service, _, method = words[-1].partition("/")
        assert service in served
        described = pool.FindServiceByName(service)
        if method:
            kind = message_factory.GetMessageClass(described.methods_by_name[method].input_type)
            json_format.Parse(words[words.index("-d") + 1] if "-d" in words else "{}", kind())
            seen += 1

    assert seen == 4
