"""What the gateway's URLs answer, whoever asks: never a redirect."""

import itertools

import pytest
from senders import notification
from stacks import Stack

BODY = notification("urls")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def known(shared_stack: Stack) -> dict[str, str]:
    """What stands for the words in the paths."""
    integration = shared_stack.client.create("urls")
    return {"token": integration.token, "id": integration.name.partition("/")[2]}


@pytest.mark.parametrize(
    "path",
    [
        "/integrations",
        "/integrations/v1",
        "/integrations/v1/alertmanager",
        "/integrations/v1/alertmanager/{token}",
        "/integrations/v1/alertmanager/{id}",
        "/integrations/v1/alertmanager/unknown",
        "/integrations/v1/alertmanager/{token}/heartbeat",
        "/integrations/v1/alertmanager/{id}/heartbeat",
        "/integrations/v1/alertmanager/{token}/nothing",
        "/integrations/v1/alertmanager/{token}/heartbeat/nothing",
        "/integrations/v1/webhook/{token}",
        "/integrations//v1/alertmanager/{token}",
        "/integrations/v1/alertmanager//{token}",
        "/integrations/v1/alertmanager/../alertmanager/{token}",
        "/integrations/v1/alertmanager/{token}/%2e%2e",
        "//integrations/v1/alertmanager/{token}",
    ],
)
def test_never_a_redirect(shared_stack: Stack, known: dict[str, str], path: str) -> None:
    """No method on no path is answered by a redirect, or by an error of the server; a slash more changes nothing."""
    sender = shared_stack.sender()
    for method, query in itertools.product(METHODS, ("", "?x=1&y=%20z")):
        answers = []
        for slash in ("", "/"):
            body = BODY if method in ("POST", "PUT", "PATCH") else None
            answer = sender.ask(method, path.format(**known) + slash + query, body)
            assert answer.status in (200, 400, 401, 404, 405), (method, slash)
            assert "location" not in answer.headers
            assert known["token"] not in answer.text
            answers.append((answer.status, answer.text))
        assert answers[0] == answers[1], (method, query)
    sender.close()


def test_only_a_post_is_a_notification(shared_stack: Stack, known: dict[str, str]) -> None:
    """What is no POST to the URL for notifications is told so, whatever its body."""
    sender = shared_stack.sender()
    for method in set(METHODS) - {"POST"}:
        body = BODY if method in ("PUT", "PATCH") else None
        assert sender.ask(method, f"/integrations/v1/alertmanager/{known['token']}/", body).status == 405
    sender.close()
