"""What is installed to run: free of Rust, so that it builds and runs wherever Python and a C compiler do."""

import re
from collections.abc import Iterator
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What the Rust toolchain leaves behind in a binary, and the tools that build Python packages with it.
TRACES = (b"rustc ", b"/rustc/", b"cargo/registry")
BUILDERS = ("maturin", "setuptools-rust", "setuptools_rust")
BINARY = re.compile(r"\.(so|pyd|dylib)(\.\d+)*$|^(\.\./)+bin/")


def wanted(requirements: list[str], extras: frozenset[str]) -> Iterator[Requirement]:
    """The requirements that hold here, with one of these extras or without any."""
    for text in requirements:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield requirement


def closure(name: str) -> dict[str, metadata.Distribution]:
    """Everything that is installed with a distribution without extras, by name; itself included."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(canonicalize_name(name), frozenset())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = metadata.distribution(name)
        for requirement in wanted(found[name].requires or [], extras):
            waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def rust_in(distribution: metadata.Distribution) -> list[str]:
    """The signs of Rust in a distribution."""
    signs = []
    wheel = distribution.read_text("WHEEL") or ""
    generator = re.search(r"^Generator: *(.*)$", wheel, re.MULTILINE)
    if generator and any(builder in generator[1] for builder in BUILDERS):
        signs.append(f"built by {generator[1]}")
    for file in distribution.files or []:
        path = file.locate()
        if BINARY.search(str(file)) and path.exists():  # type: ignore[attr-defined]
            content = path.read_bytes()  # type: ignore[attr-defined]
            signs.extend(f"{file} holds {trace.decode()!r}" for trace in TRACES if trace in content)
    return signs


def test_nothing_that_is_installed_to_run_holds_rust() -> None:
    """Neither a wheel's builder nor the binaries in it have to do with Rust, down to the last dependency."""
    installed = closure("tocsin")

    assert {"grpcio", "protobuf", "falcon", "msgspec", "typing-extensions"} <= set(installed)
    assert {name: signs for name, found in installed.items() if (signs := rust_in(found))} == {}


def test_compiled_dependencies_are_really_looked_into() -> None:
    """The scan finds the binaries of what is known to be compiled."""
    files = [str(file) for name in ("grpcio", "msgspec") for file in metadata.distribution(name).files or []]

    assert sum(bool(BINARY.search(file)) for file in files) >= 2


def test_the_scan_finds_rust_where_it_is() -> None:
    """Ruff, which only developers run, is written in Rust: both its builder and its program say so."""
    signs = rust_in(metadata.distribution("ruff"))

    assert any(sign.startswith("built by maturin") for sign in signs)
    assert any("holds" in sign for sign in signs)


def test_the_closure_follows_markers_and_extras() -> None:
    """What is only for developers is not in it, and what a marker excludes neither."""
    assert not {"ruff", "mypy", "pytest", "hypothesis"} & set(closure("tocsin"))
    texts = ['a; python_version < "3"', "b", 'c; extra == "more"']
    assert [r.name for r in wanted(texts, frozenset())] == ["b"]
    assert [r.name for r in wanted(texts, frozenset({"more"}))] == ["b", "c"]


@pytest.mark.parametrize("command", ["tocsind", "tocsin-gateway", "tocsin"])
def test_the_commands_are_there(command: str) -> None:
    """Each program can be imported by its entry point."""
    (entry,) = metadata.distribution("tocsin").entry_points.select(group="console_scripts", name=command)

    assert callable(entry.load())
