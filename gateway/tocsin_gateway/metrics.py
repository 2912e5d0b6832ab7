"""The gateway's Prometheus metrics: base units, the prefix `tocsin_gateway_`, and labels from fixed sets only.

The children of labelled metrics are looked up once, here, as this is on the way of every request.
"""

import platform
from importlib import metadata
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from tocsin.v1 import intake_pb2

# No `_created` series: they double the number of lines, and nothing reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # as the library has it

KINDS: Final = ("notification", "heartbeat", "api", "other")
CODES: Final = (200, 204, 400, 401, 403, 404, 405, 413, 429, 503)

NOT_DELIVERED: Final = "not_delivered"
"""The result of a delivery for which there is no receipt."""

_RESULTS: Final = (*(name.lower() for name in intake_pb2.Receipt.Outcome.keys()[1:]), NOT_DELIVERED)

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """All metrics of one gateway process, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Gauge(
            "tocsin_gateway_build_info",
            "Always 1; the labels say which version of Tocsin runs on which Python.",
            ["version", "python"],
            registry=self._registry,
        ).labels(metadata.version("tocsin"), platform.python_version()).set(1)
        requests = Counter(
            "tocsin_gateway_requests_total",
            "Requests answered, by kind of request and HTTP status.",
            ["kind", "code"],
            registry=self._registry,
        )
        seconds = Histogram(
            "tocsin_gateway_request_seconds",
            "Time from the head of a request to its answer.",
            ["kind"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._by_code = {(kind, code): requests.labels(kind, str(code)) for kind in KINDS for code in CODES}
        self._by_other_code = {kind: requests.labels(kind, "other") for kind in KINDS}
        self._seconds = {kind: seconds.labels(kind) for kind in KINDS}
        self.request_bytes = Counter(
            "tocsin_gateway_request_bytes_total",
            "Bytes of the bodies of notifications and heartbeats.",
            registry=self._registry,
        )
        self.batch_size = Histogram(
            "tocsin_gateway_batch_size",
            "Deliveries sent to the daemon in one batch.",
            buckets=_BATCH_SIZES,
            registry=self._registry,
        )
        deliveries = Counter(
            "tocsin_gateway_deliveries_total",
            "Notifications and beats that were handed to the daemon, by its receipt; not_delivered where none came.",
            ["result"],
            registry=self._registry,
        )
        self._deliveries = {result: deliveries.labels(result) for result in _RESULTS}
        self._by_outcome: dict[int, Counter] = {
            number: self._deliveries[name.lower()] for name, number in intake_pb2.Receipt.Outcome.items() if number
        }
        self.pending = Gauge(
            "tocsin_gateway_pending",
            "Deliveries that the daemon has not answered yet.",
            registry=self._registry,
        )
        self.deferred = Counter(
            "tocsin_gateway_deferred_total",
            "Deliveries that the daemon deferred, because templates were to be rendered first.",
            registry=self._registry,
        )
        self.deferred_pending = Gauge(
            "tocsin_gateway_deferred_pending",
            "Deliveries whose templates the daemon has not rendered yet.",
            registry=self._registry,
        )
        self.attending = Gauge(
            "tocsin_gateway_attending",
            "Whether the daemon knows that this gateway is there (1) or not (0).",
            registry=self._registry,
        )

    def count_receipt(self, outcome: int) -> None:
        """Counts a delivery that has a receipt; an outcome that this gateway does not know counts as none."""
        (self._by_outcome.get(outcome) or self._deliveries[NOT_DELIVERED]).inc()

    def count_undelivered(self) -> None:
        """Counts a delivery without a receipt."""
        self._deliveries[NOT_DELIVERED].inc()

    def count(self, kind: str, code: int, seconds: float) -> None:
        """Counts one answered request. `kind` is one of `KINDS`."""
        (self._by_code.get((kind, code)) or self._by_other_code[kind]).inc()
        self._seconds[kind].observe(seconds)

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)
