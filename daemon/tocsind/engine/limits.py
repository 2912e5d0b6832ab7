"""How much is taken of what gateways deliver, by the rules of `domain/rate_limit.py`; and who was refused lately.

Rules
- Notifications are counted for their integration and over all, beats for their integration alone, apart from its
  notifications: an alert storm leaves heartbeats alone. There is no limit on all beats, as many integrations beat much:
  a thousand of them every 10 seconds are 30,000 in five minutes, all of them wanted, and any number that would hold
  them back would make heartbeats look missing by the hundred. A single one that runs wild is held by its own limit.
- The integration's own limit is asked first: what it holds back does not use up the one over all.
- What is taken is counted once it is on disk. The jobs of one transaction see before what the others took.
- What is only put off (DEFERRED) is not counted: it comes again. It can be refused, before templates cost anything.
- It is all in memory and is forgotten by a restart: then as much may come anew. Only the groups that tell of refusals
  outlive that; they are looked for at the start, so that they end.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tocsind.domain.integration import Integration
from tocsind.domain.rate_limit import WINDOW, Window
from tocsind.domain.units import SECOND
from tocsind.metrics import Metrics
from tocsind.sqlite.writer import Transaction

TELL_AGAIN = 60 * SECOND
MOST_REPORTS = 100
_ALL = 0
_PREFIX = "rate-limit/"


class Scope(Enum):
    """What a limit holds for. The values are labels of metrics and stand in the keys of groups."""

    NOTIFICATIONS = "notifications"
    BEATS = "beats"
    TOTAL = "total"


class Limited(NamedTuple):
    """A limit that refused something: its scope, and the public id of the integration ("" over all)."""

    scope: Scope
    public_id: str = ""


@dataclass(slots=True)
class _Refusal:
    """`last`: when something was refused last; `tell`: when to look whether the group that tells of it is open."""

    last: int
    tell: int


class Limits:
    """The limits of one daemon: `limit` for an integration that has none of its own, `total` for all notifications;
    0 is none. It belongs to whoever has the pen."""

    def __init__(self, limit: int = 0, total: int = 0) -> None:
        self.limit = limit
        self.total = total
        self._windows: dict[tuple[Scope, int], Window] = {}
        self._refused: dict[Limited, _Refusal] = {}

    def of(self, integration: Integration) -> int:
        """Returns the limit of an integration."""
        return self.limit if integration.rate_limit is None else integration.rate_limit

    def window(self, scope: Scope, integration_id: int = _ALL) -> Window:
        """Returns what was taken."""
        found = self._windows.get((scope, integration_id))
        if found is None:
            found = self._windows[scope, integration_id] = Window()
        return found

    def busiest(self, now: int, most: int) -> list[tuple[int, int]]:
        """Returns of which integrations most notifications were taken, and how many. Those without a limit of their own
        are not counted one by one."""
        windows = ((id_, window) for (scope, id_), window in self._windows.items() if scope is Scope.NOTIFICATIONS)
        counts = Counter({id_: window.taken(now) for id_, window in windows})
        return [(id_, count) for id_, count in counts.most_common(most) if count]

    def refused(self, limited: Limited, now: int) -> None:
        """Notes that a limit refused something."""
        known = self._refused.get(limited)
        if known is None:
            self._refused[limited] = _Refusal(now, now)
        else:
            known.last = now

    def to_tell(self, now: int) -> Iterator[tuple[Limited, bool]]:
        """Yields some limits of which is to be told that they refuse, or (False) that they do no longer."""
        due = [key for key, known in self._refused.items() if known.tell <= now or known.last <= now - WINDOW]
        for limited in due[:MOST_REPORTS]:
            yield limited, self._refused[limited].last > now - WINDOW

    def told(self, limited: Limited, now: int, *, refuses: bool) -> None:
        """It was told, as of `now`, that a limit refuses, or that it does no longer."""
        known = self._refused.get(limited)
        if known is None:
            return
        if refuses:
            known.tell = now + TELL_AGAIN
        elif known.last <= now - WINDOW:
            del self._refused[limited]
        else:
            known.tell = now

    def resume(self, open_keys: Iterable[str], now: int) -> None:
        """Takes over the groups that an earlier daemon left open: they end unless something is refused again."""
        for key in open_keys:
            limited = of_key(key)
            if limited is not None:
                self._refused[limited] = _Refusal(now, now + WINDOW)

    def forget(self, integration_id: int) -> None:
        """Forgets what an integration sent, which is deleted."""
        for scope in (Scope.NOTIFICATIONS, Scope.BEATS):
            self._windows.pop((scope, integration_id), None)


class Quota:
    """What one job takes."""

    def __init__(self, limits: Limits, transaction: Transaction, metrics: Metrics) -> None:
        self._limits = limits
        self._transaction = transaction
        self._metrics = metrics
        self._taken: Counter[tuple[Scope, int]] = Counter()
        self._refused: Counter[Scope] = Counter()

    def wait(self, scope: Scope, integration: Integration) -> int:
        """Returns in how many seconds one more notification or beat of an integration may be taken; 0 for now. What is
        to wait is thereby refused."""
        own, total = self._limits.of(integration), self._limits.total
        if not own and not total:
            return 0
        limited = Limited(scope, integration.public_id)
        wait = self._ask(scope, integration.id, own)
        if not wait and scope is Scope.NOTIFICATIONS:
            limited = Limited(Scope.TOTAL)
            wait = self._ask(Scope.TOTAL, _ALL, total)
        if not wait:
            return 0
        self._limits.refused(limited, self._transaction.steady)
        self._refused[limited.scope] += 1
        return -(-wait // SECOND)

    def take(self, scope: Scope, integration: Integration) -> None:
        """Counts a notification or beat that is taken."""
        if self._limits.of(integration):
            self._taken[scope, integration.id] += 1
        if scope is Scope.NOTIFICATIONS and self._limits.total:
            self._taken[Scope.TOTAL, _ALL] += 1

    def close(self) -> None:
        """The job is done: what it took is seen by those after it, and counted with the commit."""
        self._transaction.taken.update(self._taken)
        if self._taken or self._refused:
            self._transaction.after_commit(self._count)

    def _ask(self, scope: Scope, integration_id: int, limit: int) -> int:
        if not limit:
            return 0
        key = (scope, integration_id)
        others = self._taken[key] + self._transaction.taken[key]
        window = self._limits.window(scope, integration_id)
        return window.wait(limit, self._transaction.steady, others=others, trickle=scope is Scope.BEATS)

    def _count(self) -> None:
        for (scope, integration_id), count in self._taken.items():
            self._limits.window(scope, integration_id).take(self._transaction.steady, count)
        for scope, count in self._refused.items():
            self._metrics.rate_limited[scope.value].inc(count)


def key_of(limited: Limited) -> str:
    """Returns the grouping key of the group that tells of a limit."""
    return f"{_PREFIX}{limited.scope.value}/{limited.public_id}"


def of_key(key: str) -> Limited | None:
    """Returns the limit of which the group with this grouping key tells, or None where it tells of something else."""
    if not key.startswith(_PREFIX):
        return None
    scope, _, public_id = key.removeprefix(_PREFIX).partition("/")
    return Limited(Scope(scope), public_id) if scope in {each.value for each in Scope} else None
