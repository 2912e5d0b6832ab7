"""Lists, page by page."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon

from tocsin.v1 import alert_groups_pb2, heartbeats_pb2, integrations_pb2


def fire(daemon: RunningDaemon, integration: Integration, *keys: int) -> None:
    """Opens a group for each key."""
    daemon.deliver([daemon.delivery(integration, notice("a", key=f"k{n}"), age=1_000_000 - n) for n in keys])


def pages(daemon: RunningDaemon, size: int, filter: str = "") -> Iterator[list[int]]:
    """The numbers of groups on each page."""
    token = ""
    while True:
        request = alert_groups_pb2.ListAlertGroupsRequest(page_size=size, page_token=token, filter=filter)
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


def test_a_token_belongs_to_its_list_and_filter(daemon: RunningDaemon) -> None:
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
