"""What templates cost those who have them, and what a bad one costs those who have none.

The load is that of the section `throughput`, at 64 connections. Beside it come 50 notifications a second for an
integration whose template never ends (it is stopped once a minute, and rests in between), or takes 100 ms each time,
which is allowed and so never rests: that is the worst that one integration can do. Each row with company is compared
with one right before it without. On a machine with two cores what renders competes with the daemon, the gateway and the
client all the same.
"""

from dataclasses import replace

from bench import bodies, load
from bench.processes import Stack, stack
from bench.report import Row, heading, progress, table
from bench.run import Run
from bench.throughput import KNOWN, Numbers, open_some, watched
from tocsin.v1.templates_pb2 import Templates

_TITLED = Templates(
    title="{{ labels.alertname }} in {{ labels.cluster }}: {{ payload.numFiring }} firing",
    grouping_id="{{ payload.groupKey }}",
)
_LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
_SLOW = "{% for a in range(99999) %}{% if a % 3 == 0 %}{% set b = a * a %}{% endif %}{% endfor %}" * 8
_CONNECTIONS = 64
_BESIDE = 64
_PACE = 50.0
_COLUMNS = {
    "what": "what",
    "beside": "beside it",
    "rate": "per second",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "of_alone": "of alone",
    "daemon_us": "daemon us",
    "gateway_us": "gateway us",
    "beside_rate": "its own per second",
    "other": "not 200",
}


def measure(run: Run) -> None:
    """The section `templates`."""
    rows: list[Row] = []
    with stack(run.new_folder("templates")) as tocsin:
        (plain,) = tocsin.daemon.integrate(1, "plain")
        (titled,) = tocsin.daemon.integrate(1, "titled", _TITLED)
        (loops,) = tocsin.daemon.integrate(1, "loops", Templates(title=_LOOPS))
        (slow,) = tocsin.daemon.integrate(1, "slow", Templates(title=_SLOW))
        numbers = Numbers()
        for what, path in (("default templates", plain), ("title and grouping", titled)):
            request = bodies.post(path, bodies.notification(2))
            known = open_some(tocsin, numbers, request, KNOWN)
            for kind, first, span in (("new", numbers.take(1_000_000), 0), ("repeats", known, KNOWN)):
                progress(f"templates: {what}, {kind}")
                spec = load.notifications(tocsin.gateway.port, _CONNECTIONS, run.cell, request, first, span)
                rows.append(watched(f"{what}, {kind}", spec, tocsin, None))
        for beside, bad in (("one that never ends", loops), ("one that takes 100 ms", slow)):
            for what, path in (("default templates", plain), ("title and grouping", titled)):
                progress(f"templates: {what} beside {beside}")
                rows.extend(_beside(run, tocsin, numbers, what, path, beside, bad))
    heading("Templates")
    table(rows, _COLUMNS)
    run.found["templates"] = rows


def _beside(run: Run, tocsin: Stack, numbers: Numbers, what: str, path: str, beside: str, bad: str) -> tuple[Row, Row]:
    """New groups without and with the load of a bad integration beside them."""
    port, seconds = tocsin.gateway.port, 2 * run.cell
    request = bodies.post(path, bodies.notification(2))
    worse = bodies.post(bad, bodies.notification(2))

    def once() -> Row:
        spec = load.notifications(port, _CONNECTIONS, seconds, request, numbers.take(1_000_000))
        return watched(f"{what}, new", spec, tocsin, None)

    alone = once()
    company = load.notifications(port, _BESIDE, seconds + 1, worse, numbers.take(1_000_000))
    company = replace(company, rate=_PACE)
    with load.offering(company) as client:
        together = once()
        own = client.result()
    ratio = round(together["rate"] / alone["rate"], 2)
    return alone, {**together, "beside": beside, "of_alone": ratio, "beside_rate": own.rate}
