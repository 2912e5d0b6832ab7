"""What a large file costs: the same load on an empty file and on one with a million groups, one after the other."""

from bench import bodies, dataset, load
from bench.processes import stack
from bench.report import Row, heading, progress, table
from bench.run import Run
from bench.throughput import KNOWN, Numbers, new_groups, open_some, watched

_CONNECTIONS = 64
_COLUMNS = {
    "what": "what",
    "file": "file",
    "rate": "per second",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "daemon_us": "daemon us",
    "gateway_us": "gateway us",
    "slower": "times slower",
    "other": "not 200",
}


def measure(run: Run) -> None:
    """The section `growth`."""
    file = dataset.big(run)
    name = f"{run.many:,} groups"
    rows: list[Row] = []
    with stack(run.new_folder("empty")) as empty, stack(file.folder) as large:
        (path,) = empty.daemon.integrate(1)
        numbers = Numbers()
        body = bodies.notification(2)
        small, big = bodies.post(path, body), bodies.post(file.path, body)
        progress("growth")
        for what, on_empty, on_large in (
            (
                "new groups",
                new_groups(empty, numbers, small, _CONNECTIONS, run.cell),
                new_groups(large, numbers, big, _CONNECTIONS, run.cell),
            ),
            (
                "repeats",
                load.notifications(
                    empty.gateway.port, _CONNECTIONS, run.cell, small, open_some(empty, numbers, small, KNOWN), KNOWN
                ),
                load.notifications(
                    large.gateway.port, _CONNECTIONS, run.cell, big, dataset.OPEN_FROM, min(file.open, 100_000)
                ),
            ),
        ):
            rows.append(watched(what, on_empty, empty, None, file="empty"))
            rows.append(watched(what, on_large, large, None, file=name))
            rows[-1]["slower"] = round(rows[-2]["rate"] / max(rows[-1]["rate"], 1e-9), 2)
    heading(f"A large file ({file.database.stat().st_size / 1e9:.1f} GB), {_CONNECTIONS} connections, 2 alerts")
    table(rows, _COLUMNS)
    run.found["growth"] = rows
