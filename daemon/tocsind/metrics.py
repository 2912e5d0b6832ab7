"""What the daemon counts about itself for Prometheus: base units, the prefix `tocsin_`, labels from fixed sets only.

Rules
- Here stands what happens and must be counted when it does, once for each transaction, batch, call or change of a
  group's state; never once for each notification. What can be looked up instead is looked up when somebody asks, and
  costs nothing otherwise: `engine/figures.py`.
- It knows nothing of the rest of the daemon, so that every layer but the domain may feed it, like the clock.
- Counters begin at zero with each start: what lasts is in the file.
"""

import platform
import sqlite3
from collections.abc import Iterable
from importlib import metadata

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

# No `_created` series: they double the number of lines, and nothing reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # as the library has it

ERRANDS = ("bulletin", "fetch", "http", "look")
OPENINGS = ("new", "reopened", "unresolved")
SCOPES = ("notifications", "beats", "total")
MESSAGES = ("delivered", "failed", "dead", "cancelled")
WHEELS = ("escalation", "heartbeat", "maintenance", "silence", "stale")

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ERRAND_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60)
_LATENESS = (0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300)
_DELAYS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 1_800, 3_600)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000)
_JOBS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """All metrics of one daemon, in a registry of its own."""

    def __init__(self, outcomes: Iterable[str], reasons: Iterable[str], problems: Iterable[str]) -> None:
        """`outcomes` are those of deliveries, `reasons` those of resolutions, `problems` those of escalations; all in
        lower case."""
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge(
            "tocsin_build_info",
            "Always 1; the labels say which version of Tocsin runs on which Python and SQLite.",
            ["version", "python", "sqlite"],
            registry=registry,
        ).labels(metadata.version("tocsin"), platform.python_version(), sqlite3.sqlite_version).set(1)
        deliveries = Counter(
            "tocsin_deliveries_total",
            "Notifications and beats that gateways delivered, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self.deliveries = {outcome: deliveries.labels(outcome) for outcome in outcomes}
        limited = Counter(
            "tocsin_rate_limited_total",
            "Notifications and beats that were refused, by the limit that refused them: an integration's on its "
            "notifications or on its beats, or the one on all notifications.",
            ["scope"],
            registry=registry,
        )
        self.rate_limited = {scope: limited.labels(scope) for scope in SCOPES}
        self.batch_size = Histogram(
            "tocsin_batch_size", "Deliveries in one batch of a gateway.", buckets=_SIZES, registry=registry
        )
        self.batch_seconds = Histogram(
            "tocsin_batch_seconds",
            "Time from a batch's arrival at the daemon to its receipts, the wait for the writer included.",
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.transaction_seconds = Histogram(
            "tocsin_transaction_seconds",
            "Time from the beginning of a transaction to the end of its commit.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "tocsin_commit_seconds",
            "Time that the commit of a transaction took, which is mostly the disk's.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.transaction_jobs = Histogram(
            "tocsin_transaction_jobs",
            "Changes that were committed together in one transaction.",
            buckets=_JOBS,
            registry=registry,
        )
        self.failed_transactions = Counter(
            "tocsin_failed_transactions_total",
            "Transactions that were undone because the file could not be written.",
            registry=registry,
        )
        self.failed_jobs = Counter(
            "tocsin_failed_jobs_total",
            "Changes that were undone alone because of a defect; the log has the exception.",
            registry=registry,
        )
        lateness = Histogram(
            "tocsin_timer_lateness_seconds",
            "Time from the deadline of a timer to the transaction that handled it, by what it waited for; after a "
            "transaction that failed, from the time of the next attempt.",
            ["kind"],
            buckets=_LATENESS,
            registry=registry,
        )
        self.timer_lateness = {kind: lateness.labels(kind) for kind in WHEELS}
        opened = Counter(
            "tocsin_alert_groups_opened_total",
            "Alert groups that were opened: new ones, and resolved ones that their source reopened or a person "
            "unresolved.",
            ["how"],
            registry=registry,
        )
        self.groups_opened = {how: opened.labels(how) for how in OPENINGS}
        resolved = Counter(
            "tocsin_alert_groups_resolved_total",
            "Alert groups that were resolved, by reason.",
            ["reason"],
            registry=registry,
        )
        self.groups_resolved = {reason: resolved.labels(reason) for reason in reasons}
        missed = Counter(
            "tocsin_escalation_problems_total",
            "What steps of escalation chains needed and did not find: a contact_point that is deleted, somebody who is "
            "on_call, a time_zone. The chains went on.",
            ["problem"],
            registry=registry,
        )
        self.escalation_problems = {problem: missed.labels(problem) for problem in problems}
        self.template_failures = Counter(
            "tocsin_template_failures_total",
            "Templates and conditions of routes that failed, or rested because they had taken too long.",
            registry=registry,
        )
        self.render_seconds = Histogram(
            "tocsin_template_render_seconds",
            "Time until all templates of an integration were rendered for a notification, the wait for that included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.renderer_restarts = Counter(
            "tocsin_template_renderer_restarts_total",
            "Processes that render templates which were replaced, because a template took too long or broke them.",
            registry=registry,
        )
        self.calendar_failures = Counter(
            "tocsin_calendar_failures_total",
            "Attempts to read the calendar of a contact point again that failed; the last good copy is used.",
            registry=registry,
        )
        messages = Counter(
            "tocsin_messages_total",
            "Messages to contact points, by what became of them: delivered, failed and tried again later (each time "
            "anew), dead after the last attempt, or cancelled because nobody needed them any more.",
            ["outcome"],
            registry=registry,
        )
        self.messages = {outcome: messages.labels(outcome) for outcome in MESSAGES}
        self.message_delay = Histogram(
            "tocsin_message_delay_seconds",
            "Time from the decision that somebody is told to the record that the message was delivered.",
            buckets=_DELAYS,
            registry=registry,
        )
        self.courier_restarts = Counter(
            "tocsin_courier_restarts_total",
            "Processes for what goes out over the network that ended unasked, or were replaced because too much hung.",
            registry=registry,
        )
        self.courier_up = Gauge(
            "tocsin_courier_up",
            "Whether there is a process for what goes out over the network; it is started when it is first needed.",
            registry=registry,
        )
        errands = Counter(
            "tocsin_errands_total",
            "What was sent or fetched over the network, by kind (http: a webhook, bulletin: a message over apprise, "
            "fetch: a calendar, look: an address that was checked) and outcome.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.errands = {
            (kind, outcome): errands.labels(kind, outcome) for kind in ERRANDS for outcome in ("done", "failed")
        }
        errand_seconds = Histogram(
            "tocsin_errand_seconds",
            "Time that these took, the wait for their turn included.",
            ["kind"],
            buckets=_ERRAND_SECONDS,
            registry=registry,
        )
        self.errand_seconds = {kind: errand_seconds.labels(kind) for kind in ERRANDS}
        self.watchers = Gauge(
            "tocsin_watchers",
            "Streams on which somebody watches alert groups or events.",
            registry=registry,
        )
        self.watchers_limit = Gauge(
            "tocsin_watchers_limit",
            "Streams of watchers that there may be.",
            registry=registry,
        )
        self.calls = Counter(
            "tocsin_rpc_total",
            "Calls of the API that ended, streams included, by method and gRPC status.",
            ["method", "code"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "tocsin_rpc_seconds",
            "Time that calls of the API took, without those that are streams.",
            ["method"],
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.streams = Gauge(
            "tocsin_rpc_streams",
            "Streams of the API that are open, by method.",
            ["method"],
            registry=registry,
        )

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
