"""What the writer does by itself, from tick to tick.

Rules
- Timers: heartbeats and staleness by the intake clock, silences, maintenances and escalations by a clock that counts
  suspended time.
  A tick takes at most `MOST_DUE` of each, so that very many at one moment do not stop intake; the rest is due at the
  next tick. So is, in the order that it had, what a job leaves because it has done enough.
- What a maintenance that ended has collected is released a step a tick. A step is a transaction: after a crash it goes
  on from where it was, as `releases` in the file says.
- The postman is woken for messages that are due.
- What is due is work for the writer like any other. If its transaction fails, its timers are set again.
- While deadlines run, the intake clock is written to disk every second: after a crash it goes on from there, so a
  deadline is noticed at most that second later, and never early. When the file cannot be written the same stamp is what
  finds out that it can be again.
- The groups that tell of rate limits are looked after once a second.
- Housekeeping walks through the integrations, a small step a tick while there is something to do, then rests. A step
  that took long makes the next one smaller (`_paced`): groups of hundreds of alerts, or a slow disk, must not stop
  intake either. It also removes what is no longer kept of the audit log and of answered requests, and writes down when
  tokens were used.
"""

from concurrent.futures import Future
from functools import partial
from typing import Any

from tocsind.domain.timer_wheel import TimerWheel
from tocsind.domain.units import SECOND
from tocsind.engine import (
    api_tokens,
    audit,
    groups,
    heartbeats,
    integrations,
    limit_alerts,
    maintenance,
    once,
    self_report,
)
from tocsind.engine.memory import Memory
from tocsind.engine.telling import steps
from tocsind.sqlite import audit as audit_rows
from tocsind.sqlite import heartbeats as heartbeat_rows
from tocsind.sqlite import integrations as integration_rows
from tocsind.sqlite import removal, requests, retention
from tocsind.sqlite.writer import Entry, Job, Transaction

MOST_DUE = 500
RETRY = SECOND
REST = 60 * SECOND
STEP_INTEGRATIONS = 200
STEP_GROUPS = 100
LEAST_GROUPS = 5
STEP_TIME = SECOND // 100
STEP_ROWS = 500
STEP_RELEASES = 200
_BY_TIME_OF_DAY = ("silence", "maintenance", "escalation")


class Ticker:
    """Called by the writer at every tick."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._next_stamp = 0
        self._next_look = 0
        self._next_sweep = 0
        self._sweep_from = 0
        self._step = STEP_GROUPS
        self._was_absent: bool | None = None

    def tick(self, healthy: bool) -> list[Entry]:
        """Returns the jobs that are due."""
        steady = self._memory.clock.steady()
        reading = self._memory.presence.read(steady)
        elapsed = self._memory.clock.elapsed()
        due = [
            ("heartbeat", self._memory.heartbeats, reading, heartbeats.notice),
            ("stale", self._memory.stale, reading, groups.go_stale),
            ("silence", self._memory.silences, elapsed, groups.end_silences),
            ("maintenance", self._memory.maintenances, elapsed, maintenance.come_due),
            ("escalation", self._memory.escalations, elapsed, steps.take),
        ]
        self._memory.outbox.look(elapsed)
        entries: list[Entry] = []
        for kind, wheel, now, job in due:
            timers = wheel.advance(now, MOST_DUE)
            if timers:
                handle = partial(self._handle, kind, wheel, job, timers)
                entries.append(_retried(wheel, list(timers), now, handle))
        if self._memory.releasing:
            entries.append((partial(maintenance.release, memory=self._memory, limit=STEP_RELEASES), Future()))
        if steady >= self._next_stamp:
            self._next_stamp = steady + SECOND
            if self._memory.heartbeats or self._memory.stale or not healthy:
                entries.append((self.stamp, Future()))
        if steady >= self._next_look:
            self._next_look = steady + SECOND
            self._memory.keyring.expire(self._memory.clock.wall())
            entries.extend(self._look_for_gateways(steady))
            entries.extend(self._look_at_limits(steady))
        if steady >= self._next_sweep or self._memory.sweep_now:
            self._memory.sweep_now = False
            entries.append((self._sweep, Future()))
            self._next_sweep = steady + SECOND
        return entries

    def _handle(self, kind: str, wheel: TimerWheel, job: Any, timers: dict[int, int], transaction: Transaction) -> None:
        """Does what is due, and notes how late that is by the clock on which its deadlines are."""
        memory = self._memory
        left = dict.fromkeys(job(transaction, memory, list(timers)) or ())
        now = memory.clock.elapsed() if kind in _BY_TIME_OF_DAY else memory.presence.read(transaction.steady)
        late = [(now - deadline) / SECOND for key, deadline in timers.items() if key not in left]

        def follow() -> None:
            if left:
                wheel.put_back({key: timers[key] for key in left})
            for seconds in late:
                memory.metrics.timer_lateness[kind].observe(seconds)

        transaction.after_commit(follow)

    def stamp(self, transaction: Transaction) -> None:
        """Writes the intake clock to disk."""
        heartbeat_rows.stamp(transaction.connection, self._memory.presence.read(transaction.steady), transaction.now)

    def _look_for_gateways(self, steady: int) -> list[Entry]:
        unattended = self._memory.presence.unattended_for(steady)
        if 0 < unattended < self_report.PATIENCE:
            return []
        absent = unattended > 0
        if absent is False and self._was_absent is False:
            return []

        def report(transaction: Transaction) -> None:
            self_report.report_gateway(transaction, self._memory, absent=absent)
            transaction.after_commit(lambda: setattr(self, "_was_absent", absent))

        return [(report, Future())]

    def _look_at_limits(self, steady: int) -> list[Entry]:
        due = self._memory.limits.to_tell(steady)
        return [
            (partial(limit_alerts.report, memory=self._memory, limited=limited, refuses=refuses), Future())
            for limited, refuses in due
        ]

    def _sweep(self, transaction: Transaction) -> None:
        """Removes what has expired, and resolves what a deleted integration left open."""
        left = any(
            integrations.close_groups(transaction, self._memory, integration_id)
            for integration_id in integration_rows.deleted_with_open_groups(transaction.connection)
        )
        begin = self._memory.clock.steady()
        after, removed = retention.remove_expired(
            transaction.connection,
            self._sweep_from,
            self._memory.no_later_than(),
            STEP_INTEGRATIONS,
            self._step,
        )
        self._step = _paced(self._step, self._memory.clock.steady() - begin)
        self._sweep_from = after
        old = self._memory.no_later_than()
        gone = removal.old_tombstones(transaction.connection, old - removal.TOMBSTONES_KEPT, STEP_ROWS)
        removal.expire(transaction.connection, gone, old)
        removed += len(gone)
        removed += audit_rows.remove_before(transaction.connection, old - audit.KEPT, STEP_ROWS)
        removed += requests.remove_before(transaction.connection, old - once.KEPT, STEP_ROWS)
        api_tokens.note_uses(transaction, self._memory)
        self._next_sweep = transaction.steady + (0 if left or removed or after else REST)


def _paced(step: int, took: int) -> int:
    """Returns how many groups to remove next, after `step` of them took so many microseconds: fewer at once where that
    was long, more by and by where it was not."""
    if took > STEP_TIME:
        return max(LEAST_GROUPS, step // 2)
    return min(STEP_GROUPS, step + max(1, step // 8)) if took < STEP_TIME // 2 else step


def _retried(wheel: TimerWheel, keys: list[int], now: int, job: Job[None]) -> Entry:
    """Has the timers set again where their job fails."""

    def look(done: "Future[Any]") -> None:
        if done.exception() is not None:
            for key in keys:
                if key not in wheel:
                    wheel.schedule(key, now + RETRY)

    future: Future[Any] = Future()
    future.add_done_callback(look)
    return job, future
