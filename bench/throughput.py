"""Durable notifications and beats a second, beside a handler that does nothing.

Each cell is measured right after the no-op handler with the same requests and connections, since a shared machine is
not equally fast all the time. Latency is from the request's first byte to the whole answer: after the commit.
"""

from dataclasses import asdict

from bench import bodies, load
from bench.load import Result, Spec
from bench.processes import Process, Stack, Web, noop, stack
from bench.report import Row, heading, progress, table
from bench.run import Run

CONNECTIONS = (1, 16, 64)
ALERTS = (2, 100)
KNOWN = 2_000
"""Open groups that the repeats are for."""
INTEGRATIONS = 1_000
"""Sources whose heartbeats are beaten in turn."""

_COLUMNS = {
    "what": "what",
    "alerts": "alerts",
    "connections": "conns",
    "rate": "per second",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "of_noop": "of no-op",
    "daemon_us": "daemon us",
    "gateway_us": "gateway us",
    "cpu_us": "client us",
    "cpu": "client CPU",
    "other": "not 200",
}


class Numbers:
    """Gives every cell numbers of groups that no other has."""

    def __init__(self) -> None:
        self._next = 1

    def take(self, count: int) -> int:
        """The first of `count` fresh numbers."""
        first = self._next
        self._next += count
        return first


def measure(run: Run) -> None:
    """The section `throughput`."""
    rows: list[Row] = []
    with noop(run.folder) as server, stack(run.new_folder("rate")) as tocsin:
        path, *_ = tocsin.daemon.integrate(1)
        numbers = Numbers()
        for alerts in ALERTS:
            request = bodies.post(path, bodies.notification(alerts))
            for connections in CONNECTIONS:
                progress(f"throughput: {alerts} alerts, {connections} connections")
                rows.extend(_three(run, server, tocsin, numbers, request, alerts, connections))
        size = len(bodies.notification(ALERTS[0]).text)
        heading(f"Notifications a second ({size:,} bytes with {ALERTS[0]} alerts)")
        table(rows, _COLUMNS)
        run.found["throughput"] = rows


def measure_beats(run: Run) -> None:
    """The section `beats`."""
    with noop(run.folder) as server, stack(run.new_folder("beats")) as tocsin:
        progress(f"beats: making {INTEGRATIONS:,} integrations")
        requests = tuple(bodies.get(f"{path}heartbeat/") for path in tocsin.daemon.integrate(INTEGRATIONS))
        progress("beats")
        base = load.offer(Spec(server.port, 64, run.cell, rotation=requests))
        rows = [row("no-op GET", base, connections=64)]
        rows.append(watched("beats", Spec(tocsin.gateway.port, 64, run.cell, rotation=requests), tocsin, base))
    heading(f"Beats a second, over {INTEGRATIONS:,} integrations")
    table(rows, {key: name for key, name in _COLUMNS.items() if key != "alerts"})
    run.found["beats"] = rows


def new_groups(tocsin: Stack, numbers: Numbers, request: bodies.Template, connections: int, seconds: float) -> Spec:
    """A load in which every notification opens a group."""
    first = numbers.take(1_000_000)
    return load.notifications(tocsin.gateway.port, connections, seconds, request, first)


def open_some(tocsin: Stack, numbers: Numbers, request: bodies.Template, count: int) -> int:
    """Opens groups; returns the number of the first one."""
    first = numbers.take(count)
    spec = Spec(
        tocsin.gateway.port, 64, 120, 0.0, text=request.text, offsets=request.offsets, first=first, requests=count
    )
    result = load.offer(spec)
    if result.other or result.answered != count:
        raise RuntimeError(f"could not open {count} groups: {result}")
    return first


def watched(what: str, spec: Spec, tocsin: Stack, base: Result | None, **more: object) -> Row:
    """Offers load to Tocsin; returns a row with the CPU time that a request took in each process."""
    before = _cpu(tocsin)
    result = load.offer(spec)
    spent = {name: seconds - before[name] for name, seconds in _cpu(tocsin).items()}
    found = row(what, result, connections=spec.connections, **more)
    found.update({f"{name}_us": round(used / max(result.sent, 1) * 1e6) for name, used in spent.items()})
    if base is not None and base.rate:
        found["of_noop"] = round(result.rate / base.rate, 3)
    return found


def row(what: str, result: Result, **more: object) -> Row:
    """A result as a row."""
    return {"what": what, **more, **asdict(result)}


def _three(
    run: Run, server: Web, tocsin: Stack, numbers: Numbers, request: bodies.Template, alerts: int, connections: int
) -> list[Row]:
    base = load.offer(load.notifications(server.port, connections, run.cell, request, 0))
    new = new_groups(tocsin, numbers, request, connections, run.cell)
    known = open_some(tocsin, numbers, request, KNOWN if alerts <= 2 else KNOWN // 10)
    span = KNOWN if alerts <= 2 else KNOWN // 10
    repeats = load.notifications(tocsin.gateway.port, connections, run.cell, request, known, span)
    return [
        row("no-op POST", base, alerts=alerts, connections=connections),
        watched("new groups", new, tocsin, base, alerts=alerts),
        watched("repeats", repeats, tocsin, base, alerts=alerts),
    ]


def _cpu(tocsin: Stack) -> dict[str, float]:
    parts: dict[str, Process] = {"daemon": tocsin.daemon, "gateway": tocsin.gateway}
    return {name: process.cpu() for name, process in parts.items()}
