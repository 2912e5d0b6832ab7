"""Queues of messages that may be sent, as tests fill them."""

from tocsind.domain.outbox_queue import Errand, OutboxQueue
from tocsind.domain.units import SECOND


def queue(*ways: tuple[int, int]) -> OutboxQueue:
    """An empty queue; the contact points, from 1, have these windows and places."""
    made = OutboxQueue(lambda: 0.5)
    for number, (window, most) in enumerate(ways, start=1):
        made.set_way(number, window, most)
    return made


def ids(errands: list[Errand]) -> list[tuple[int, ...]]:
    """The messages of errands."""
    return [errand.ids for errand in errands]


def after_failures(count: int) -> tuple[OutboxQueue, int]:
    """A queue of which so many messages failed, one after the other, and now wait for 600 s; and the time."""
    q, now = queue((0, 4)), 0
    for number in range(1, count + 1):
        q.add(number, number, 1, due=now)
        (errand,) = q.take(now, 10)
        q.settle(errand, now, False, {number: now + 600 * SECOND})
        assert q.take(now, 10) == []
        following = q.next_look()
        assert following is not None
        now = following
    return q, now
