"""A script written for OnCall, against the real gateway and the real daemon."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from senders import notification
from stacks import Stack

from tocsin.v1 import access_pb2, access_pb2_grpc

Role = access_pb2.ApiToken.Role
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def tokens(shared_stack: Stack) -> dict[str, str]:
    """The secrets of tokens, by role."""
    service = access_pb2_grpc.AccessServiceStub(shared_stack.client._channel)
    found = {}
    for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.GATEWAY):
        name = Role.Name(role).lower()
        token = access_pb2.ApiToken(display_name=f"the {name}", role=role)
        request = access_pb2.CreateApiTokenRequest(api_token=token)
        found[name] = shared_stack.client.call(service.CreateApiToken, request).secret
    return found


@pytest.fixture
def ask(shared_stack: Stack, tokens: dict[str, str]) -> Ask:
    """Makes a request with the token of a role."""

    def ask(method: str, path: str, body: Any = None, role: str = "editor") -> tuple[int, Any]:
        headers = {"Authorization": tokens.get(role, role), "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        sender = shared_stack.sender()
        try:
            answer = sender.ask(method, f"/api/v1/{path}", content, headers)
        finally:
            sender.close()
        return answer.status, json.loads(answer.text) if answer.text else None

    return ask


def test_a_groups_life(shared_stack: Stack, ask: Ask) -> None:
    """Found by its label, acknowledged, released, silenced, resolved, opened again, wiped and deleted."""
    integration = shared_stack.client.create("A group's life")
    odd = 'a "b" \\ c'
    for key in ("one", "two"):
        body = notification(key, groupLabels={"key": key}, commonLabels={"some.key": odd})
        assert shared_stack.sender().post(integration.url, body) == 200
    id_ = integration.name.removeprefix("integrations/")

    query = f"route_id={id_}-default&label=key:one&label=some.key:a%20%22b%22%20%5C%20c&state=new"
    status, page = ask("GET", f"alert_groups/?{query}&started_at=2020-01-01T00:00:00_2100-01-01T00:00:00")
    (found,) = page["results"]
    assert (status, page["count"], found["integration_id"]) == (200, 1, id_)
    assert found["last_alert"]["payload"]["groupKey"] == "one"
    assert ask("GET", f"alert_groups/?id={found['id']}&{query}")[1]["results"] == [found]

    group = f"alert_groups/{found['id']}/"
    for verb, body, state in (
        ("acknowledge", None, "acknowledged"),
        ("unacknowledge", None, "firing"),
        ("silence", {"delay": 3600}, "silenced"),
        ("silence", {"delay": -1}, "silenced"),
        ("unsilence", None, "firing"),
        ("resolve", None, "resolved"),
        ("unresolve", None, "firing"),
        ("acknowledge", None, "acknowledged"),
    ):
        assert ask("POST", f"{group}{verb}/", body) == (200, None)
        assert ask("GET", group)[1]["state"] == state
    shown = ask("GET", group)[1]
    assert (shown["acknowledged_by"], shown["resolved_by"]) == ("the editor", None)
    again = ask("POST", f"{group}acknowledge/")
    assert again == (400, {"detail": "Can't acknowledge an acknowledged alert group"})

    assert ask("DELETE", group) == (204, None)
    shown = ask("GET", group)[1]
    assert (shown["state"], shown["resolved_by"], shown["last_alert"]) == ("resolved", "the editor", None)
    assert ask("POST", f"{group}unresolve/")[0] == 400
    assert ask("DELETE", group, {"mode": "delete"}) == (204, None)
    assert ask("GET", group)[0] == 404


def test_roles_hold(shared_stack: Stack, ask: Ask) -> None:
    """Who may read cannot act, who may act sees no secrets, and a gateway's token and a wrong one open nothing."""
    integration = shared_stack.client.create("Roles hold")
    assert shared_stack.sender().post(integration.url, notification("roles")) == 200
    id_ = integration.name.removeprefix("integrations/")
    (group,) = ask("GET", f"alert_groups/?integration_id={id_}", role="viewer")[1]["results"]

    assert ask("POST", f"alert_groups/{group['id']}/acknowledge/", role="viewer")[0] == 403
    assert ask("DELETE", f"alert_groups/{group['id']}/", role="viewer")[0] == 403
    links = [ask("GET", f"integrations/{id_}/", role=role)[1]["link"] for role in ("viewer", "editor", "admin")]
    assert links == [None, None, integration.url]
    for role in ("gateway", "wrong"):
        for path in ("alert_groups/", "alert_groups/nonsense/", "integrations/", "routes/", "routes/?routing_regex=x"):
            assert ask("GET", path, role=role)[0] == 403


def test_what_cannot_be_is_not_found(ask: Ask) -> None:
    """Integrations that never were make empty lists, and ids that nothing has are not found."""
    for query in ("integration_id=never0was", "route_id=never0was-default", "label=key:", "id=9999999"):
        status, page = ask("GET", f"alert_groups/?{query}")
        assert (status, page["results"], page["count"]) == (200, [], 0)
    for path in ("alert_groups/9999999/", "integrations/never0was/", "routes/never0was-default/", "routes/x/"):
        assert ask("GET", path) == (404, {"detail": "Not found."})
    assert ask("GET", "alert_groups/?" + "&".join(f"label=k{number}:v" for number in range(30)))[0] == 400


def test_pages(shared_stack: Stack, ask: Ask) -> None:
    """All groups of an integration are read page by page, each once."""
    integration = shared_stack.client.create("Pages")
    for number in range(25):
        assert shared_stack.sender().post(integration.url, notification(f"page {number}")) == 200
    id_ = integration.name.removeprefix("integrations/")

    found: list[str] = []
    path = f"alert_groups/?integration_id={id_}&perpage=10"
    while path:
        page = ask("GET", path)[1]
        found += [group["id"] for group in page["results"]]
        assert (page["count"], page["total_pages"]) == (25, 3)
        path = (page["next"] or "").partition("/api/v1/")[2]

    assert len(found) == len(set(found)) == 25
    assert found == sorted(found, key=int, reverse=True)


ODD_QUERIES = (
    "page=-1&perpage=-1",
    "page=%D9%A1&perpage=%D9%A2",
    "page=0x10&perpage=1e9",
    "page=" + "9" * 6_000,
    "perpage=" + "9" * 6_000,
    "page=1&page=2&perpage=1&perpage=2",
    "state=new&state=%00",
    "state=%F0%9F%94%A5",
    "id=%D9%A1",
    "id=1%0A",
    "id=" + "9" * 6_000,
    "integration_id=../../x",
    "integration_id=%22%20OR%20state%20%3D%20FIRING",
    "route_id=-default",
    "route_id=a%0A-default",
    "label=AND:x",
    "label=NOT:x&label=OR:y",
    "label=a%00b:%00",
    "label=%22:%5C",
    "label=%ED%A0%80:%FF",
    "label=%0D%0A:%0D%0A",
    "label=" + "k" * 3_000 + ":v",
    "&".join(f"label=k{n}:v" for n in range(300)),
    "label=,:v",
    "label=x%3A%3A:",
    "started_at=0000-01-01T00:00:00_9999-12-31T23:59:59",
    "started_at=0001-01-01T00:00:00_9999-12-31T23:59:59",
    "started_at=%D9%A2%D9%A0%D9%A2%D9%A0-01-01T00:00:00_2100-01-01T00:00:00",
    "started_at=2020-01-01T00:00:00_2100-01-01T00:00:00_",
    "started_at=" + "_" * 3_000,
    "team_id=%22",
    "name=%00&name=%FF",
    "routing_regex=(a%2B)%2B%24",
    ";;;&&&===%%%",
    "&" * 6_000,
)


@pytest.mark.parametrize("path", ["alert_groups", "integrations", "routes"])
def test_no_query_is_a_defect(ask: Ask, path: str) -> None:
    """Whatever stands in it, it is answered or refused, and never as something that passes."""
    answers = {query[:60]: ask("GET", f"{path}/?{query}")[0] for query in ODD_QUERIES}

    assert {query: status for query, status in answers.items() if status not in (200, 400)} == {}


@pytest.mark.parametrize("word", ["AND", "OR", "NOT"])
def test_a_label_may_be_called_like_a_word_of_filters(shared_stack: Stack, ask: Ask, word: str) -> None:
    """The daemon would take it for the word."""
    integration = shared_stack.client.create(f"Labels called {word}")
    assert shared_stack.sender().post(integration.url, notification(word, commonLabels={word: "x"})) == 200

    assert ask("GET", f"alert_groups/?label={word}:x")[1]["count"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"delay": "9" * 5_000},
        {"delay": 1e308},
        {"delay": [[]]},
        {"delay": {}},
        {"delay": "\x00"},
        {"delay": -2},
        {"delay": 2**70},
        ["delay"],
        "delay",
        None,
    ],
)
def test_no_delay_of_a_silence_is_a_defect(shared_stack: Stack, ask: Ask, body: Any) -> None:
    """What is no number of seconds is refused, and nothing is silenced."""
    integration = shared_stack.client.create(f"Delay {str(body)[:30]!r}")
    assert shared_stack.sender().post(integration.url, notification(integration.name)) == 200
    id_ = integration.name.removeprefix("integrations/")
    (group,) = ask("GET", f"alert_groups/?integration_id={id_}")[1]["results"]

    assert ask("POST", f"alert_groups/{group['id']}/silence/", body)[0] == 400
    assert ask("GET", f"alert_groups/{group['id']}/")[1]["state"] == "firing"
