"""What may be sent now, and in which order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from queueing import after_failures, ids, queue

from tocsind.domain import backoff
from tocsind.domain.outbox_queue import MOST_BUNDLED, SHARED_PLACES, OutboxQueue
from tocsind.domain.units import SECOND


def test_the_backoff_doubles_up_to_ten_minutes_and_ends_after_twelve_attempts() -> None:
    """It takes about an hour in all."""
    waits = [backoff.next_try(attempts, 0.5) for attempts in range(1, 13)]

    assert waits[:7] == [seconds * SECOND for seconds in (5, 10, 20, 40, 80, 160, 320)]
    assert waits[7:] == [600 * SECOND] * 4 + [None]


@given(st.integers(1, 11), st.floats(0, 1), st.integers(0, 10**12))
def test_the_backoff_is_within_a_fifth_and_obeys_within_ten_minutes(attempts: int, luck: float, asked: int) -> None:
    """What the other side asks for makes it longer, never shorter, and not longer than ten minutes."""
    middle = min(5 * 2 ** (attempts - 1), 600) * SECOND
    wait = backoff.next_try(attempts, luck, asked)

    assert wait is not None
    assert wait >= min(asked, 600 * SECOND)
    assert 0.8 * middle - 1 <= wait <= max(1.2 * middle + 1, min(asked, 600 * SECOND))


def test_those_of_a_pair_go_one_after_the_other() -> None:
    """The later one goes once the earlier one is settled, and waits through its backoff."""
    q = queue((0, 8))
    for number in (1, 2):
        q.add(number, group_id=7, contact_id=1, due=0)

    (first,) = q.take(0, 10)
    assert first.ids == (1,)
    q.settle(first, 0, False, {1: 60})
    assert q.take(59, 10) == []
    again = q.take(10 * SECOND, 10)
    assert ids(again) == [(1,)]
    q.settle(again[0], 10 * SECOND, True)
    assert ids(q.take(10 * SECOND, 10)) == [(2,)]


def test_so_many_at_once_as_its_kind_has_and_one_after_a_failure() -> None:
    """Until one succeeds."""
    q = queue((0, 4))
    for number in range(1, 11):
        q.add(number, group_id=number, contact_id=1, due=0)
    first = q.take(0, 100)
    assert ids(first) == [(1,), (2,), (3,), (4,)]

    for errand in first:
        q.settle(errand, 0, False, {errand.ids[0]: SECOND * 100})
    assert q.take(0, 100) == []
    assert q.next_look() == 5 * SECOND
    (only,) = q.take(5 * SECOND, 100)
    q.settle(only, 5 * SECOND, True)
    assert len(q.take(5 * SECOND, 100)) == 4


def test_a_poisoned_message_blocks_no_other() -> None:
    """It has its own backoff; the others go a few seconds later."""
    q = queue((0, 4))
    q.add(1, 1, 1, due=0)
    (poisoned,) = q.take(0, 10)
    q.settle(poisoned, 0, False, {1: 300 * SECOND})
    for number in range(2, 9):
        q.add(number, number, 1, due=0)

    (probe,) = q.take(5 * SECOND, 10)
    q.settle(probe, 5 * SECOND, True)
    assert len(q.take(5 * SECOND, 10)) == 4


def test_a_dead_receiver_is_tried_once_a_minute_at_most_however_many_wait() -> None:
    """And not once for each of a thousand messages."""
    q = queue((0, 8))
    for number in range(1, 1001):
        q.add(number, number, 1, due=0)
    now, tries = 0, 0
    while now <= 3600 * SECOND:
        while taken := q.take(now, 1000):
            tries += len(taken)
            for errand in taken:
                q.settle(errand, now, False, {errand.ids[0]: now + 600 * SECOND})
        following = q.next_look()
        assert following is not None
        now = max(following, now + 1)

    assert 60 <= tries <= 75


def test_what_is_new_and_what_failed_take_turns() -> None:
    """However many of one kind wait, the other is tried, too."""
    q = queue((0, 1))
    for number in range(1, 11):
        q.add(number, number, 1, due=0, attempts=1 if number <= 5 else 0)
    order = []
    for _ in range(10):
        (errand,) = q.take(0, 10)
        order.append(errand.ids[0] <= 5)
        q.settle(errand, 0, True)

    assert order == [False, True] * 5


def test_a_bundle_waits_for_its_window_and_takes_along_what_is_due() -> None:
    """From when the first became due; one message a group, the rest goes with the next."""
    q = queue((2 * SECOND, 4))
    q.add(1, 1, 1, due=0)
    q.add(2, 2, 1, due=SECOND)
    q.add(3, 1, 1, due=SECOND)
    q.add(4, 3, 1, due=9 * SECOND)

    assert q.take(SECOND, 10) == []
    assert q.next_look() == 2 * SECOND
    (bundle,) = q.take(2 * SECOND, 10)
    assert bundle.ids == (1, 2)
    q.settle(bundle, 2 * SECOND, True)
    assert ids(q.take(3 * SECOND, 10)) == [(3,)]
    assert q.next_look() == 9 * SECOND


def test_a_bundle_that_fails_is_halved_until_what_poisons_it_is_alone() -> None:
    """Those that are not poisoned arrive within their first attempts."""
    q = queue((1, 1))
    for number in range(MOST_BUNDLED):
        q.add(number, number, 1, due=0)
    now, attempts, delivered = 1, Counter[int](), set[int]()
    while len(q) > 1:
        for errand in q.take(now, 10):
            attempts.update(errand.ids)
            bad = 17 in errand.ids
            q.settle(errand, now, not bad, dict.fromkeys(errand.ids, now) if bad else {})
            delivered.update(() if bad else errand.ids)
        now += 60 * SECOND

    assert delivered == set(range(MOST_BUNDLED)) - {17}
    assert max(attempts.values()) <= 7


def test_contact_points_take_turns() -> None:
    """One with a thousand messages does not keep another from its first."""
    q = queue((0, 100), (0, 100), (0, 100))
    for number in range(1, 1001):
        q.add(number, number, 1, due=0)
    q.add(2001, 1, 2, due=0)
    q.add(2002, 1, 3, due=0)

    assert {errand.contact_id for errand in q.take(0, 3)} == {1, 2, 3}


def test_receivers_that_hang_leave_places_for_those_that_have_none() -> None:
    """A hundred may be taken by several to the same; the rest is for firsts."""
    q = queue(*[(0, 8)] * 150)
    for contact in range(1, 101):
        for group in range(20):
            q.add(contact * 100 + group, group, contact, due=0)
    assert len(q.take(0, 1000)) == SHARED_PLACES
    for contact in range(101, 151):
        q.add(contact * 100, 1, contact, due=0)

    assert {errand.contact_id for errand in q.take(0, 1000)} == set(range(101, 151))
    assert q.under_way == SHARED_PLACES + 50


def test_what_somebody_has_retried_goes_at_once_though_its_receiver_rests() -> None:
    """Somebody wants to know whether it is back."""
    q = queue((0, 4))
    q.add(1, 1, 1, due=0)
    (errand,) = q.take(0, 1)
    q.settle(errand, 0, False, {1: 100 * SECOND})

    q.hasten(1, 5)
    assert ids(q.take(5, 1)) == [(1,)]


def test_what_is_retried_takes_along_what_comes_before_it() -> None:
    """It would wait for the backoff of an earlier one to the same contact point about the same group."""
    q = queue((0, 4))
    for number in (1, 2, 3):
        q.add(number, 1, 1, due=0)
    (first,) = q.take(0, 1)
    q.settle(first, 0, False, {1: 100 * SECOND})

    q.hasten(2, 5)
    (again,) = q.take(5, 10)
    assert again.ids == (1,)
    q.settle(again, 5, True)
    assert ids(q.take(5, 10)) == [(2,)]


def test_a_receiver_that_is_back_gets_what_failed_meanwhile_at_once() -> None:
    """Its backoff is for a receiver that is away. Those that were not tried wait for nothing new."""
    q, now = after_failures(3)
    q.add(4, 4, 1, due=now)
    (probe,) = q.take(now, 10)
    assert probe.ids == (4,)

    q.settle(probe, now, True)
    assert sorted(ids(q.take(now, 10))) == [(1,), (2,), (3,)]


def test_what_its_receiver_chokes_on_is_not_hastened_by_others_that_get_through() -> None:
    """It would have used up its attempts in a minute."""
    q, now = after_failures(2)
    q.add(4, 4, 1, due=now)
    (probe,) = q.take(now, 10)

    q.settle(probe, now, True)
    assert q.take(now, 10) == []
    assert ids(q.take(700 * SECOND, 10)) == [(1,), (2,)]


def test_what_is_given_up_and_retried_later_goes_before_what_waits_of_its_pair() -> None:
    """Its number is lower; and not together with one that is under way."""
    q = queue((0, 4))
    q.add(5, 1, 1, due=0)
    (under_way,) = q.take(0, 10)
    q.add(6, 1, 1, due=0)
    q.add(3, 1, 1, due=0)

    assert q.take(0, 10) == []
    q.settle(under_way, 0, True)
    (third,) = q.take(0, 10)
    assert third.ids == (3,)
    q.settle(third, 0, True)
    q.add(4, 1, 1, due=1)
    assert ids(q.take(1, 10)) == [(4,)]


def test_what_is_cancelled_makes_way() -> None:
    """Also what was taken and not begun: the errand's place is free once it is settled."""
    q = queue((0, 1))
    for number in (1, 2):
        q.add(number, 1, 1, due=0)
    (taken,) = q.take(0, 10)
    q.remove(1)
    assert q.take(0, 10) == []
    q.settle(taken, 0, None)

    assert ids(q.take(0, 10)) == [(2,)]
    assert (len(q), q.pending(1)) == (1, 1)


def test_a_hundred_thousand_messages_cost_little_each() -> None:
    """What is looked at for an errand does not grow with what waits: counted in looks, not in seconds."""
    looks = 0

    class Counting(OutboxQueue):
        def _is_next(self, message_id: int, due: int) -> bool:
            nonlocal looks
            looks += 1
            return super()._is_next(message_id, due)

    q = Counting(lambda: 0.5)
    count = 100_000
    for contact in range(1, 11):
        q.set_way(contact, 0, 8)
    for number in range(count):
        q.add(number, number, 1 + number % 10, due=number)
    while taken := q.take(count, 100):
        for errand in taken:
            q.settle(errand, count, True)

    assert len(q) == 0
    assert looks < 6 * count

    for number in range(count):
        q.add(number, number, 1, due=number)
    for _ in range(count // 8):
        looks = 0
        for errand in q.take(count, 1):
            q.settle(errand, count, True)
        assert looks < count // 10
