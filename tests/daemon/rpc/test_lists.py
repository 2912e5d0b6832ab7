"""Lists, page by page."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from fake_clock import DAY, SECOND
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon

from tocsin.v1 import alert_groups_pb2, heartbeats_pb2, integrations_pb2
from tocsind.rpc import group_filter, paging


def fire(daemon: RunningDaemon, integration: Integration, *keys: int) -> None:
    """Opens a group for each key."""
    daemon.deliver([daemon.delivery(integration, notice("a", key=f"k{n}"), age=1_000_000 - n) for n in keys])


def pages(daemon: RunningDaemon, size: int, filter: str = "", order_by: str = "") -> Iterator[list[int]]:
    """The numbers of groups on each page."""
    token = ""
    while True:
        request = alert_groups_pb2.ListAlertGroupsRequest(
            page_size=size, page_token=token, filter=filter, order_by=order_by
        )
        answer = daemon.groups.ListAlertGroups(request)
        yield [group.number for group in answer.alert_groups]
        token = answer.next_page_token
        if not token:
            return


def test_pages_hold_everything_once(daemon: RunningDaemon) -> None:
    """Newest first; the last page has no next, also where it is exactly full."""
    fire(daemon, daemon.integration(), *range(10))

    assert list(pages(daemon, 4)) == [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]]
    assert list(pages(daemon, 5)) == [[10, 9, 8, 7, 6], [5, 4, 3, 2, 1]]
    assert list(pages(daemon, 100)) == [list(range(10, 0, -1))]


def test_pages_are_stable_while_groups_come_and_go(daemon: RunningDaemon) -> None:
    """What was there at the start of a walk is met once, whatever opens meanwhile."""
    integration = daemon.integration()
    fire(daemon, integration, *range(10))
    seen: list[int] = []
    for number, page in enumerate(pages(daemon, 3, "state != RESOLVED")):
        seen += page
        fire(daemon, integration, 100 + 2 * number, 101 + 2 * number)
        daemon.act("Resolve", f"alertGroups/{page[0]}")

    assert seen == list(range(10, 0, -1))


def test_a_filter_narrows_every_page(daemon: RunningDaemon) -> None:
    """By state, by integration and by both, in order."""
    one, other = daemon.integration("one"), daemon.integration("other")
    for n in range(6):
        fire(daemon, one if n % 2 else other, n)
    daemon.act("Acknowledge", "alertGroups/2")
    daemon.act("Resolve", "alertGroups/4")
    daemon.act("Resolve", "alertGroups/5")

    assert list(pages(daemon, 2, "state != RESOLVED")) == [[6, 3], [2, 1]]
    assert list(pages(daemon, 2, f'integration = "{one.name}"')) == [[6, 4], [2]]
    assert list(pages(daemon, 2, f'state != RESOLVED AND integration = "{one.name}"')) == [[6, 2]]
    assert list(pages(daemon, 2, "state = RESOLVED")) == [[5, 4]]
    assert list(pages(daemon, 2, "state = SILENCED")) == [[]]


def test_the_oldest_come_first_on_demand(daemon: RunningDaemon) -> None:
    """By the time of creation, then by number, page by page; spaces do not matter."""
    integration = daemon.integration()
    fire(daemon, integration, 1, 2, 3)
    daemon.clock.advance(SECOND)
    fire(daemon, integration, 4)
    daemon.clock.jump(-DAY)
    fire(daemon, integration, 5, 6)

    assert list(pages(daemon, 2, order_by=" create_time ")) == [[5, 6], [1, 2], [3, 4]]
    assert list(pages(daemon, 2, order_by="create_time  desc")) == [[4, 3], [2, 1], [6, 5]]
    assert list(pages(daemon, 2, "state = FIRING")) == [[4, 3], [2, 1], [6, 5]]


@pytest.mark.parametrize("order_by", ["create_time", "create_time desc"])
def test_times_of_creation_narrow_a_list(daemon: RunningDaemon, order_by: str) -> None:
    """From both sides, with the ends or without them, in both orders."""
    integration = daemon.integration()
    times = []
    for n in range(1, 4):
        fire(daemon, integration, n)
        times.append(daemon.group(f"alertGroups/{n}").create_time.ToJsonString())
        daemon.clock.advance(SECOND)

    def found(filter: str) -> list[int]:
        return sorted(number for page in pages(daemon, 1, filter, order_by) for number in page)

    assert found(f"create_time >= {times[1]}") == [2, 3]
    assert found(f"create_time > {times[1]}") == [3]
    assert found(f"create_time <= {times[1]}") == [1, 2]
    assert found(f"create_time < {times[1]}") == [1]
    assert found(f"create_time >= {times[1]} AND create_time <= {times[1]}") == [2]
    assert found(f"create_time > {times[1]} AND create_time < {times[1]}") == []


@pytest.mark.parametrize("order_by", ["name", "create_time asc", "create_time desc, name", "CREATE_TIME", "desc"])
def test_another_order_is_refused(daemon: RunningDaemon, order_by: str) -> None:
    """With the two that there are."""
    with pytest.raises(grpc.RpcError, match="order_by: must be 'create_time desc' or 'create_time', not") as refusal:
        next(pages(daemon, 1, order_by=order_by))

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_filter_is_refused_with_its_place(daemon: RunningDaemon) -> None:
    """As an invalid argument that names the field."""
    with pytest.raises(grpc.RpcError, match="filter: at character 1, 'sate': is not a field") as refusal:
        next(pages(daemon, 1, "sate = FIRING"))

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_token_that_somebody_made_up_does_no_harm(daemon: RunningDaemon) -> None:
    """Numbers that no database holds are refused, and a key outside of the wanted times does not widen them."""
    integration = daemon.integration()
    fire(daemon, integration, 1)
    daemon.clock.advance(SECOND)
    fire(daemon, integration, 2, 3)
    created = daemon.group("alertGroups/2").create_time.ToJsonString()
    filter = f"create_time < {created}"
    scope = f"alertGroups {group_filter.parse(filter)} True"

    def ask(key: tuple[int, int]) -> list[int]:
        token = paging.token(scope, key)
        return [group.number for group in daemon.list_groups(filter, page_token=token)]

    assert ask((2**62, 1)) == [1]
    for wrong in ((2**63, 1), (1, -(2**63) - 1)):
        with pytest.raises(grpc.RpcError, match="page_token: is not one that a list gave out"):
            ask(wrong)


def test_a_token_belongs_to_its_list_filter_and_order(daemon: RunningDaemon) -> None:
    """With another it is refused, not answered wrongly; rubbish is refused, too."""
    fire(daemon, daemon.integration(), *range(3))

    def ask(token: str, filter: str = "", call: str = "ListAlertGroups", **fields: Any) -> Any:
        fields |= {"filter": filter} if call == "ListAlertGroups" else {}
        request = getattr(alert_groups_pb2, f"{call}Request")(page_size=1, page_token=token, **fields)
        return getattr(daemon.groups, call)(request)

    token = ask("", "state = FIRING").next_page_token
    assert [group.number for group in ask(token, " state=FIRING ").alert_groups] == [2]
    for wrong in (
        lambda: ask(token),
        lambda: ask(token, "state != RESOLVED"),
        lambda: ask(token, "state = FIRING AND labels:a"),
        lambda: ask(token, "state = FIRING", order_by="create_time"),
        lambda: ask(token, call="ListEvents", parent="alertGroups/1"),
        lambda: ask(token, call="ListAlerts", parent="alertGroups/1"),
        lambda: ask("rubbish", "state = FIRING"),
        lambda: ask(token + "x", "state = FIRING"),
        lambda: ask("é", "state = FIRING"),
    ):
        with pytest.raises(grpc.RpcError, match="page_token") as refusal:
            wrong()
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(("asked", "got"), [(0, 50), (1, 1), (1_000, 60), (5_000, 60)])
def test_the_size_of_a_page(daemon: RunningDaemon, asked: int, got: int) -> None:
    """50 by default, and never more than a thousand."""
    fire(daemon, daemon.integration(), *range(60))

    assert len(next(pages(daemon, asked))) == got


def test_a_negative_size_is_refused(daemon: RunningDaemon) -> None:
    """By its field."""
    with pytest.raises(grpc.RpcError, match="page_size: must not be negative"):
        next(pages(daemon, -1))


def test_an_unknown_integration_is_not_found(daemon: RunningDaemon) -> None:
    """An empty list would look like good news."""
    with pytest.raises(grpc.RpcError, match="integrations/nobody does not exist") as refusal:
        next(pages(daemon, 1, "integration = integrations/nobody"))

    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_integrations_and_heartbeats_come_oldest_first(daemon: RunningDaemon) -> None:
    """Page by page, each once, deleted ones left out."""
    names = [daemon.integration(f"i{n}").name for n in range(5)]
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=names.pop(1)))
    listed: list[str] = []
    token = ""
    while token or not listed:
        answer = daemon.integrations.ListIntegrations(
            integrations_pb2.ListIntegrationsRequest(page_size=2, page_token=token)
        )
        listed += [found.name for found in answer.integrations]
        token = answer.next_page_token
    first = daemon.heartbeats.ListHeartbeats(heartbeats_pb2.ListHeartbeatsRequest(page_size=3))
    rest = daemon.heartbeats.ListHeartbeats(
        heartbeats_pb2.ListHeartbeatsRequest(page_size=3, page_token=first.next_page_token)
    )

    assert listed == names
    assert [found.name for found in (*first.heartbeats, *rest.heartbeats)] == [f"{name}/heartbeat" for name in names]
    assert rest.next_page_token == ""


def test_alerts_and_events_come_page_by_page(daemon: RunningDaemon) -> None:
    """Alerts by fingerprint, events in their order, each once."""
    integration = daemon.integration()
    name = daemon.fire(integration, "c a b")
    for verb in ("Acknowledge", "Unacknowledge", "Resolve"):
        daemon.act(verb, name)
    alerts: list[str] = []
    events: list[int] = []
    token = ""
    while token or not alerts:
        page = daemon.groups.ListAlerts(alert_groups_pb2.ListAlertsRequest(parent=name, page_size=2, page_token=token))
        alerts += [found.fingerprint for found in page.alerts]
        token = page.next_page_token
    while token or not events:
        more = daemon.groups.ListEvents(alert_groups_pb2.ListEventsRequest(parent=name, page_size=3, page_token=token))
        events += [found.revision for found in more.events]
        token = more.next_page_token

    assert alerts == ["a", "b", "c"]
    assert events == [1, 2, 3, 4]
    assert daemon.group(name).state == AlertGroup.RESOLVED
