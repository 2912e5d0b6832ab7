"""How much memory the processes take: at the start, with 10,000 open groups, and after load. PSS counts pages that
processes share once."""

from bench import bodies, load
from bench.processes import Stack, stack
from bench.report import Row, heading, progress, table
from bench.run import Run
from bench.throughput import Numbers, open_some

GROUPS = 10_000
_COLUMNS = {
    "when": "when",
    "daemon_rss": "daemon RSS MB",
    "daemon_pss": "daemon PSS MB",
    "gateway_rss": "gateway RSS MB",
    "gateway_pss": "gateway PSS MB",
}


def measure(run: Run) -> None:
    """The section `memory`."""
    progress("memory")
    with stack(run.new_folder("memory")) as tocsin:
        (path,) = tocsin.daemon.integrate(1)
        numbers = Numbers()
        request = bodies.post(path, bodies.notification(2))
        rows = [_row("at the start", tocsin)]
        first = open_some(tocsin, numbers, request, GROUPS)
        rows.append(_row(f"{GROUPS:,} open groups", tocsin))
        load.offer(load.notifications(tocsin.gateway.port, 64, 2 * run.cell, request, first, GROUPS))
        rows.append(_row("after repeats from 64 connections", tocsin))
        large = bodies.post(path, bodies.notification(100))
        load.offer(load.notifications(tocsin.gateway.port, 64, run.cell, large, numbers.take(1_000_000)))
        rows.append(_row("after new groups of 100 alerts", tocsin))
    heading("Memory (the gateway: both of its processes)")
    table(rows, _COLUMNS)
    run.found["memory"] = rows


def _row(when: str, tocsin: Stack) -> Row:
    daemon, gateway = tocsin.daemon.memory(), tocsin.gateway.memory()
    return {
        "when": when,
        "daemon_rss": daemon.rss,
        "daemon_pss": daemon.pss,
        "gateway_rss": gateway.rss,
        "gateway_pss": gateway.pss,
    }
