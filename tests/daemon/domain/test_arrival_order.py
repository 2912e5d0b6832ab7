"""Which notifications are too late to be applied."""

import pytest
from fake_clock import SECOND
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.arrival_order import TOLERANCE, WINDOW, ArrivalOrder

A, B = b"a" * 32, b"b" * 32
NOW = 1_000 * SECOND


@pytest.mark.parametrize(
    ("arrival", "late"),
    [(NOW - 2 * SECOND, True), (NOW - TOLERANCE - 1, True), (NOW - TOLERANCE, False), (NOW, False), (NOW + 1, False)],
)
def test_what_arrived_before_the_last_one_applied_is_late(arrival: int, late: bool) -> None:
    """An earlier arrival is late; an equal one, and one within the error of measurement, is not."""
    order = ArrivalOrder()
    order.applied(A, NOW, NOW)

    assert order.is_late(A, arrival) is late


def test_an_identity_is_late_only_by_its_own_notifications() -> None:
    """What came for one group says nothing of another."""
    order = ArrivalOrder()
    order.applied(A, NOW, NOW)

    assert not order.is_late(B, NOW - 2 * SECOND)


def test_a_late_arrival_does_not_move_the_mark_back() -> None:
    """After an older one was applied nevertheless, the newest still counts."""
    order = ArrivalOrder()
    order.applied(A, NOW, NOW)
    order.applied(A, NOW - 4 * SECOND, NOW)

    assert order.is_late(A, NOW - 2 * SECOND)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """Memory holds only what could still be overtaken."""
    order = ArrivalOrder()
    order.applied(A, NOW, NOW)
    order.applied(B, NOW + WINDOW, NOW + WINDOW)
    assert order.is_late(A, NOW - 2 * SECOND)

    order.applied(B, NOW + WINDOW + 1, NOW + WINDOW + 1)
    assert not order.is_late(A, NOW - 2 * SECOND)


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 20), st.integers(0, 3)), max_size=60))
def test_the_newest_arrival_within_the_window_decides(steps: list[tuple[bytes, int, int]]) -> None:
    """However arrivals come, what is late is what is older than the greatest one applied within the window."""
    order = ArrivalOrder()
    now = NOW
    applied: dict[bytes, list[int]] = {A: [], B: []}
    for key, age, pause in steps:
        now += pause * 5 * SECOND
        arrival = now - age * SECOND
        newest = max(applied[key], default=None)
        if newest is not None and newest >= now - WINDOW + 20 * SECOND:
            assert order.is_late(key, arrival) == (arrival < newest - TOLERANCE)
        if newest is None:
            assert not order.is_late(key, arrival)
        order.applied(key, arrival, now)
        applied[key].append(arrival)
