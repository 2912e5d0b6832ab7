"""What holds for every notification after every history."""

import contextlib
from copy import deepcopy

from fake_clock import MINUTE, START
from hypothesis import given
from hypothesis import strategies as st
from notices import notice

from tocsind.domain.alert_group import Action, AlertGroup, Source, act
from tocsind.domain.errors import TocsinError
from tocsind.domain.notification import Notification, Report
from tocsind.domain.snapshot import AlertState, Effect, KnownAlert, receive

REASONS = ["", "new alerts added", "all alerts resolved"]
History = list[Notification | Action]


@st.composite
def notifications(draw: st.DrawFn) -> Notification:
    """Anything that Alertmanager could say of four alerts."""
    standing = draw(st.dictionaries(st.sampled_from("abcd"), st.booleans()))
    return notice(
        " ".join(name for name, firing in standing.items() if firing),
        " ".join(name for name, firing in standing.items() if not firing),
        truncated=draw(st.sampled_from([0, 0, 2])),
        reason=draw(st.sampled_from(REASONS)),
    )


HISTORIES = st.lists(
    notifications() | st.sampled_from([Action.ACKNOWLEDGE, Action.SILENCE, Action.RESOLVE, Action.UNRESOLVE]),
    max_size=6,
)


def apply(
    known: AlertGroup | None, alerts: dict[str, KnownAlert], notification: Notification, now: int, window: int
) -> Effect:
    """Applies one notification."""
    return receive(
        known,
        alerts,
        notification,
        source=Source.ALERTMANAGER,
        integration_id=1,
        reopen_window=window,
        now=now,
        new_id=lambda: 1 if known is None else known.id + 1,
    )


def after(history: History, window: int) -> tuple[AlertGroup | None, dict[str, KnownAlert], int]:
    """The group that matters after a history, its alerts, and the time."""
    group: AlertGroup | None = None
    alerts: dict[str, KnownAlert] = {}
    now = START
    for step in history:
        now += MINUTE
        if isinstance(step, Notification):
            effect = apply(group, alerts, step, now, window)
            group = effect.group
            alerts = effect.alerts if effect.described else alerts
        elif group is not None:
            with contextlib.suppress(TocsinError):
                act(group, step, now, actor="ada")
    return group, alerts, now


def but_for_counters(group: AlertGroup) -> AlertGroup:
    """A copy without what every notification moves."""
    copy = deepcopy(group)
    copy.notifications = copy.last_received = 0
    return copy


@given(HISTORIES, notifications(), st.sampled_from([0, 5 * MINUTE]))
def test_applying_a_notification_twice_is_applying_it_once(
    history: History, notification: Notification, window: int
) -> None:
    """After any history, the same notification again changes nothing but counters."""
    group, alerts, now = after(history, window)
    once = apply(group, alerts, notification, now, window)
    if once.group is None:
        return
    alerts = once.alerts if once.described else alerts
    group_before, alerts_before = but_for_counters(once.group), deepcopy(alerts)

    twice = apply(once.group, alerts, notification, now + 1, window)

    assert twice.group is not None
    assert but_for_counters(twice.group) == group_before
    assert alerts == alerts_before
    assert (twice.opened, twice.moved, twice.described, twice.events) == (False, False, False, [])
    assert twice.group.notifications == once.group.notifications


@given(HISTORIES, notifications())
def test_what_is_listed_is_what_is_known(history: History, notification: Notification) -> None:
    """After any history, each alert listed has the state that is listed, and no other one fires unless it may."""
    group, alerts, now = after(history, 5 * MINUTE)
    effect = apply(group, alerts, notification, now, 5 * MINUTE)
    if not effect.described:
        return
    listed = {alert.fingerprint: alert.firing for alert in notification.alerts}
    for fingerprint, known in effect.alerts.items():
        if fingerprint in listed:
            assert known.state is (AlertState.FIRING if listed[fingerprint] else AlertState.RESOLVED)
        elif notification.truncated == 0:
            assert known.state is not AlertState.FIRING
    assert set(listed) <= set(effect.alerts)


@given(HISTORIES, st.sampled_from([0, 5 * MINUTE]))
def test_the_last_full_snapshot_decides_whether_a_group_is_open(history: History, window: int) -> None:
    """After any history, an untruncated "resolved" leaves nothing open, and firing an hour later leaves one open."""
    group, alerts, now = after(history, window)
    effect = apply(group, alerts, notice("", "z"), now, window)
    assert effect.group is None or not effect.group.is_open
    group, alerts, now = after(history, window)
    effect = apply(group, alerts, notice("z"), now + 60 * MINUTE, window)
    assert notice("z").report is Report.FIRING
    assert effect.group is not None
    assert effect.group.is_open
