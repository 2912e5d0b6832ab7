"""Which part of the program may know which other: arrows that go one way, held by reading the imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("tocsin", "tocsind", "tocsin_gateway", "tocsin_cli")

# What runs in the courier's process, but for what its worker alone may have.
COURIER = [
    "tocsind.clock",
    *(f"tocsind.courier.{each}" for each in ("addresses", "deadline", "exchange", "scrub", "webhook", "wire")),
]

# Folder or file, and what of ours it may import beside itself.
ARROWS = {
    "daemon/tocsind/domain": ["tocsind.domain"],
    # metrics.py knows nothing of ours. Like the clock, every layer but the domain may have it.
    "daemon/tocsind/metrics.py": [],
    "daemon/tocsind/child.py": [],
    "daemon/tocsind/threads.py": [],
    "daemon/tocsind/sqlite": ["tocsind.sqlite", "tocsind.domain", "tocsind.clock", "tocsind.metrics"],
    "daemon/tocsind/rendering": [
        "tocsind.rendering",
        "tocsind.domain",
        "tocsind.child",
        "tocsind.clock",
        "tocsind.metrics",
    ],
    # What runs in the process that renders knows nothing of the daemon.
    "daemon/tocsind/rendering/__main__.py": ["tocsind.rendering.worker"],
    "daemon/tocsind/rendering/worker.py": [
        "tocsind.rendering.sandbox",
        "tocsind.rendering.variables",
        "tocsind.rendering.wire",
        "tocsind.domain.template",
    ],
    "daemon/tocsind/rendering/wire.py": [],
    "daemon/tocsind/rendering/variables.py": ["tocsind.domain.template"],
    "daemon/tocsind/rendering/sandbox.py": ["tocsind.rendering.filters"],
    "daemon/tocsind/rendering/filters.py": [],
    "daemon/tocsind/ical": ["tocsind.ical", "tocsind.domain", "tocsind.child"],
    # What runs in the process that reads a calendar knows nothing of the daemon.
    "daemon/tocsind/ical/__main__.py": ["tocsind.ical.worker"],
    "daemon/tocsind/ical/worker.py": ["tocsind.ical.reading", "tocsind.ical.wire"],
    "daemon/tocsind/ical/reading.py": ["tocsind.ical.lines", "tocsind.ical.wire", "tocsind.domain.shift"],
    "daemon/tocsind/ical/lines.py": [],
    "daemon/tocsind/ical/wire.py": [],
    # What systemd is told, and hands over, is for the processes to say and to take, not for their parts.
    "daemon/tocsind/systemd.py": ["tocsind.clock", "tocsind.domain.units"],
    "daemon/tocsind/courier": [
        "tocsind.courier",
        "tocsind.domain",
        "tocsind.child",
        "tocsind.clock",
        "tocsind.metrics",
        "tocsind.systemd",
    ],
    # What runs in the courier's process knows nothing of the daemon but how to read its clock, and what the two say to
    # each other.
    "daemon/tocsind/courier/__main__.py": ["tocsind.courier.worker", "tocsind.courier.listener"],
    "daemon/tocsind/courier/listener.py": ["tocsind.courier.process", "tocsind.clock", "tocsind.systemd"],
    "daemon/tocsind/courier/worker.py": [*COURIER, *(f"tocsind.courier.{each}" for each in ("fetch", "services"))],
    **{f"daemon/tocsind/courier/{name}.py": COURIER for name in ("exchange", "fetch", "services", "webhook")},
    "daemon/tocsind/courier/addresses.py": ["tocsind.courier.deadline"],
    "daemon/tocsind/courier/deadline.py": ["tocsind.clock"],
    "daemon/tocsind/courier/scrub.py": [],
    "daemon/tocsind/courier/wire.py": [],
    # The daemon's side takes nothing of what speaks to the network.
    **{
        f"daemon/tocsind/courier/{name}.py": [
            *(f"tocsind.courier.{each}" for each in ("deadline", "process", "wire")),
            "tocsind.domain",
            "tocsind.child",
            "tocsind.clock",
            "tocsind.metrics",
        ]
        for name in ("courier", "process")
    },
    "daemon/tocsind/engine": [
        "tocsind.engine",
        "tocsind.rendering",
        "tocsind.ical",
        "tocsind.courier",
        "tocsind.sqlite",
        "tocsind.domain",
        "tocsind.clock",
        "tocsind.metrics",
        "tocsind.threads",
    ],
    "daemon/tocsind/rpc": [
        "tocsind.rpc",
        "tocsind.rendering",
        "tocsind.courier",
        "tocsind.engine",
        "tocsind.sqlite",
        "tocsind.domain",
        "tocsind.clock",
        "tocsind.metrics",
        "tocsind.threads",
        "tocsin",
    ],
    # Looks after a file of which no daemon need be running.
    "daemon/tocsind/upkeep": ["tocsind.upkeep", "tocsind.sqlite", "tocsind.domain", "tocsind.clock", "tocsin"],
    "daemon/tocsind": ["tocsind", "tocsin"],
    "gateway/tocsin_gateway": ["tocsin_gateway", "tocsin"],
    "cli/tocsin_cli": ["tocsin_cli", "tocsin"],
    "proto/tocsin": ["tocsin"],
}

# What reads a clock, by the names that it has when it is called.
CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "clock_gettime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}


def modules(folder: str) -> list[Path]:
    """The modules of a part."""
    found = [ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


def imported(text: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, wherever in a module of `package`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def within(name: str, packages: list[str]) -> bool:
    """Whether a name is one of these packages or something in them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def strangers(text: str, package: str, allowed: list[str]) -> list[str]:
    """What of ours a module of `package` imports without being allowed to."""
    return [
        f"line {line}: {name}"
        for line, name in imported(text, package)
        if within(name, list(OURS)) and not within(name, allowed)
    ]


def package_of(path: Path) -> str:
    """The package in which a module stands."""
    parts = path.relative_to(ROOT).parts[1:-1]
    return ".".join(parts)


@pytest.mark.parametrize("folder", ARROWS)
def test_imports_follow_the_arrows(folder: str) -> None:
    """No part knows one that it must not know."""
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in modules(folder)
        if (found := strangers(path.read_text(), package_of(path), ARROWS[folder]))
    }

    assert wrong == {}


# What the domain may have beside itself. Of these, `datetime` could read a clock: the test below of who does says no.
PURE = {
    # Types and structures.
    *("array", "bisect", "collections", "dataclasses", "enum", "functools", "heapq", "typing"),
    # What is worked out of values alone.
    *("base64", "datetime", "hashlib", "hmac", "re", "re2"),
    # Facts about the world, which are data: the rules of time zones, and which letters are the same.
    *("unicodedata", "zoneinfo"),
    # Chance, for ids and tokens that nobody can guess: the one thing that is not the same each time.
    "secrets",
}


def test_the_domain_is_pure() -> None:
    """Beside itself it imports what touches nothing of the world; and the list of that has nothing in it for later."""
    found = {
        name.split(".")[0]
        for path in modules("daemon/tocsind/domain")
        for _, name in imported(path.read_text(), "tocsind.domain")
    }

    assert found - {"tocsind"} == PURE


def test_only_the_courier_has_libraries_that_reach_out() -> None:
    """apprise and what it brings along is imported by one module, which runs in the courier's process."""
    outward = {"apprise", "requests", "urllib3", "smtplib"}
    found = {
        str(path.relative_to(ROOT / "daemon/tocsind"))
        for path in modules("daemon/tocsind")
        if outward & {name.split(".")[0] for _, name in imported(path.read_text(), package_of(path))}
    }

    assert found == {"courier/services.py"}


def test_the_check_sees_a_forbidden_import() -> None:
    """Each way to write an import is noticed: the tests above could fail."""
    text = "import tocsind.rpc.server\ndef f():\n    from tocsind import rpc\nfrom .. import clock\nimport tocsin.v1\n"

    assert set(strangers(text, "tocsind.domain", ["tocsind.domain"])) == {
        "line 1: tocsind.rpc.server",
        "line 3: tocsind.rpc",
        "line 4: tocsind.clock",
        "line 5: tocsin.v1",
    }
    assert strangers("from . import errors\nfrom .errors import Code", "tocsind.domain", ["tocsind.domain"]) == []


def clock_readings(text: str) -> list[str]:
    """The places in a module where a clock is read, or where something that reads one is imported by its name."""
    found = []
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if node.attr in CLOCKS.get(owner, ()):
                found.append(f"line {node.lineno}: {owner}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found.append(f"line {node.lineno}: from time import ...")
    return found


def test_only_one_module_of_the_daemon_reads_a_clock() -> None:
    """Everything else is told the time."""
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in modules("daemon/tocsind")
        if path.name != "clock.py" and (found := clock_readings(path.read_text()))
    }

    assert wrong == {}


def test_the_check_sees_a_clock() -> None:
    """Each way to read one is noticed: the test above could fail."""
    text = "time.time()\ndatetime.now(UTC)\ndatetime.datetime.now()\nfrom time import monotonic\nx = time.monotonic_ns"

    assert len(clock_readings(text)) == 5
    assert clock_readings((ROOT / "daemon/tocsind/clock.py").read_text()) != []


def test_sql_is_never_asked_for_the_time() -> None:
    """Neither SQLite's now nor its CURRENT_TIMESTAMP is used: it would not be the clock of the daemon."""
    sources = [*modules("daemon/tocsind/sqlite"), *(ROOT / "daemon/tocsind/sqlite/migrations").glob("*.sql")]
    for path in sources:
        text = path.read_text().lower()
        assert not any(word in text for word in ("current_timestamp", "'now'", "unixepoch(", "strftime(")), path
